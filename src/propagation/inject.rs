use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::Injector;

/// Writes the headers of a request for a propagator.
///
/// A header that is there is replaced, never doubled. An empty value is not sent, and neither is one
/// that no header can carry.
///
/// ```
/// use http::HeaderMap;
/// use opentelemetry::propagation::Injector;
/// use otelhttp::propagation::HeaderInjector;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("b3", "0".parse()?);
///
/// let mut injector = HeaderInjector::new(&mut headers);
/// injector.set("b3", "1".to_owned());
/// injector.set("tracestate", String::new());
///
/// assert_eq!(headers.len(), 1);
/// assert_eq!(headers["b3"], "1");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HeaderInjector<'h>(&'h mut HeaderMap);

impl<'h> HeaderInjector<'h> {
    /// Writes into these headers.
    #[must_use]
    pub fn new(headers: &'h mut HeaderMap) -> Self {
        Self(headers)
    }
}

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(key.as_bytes()), HeaderValue::try_from(value))
        else {
            return;
        };
        if !value.is_empty() {
            // A full map must not take the request down.
            drop(self.0.try_insert(name, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_can_carry_is_not_sent() {
        let mut headers = HeaderMap::new();
        let mut injector = HeaderInjector::new(&mut headers);
        injector.set("a\nb", "1".to_owned());
        injector.set("a", "1\r\nb: 2".to_owned());
        assert!(headers.is_empty());
    }
}
