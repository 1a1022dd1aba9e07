//! The providers and what they share.

use std::fmt;
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::driver::Driver;
use super::propagators::Propagator;
use super::{Delivery, Guard, RuntimeMetricsGuard, SHUTDOWN_TIMEOUT};

/// What [`Telemetry::build`](super::Telemetry::build) has built: providers for whoever wants to hand them
/// out themselves.
///
/// ```
/// use otelhttp::{ServerLayer, Telemetry};
///
/// # fn main() -> Result<(), otelhttp::telemetry::Error> {
/// let parts = Telemetry::from_env().build()?;
/// let layer = ServerLayer::new()
///     .tracer_provider(parts.tracer_provider().clone())
///     .meter_provider(parts.meter_provider().clone())
///     .propagator(parts.propagator());
/// let guard = parts.guard();
/// # drop((layer, guard));
/// # Ok(())
/// # }
/// ```
#[must_use = "what is not installed or guarded loses what was recorded last"]
pub struct Parts {
    pub(super) tracer_provider: SdkTracerProvider,
    pub(super) meter_provider: SdkMeterProvider,
    pub(super) logger_provider: SdkLoggerProvider,
    /// Whether anybody reads what is measured.
    pub(super) measures: bool,
    pub(super) propagator: Propagator,
    pub(super) resource: Resource,
    pub(super) spans: Delivery,
    pub(super) logs: Delivery,
    /// Nothing if telemetry is disabled.
    pub(super) driver: Option<Driver>,
    pub(super) shutdown_timeout: Duration,
    pub(super) runtime: Option<RuntimeMetricsGuard>,
}

impl Parts {
    /// Of a program that records nothing: "all SDK methods are no-op, except for propagators".
    pub(super) fn disabled(propagator: Propagator, resource: Resource) -> Self {
        let (tracer_provider, meter_provider) = (SdkTracerProvider::default(), SdkMeterProvider::default());
        let logger_provider = SdkLoggerProvider::builder().build();
        // What is shut down makes nothing.
        _ = (tracer_provider.shutdown(), meter_provider.shutdown(), logger_provider.shutdown());
        Self {
            tracer_provider,
            meter_provider,
            logger_provider,
            measures: false,
            propagator,
            resource,
            spans: Delivery::nowhere("spans"),
            logs: Delivery::nowhere("logs"),
            driver: None,
            shutdown_timeout: SHUTDOWN_TIMEOUT,
            runtime: None,
        }
    }

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
        self.propagator.clone()
    }

    /// What all spans, metrics and logs say of the process.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// What has become of the spans.
    #[must_use]
    pub fn span_delivery(&self) -> Delivery {
        self.spans.clone()
    }

    /// What has become of the logs.
    #[must_use]
    pub fn log_delivery(&self) -> Delivery {
        self.logs.clone()
    }

    /// Sets the global providers and the global propagator.
    ///
    /// The providers stay what they were where telemetry is disabled, and the one of meters also where
    /// nobody reads what is measured: so nothing is done for nobody.
    pub fn install(self) -> Guard {
        // The tracer last: once a layer has seen it, the others are looked for every second only.
        self.propagator.clone().install();
        if self.measures {
            global::set_meter_provider(self.meter_provider.clone());
        }
        if self.driver.is_some() {
            global::set_tracer_provider(self.tracer_provider.clone());
        }
        self.guard()
    }

    /// Sends what is left when the guard goes. The globals are left alone.
    pub fn guard(self) -> Guard {
        Guard::new(self)
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Parts");
        debug.field("resource", &self.resource).field("spans", &self.spans).finish_non_exhaustive()
    }
}
