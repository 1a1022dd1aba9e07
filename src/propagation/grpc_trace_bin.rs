use std::sync::LazyLock;

use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
use opentelemetry::{Context, SpanId, TraceFlags, TraceId};

use super::caller;

const HEADER: &str = "grpc-trace-bin";

/// OpenCensus's [binary trace
/// context](https://github.com/census-instrumentation/opencensus-specs/blob/master/encodings/BinaryEncoding.md)
/// in the metadata `grpc-trace-bin`, as gRPC services send it that are instrumented with OpenCensus.
///
/// The bytes are in base64, as all of gRPC's binary metadata; padding is read and not written. The fields
/// may stand in any order, and reading ends at the first one that is not known. A value that is repeated,
/// cut short, of another version, or without one of the ids is not there. It has no `tracestate` and no
/// baggage.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::propagation::TextMapPropagator;
/// use otelhttp::propagation::{GrpcTraceBin, TraceContext};
///
/// let header = "AABL+S81d7NNpqPOkp0ADkc2ATTwZ6oLqQK3AgE";
/// let carrier = HashMap::from([("grpc-trace-bin".to_owned(), header.to_owned())]);
/// let cx = GrpcTraceBin::new().extract(&carrier);
///
/// let mut outgoing = HashMap::new();
/// TraceContext::new().inject_context(&cx, &mut outgoing);
/// assert_eq!(outgoing["traceparent"], "00-4bf92f3577b34da6a3ce929d000e4736-34f067aa0ba902b7-01");
/// ```
#[derive(Clone, Debug, Default)]
pub struct GrpcTraceBin(());

impl GrpcTraceBin {
    /// The propagator has nothing to be configured. `grpc-trace-bin` in `OTEL_PROPAGATORS`.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [HEADER.to_owned()]);

impl TextMapPropagator for GrpcTraceBin {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let span = cx.span();
        let current = span.span_context();
        if current.is_valid() {
            injector.set(HEADER, encode(&format(current)));
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let lines = extractor.get_all(HEADER).unwrap_or_default();
        let bytes = match lines[..] {
            [line] => decode(line),
            _ => None,
        };
        let caller = bytes.and_then(|bytes| parse(&bytes)).filter(SpanContext::is_valid);
        caller.map_or_else(|| cx.clone(), |caller| caller::remote(cx, caller))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

const VERSION: u8 = 0;
const TRACE_ID: u8 = 0;
const SPAN_ID: u8 = 1;
const OPTIONS: u8 = 2;
const LENGTH: usize = 29;

fn format(span: &SpanContext) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[0] = VERSION;
    bytes[1] = TRACE_ID;
    bytes[2..18].copy_from_slice(&span.trace_id().to_bytes());
    bytes[18] = SPAN_ID;
    bytes[19..27].copy_from_slice(&span.span_id().to_bytes());
    bytes[27] = OPTIONS;
    bytes[28] = u8::from(span.is_sampled());
    bytes
}

/// "The deserialization will simply read the encoded input until the end of the input or until the first
/// unknown field_id." Each field is optional and none is said to be repeated.
fn parse(bytes: &[u8]) -> Option<SpanContext> {
    let (&version, mut rest) = bytes.split_first()?;
    let (mut trace, mut span, mut options) = (None, None, None);
    while let Some((&id, fields)) = rest.split_first() {
        rest = match id {
            TRACE_ID => field(fields, &mut trace)?,
            SPAN_ID => field(fields, &mut span)?,
            OPTIONS => field::<1>(fields, &mut options)?,
            _ => break,
        };
    }
    // "The behavior of other bits is currently undefined."
    let [options] = options.unwrap_or_default();
    let flags = TraceFlags::new(options) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_bytes(trace?), SpanId::from_bytes(span?));
    (version == VERSION).then(|| SpanContext::new(trace, span, flags, true, TraceState::NONE))
}

/// What follows the field.
fn field<'b, const N: usize>(bytes: &'b [u8], value: &mut Option<[u8; N]>) -> Option<&'b [u8]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    value.replace(*first).is_none().then_some(rest)
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, 4, without padding: "implementations MUST accept padded and un-padded values and should emit
/// un-padded values" (gRPC over HTTP/2, Binary-Header).
fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let group = u32::from_be_bytes(group);
        for place in 0..=chunk.len() {
            let digit = group >> (18 - 6 * place) & 63;
            text.push(DIGITS[digit as usize].into());
        }
    }
    text
}

/// Nothing for what could not be a trace context: longer than one with room for fields to come.
fn decode(text: &str) -> Option<Vec<u8>> {
    const LONGEST: usize = 512;
    let digits = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let padding = text.len() - digits.len();
    let aligned = padding == 0 || text.len().is_multiple_of(4);
    if text.len() > LONGEST || !aligned || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut group, mut bits) = (0_u32, 0);
    for digit in digits.bytes() {
        group = group << 6 | value(digit)?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((group >> bits) as u8);
            group &= (1 << bits) - 1;
        }
    }
    // What is left over of the last digit says nothing, and must not.
    (group == 0).then_some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    let (value, first) = match digit {
        b'A'..=b'Z' => (0, b'A'),
        b'a'..=b'z' => (26, b'a'),
        b'0'..=b'9' => (52, b'0'),
        b'+' => (62, b'+'),
        b'/' => (63, b'/'),
        _ => return None,
    };
    Some(value + u32::from(digit - first))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::TraceContext;
    use super::*;

    /// The example of the specification.
    const EXAMPLE: [u8; LENGTH] = [
        0, 0, 75, 249, 47, 53, 119, 179, 77, 166, 163, 206, 146, 157, 0, 14, 71, 54, 1, 52, 240, 103, 170,
        11, 169, 2, 183, 2, 1,
    ];
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d000e4736-34f067aa0ba902b7-01";

    fn read(header: &str) -> Option<String> {
        let carrier = HashMap::from([(HEADER.to_owned(), header.to_owned())]);
        let cx = GrpcTraceBin::new().extract_with_context(&Context::new(), &carrier);
        let mut sent = HashMap::new();
        TraceContext::new().inject_context(&cx, &mut sent);
        assert_eq!(cx.has_active_span(), !sent.is_empty());
        sent.remove("traceparent")
    }

    #[test]
    fn the_example_of_the_specification_is_read_and_written_the_same() {
        let text = encode(&EXAMPLE);
        assert_eq!(read(&text).as_deref(), Some(PARENT));
        let carrier = HashMap::from([(HEADER.to_owned(), text)]);
        let cx = GrpcTraceBin::new().extract_with_context(&Context::new(), &carrier);
        let mut sent = HashMap::new();
        GrpcTraceBin::new().inject_context(&cx, &mut sent);
        assert_eq!(sent, carrier);
    }

    #[test]
    fn fields_stand_in_any_order_and_unknown_ones_end_the_reading() {
        let (trace, span, options) = (&EXAMPLE[1..18], &EXAMPLE[18..27], &EXAMPLE[27..]);
        let unsampled = PARENT.replace("-01", "-00");
        for (fields, expected) in [
            ([options, span, trace].concat(), PARENT),
            ([span, trace, options].concat(), PARENT),
            ([trace, span].concat(), &unsampled),
            ([trace, span, &[2, 0]].concat(), &unsampled),
            ([trace, span, &[2, 0xff]].concat(), PARENT),
            ([trace, span, &[2, 0xfe]].concat(), &unsampled),
            ([trace, span, &[3, 1, 2, 3], options].concat(), &unsampled),
            ([trace, span, options, &[0xff; 100]].concat(), PARENT),
        ] {
            let bytes = [&[0], &fields[..]].concat();
            assert_eq!(read(&encode(&bytes)).as_deref(), Some(expected), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_malformed_is_nobody() {
        let (trace, span) = (&EXAMPLE[1..18], &EXAMPLE[18..27]);
        for bytes in [
            vec![],
            vec![0],
            [&[1], &EXAMPLE[1..]].concat(),
            [&[0], trace].concat(),
            [&[0], span].concat(),
            [&[0, 9], trace, span].concat(),
            [&[0], trace, trace, span].concat(),
            [&[0], trace, span, span].concat(),
            [&EXAMPLE[..], &[2, 1]].concat(),
            [&[0, 0], &[0; 16][..], span].concat(),
            [&[0], trace, &[1], &[0; 8]].concat(),
            [&EXAMPLE[..], &[3; 400]].concat(),
        ] {
            assert_eq!(read(&encode(&bytes)), None, "{bytes:?}");
        }
        for length in (0..29).filter(|length| *length != 27) {
            assert_eq!(read(&encode(&EXAMPLE[..length])), None, "{length}");
        }
    }

    #[test]
    fn base64_is_read_to_the_letter_padded_or_not() {
        let text = encode(&EXAMPLE);
        assert_eq!(text.len(), 39);
        assert_eq!(read(&format!("{text}=")).as_deref(), Some(PARENT));
        let url_safe = text.replace('+', "-").replace('/', "_");
        for refused in [
            &format!("{text}=="),
            &format!("={text}"),
            &format!(" {text}"),
            &format!("{text},{text}"),
            &text[..38],
            &text[..37],
            &url_safe,
            &format!("{}F", &text[..38]),
            &format!("{}\u{e9}", &text[..38]),
            "=",
            "==",
            "",
        ] {
            assert_eq!(read(refused), None, "{refused}");
        }
    }

    #[test]
    fn a_repeated_value_is_not_there() {
        let mut headers = http::HeaderMap::new();
        for _ in 0..2 {
            headers.append(HEADER, encode(&EXAMPLE).parse().unwrap());
        }
        let extractor = super::super::HeaderExtractor::new(&headers);
        assert!(!GrpcTraceBin::new().extract_with_context(&Context::new(), &extractor).has_active_span());
    }

    #[test]
    fn nothing_is_sent_without_a_trace() {
        let mut sent = HashMap::new();
        GrpcTraceBin::new().inject_context(&Context::new(), &mut sent);
        assert!(sent.is_empty());
    }

    proptest! {
        #[test]
        fn bytes_come_back_from_their_text(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn no_text_panics(text in ".{0,64}", bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&text);
            let _ = parse(&bytes);
        }
    }
}
