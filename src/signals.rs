//! Where spans and measurements go: a provider that was given, or the global one, looked up late.

mod latest;
mod meter;
mod tracer;

use std::sync::Arc;
use std::time::Instant;

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::Meter;

pub(crate) use meter::{GivenMeter, Meters};
pub(crate) use tracer::{CallTracer, Tracer};

use crate::config::{Config, Observe};
use crate::metrics::Instruments;
use crate::semconv::SCHEMA_URL;

pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}

/// Where one call is recorded.
pub(crate) struct Signals<'c> {
    pub(crate) tracer: Option<CallTracer<'c>>,
    pub(crate) instruments: Option<Arc<Instruments>>,
    pub(crate) now: Instant,
}

impl<'c> Signals<'c> {
    /// Nothing if nobody would see it: what OpenTelemetry calls no-op need not be told anything.
    pub(crate) fn of(config: &'c Config, observe: Observe) -> Option<Self> {
        if observe == Observe::Nothing {
            return None;
        }
        let now = Instant::now();
        let make = |meter: &Meter| Instruments::new(meter, config.side, config.bound_instruments);
        let settled = config.tracer.is_settled();
        let tracer = if observe == Observe::All { config.tracer.of_call() } else { None };
        let instruments = if config.metrics { config.meters.instruments(settled, now, make) } else { None };
        (tracer.is_some() || instruments.is_some()).then_some(Self { tracer, instruments, now })
    }
}
