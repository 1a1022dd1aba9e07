//! [`TraceContext`](super::TraceContext) and [`Baggage`](super::Baggage) together, straight from and
//! to the headers. It is what runs when nobody has set a propagator, and saves some 2,000 instructions
//! of a server's request, and a client's allocation, beside the way through `Extractor` and `Injector`.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;

use super::extract::HeaderExtractor;
use super::{baggage, trace_context};

pub(super) static TRACEPARENT: HeaderName = HeaderName::from_static(trace_context::TRACEPARENT);
pub(super) static TRACESTATE: HeaderName = HeaderName::from_static(trace_context::TRACESTATE);
pub(super) static BAGGAGE: HeaderName = HeaderName::from_static(baggage::BAGGAGE);

pub(super) fn extract(cx: &Context, headers: &HeaderExtractor<'_>) -> Context {
    let cx = match headers.traceparent() {
        Some(parent) => trace_context::remote(cx, parent, headers.tracestate()),
        None => cx.clone(),
    };
    match headers.baggage() {
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
