//! Set-up in one line: where spans, metrics and logs go, what they say of the process, and a guard that
//! sends the last of them.
//!
//! ```no_run
//! use otelhttp::Telemetry;
//!
//! # fn main() -> Result<(), otelhttp::telemetry::Error> {
//! let _telemetry = Telemetry::from_env().service_name("shop").install()?;
//! # Ok(())
//! # }
//! ```

mod environment;
mod error;
mod guard;
#[cfg(feature = "tracing")]
mod logs;
mod parts;
mod runtime;
mod setters;

use std::fmt;
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{LoggerProviderBuilder, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{MeterProviderBuilder, SdkMeterProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, ShouldSample, TracerProviderBuilder};

use environment::Environment;
pub use error::Error;
pub use guard::Guard;
pub use parts::Parts;
pub use runtime::{PollsFuture, PollsLayer, PollsService, RuntimeMetrics, RuntimeMetricsGuard};

use crate::propagation::{Baggage, TraceContext};

/// What a setter adds to one of the SDK's builders.
type Customise<B> = Vec<Box<dyn FnOnce(B) -> B + Send>>;

/// The set-up of a program's telemetry. See the [module](self) for what is read from the environment.
#[must_use = "nothing is set up until it is installed or built"]
pub struct Telemetry {
    environment: Environment,
    attributes: Vec<KeyValue>,
    sampler: Option<Box<dyn ShouldSample>>,
    propagator: Option<Arc<dyn TextMapPropagator + Send + Sync>>,
    tracers: Customise<TracerProviderBuilder>,
    meters: Customise<MeterProviderBuilder>,
    loggers: Customise<LoggerProviderBuilder>,
    runtime: Option<RuntimeMetrics>,
}

impl Telemetry {
    /// Reads the `OTEL_*` variables of the process when it is installed or built.
    pub fn from_env() -> Self {
        Self::new(Environment::of_the_process())
    }

    /// Reads the `OTEL_*` variables through this function instead of from the process.
    pub fn from_vars(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::new(Environment::new(read))
    }

    /// Sets the global providers and the global propagator, and returns the guard that sends what is left
    /// when it goes.
    pub fn install(self) -> Result<Guard, Error> {
        Ok(self.build()?.install())
    }

    /// Builds the providers and leaves the globals alone.
    pub fn build(self) -> Result<Parts, Error> {
        let name = self.environment.value("OTEL_SERVICE_NAME");
        let name = name.map(|name| KeyValue::new("service.name", name));
        let resource = Resource::builder().with_attributes(name).with_attributes(self.attributes).build();
        let sampler =
            self.sampler.unwrap_or_else(|| Box::new(Sampler::ParentBased(Box::new(Sampler::AlwaysOn))));
        let tracers = SdkTracerProvider::builder().with_resource(resource.clone()).with_sampler(sampler);
        let meters = SdkMeterProvider::builder().with_resource(resource.clone());
        let loggers = SdkLoggerProvider::builder().with_resource(resource.clone());
        let meter_provider = customised(meters, self.meters).build();
        Ok(Parts {
            tracer_provider: customised(tracers, self.tracers).build(),
            runtime: self.runtime.map(|runtime| runtime.observe(&meter_provider)),
            meter_provider,
            logger_provider: customised(loggers, self.loggers).build(),
            propagator: self.propagator.unwrap_or_else(w3c),
            resource,
        })
    }

    fn new(environment: Environment) -> Self {
        Self {
            environment,
            attributes: Vec::new(),
            sampler: None,
            propagator: None,
            tracers: Vec::new(),
            meters: Vec::new(),
            loggers: Vec::new(),
            runtime: None,
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("attributes", &self.attributes).finish_non_exhaustive()
    }
}

fn customised<B>(builder: B, customise: Customise<B>) -> B {
    customise.into_iter().fold(builder, |builder, customise| customise(builder))
}

fn w3c() -> Arc<dyn TextMapPropagator + Send + Sync> {
    let both: Vec<Box<dyn TextMapPropagator + Send + Sync>> =
        vec![Box::new(TraceContext::new()), Box::new(Baggage::new())];
    Arc::new(TextMapCompositePropagator::new(both))
}
