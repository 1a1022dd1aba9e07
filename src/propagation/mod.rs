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
#[cfg(feature = "telemetry")]
mod installed;
mod trace_context;
mod trace_state;
mod w3c;
#[cfg(feature = "xray")]
mod xray;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, global};

#[cfg(feature = "b3")]
pub use b3::B3;
pub use baggage::Baggage;
pub use by_hand::{extract, extract_from, inject, inject_into};
pub use extract::HeaderExtractor;
#[cfg(feature = "telemetry")]
pub(crate) use from_env::from_vars_telling;
pub use from_env::{Propagators, from_env, from_vars};
pub use grpc_trace_bin::GrpcTraceBin;
pub use inject::HeaderInjector;
#[cfg(feature = "telemetry")]
pub(crate) use installed::Installed;
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
#[derive(Clone, Debug)]
pub(crate) enum Propagation {
    Global(GlobalPropagator),
    Given(Arc<dyn TextMapPropagator + Send + Sync>),
    /// W3C's, which is the default, and given.
    Default,
}

impl Default for Propagation {
    fn default() -> Self {
        Self::Global(GlobalPropagator::default())
    }
}

/// What came of a propagator that somebody has set. Where nobody has, W3C's are used.
pub(super) enum Foreign<T> {
    Answered(T),
    Panicked,
    Unset,
}

/// In each of these `look` says whether to look at the global, if that is the one.
impl Propagation {
    pub(crate) fn given(propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        if Propagators::are_default(&propagator) { Self::Default } else { Self::Given(Arc::new(propagator)) }
    }

    pub(crate) fn extract(&self, look: bool, cx: Context, headers: &HeaderMap, found: &Found<'_>) -> Context {
        let extract = |propagator: &dyn TextMapPropagator| {
            caller::checked(&cx, propagator.extract_with_context(&cx, &HeaderExtractor::new(headers)))
        };
        match self.foreign(look, extract) {
            Foreign::Answered(cx) => cx,
            Foreign::Panicked => cx,
            Foreign::Unset => w3c::extract(cx, headers, found),
        }
    }

    /// Replaces what the headers said of a context before: "existing propagation headers are
    /// overwritten, never doubled". Without a trace there is nothing to replace it with.
    pub(crate) fn inject(&self, look: bool, cx: &Context, headers: &mut HeaderMap) {
        let inject = |propagator: &dyn TextMapPropagator| {
            if cx.span().span_context().is_valid() {
                strip(propagator, headers);
            }
            propagator.inject_context(cx, &mut HeaderInjector::new(headers));
        };
        if let Foreign::Unset = self.foreign(look, inject) {
            w3c::inject(cx, headers);
        }
    }

    /// Takes out what the headers say of a context.
    pub(crate) fn strip(&self, look: bool, headers: &mut HeaderMap) {
        if let Foreign::Unset = self.foreign(look, |propagator| strip(propagator, headers)) {
            w3c::strip(headers);
        }
    }

    /// Runs with the propagator that somebody has set.
    pub(super) fn foreign<T>(
        &self,
        look: bool,
        mut run: impl FnMut(&dyn TextMapPropagator) -> T,
    ) -> Foreign<T> {
        let answer = match self {
            Self::Global(global) if global.is_unset(look) => return Foreign::Unset,
            Self::Global(global) => contain("a propagator", || global.foreign(run)),
            Self::Given(propagator) => contain("a propagator", || Some(run(propagator.as_ref()))),
            Self::Default => return Foreign::Unset,
        };
        match answer {
            Some(Some(answer)) => Foreign::Answered(answer),
            Some(None) => Foreign::Unset,
            None => Foreign::Panicked,
        }
    }
}

/// Whether it is the one that nobody has set, or the default as it is installed, which is W3C's too.
fn is_default(propagator: &dyn TextMapPropagator) -> bool {
    #[cfg(feature = "telemetry")]
    if Installed::is(propagator) {
        return true;
    }
    // OpenTelemetry's no-op, which is the global one until somebody sets another, has no fields.
    propagator.fields().next().is_none()
}

fn strip(propagator: &dyn TextMapPropagator, headers: &mut HeaderMap) {
    propagator.fields().for_each(|field| drop(headers.remove(field)));
}

/// The global propagator stands behind a lock that all requests would share, also where nobody has set it.
#[derive(Debug, Default)]
pub(crate) struct GlobalPropagator {
    /// Nobody had, when it was last looked at.
    unset: AtomicBool,
}

impl Clone for GlobalPropagator {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl GlobalPropagator {
    fn is_unset(&self, look: bool) -> bool {
        !look && self.unset.load(Ordering::Relaxed)
    }

    fn foreign<T>(&self, mut run: impl FnMut(&dyn TextMapPropagator) -> T) -> Option<T> {
        global::get_text_map_propagator(|propagator| {
            let unset = is_default(propagator);
            // Written only where it changes, since all threads read it.
            if self.unset.load(Ordering::Relaxed) != unset {
                self.unset.store(unset, Ordering::Relaxed);
            }
            (!unset).then(|| run(propagator))
        })
    }
}
