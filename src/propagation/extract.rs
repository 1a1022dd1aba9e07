use std::cell::OnceCell;

use http::HeaderMap;
use http::header::AsHeaderName;
use opentelemetry::propagation::Extractor;

use super::trace_context::{TRACEPARENT, TRACESTATE, TraceParent};
use super::{baggage, trace_state, w3c};

/// Reads the headers of a request for a propagator, and hands on only what is well-formed.
///
/// - A `traceparent` that is repeated or malformed is not there: the specification asks to start a
///   new trace then, but most propagators would take the first line or read half of it.
/// - The lines of `tracestate` and of `baggage` are joined in order. A malformed `tracestate` is
///   not there; a baggage beyond 64 members or 8,192 bytes ends at the last member that fits.
/// - A value that is not visible ASCII is not there.
///
/// ```
/// use http::HeaderMap;
/// use opentelemetry::propagation::Extractor;
/// use otelhttp::propagation::HeaderExtractor;
///
/// let mut headers = HeaderMap::new();
/// headers.append("tracestate", "a=1".parse()?);
/// headers.append("tracestate", "b=2".parse()?);
/// headers.insert("traceparent", "00-nonsense-01".parse()?);
///
/// let extractor = HeaderExtractor::new(&headers);
/// assert_eq!(extractor.get("tracestate"), Some("a=1,b=2"));
/// assert_eq!(extractor.get("traceparent"), None);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HeaderExtractor<'h> {
    headers: &'h HeaderMap,
    tracestate: OnceCell<Option<String>>,
    baggage: OnceCell<Option<String>>,
}

impl<'h> HeaderExtractor<'h> {
    /// Reads these headers.
    #[must_use]
    pub fn new(headers: &'h HeaderMap) -> Self {
        Self { headers, tracestate: OnceCell::new(), baggage: OnceCell::new() }
    }

    fn lines(&self, name: impl AsHeaderName) -> impl Iterator<Item = &'h str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// The one line of a header that must not be repeated.
    fn traceparent_line(&self) -> Option<&'h str> {
        let mut lines = self.headers.get_all(&w3c::TRACEPARENT).iter();
        let line = lines.next()?;
        lines.next().is_none().then(|| line.to_str().ok())?
    }

    /// A line that is not visible ASCII has no member that is well-formed, so all of it is dropped.
    pub(super) fn tracestate(&self) -> Option<&str> {
        let valid = || self.tracestate_as_sent().filter(|joined| trace_state::is_valid(joined));
        self.tracestate.get_or_init(valid).as_deref()
    }

    pub(super) fn tracestate_as_sent(&self) -> Option<String> {
        let lines = self.headers.get_all(&w3c::TRACESTATE).iter().map(|line| line.to_str().ok());
        let lines: Vec<&str> = lines.collect::<Option<_>>()?;
        join(lines.into_iter())
    }

    pub(super) fn baggage(&self) -> Option<&str> {
        let joined = || {
            let mut joined = join(self.lines(&w3c::BAGGAGE))?;
            joined.truncate(baggage::within_limits(&joined).len());
            Some(joined)
        };
        self.baggage.get_or_init(joined).as_deref()
    }
}

impl Extractor for HeaderExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if key.eq_ignore_ascii_case(TRACEPARENT) {
            self.traceparent_line().filter(|line| TraceParent::parse(line.as_bytes()).is_some())
        } else if key.eq_ignore_ascii_case(TRACESTATE) {
            self.tracestate()
        } else if key.eq_ignore_ascii_case(baggage::BAGGAGE) {
            self.baggage()
        } else {
            self.headers.get(key)?.to_str().ok()
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.headers.keys().map(http::HeaderName::as_str).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        if [TRACEPARENT, TRACESTATE, baggage::BAGGAGE].iter().any(|ours| key.eq_ignore_ascii_case(ours)) {
            return self.get(key).map(|value| vec![value]);
        }
        let lines: Vec<&str> = self.lines(key).collect();
        (!lines.is_empty()).then_some(lines)
    }
}

/// RFC 9110, 5.3: the lines of a list header are one list. Empty ones add nothing to it.
pub(super) fn join<'h>(lines: impl Iterator<Item = &'h str>) -> Option<String> {
    let mut joined = String::new();
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(line);
    }
    (!joined.is_empty()).then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let parse = |name: &str| http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        lines.iter().map(|(name, value)| (parse(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_repeated_traceparent_is_not_there() {
        let headers = headers(&[("traceparent", PARENT), ("traceparent", PARENT)]);
        assert_eq!(HeaderExtractor::new(&headers).get("traceparent"), None);
        assert_eq!(HeaderExtractor::new(&headers).get_all("traceparent"), None);
    }

    #[test]
    fn keys_are_found_in_any_case() {
        let headers = headers(&[("TraceParent", PARENT), ("TraceState", "a=1")]);
        let extractor = HeaderExtractor::new(&headers);
        assert_eq!(extractor.get("TRACEPARENT"), Some(PARENT));
        assert_eq!(extractor.get("Tracestate"), Some("a=1"));
    }

    #[test]
    fn lines_are_joined_and_empty_ones_skipped() {
        let headers = headers(&[
            ("tracestate", "a=1, b=2"),
            ("tracestate", ""),
            ("tracestate", "c=3"),
            ("baggage", "k=v"),
            ("baggage", "l=w;meta"),
        ]);
        let extractor = HeaderExtractor::new(&headers);
        assert_eq!(extractor.get("tracestate"), Some("a=1, b=2,c=3"));
        assert_eq!(extractor.get_all("tracestate"), Some(vec!["a=1, b=2,c=3"]));
        assert_eq!(extractor.get("baggage"), Some("k=v,l=w;meta"));
    }

    #[test]
    fn a_malformed_state_is_not_there() {
        let headers = headers(&[("tracestate", "a=1"), ("tracestate", "b=")]);
        assert_eq!(HeaderExtractor::new(&headers).get("tracestate"), None);
    }

    #[test]
    fn other_headers_are_handed_on_as_they_are() {
        let headers = headers(&[("b3", "1"), ("x-list", "1"), ("x-list", "2"), ("x-odd", "\u{e9}")]);
        let extractor = HeaderExtractor::new(&headers);
        assert_eq!(extractor.get("b3"), Some("1"));
        assert_eq!(extractor.get_all("x-list"), Some(vec!["1", "2"]));
        assert_eq!(extractor.get("x-odd"), None);
        assert_eq!(extractor.get_all("absent"), None);
        assert_eq!(extractor.keys().len(), 3);
    }
}
