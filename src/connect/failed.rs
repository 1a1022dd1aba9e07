//! Which phase has just failed, for the span of the request: a caller must get the error that it would
//! get without us, so nothing can be written into that.
//!
//! An error of a connector goes all the way out to the layer around the client within one poll, on one
//! thread. So it is noted there, with the span for which the connection was made: one that was made in a
//! task of its own is not taken for another call's.

use std::cell::Cell;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, SpanId};

thread_local! {
    static FAILED: Cell<Option<(SpanId, &'static str)>> = const { Cell::new(None) };
}

fn span_id(cx: &Context) -> SpanId {
    cx.span().span_context().span_id()
}

/// A phase whose class is not sure makes what was noted before void.
pub(super) fn note(request: &Context, phase: Option<&'static str>) {
    FAILED.set(phase.map(|phase| (span_id(request), phase)));
}

/// The phase in which a connection for the call of this context has just failed.
pub(crate) fn failed_phase(cx: &Context) -> Option<&'static str> {
    let (span, phase) = FAILED.take()?;
    (span == span_id(cx)).then_some(phase)
}
