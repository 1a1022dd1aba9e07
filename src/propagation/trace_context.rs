use std::sync::LazyLock;

use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, SpanId, TraceFlags, TraceId};

use super::caller;
use super::trace_state::{self, Received};

pub(super) const TRACEPARENT: &str = "traceparent";
pub(super) const TRACESTATE: &str = "tracestate";

/// "random-trace-id", the second flag of Level 2.
pub(super) const RANDOM: TraceFlags = TraceFlags::new(0x02);

/// [W3C Trace Context, Level 2](https://www.w3.org/TR/trace-context-2/): `traceparent` and
/// `tracestate`.
///
/// What it does beyond the propagator of OpenTelemetry's SDK:
///
/// - the grammar is kept to the letter: lower-case hex, exact lengths, no sign, version `ff`
///   refused, the first four fields of future versions read;
/// - the random flag is kept and forwarded, also below a span that is not sampled, where the SDK
///   drops it;
/// - `tracestate` goes out as it came in when nobody has changed it; with a malformed member, more
///   than 32 members or an empty value it is dropped whole, and the parent kept;
/// - an empty `tracestate` is not sent.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::propagation::TextMapPropagator;
/// use opentelemetry::trace::TraceContextExt;
/// use otelhttp::propagation::TraceContext;
///
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
/// let incoming = HashMap::from([("traceparent".to_owned(), parent.to_owned())]);
/// let cx = TraceContext::new().extract(&incoming);
/// assert!(cx.span().span_context().is_sampled());
///
/// let mut outgoing = HashMap::new();
/// TraceContext::new().inject_context(&cx, &mut outgoing);
/// assert_eq!(outgoing, incoming);
/// ```
#[derive(Clone, Debug, Default)]
pub struct TraceContext(());

impl TraceContext {
    /// The propagator has nothing to be configured.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

static FIELDS: LazyLock<[String; 2]> = LazyLock::new(|| [TRACEPARENT, TRACESTATE].map(String::from));

impl TextMapPropagator for TraceContext {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        if let Some((parent, state)) = headers(cx) {
            injector.set(TRACEPARENT, parent.format());
            if let Some(state) = state {
                injector.set(TRACESTATE, state);
            }
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let Some(parent) = extractor.get(TRACEPARENT).and_then(|line| TraceParent::parse(line.as_bytes()))
        else {
            return cx.clone();
        };
        let lines = extractor.get_all(TRACESTATE);
        caller::decided(remote(cx, parent, lines.map(|lines| lines.join(",")).as_deref()))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

/// The context below a caller's span.
pub(super) fn remote(cx: &Context, parent: TraceParent, state: Option<&str>) -> Context {
    let TraceParent { trace_id, span_id, flags } = parent;
    let (state, raw) = state.map(trace_state::parse).unwrap_or_default();
    let random = flags & RANDOM == RANDOM;
    if !random && raw.is_none() {
        return cx.with_remote_span_context(SpanContext::new(trace_id, span_id, flags, true, state));
    }
    cx.with_remote_span_context(SpanContext::new(trace_id, span_id, flags, true, state.clone()))
        .with_value(Received { trace_id, random, state, raw })
}

/// `traceparent` and, if there is any, `tracestate` of the current span.
pub(super) fn headers(cx: &Context) -> Option<(TraceParent, Option<String>)> {
    let span = cx.span();
    let span_context = span.span_context();
    if !span_context.is_valid() {
        return None;
    }
    let received = Received::of(cx, span_context.trace_id());
    let parent = TraceParent {
        trace_id: span_context.trace_id(),
        span_id: span_context.span_id(),
        flags: match received {
            Some(received) if received.random => span_context.trace_flags() | RANDOM,
            Some(_) => span_context.trace_flags() & TraceFlags::SAMPLED,
            None => span_context.trace_flags(),
        },
    };
    let state = span_context.trace_state();
    let raw = received.and_then(|received| received.unchanged(state)).map(str::to_owned);
    let formatted = || (state.into_iter().len() > 0).then(|| trace_state::format(state));
    Some((parent, raw.or_else(formatted)))
}

/// The fields of a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) flags: TraceFlags,
}

impl TraceParent {
    const LENGTH: usize = 55;

    /// Section 3.2 and "versioning of traceparent" (4): 55 characters in version 00; in a higher
    /// one what follows them begins with a dash. Flags that have no meaning yet are not kept.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (fields, rest) = trim(text).split_first_chunk::<{ Self::LENGTH }>()?;
        let dashes = [fields[2], fields[35], fields[52]] == [b'-'; 3];
        let version = if fields.starts_with(b"00") { 0 } else { hex2(fields[0], fields[1])? };
        let continues = || rest.first() == Some(&b'-') && version != 0 && rest.iter().all(is_visible);
        if !dashes || version == 0xff || !(rest.is_empty() || continues()) {
            return None;
        }
        let ((trace, _), (span, _)) = (fields[3..].as_chunks::<8>(), fields[36..].as_chunks::<8>());
        let [a, b, c, d, e, f] = hex(&[trace[0], trace[1], trace[2], trace[3], span[0], span[1]])?;
        let trace_id = [a, b, c, d].into_iter().fold(0, |id, word| id << 32 | u128::from(word));
        let span_id = u64::from(e) << 32 | u64::from(f);
        let flags = TraceFlags::new(hex2(fields[53], fields[54])?) & (TraceFlags::SAMPLED | RANDOM);
        let valid = trace_id != 0 && span_id != 0;
        valid.then(|| Self { trace_id: TraceId::from(trace_id), span_id: SpanId::from(span_id), flags })
    }

    /// The header of version 00.
    pub(crate) fn format(self) -> String {
        String::from_utf8(self.text().to_vec()).unwrap_or_default()
    }

    /// The same, without an allocation.
    pub(super) fn text(self) -> [u8; Self::LENGTH] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut text[3..35], &self.trace_id.to_bytes());
        write_hex(&mut text[36..52], &self.span_id.to_bytes());
        // Both flags that have a meaning fit into one digit.
        text[54] += (self.flags & (TraceFlags::SAMPLED | RANDOM)).to_u8();
        text
    }
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// What a header of text may have in it.
fn is_visible(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t')
}

fn hex2(high: u8, low: u8) -> Option<u8> {
    Some(hex1(high)? << 4 | hex1(low)?)
}

/// Lower-case hex.
fn hex1(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Lower-case hex of a whole number of words, eight digits at once, each in a byte of a word. Digit by digit,
/// a `traceparent` takes 270 instructions more, as was counted when only two words were read together.
fn hex<const WORDS: usize>(text: &[[u8; 8]; WORDS]) -> Option<[u32; WORDS]> {
    let digits = text.map(Digits::read);
    let invalid = digits.iter().fold(0, |all, digits| all | digits.invalid);
    (invalid == 0).then(|| digits.map(Digits::pack))
}

#[derive(Clone, Copy)]
struct Digits {
    values: u64,
    /// Zero if all are digits.
    invalid: u64,
}

impl Digits {
    #[inline(always)]
    fn read(text: [u8; 8]) -> Self {
        let text = u64::from_be_bytes(text);
        // `0` to `9` are 0x30 to 0x39, `a` to `f` are 0x61 to 0x66: the seventh bit tells them apart.
        let letters = (text >> 6) & ONES;
        let values = (text & (15 * ONES)) + 9 * letters;
        let expected = values + 0x30 * ONES + 0x27 * letters;
        // Values beyond 15 have the fifth bit; those beyond 9 get it with another 6, and must be letters.
        let beyond = (values | ((values + 6 * ONES) ^ (letters << 4))) & (0x10 * ONES);
        Self { values, invalid: (text ^ expected) | beyond }
    }

    #[inline(always)]
    fn pack(self) -> u32 {
        let pairs = (self.values | (self.values >> 4)) & 0x00ff_00ff_00ff_00ff;
        let quads = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
        (quads | (quads >> 16)) as u32
    }
}

/// Eight digits at once, as they are read.
fn write_hex(text: &mut [u8], bytes: &[u8]) {
    for (digits, bytes) in text.as_chunks_mut::<8>().0.iter_mut().zip(bytes.as_chunks::<4>().0) {
        let quads = u64::from(u32::from_be_bytes(*bytes));
        let pairs = (quads | (quads << 16)) & 0x0000_ffff_0000_ffff;
        let values = (pairs | (pairs << 8)) & 0x00ff_00ff_00ff_00ff;
        let values = (values | (values << 4)) & (15 * ONES);
        // Those beyond 9 get the fifth bit with another 6.
        let letters = ((values + 6 * ONES) >> 4) & ONES;
        *digits = (values + 0x30 * ONES + 0x27 * letters).to_be_bytes();
    }
}

/// A one in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn round_trip(parent: &str, state: Option<&str>) -> HashMap<String, String> {
        let mut carrier = HashMap::from([(TRACEPARENT.to_owned(), parent.to_owned())]);
        carrier.extend(state.map(|state| (TRACESTATE.to_owned(), state.to_owned())));
        let cx = TraceContext::new().extract_with_context(&Context::new(), &carrier);
        let mut sent = HashMap::new();
        TraceContext::new().inject_context(&cx, &mut sent);
        sent
    }

    #[test]
    fn well_formed_parents_are_read_and_written_the_same() {
        for flags in ["00", "01", "02", "03"] {
            let parent = format!("00-{TRACE}-{SPAN}-{flags}");
            assert_eq!(TraceParent::parse(parent.as_bytes()).unwrap().format(), parent);
        }
    }

    #[test]
    fn future_versions_and_unknown_flags_are_read_as_far_as_known() {
        let known = format!("00-{TRACE}-{SPAN}-01");
        for accepted in [
            format!("cc-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"),
            format!("01-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-f9"),
            format!(" \t00-{TRACE}-{SPAN}-01 \t"),
        ] {
            assert_eq!(TraceParent::parse(accepted.as_bytes()).unwrap().format(), known, "{accepted}");
        }
    }

    #[test]
    fn malformed_parents_are_refused() {
        let zeros = "0".repeat(32);
        for refused in [
            String::new(),
            "00".to_owned(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01."),
            format!("00-{TRACE}-{SPAN}-01-extra"),
            format!("cc-{TRACE}-{SPAN}-01.extra"),
            format!("cc-{TRACE}-{SPAN}-011"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("000-{TRACE}-{SPAN}-01"),
            format!(".0-{TRACE}-{SPAN}-01"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("00-{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-.{}-{SPAN}-01", &TRACE[1..]),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{TRACE}-{}-01", &SPAN[1..]),
            format!("00-{TRACE}-{SPAN}0-01"),
            format!("00-{TRACE}-+{}-01", &SPAN[1..]),
            format!("00-{TRACE}-{SPAN}-"),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-001"),
            format!("00-{TRACE}-{SPAN}-0A"),
            format!("00-{TRACE}-{SPAN}-.0"),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{}é-{SPAN}-01", &TRACE[2..]),
        ] {
            assert_eq!(TraceParent::parse(refused.as_bytes()), None, "{refused}");
        }
    }

    #[test]
    fn a_state_goes_out_as_it_came_in() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        for state in ["a=1", "a=1,b=2", "a=1 \t, b=2,,", "a@b@c=1,foo@=2", "a=1,a=1", "a=1,a=2"] {
            assert_eq!(round_trip(&parent, Some(state))[TRACESTATE], state);
        }
        for dropped in ["", " ", "a=", "A=1", "a=1,b"] {
            let sent = round_trip(&parent, Some(dropped));
            assert_eq!(sent, HashMap::from([(TRACEPARENT.to_owned(), parent.clone())]), "{dropped:?}");
        }
    }

    #[test]
    fn a_changed_state_goes_out_changed() {
        let carrier = HashMap::from([
            (TRACEPARENT.to_owned(), format!("00-{TRACE}-{SPAN}-01")),
            (TRACESTATE.to_owned(), "a=1, b=2".to_owned()),
        ]);
        let cx = TraceContext::new().extract_with_context(&Context::new(), &carrier);
        let parent = cx.span().span_context().clone();
        let state = parent.trace_state().insert("c", "3").unwrap();
        let child = SpanContext::new(parent.trace_id(), SpanId::from(7), parent.trace_flags(), false, state);
        let mut sent = HashMap::new();
        TraceContext::new().inject_context(&cx.with_remote_span_context(child), &mut sent);
        assert_eq!(sent[TRACESTATE], "c=3,a=1,b=2");
    }

    #[test]
    fn the_random_flag_survives_an_unsampled_child_but_not_a_new_root() {
        let carrier = HashMap::from([(TRACEPARENT.to_owned(), format!("00-{TRACE}-{SPAN}-02"))]);
        let cx = TraceContext::new().extract_with_context(&Context::new(), &carrier);
        let flags_below = |trace_id: TraceId| {
            let child = SpanContext::new(
                trace_id,
                SpanId::from(7),
                TraceFlags::NOT_SAMPLED,
                false,
                opentelemetry::trace::TraceState::NONE,
            );
            let mut sent = HashMap::new();
            TraceContext::new().inject_context(&cx.with_remote_span_context(child), &mut sent);
            sent[TRACEPARENT][53..].to_owned()
        };
        assert_eq!(flags_below(cx.span().span_context().trace_id()), "02");
        assert_eq!(flags_below(TraceId::from(7)), "00");
    }

    #[test]
    fn nothing_is_sent_without_a_trace() {
        let mut sent = HashMap::new();
        TraceContext::new().inject_context(&Context::new(), &mut sent);
        assert!(sent.is_empty());
    }

    #[test]
    fn only_lower_case_digits_are_hex() {
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut digits = *b"01289abf";
                digits[place] = byte;
                let valid = byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                let expected = || u32::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap();
                assert_eq!(hex(&[digits, *b"00000007"]), valid.then(|| [expected(), 7]), "{digits:?}");
                assert_eq!(hex2(b'7', byte), valid.then(|| 0x70 | hex1(byte).unwrap()), "{byte}");
            }
        }
    }
}
