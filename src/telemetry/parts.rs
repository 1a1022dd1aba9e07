//! The providers and what they share.

use std::fmt;
use std::sync::Arc;

use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::{Context, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::{Guard, RuntimeMetricsGuard};

/// What [`Telemetry::build`](super::Telemetry::build) has built: providers for whoever wants to hand them
/// out themselves.
#[must_use = "what is not installed or guarded loses what was recorded last"]
pub struct Parts {
    pub(super) tracer_provider: SdkTracerProvider,
    pub(super) meter_provider: SdkMeterProvider,
    pub(super) logger_provider: SdkLoggerProvider,
    pub(super) propagator: Arc<dyn TextMapPropagator + Send + Sync>,
    pub(super) resource: Resource,
    pub(super) runtime: Option<RuntimeMetricsGuard>,
}

impl Parts {
    /// Makes spans.
    pub fn tracer_provider(&self) -> &SdkTracerProvider {
        &self.tracer_provider
    }

    /// Makes instruments.
    pub fn meter_provider(&self) -> &SdkMeterProvider {
        &self.meter_provider
    }

    /// Takes logs. OpenTelemetry has no global one: hand it to the bridge of the logging library.
    pub fn logger_provider(&self) -> &SdkLoggerProvider {
        &self.logger_provider
    }

    /// Reads and writes context headers.
    pub fn propagator(&self) -> impl TextMapPropagator + Clone + Send + Sync + 'static + use<> {
        Shared(self.propagator.clone())
    }

    /// What all spans, metrics and logs say of the process.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Sets the global providers and the global propagator.
    pub fn install(self) -> Guard {
        global::set_tracer_provider(self.tracer_provider.clone());
        global::set_meter_provider(self.meter_provider.clone());
        global::set_text_map_propagator(self.propagator());
        self.guard()
    }

    /// Sends what is left when the guard goes. The globals are left alone.
    pub fn guard(self) -> Guard {
        Guard::new(self)
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("resource", &self.resource).finish_non_exhaustive()
    }
}

/// A propagator in more than one place.
#[derive(Clone, Debug)]
struct Shared(Arc<dyn TextMapPropagator + Send + Sync>);

impl TextMapPropagator for Shared {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        self.0.inject_context(cx, injector);
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        self.0.extract_with_context(cx, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.0.fields()
    }
}
