//! The headers of a request that a server always looks at.

use http::{HeaderMap, HeaderValue, header};

use crate::propagation::{BAGGAGE, TRACEPARENT, TRACESTATE};

/// What one pass over the headers has found. Looking each of them up takes a request 550 instructions
/// more.
#[derive(Debug, Default)]
pub(crate) struct Found<'h> {
    pub(crate) host: Option<&'h HeaderValue>,
    pub(crate) user_agent: Option<&'h HeaderValue>,
    pub(crate) content_type: Option<&'h HeaderValue>,
    /// Nothing if it is repeated.
    pub(crate) traceparent: Option<&'h HeaderValue>,
    pub(crate) has_tracestate: bool,
    pub(crate) has_baggage: bool,
}

impl<'h> Found<'h> {
    /// With more headers than these, the pass would cost more than looking up.
    const FEW: usize = 16;

    pub(crate) fn of(headers: &'h HeaderMap) -> Self {
        if headers.len() > Self::FEW { Self::look_up(headers) } else { Self::pass(headers) }
    }

    fn pass(headers: &'h HeaderMap) -> Self {
        let mut found = Self::default();
        let mut repeated = false;
        for (name, value) in headers {
            match name.as_str() {
                "host" => found.host = found.host.or(Some(value)),
                "user-agent" => found.user_agent = found.user_agent.or(Some(value)),
                "content-type" => found.content_type = found.content_type.or(Some(value)),
                "traceparent" => repeated |= found.traceparent.replace(value).is_some(),
                "tracestate" => found.has_tracestate = true,
                "baggage" => found.has_baggage = true,
                _ => {}
            }
        }
        found.traceparent = found.traceparent.filter(|_| !repeated);
        found
    }

    fn look_up(headers: &'h HeaderMap) -> Self {
        let mut parents = headers.get_all(&TRACEPARENT).iter();
        Self {
            host: headers.get(header::HOST),
            user_agent: headers.get(header::USER_AGENT),
            content_type: headers.get(header::CONTENT_TYPE),
            traceparent: parents.next().filter(|_| parents.next().is_none()),
            has_tracestate: headers.contains_key(&TRACESTATE),
            has_baggage: headers.contains_key(&BAGGAGE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_finds_what_looking_up_finds() {
        let names = ["host", "user-agent", "content-type", "traceparent", "tracestate", "baggage", "accept"];
        for chosen in 0..1_usize << (2 * names.len()) {
            let mut headers = HeaderMap::new();
            for (bit, name) in names.iter().chain(&names).enumerate() {
                if chosen >> bit & 1 == 1 {
                    headers.append(*name, HeaderValue::from(bit));
                }
            }
            let (pass, look_up) = (Found::pass(&headers), Found::look_up(&headers));
            assert_eq!(format!("{pass:?}"), format!("{look_up:?}"), "{headers:?}");
        }
    }
}
