//! Where spans and measurements go: a provider that was given, or the global one, looked up late.

mod latest;
mod looks;
mod meter;
mod tracer;

use std::time::Instant;

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::Meter;

pub(crate) use looks::Looks;
pub(crate) use meter::{Found, GivenMeter, Meters};
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
    pub(crate) instruments: Option<Found<'c, Instruments>>,
    pub(crate) now: Instant,
    /// Whether to look at the globals.
    pub(crate) look: bool,
}

impl<'c> Signals<'c> {
    /// Nothing if nobody would see it: what OpenTelemetry calls no-op need not be told anything.
    pub(crate) fn of(config: &'c Config, observe: Observe) -> Option<Self> {
        if observe == Observe::Nothing {
            return None;
        }
        let now = Instant::now();
        let make = |meter: &Meter| Instruments::new(meter, config.side, config.bound_instruments);
        let look = !config.tracer.is_settled() || config.looks.is_due(now);
        let tracer = if observe == Observe::All { config.tracer.of_call() } else { None };
        let instruments = if config.metrics { config.meters.instruments(look, make) } else { None };
        (tracer.is_some() || instruments.is_some()).then_some(Self { tracer, instruments, now, look })
    }
}
