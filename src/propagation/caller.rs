//! What a caller tells in a format other than W3C's.

use opentelemetry::baggage::{BaggageExt, BaggageMetadata, KeyValueMetadata};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
use opentelemetry::{Context, Key, StringValue, TraceId};

use super::trace_context::RANDOM;
use super::trace_state::Received;

/// What a propagator that is not ours has made of a context.
pub(super) fn checked(cx: &Context, read: Context) -> Context {
    let span = read.span();
    let caller = span.span_context();
    // It would pass for a parent that is not sampled.
    if !caller.is_valid() && read.has_active_span() {
        return with_baggage_of(cx, &read);
    }
    let random = caller.is_remote() && caller.trace_flags() & RANDOM == RANDOM;
    if !random || Received::of(&read, caller.trace_id()).is_some() {
        return read;
    }
    // The bit is "deferred" to B3 and X-Ray and "debug" to Jaeger, and no `traceparent` brought it.
    let trace_id = caller.trace_id();
    read.with_value(Received { trace_id, ..NOTHING })
}

fn with_baggage_of(cx: &Context, other: &Context) -> Context {
    let member = |(key, (value, metadata)): (&Key, &(StringValue, BaggageMetadata))| {
        KeyValueMetadata::new(key.clone(), value.clone(), metadata.clone())
    };
    let baggage: Vec<_> = other.baggage().iter().map(member).collect();
    if baggage.is_empty() { cx.clone() } else { cx.with_baggage(baggage) }
}

/// The context below a caller's span.
pub(super) fn remote(cx: &Context, caller: SpanContext) -> Context {
    // Proxies tell of one caller in several formats, and W3C's has more to say.
    if is_known(cx, &caller) && cx.span().span_context().is_sampled() == caller.is_sampled() {
        return decided(cx.clone());
    }
    let cx = cx.with_remote_span_context(caller);
    // What W3C's headers said was about another caller, even if of the same trace.
    if cx.get::<Received>().is_some() { cx.with_value(NOTHING) } else { cx }
}

/// Whether another format has told of this one.
pub(super) fn is_known(cx: &Context, caller: &SpanContext) -> bool {
    let span = cx.span();
    let known = span.span_context();
    known.is_remote() && known.trace_id() == caller.trace_id() && known.span_id() == caller.span_id()
}

/// A caller that has decided in this format has left nothing open in another.
pub(super) fn decided(cx: Context) -> Context {
    #[cfg(any(feature = "b3", feature = "xray"))]
    let cx = super::foreign::decided(cx);
    cx
}

const NOTHING: Received =
    Received { trace_id: TraceId::INVALID, random: false, state: TraceState::NONE, raw: None };
