//! What the process and tokio's runtime use.

mod instruments;
mod polls;
mod process;
mod sampler;
#[cfg(target_os = "linux")]
mod stat;
mod tokio;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::tokio::runtime::Handle;
use opentelemetry::metrics::MeterProvider;

pub use self::polls::{PollsFuture, PollsLayer, PollsService};

use self::sampler::Sampler;
use super::{Parts, Telemetry};
use crate::signals::scope;

/// Metrics of the process and of tokio's runtime: CPU, memory, open files, threads, workers, tasks and queues.
/// [`recorded`](crate::recorded) lists them.
///
/// [`Telemetry::runtime_metrics`] turns them on. This type is for providers that are built otherwise:
///
/// ```
/// use otelhttp::telemetry::RuntimeMetrics;
///
/// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
/// let _metrics = RuntimeMetrics::new().observe(&provider);
/// ```
///
/// They are read when a reader collects, on its thread, so they need none of their own and cost nothing in
/// between. On Linux a reading takes less than a millisecond, and three microseconds more for each open file.
///
/// The runtime is the one in which [`observe`](Self::observe) is called, or one that is named, or the first
/// in which a reader collects.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is measured until it is observed"]
pub struct RuntimeMetrics {
    interval: Option<Duration>,
    handle: Option<Handle>,
}

impl RuntimeMetrics {
    /// Readings with each collection, of the current runtime.
    pub fn new() -> Self {
        Self::default()
    }

    /// How old a reading may be before it is taken anew, for readers that collect more often than that, or
    /// several of them. A share (`process.cpu.utilization`) is that of the time between two readings. At least,
    /// and by default, 100 ms.
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval: Some(interval), ..self }
    }

    /// The runtime to look at. Default: the current one.
    pub fn runtime_handle(self, handle: Handle) -> Self {
        Self { handle: Some(handle), ..self }
    }

    /// How often somebody who looks wants to see it.
    pub(super) fn live_interval(&self) -> Duration {
        self.interval.unwrap_or(Duration::from_secs(1)).max(Sampler::LEAST)
    }

    /// Makes the instruments. They are silent once the guard is gone.
    pub fn observe(self, provider: &dyn MeterProvider) -> RuntimeMetricsGuard {
        let handle = self.handle.or_else(|| Handle::try_current().ok());
        let sampler = Arc::new(Sampler::new(self.interval, handle));
        instruments::register(&provider.meter_with_scope(scope()), &sampler);
        RuntimeMetricsGuard { sampler }
    }
}

/// What [`RuntimeMetrics`] are measured as long as there is.
///
/// Nothing that the meter provider keeps leads back to it, so neither keeps the other alive.
#[must_use = "nothing is measured any more when it is dropped"]
pub struct RuntimeMetricsGuard {
    sampler: Arc<Sampler>,
}

impl RuntimeMetricsGuard {
    /// The runtime to look at from now on, for one that was built later.
    pub fn runtime_handle(&self, handle: Handle) {
        self.sampler.look_at(handle);
    }
}

impl Drop for RuntimeMetricsGuard {
    fn drop(&mut self) {
        self.sampler.stop();
    }
}

impl fmt::Debug for RuntimeMetricsGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeMetricsGuard").finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Measures what the process and tokio's runtime use: see [`RuntimeMetrics`]. Default: off.
    ///
    /// A reading is taken when metrics are exported, but no more often than this; `None` is with each export. For
    /// somebody who looks, metrics are written to the console in this interval, or each second, unless
    /// [`metric_interval`](Self::metric_interval) or `OTEL_METRIC_EXPORT_INTERVAL` says otherwise.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), otelhttp::telemetry::Error> {
    /// use otelhttp::Telemetry;
    ///
    /// let _telemetry = Telemetry::from_env().service_name("shop").runtime_metrics(None).install()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn runtime_metrics(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.metrics.runtime = Some(RuntimeMetrics { interval: interval.into(), handle: None });
        self
    }
}

impl Parts {
    /// The runtime whose [metrics](Telemetry::runtime_metrics) are taken, for a program that builds it after it has
    /// installed telemetry. Default: the one in which that was done.
    pub fn runtime_handle(&self, handle: Handle) {
        if let Some(runtime) = &self.runtime {
            runtime.runtime_handle(handle);
        }
    }
}
