use std::sync::LazyLock;

use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, SpanId, TraceFlags, TraceId};

use super::trace_state::{self, Received};

pub(super) const TRACEPARENT: &str = "traceparent";
pub(super) const TRACESTATE: &str = "tracestate";

/// "random-trace-id", the second flag of Level 2.
const RANDOM: TraceFlags = TraceFlags::new(0x02);

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
            injector.set(TRACEPARENT, parent);
            if let Some(state) = state {
                injector.set(TRACESTATE, state);
            }
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let Some(parent) = extractor.get(TRACEPARENT).and_then(TraceParent::parse) else {
            return cx.clone();
        };
        let lines = extractor.get_all(TRACESTATE);
        remote(cx, parent, lines.map(|lines| lines.join(",")).as_deref())
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
pub(super) fn headers(cx: &Context) -> Option<(String, Option<String>)> {
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
            _ => span_context.trace_flags(),
        },
    };
    let state = span_context.trace_state();
    let raw = received.and_then(|received| received.unchanged(state)).map(str::to_owned);
    let formatted = || (state.into_iter().len() > 0).then(|| trace_state::format(state));
    Some((parent.format(), raw.or_else(formatted)))
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
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.trim_matches([' ', '\t']).as_bytes();
        let (fields, rest) = bytes.split_at_checked(Self::LENGTH)?;
        let dashes = [fields[2], fields[35], fields[52]] == [b'-'; 3];
        let version = hex(&fields[..2])?;
        let continues = rest.first() == Some(&b'-') && version != 0;
        if !dashes || version == 0xff || !(rest.is_empty() || continues) {
            return None;
        }
        let trace_id = TraceId::from(hex(&fields[3..35])?);
        let span_id = SpanId::from(hex(&fields[36..52])? as u64);
        let flags = TraceFlags::new(hex(&fields[53..])? as u8) & (TraceFlags::SAMPLED | RANDOM);
        let valid = trace_id != TraceId::INVALID && span_id != SpanId::INVALID;
        valid.then_some(Self { trace_id, span_id, flags })
    }

    /// The header of version 00.
    pub(crate) fn format(self) -> String {
        let flags = self.flags & (TraceFlags::SAMPLED | RANDOM);
        let mut text = String::with_capacity(Self::LENGTH);
        text.push_str("00-");
        push_hex(&mut text, &self.trace_id.to_bytes());
        text.push('-');
        push_hex(&mut text, &self.span_id.to_bytes());
        text.push('-');
        push_hex(&mut text, &[flags.to_u8()]);
        text
    }
}

/// The value of each byte that is a digit. With a table a `traceparent` takes 375
/// instructions, with a `match` on each digit 664.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};
const NO_DIGIT: u8 = 0xff;

/// Lower-case hex of at most 32 digits.
fn hex(digits: &[u8]) -> Option<u128> {
    let (high, low) = digits.split_at(digits.len().saturating_sub(16));
    Some(u128::from(hex64(high)?) << 64 | u128::from(hex64(low)?))
}

fn hex64(digits: &[u8]) -> Option<u64> {
    let mut odd = 0;
    let value = digits.iter().fold(0, |value, byte| {
        let digit = DIGITS[usize::from(*byte)];
        odd |= digit;
        value << 4 | u64::from(digit)
    });
    (odd != NO_DIGIT).then_some(value)
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const LETTERS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(LETTERS[usize::from(byte >> 4)].into());
        text.push(LETTERS[usize::from(byte & 15)].into());
    }
}

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
            assert_eq!(TraceParent::parse(&parent).unwrap().format(), parent);
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
            assert_eq!(TraceParent::parse(&accepted).unwrap().format(), known, "{accepted}");
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
            assert_eq!(TraceParent::parse(&refused), None, "{refused}");
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
}
