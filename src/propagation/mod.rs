//! Context on the wire: W3C Trace Context and Baggage, and any other propagator safely.
//!
//! A layer uses the propagator it was given, or else the global one. As long as nobody has set a
//! global one, [`TraceContext`] and [`Baggage`] are used, so that traces hold together in a program
//! that configures nothing.
//!
//! Whatever the propagator, it reads through [`HeaderExtractor`] and writes through
//! [`HeaderInjector`], which keep malformed, doubled and empty headers away from it.
//!
//! [`from_env`] makes the propagator that `OTEL_PROPAGATORS` asks for. With [`inject`] and [`extract`], a
//! context also goes where no layer is: into queues, messages, and jobs that outlive their request.

#[cfg(feature = "b3")]
mod b3;
mod baggage;
mod by_hand;
mod caller;
mod extract;
#[cfg(any(feature = "b3", feature = "xray"))]
mod foreign;
mod from_env;
mod grpc_trace_bin;
mod inject;
mod trace_context;
mod trace_state;
mod w3c;
#[cfg(feature = "xray")]
mod xray;

use std::sync::Arc;

use http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, global};

#[cfg(feature = "b3")]
pub use b3::B3;
pub use baggage::Baggage;
pub use by_hand::{extract, extract_from, inject, inject_into};
pub use extract::HeaderExtractor;
pub use from_env::{Propagators, from_env, from_vars};
pub use grpc_trace_bin::GrpcTraceBin;
pub use inject::HeaderInjector;
pub use trace_context::TraceContext;
pub(crate) use trace_context::TraceParent;
pub(crate) use w3c::{BAGGAGE, TRACEPARENT, TRACESTATE};
#[cfg(feature = "xray")]
pub use xray::XRay;

use crate::guest::contain;
use crate::headers::Found;

/// Whether the current span is a caller's that left it to us whether to sample.
#[cfg(feature = "telemetry")]
pub(crate) fn is_deferred(cx: &Context) -> bool {
    #[cfg(any(feature = "b3", feature = "xray"))]
    return foreign::is_deferred(cx);
    #[cfg(not(any(feature = "b3", feature = "xray")))]
    {
        let _ = cx;
        false
    }
}

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
            Some(propagator) => {
                caller::checked(cx, propagator.extract_with_context(cx, &HeaderExtractor::new(headers)))
            }
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
            Self::Given(propagator) => run(foreign(propagator.as_ref())),
            // OpenTelemetry's no-op, which is the global one until somebody sets another, has no fields.
            Self::Global => global::get_text_map_propagator(|propagator| {
                run(propagator.fields().next().is_some().then_some(propagator).and_then(foreign))
            }),
        }
    }
}

/// Nothing for [`Propagators`] in their default, which are W3C's too.
fn foreign(propagator: &dyn TextMapPropagator) -> Option<&dyn TextMapPropagator> {
    let default = propagator.fields().next().is_some_and(Propagators::are_default);
    (!default).then_some(propagator)
}
