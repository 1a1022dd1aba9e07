//! [`TraceContext`](super::TraceContext) and [`Baggage`](super::Baggage) together, straight from and
//! to the headers. It is what runs when nobody has set a propagator, and saves some 2,000 instructions
//! of a server's request, and a client's allocation, beside the way through `Extractor` and `Injector`.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;

use super::baggage;
use super::extract::HeaderExtractor;
use super::trace_context::{self, TraceParent};
use crate::headers::Found;

pub(crate) static TRACEPARENT: HeaderName = HeaderName::from_static(trace_context::TRACEPARENT);
pub(crate) static TRACESTATE: HeaderName = HeaderName::from_static(trace_context::TRACESTATE);
pub(crate) static BAGGAGE: HeaderName = HeaderName::from_static(baggage::BAGGAGE);

pub(super) fn extract(cx: Context, headers: &HeaderMap, found: &Found<'_>) -> Context {
    let parent = found.traceparent.and_then(|line| TraceParent::parse(line.as_bytes()));
    let lists = HeaderExtractor::new(headers);
    let cx = match parent {
        Some(parent) if found.has_tracestate => {
            trace_context::remote(&cx, parent, lists.tracestate_as_sent().as_deref())
        }
        Some(parent) => trace_context::remote(&cx, parent, None),
        None => cx,
    };
    match found.has_baggage.then(|| lists.baggage()).flatten() {
        Some(members) => baggage::add(&cx, members),
        None => cx,
    }
}

pub(super) fn strip(headers: &mut HeaderMap) {
    for name in [&TRACEPARENT, &TRACESTATE, &BAGGAGE] {
        headers.remove(name);
    }
}

pub(super) fn inject(cx: &Context, headers: &mut HeaderMap) {
    let mut set = |name: &HeaderName, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name.clone(), value);
        }
    };
    if let Some((parent, state)) = trace_context::headers(cx) {
        set(&TRACEPARENT, parent);
        if let Some(state) = state {
            set(&TRACESTATE, state);
        }
    }
    // Members that are too long leave nothing of it.
    let members = baggage::format(cx.baggage());
    if !members.is_empty() {
        set(&BAGGAGE, members);
    }
}
