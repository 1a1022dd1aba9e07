//! What the propagators of B3 and X-Ray keep in the flags and in the state of a span context goes beside
//! it: there it would be taken for W3C's. "Deferred" is the same bit as "random".

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
use opentelemetry::{Context, SpanId, TraceFlags, TraceId};

use super::caller;

const DEFERRED: TraceFlags = TraceFlags::new(0x02);
const DEBUG: TraceFlags = TraceFlags::new(0x04);

/// What such a caller told that a span context has no place for.
#[derive(Clone, Debug)]
struct Told {
    trace_id: TraceId,
    span_id: SpanId,
    /// Whether to sample was left to us.
    deferred: bool,
    debug: bool,
}

impl Told {
    /// It says nothing about another trace that began below.
    fn of<'c>(cx: &'c Context, span: &SpanContext) -> Option<&'c Self> {
        cx.get::<Self>().filter(|told| told.trace_id == span.trace_id())
    }

    /// Once the span is sampled, or is another one, it has been decided.
    fn leaves_open(&self, span: &SpanContext) -> bool {
        self.deferred && self.span_id == span.span_id() && !span.is_sampled()
    }
}

/// Nothing if the headers name no span: a span context that is not valid would pass for a parent that is
/// not sampled.
pub(super) fn extract(
    propagator: &dyn TextMapPropagator,
    cx: &Context,
    extractor: &dyn Extractor,
) -> Option<Context> {
    let read = propagator.extract_with_context(&Context::new(), extractor);
    let span = read.span();
    let caller = Some(span.span_context()).filter(|caller| caller.is_valid())?;
    let deferred = caller.trace_flags() & DEFERRED == DEFERRED;
    let decided = deferred && caller::is_known(cx, caller) && !is_deferred(cx);
    let told = Told {
        trace_id: caller.trace_id(),
        span_id: caller.span_id(),
        deferred: deferred && !decided,
        debug: caller.trace_flags() & DEBUG == DEBUG,
    };
    // "MUST set the sampled trace flag when the debug flag is set": OpenTelemetry, B3 extract.
    let flags = TraceFlags::default().with_sampled(caller.is_sampled() || told.debug);
    let caller = SpanContext::new(told.trace_id, told.span_id, flags, true, TraceState::NONE);
    let cx = if decided { cx.clone() } else { caller::remote(cx, caller) };
    Some(cx.with_value(told))
}

/// Writes nothing without a span: B3's propagator would forbid whoever is called to sample.
pub(super) fn inject(propagator: &dyn TextMapPropagator, cx: &Context, injector: &mut dyn Injector) {
    let span = cx.span();
    let current = span.span_context();
    if !current.is_valid() {
        return;
    }
    let mut flags = current.trace_flags() & TraceFlags::SAMPLED;
    if let Some(told) = Told::of(cx, current) {
        if told.debug {
            flags = flags | DEBUG;
        }
        if told.leaves_open(current) {
            flags = flags | DEFERRED;
        }
    }
    let (trace_id, span_id) = (current.trace_id(), current.span_id());
    let current = SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE);
    propagator.inject_context(&Context::new().with_remote_span_context(current), injector);
}

/// Whether the current span is a caller's that left it to us whether to sample.
pub(super) fn is_deferred(cx: &Context) -> bool {
    let span = cx.span();
    let caller = span.span_context();
    Told::of(cx, caller).is_some_and(|told| told.leaves_open(caller))
}

/// The context of a caller that has decided after all.
pub(super) fn decided(cx: Context) -> Context {
    match cx.get::<Told>() {
        Some(told) if is_deferred(&cx) => cx.with_value(Told { deferred: false, ..told.clone() }),
        _ => cx,
    }
}
