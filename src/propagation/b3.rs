use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry_propagator_b3::{B3Encoding, Propagator};

use super::foreign;

const SINGLE: [&str; 1] = ["b3"];
const FLAGS: &str = "x-b3-flags";
const MULTI: [&str; 5] = ["x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", FLAGS];

/// [B3](https://github.com/openzipkin/b3-propagation), Zipkin's format: the header `b3`, or `x-b3-traceid`
/// and four more.
///
/// Both are read, the single header first. Reading and writing are those of `opentelemetry-propagator-b3`;
/// what is done about them:
///
/// - a header that is repeated is not there, nor is an id with a sign;
/// - "debug" is sampled, and goes on as debug; `x-b3-flags: 0` does not hide `x-b3-sampled`;
/// - a caller that leaves the decision open ("deferred") does not set W3C's random flag. A sampler that
///   follows the parent takes it for not sampled; those of `otelhttp::sampling` decide for themselves;
/// - a decision about no trace (`b3: 0`, or `x-b3-sampled` alone) names no caller. The request begins a trace,
///   which is sampled as any other that begins here;
/// - W3C's random flag does not go out as "deferred";
/// - without a trace nothing is sent, where `0` would forbid whoever is called to sample;
/// - [`fields`](TextMapPropagator::fields) are all six headers whichever are written, so that a proxy
///   leaves none of its caller's beside its own.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::propagation::TextMapPropagator;
/// use opentelemetry::trace::TraceContextExt;
/// use otelhttp::propagation::B3;
///
/// let carrier = HashMap::from([("b3".to_owned(), "e457b5a2e4d86bd1-05e3ac9a4f6e3b90-1".to_owned())]);
/// let cx = B3::multi().extract(&carrier);
///
/// let mut outgoing = HashMap::new();
/// B3::multi().inject_context(&cx, &mut outgoing);
/// assert_eq!(outgoing["x-b3-traceid"], "0000000000000000e457b5a2e4d86bd1");
/// assert_eq!(outgoing["x-b3-sampled"], "1");
/// ```
#[derive(Clone, Debug)]
pub struct B3 {
    propagator: Propagator,
    names: &'static [&'static str],
}

impl B3 {
    /// Writes the single header. `b3` in `OTEL_PROPAGATORS`.
    #[must_use]
    pub fn single() -> Self {
        Self { propagator: Propagator::with_encoding(B3Encoding::SingleHeader), names: &SINGLE }
    }

    /// Writes the headers whose names begin with `x-b3-`. `b3multi` in `OTEL_PROPAGATORS`.
    #[must_use]
    pub fn multi() -> Self {
        Self { propagator: Propagator::with_encoding(B3Encoding::MultipleHeader), names: &MULTI }
    }
}

static FIELDS: LazyLock<[String; 6]> = LazyLock::new(|| {
    let [trace, span, parent, sampled, flags] = MULTI;
    [SINGLE[0], trace, span, parent, sampled, flags].map(str::to_owned)
});

impl TextMapPropagator for B3 {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        foreign::inject(&self.propagator, cx, &mut Own { carrier: injector, names: self.names });
    }

    /// Each is read by the propagator that writes it: upstream's reads `d` and `true` only in its own.
    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let read = |Self { propagator, names }| {
            foreign::extract(&propagator, cx, &Sole { carrier: extractor, names })
        };
        read(Self::single()).or_else(|| read(Self::multi())).unwrap_or_else(|| cx.clone())
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

/// Shows these headers, if they stand there once.
struct Sole<'c> {
    carrier: &'c dyn Extractor,
    names: &'static [&'static str],
}

impl Extractor for Sole<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if !self.names.contains(&key) {
            return None;
        }
        let lines = self.carrier.get_all(key)?;
        let [line] = lines[..] else {
            return None;
        };
        // A sign passes for a digit.
        let valid = !line.contains('+') && (key != FLAGS || line == "1");
        valid.then_some(line)
    }

    fn keys(&self) -> Vec<&str> {
        self.names.to_vec()
    }
}

/// Takes these headers. For the single one upstream writes all.
struct Own<'c> {
    carrier: &'c mut dyn Injector,
    names: &'static [&'static str],
}

impl Injector for Own<'_> {
    fn set(&mut self, key: &str, value: String) {
        if self.names.contains(&key) {
            self.carrier.set(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use opentelemetry::trace::TraceContextExt;

    use super::super::TraceContext;
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn carrier(lines: &[(&str, &str)]) -> HashMap<String, String> {
        lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn multi<'v>(rest: &[(&'v str, &'v str)]) -> HashMap<String, String> {
        carrier(&[&[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)], rest].concat())
    }

    fn single(rest: &str) -> HashMap<String, String> {
        carrier(&[("b3", &format!("{TRACE}-{SPAN}{rest}"))])
    }

    fn written(propagator: &dyn TextMapPropagator, cx: &Context) -> HashMap<String, String> {
        let mut headers = HashMap::new();
        propagator.inject_context(cx, &mut headers);
        headers
    }

    #[test]
    fn both_forms_are_read_whichever_is_written() {
        for (headers, sampled) in [
            (single("-1"), true),
            (single("-0"), false),
            (single("-d"), true),
            (single("-1-05e3ac9a4f6e3b90"), true),
            (single(""), false),
            (multi(&[("x-b3-sampled", "1")]), true),
            (multi(&[("x-b3-sampled", "true")]), true),
            (multi(&[("x-b3-sampled", "0")]), false),
            (multi(&[("x-b3-sampled", "false")]), false),
            (multi(&[("x-b3-sampled", "1"), ("x-b3-flags", "0")]), true),
            (multi(&[("x-b3-sampled", "0"), ("x-b3-flags", "1")]), true),
            (multi(&[("x-b3-flags", "1")]), true),
            (multi(&[]), false),
        ] {
            for reader in [B3::single(), B3::multi()] {
                let cx = reader.extract_with_context(&Context::new(), &headers);
                let span = cx.span();
                let caller = span.span_context();
                assert_eq!((caller.trace_id().to_string(), caller.is_sampled()), (TRACE.to_owned(), sampled));
                assert!(caller.is_remote());
                let parent = format!("00-{TRACE}-{SPAN}-0{}", u8::from(sampled));
                assert_eq!(written(&TraceContext::new(), &cx), carrier(&[("traceparent", &parent)]));
            }
        }
    }

    #[test]
    fn a_short_trace_id_is_padded_on_the_left() {
        let headers = carrier(&[("x-b3-traceid", &TRACE[16..]), ("x-b3-spanid", SPAN)]);
        let cx = B3::single().extract_with_context(&Context::new(), &headers);
        assert_eq!(cx.span().span_context().trace_id().to_string(), format!("{:0>32}", &TRACE[16..]));
    }

    #[test]
    fn the_single_header_comes_first_if_it_is_well_formed() {
        let mut headers = multi(&[("x-b3-sampled", "1")]);
        headers.extend(carrier(&[("b3", &format!("{TRACE}-05e3ac9a4f6e3b90-0"))]));
        let parent = |headers: &HashMap<String, String>| {
            B3::multi().extract_with_context(&Context::new(), headers).span().span_context().span_id()
        };
        assert_eq!(parent(&headers).to_string(), "05e3ac9a4f6e3b90");
        headers.extend(carrier(&[("b3", "nonsense")]));
        assert_eq!(parent(&headers).to_string(), SPAN);
    }

    #[test]
    fn what_is_malformed_is_nobody() {
        let zeros = "0".repeat(32);
        let upper = TRACE.to_uppercase();
        let signed = format!("+{}", &TRACE[1..]);
        let mut refused = vec![single("-2"), single("-1-x"), single("-1-05e3ac9a4f6e3b90-1"), single("--")];
        for (trace, span) in [
            ("", SPAN),
            (TRACE, ""),
            (&TRACE[1..], SPAN),
            (TRACE, &SPAN[1..]),
            (&upper, SPAN),
            (&signed, SPAN),
            (TRACE, &signed[..16]),
            (&zeros, SPAN),
            (TRACE, &zeros[..16]),
            ("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", SPAN),
        ] {
            refused.push(carrier(&[("b3", &format!("{trace}-{span}-1"))]));
            refused.push(carrier(&[("x-b3-traceid", trace), ("x-b3-spanid", span), ("x-b3-sampled", "1")]));
        }
        refused.extend([
            multi(&[("x-b3-sampled", "maybe")]),
            carrier(&[("b3", "0")]),
            carrier(&[("b3", "")]),
        ]);
        for headers in refused {
            let cx = B3::single().extract_with_context(&Context::new(), &headers);
            assert!(!cx.has_active_span(), "{headers:?}");
        }
    }

    #[test]
    fn a_repeated_header_is_not_there() {
        let mut headers = http::HeaderMap::new();
        for value in ["1", "0"] {
            headers.append("b3", format!("{TRACE}-{SPAN}-{value}").parse().unwrap());
        }
        let extractor = super::super::HeaderExtractor::new(&headers);
        assert!(!B3::single().extract_with_context(&Context::new(), &extractor).has_active_span());
    }

    #[test]
    fn debug_and_deferred_go_on_as_they_came() {
        for (headers, as_single, as_multi) in [
            (single("-d"), single("-d"), multi(&[("x-b3-flags", "1")])),
            (single(""), single(""), multi(&[])),
            (single("-0"), single("-0"), multi(&[("x-b3-sampled", "0")])),
            (multi(&[("x-b3-flags", "1")]), single("-d"), multi(&[("x-b3-flags", "1")])),
        ] {
            let cx = B3::single().extract_with_context(&Context::new(), &headers);
            assert_eq!(written(&B3::single(), &cx), as_single);
            assert_eq!(written(&B3::multi(), &cx), as_multi);
        }
    }

    #[test]
    fn the_random_flag_does_not_go_out_as_deferred() {
        let parent = format!("00-{TRACE}-{SPAN}-03");
        let cx =
            TraceContext::new().extract_with_context(&Context::new(), &carrier(&[("traceparent", &parent)]));
        assert_eq!(written(&B3::single(), &cx), single("-1"));
    }

    #[test]
    fn of_one_caller_told_twice_the_state_is_kept_and_of_another_nothing() {
        let parent = format!("00-{TRACE}-{SPAN}-03");
        let w3c = carrier(&[("traceparent", &parent), ("tracestate", "a@b@c=1, d=2")]);
        let cx = TraceContext::new().extract_with_context(&Context::new(), &w3c);
        let same = B3::single().extract_with_context(&cx, &single("-1"));
        assert_eq!(written(&TraceContext::new(), &same), w3c);
        let unsampled = B3::single().extract_with_context(&cx, &single("-0"));
        let parent = format!("00-{TRACE}-{SPAN}-00");
        assert_eq!(written(&TraceContext::new(), &unsampled), carrier(&[("traceparent", &parent)]));
        let other = carrier(&[("b3", &format!("{TRACE}-05e3ac9a4f6e3b90-1"))]);
        let other = B3::single().extract_with_context(&cx, &other);
        let parent = format!("00-{TRACE}-05e3ac9a4f6e3b90-01");
        assert_eq!(written(&TraceContext::new(), &other), carrier(&[("traceparent", &parent)]));
    }

    #[test]
    fn nothing_is_sent_without_a_trace() {
        assert_eq!(written(&B3::single(), &Context::new()), HashMap::new());
        assert_eq!(written(&B3::multi(), &Context::new()), HashMap::new());
    }
}
