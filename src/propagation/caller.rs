//! What a caller tells in a format other than W3C's.

use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
use opentelemetry::{Context, TraceId};

use super::trace_state::Received;

/// The context below a caller's span.
pub(super) fn remote(cx: &Context, caller: SpanContext) -> Context {
    let span = cx.span();
    let known = span.span_context();
    let same = known.trace_id() == caller.trace_id() && known.span_id() == caller.span_id();
    // Proxies tell of one caller in several formats, and W3C's has more to say.
    if same && known.is_remote() && known.is_sampled() == caller.is_sampled() {
        return cx.clone();
    }
    let cx = cx.with_remote_span_context(caller);
    // What W3C's headers said was about another caller, even if of the same trace.
    if cx.get::<Received>().is_some() { cx.with_value(NOTHING) } else { cx }
}

const NOTHING: Received =
    Received { trace_id: TraceId::INVALID, random: false, state: TraceState::NONE, raw: None };
