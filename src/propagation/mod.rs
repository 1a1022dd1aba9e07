//! Context on the wire: W3C Trace Context and Baggage, and any other propagator safely.
//!
//! A layer uses the propagator it was given, or else the global one. As long as nobody has set a
//! global one, [`TraceContext`] and [`Baggage`] are used, so that traces hold together in a program
//! that configures nothing.
//!
//! Whatever the propagator, it reads through [`HeaderExtractor`] and writes through
//! [`HeaderInjector`], which keep malformed, doubled and empty headers away from it.

mod baggage;
mod extract;
mod inject;
mod trace_context;
mod trace_state;
mod w3c;

use std::sync::Arc;

use http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, global};

pub use baggage::Baggage;
pub use extract::HeaderExtractor;
pub use inject::HeaderInjector;
pub use trace_context::TraceContext;
pub(crate) use trace_context::TraceParent;
pub(crate) use w3c::{BAGGAGE, TRACEPARENT, TRACESTATE};

use crate::guest::contain;
use crate::headers::Found;

/// Where a layer takes its propagator from.
#[derive(Clone, Debug, Default)]
pub(crate) enum Propagation {
    #[default]
    Global,
    Given(Arc<dyn TextMapPropagator + Send + Sync>),
}

impl Propagation {
    pub(crate) fn extract(&self, cx: Context, headers: &HeaderMap, found: &Found<'_>) -> Context {
        let extract = |propagator: &dyn TextMapPropagator| {
            propagator.extract_with_context(&cx, &HeaderExtractor::new(headers))
        };
        match self.foreign(extract) {
            Foreign::Answered(cx) => cx,
            Foreign::Panicked => cx,
            Foreign::Unset => w3c::extract(cx, headers, found),
        }
    }

    /// Replaces what the headers said of a context before: "existing propagation headers are
    /// overwritten, never doubled". Without a trace there is nothing to replace it with.
    pub(crate) fn inject(&self, cx: &Context, headers: &mut HeaderMap) {
        if cx.span().span_context().is_valid() {
            self.strip(headers);
        }
        let inject = |propagator: &dyn TextMapPropagator| {
            propagator.inject_context(cx, &mut HeaderInjector::new(headers));
        };
        if let Foreign::Unset = self.foreign(inject) {
            w3c::inject(cx, headers);
        }
    }

    /// Takes out what the headers say of a context.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        let strip = |propagator: &dyn TextMapPropagator| {
            propagator.fields().for_each(|field| drop(headers.remove(field)));
        };
        if let Foreign::Unset = self.foreign(strip) {
            w3c::strip(headers);
        }
    }

    /// Runs with the propagator that somebody has set.
    fn foreign<T>(&self, mut run: impl FnMut(&dyn TextMapPropagator) -> T) -> Foreign<T> {
        let set = contain("a propagator", || match self {
            Self::Given(propagator) => Some(run(propagator.as_ref())),
            // OpenTelemetry's no-op, which is the global one until somebody sets another, has no fields.
            Self::Global => global::get_text_map_propagator(|propagator| {
                propagator.fields().next().is_some().then(|| run(propagator))
            }),
        });
        match set {
            Some(Some(answer)) => Foreign::Answered(answer),
            Some(None) => Foreign::Unset,
            None => Foreign::Panicked,
        }
    }
}

/// What came of a propagator that somebody has set. Where nobody has, W3C's are used.
enum Foreign<T> {
    Answered(T),
    Panicked,
    Unset,
}
