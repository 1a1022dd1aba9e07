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
    pub(crate) fn extract(&self, cx: &Context, headers: &HeaderMap, found: &Found<'_>) -> Context {
        let extract = |foreign: Option<&dyn TextMapPropagator>| match foreign {
            Some(propagator) => propagator.extract_with_context(cx, &HeaderExtractor::new(headers)),
            None => w3c::extract(cx, headers, found),
        };
        contain("a propagator", || self.with(extract)).unwrap_or_else(|| cx.clone())
    }

    /// Replaces what the headers said of a context before: "existing propagation headers are
    /// overwritten, never doubled". Without a trace there is nothing to replace it with.
    pub(crate) fn inject(&self, cx: &Context, headers: &mut HeaderMap) {
        if cx.span().span_context().is_valid() {
            self.strip(headers);
        }
        let inject = |foreign: Option<&dyn TextMapPropagator>| match foreign {
            Some(propagator) => propagator.inject_context(cx, &mut HeaderInjector::new(headers)),
            None => w3c::inject(cx, headers),
        };
        contain("a propagator", || self.with(inject));
    }

    /// Takes out what the headers say of a context.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        let strip = |foreign: Option<&dyn TextMapPropagator>| match foreign {
            Some(propagator) => propagator.fields().for_each(|field| drop(headers.remove(field))),
            None => w3c::strip(headers),
        };
        contain("a propagator", || self.with(strip));
    }

    /// Runs with the propagator that somebody has set, or with nothing: then W3C's are used.
    fn with<T>(&self, mut run: impl FnMut(Option<&dyn TextMapPropagator>) -> T) -> T {
        match self {
            Self::Given(propagator) => run(Some(propagator.as_ref())),
            // OpenTelemetry's no-op, which is the global one until somebody sets another, has no fields.
            Self::Global => global::get_text_map_propagator(|propagator| {
                run(propagator.fields().next().is_some().then_some(propagator))
            }),
        }
    }
}
