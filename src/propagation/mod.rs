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

use std::sync::{Arc, LazyLock};

use http::HeaderMap;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, global};

pub use baggage::Baggage;
pub use extract::HeaderExtractor;
pub use inject::HeaderInjector;
pub use trace_context::TraceContext;
pub(crate) use trace_context::TraceParent;

use crate::guest::contain;

/// Where a layer takes its propagator from.
#[derive(Clone, Debug, Default)]
pub(crate) enum Propagation {
    #[default]
    Global,
    Given(Arc<dyn TextMapPropagator + Send + Sync>),
}

impl Propagation {
    pub(crate) fn extract(&self, cx: &Context, headers: &HeaderMap) -> Context {
        let extractor = HeaderExtractor::new(headers);
        let extracted = contain("a propagator", || self.with(|p| p.extract_with_context(cx, &extractor)));
        extracted.unwrap_or_else(|| cx.clone())
    }

    /// Replaces what the headers said of a context before: "existing propagation headers are
    /// overwritten, never doubled". Without a trace there is nothing to replace it with.
    pub(crate) fn inject(&self, cx: &Context, headers: &mut HeaderMap) {
        let replace = cx.span().span_context().is_valid();
        contain("a propagator", || {
            self.with(|propagator| {
                if replace {
                    propagator.fields().for_each(|field| drop(headers.remove(field)));
                }
                propagator.inject_context(cx, &mut HeaderInjector::new(headers));
            });
        });
    }

    fn with<T>(&self, mut run: impl FnMut(&dyn TextMapPropagator) -> T) -> T {
        match self {
            Self::Given(propagator) => run(propagator.as_ref()),
            Self::Global => global::get_text_map_propagator(|propagator| {
                // OpenTelemetry's no-op, which is there until somebody sets another, has no fields.
                let unset = propagator.fields().next().is_none();
                run(if unset { &W3c } else { propagator })
            }),
        }
    }
}

/// [`TraceContext`] and [`Baggage`] together.
#[derive(Debug)]
struct W3c;

static FIELDS: LazyLock<[String; 3]> = LazyLock::new(|| {
    [trace_context::TRACEPARENT, trace_context::TRACESTATE, baggage::BAGGAGE].map(String::from)
});

impl TextMapPropagator for W3c {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        TraceContext::new().inject_context(cx, injector);
        Baggage::new().inject_context(cx, injector);
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let cx = TraceContext::new().extract_with_context(cx, extractor);
        Baggage::new().extract_with_context(&cx, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}
