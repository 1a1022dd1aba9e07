//! Which traces are kept: by route and method, and so many a second.
//!
//! [`RouteSampler`] takes a share of the traces that begin with a request to a route. [`LimitSampler`]
//! takes no more than so many traces a second, of all or of those that another sampler takes. Both go
//! where the SDK's samplers go:
//!
//! ```
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! use otelhttp::sampling::{LimitSampler, RouteSampler};
//!
//! let routes = RouteSampler::new(0.05)
//!     .never("/health")
//!     .always("/checkout")
//!     .share("POST /orders/{id}", 0.5);
//! let provider = SdkTracerProvider::builder().with_sampler(LimitSampler::new(100.0).of(routes)).build();
//! # let _ = provider;
//! ```
//!
//! # The parent decides
//!
//! Both decide where a trace begins, and only there. A span below another one is sampled if its parent is,
//! a remote one or a local one, so that a trace is whole or not there. Putting them into the SDK's
//! `ParentBased` is not needed. A caller that leaves the decision open, as B3 and X-Ray can
//! (`propagation::B3`, `propagation::XRay`), has not decided, and they do. So does
//! [`public_endpoint`](crate::ServerLayer::public_endpoint), where every request begins a trace.

mod bucket;
mod limit;
mod pattern;
mod route;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult};

pub use limit::LimitSampler;
pub use route::RouteSampler;

use crate::propagation;

/// What has been decided for the trace already.
fn decided(parent: Option<&Context>) -> Option<SamplingResult> {
    let cx = parent?;
    let span = cx.span();
    let parent = Some(span.span_context()).filter(|parent| parent.is_valid())?;
    if propagation::is_deferred(cx) {
        return None;
    }
    let sampled = parent.is_sampled();
    Some(SamplingResult {
        decision: if sampled { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop },
        attributes: Vec::new(),
        trace_state: parent.trace_state().clone(),
    })
}
