//! What keeps telemetry going, and sends the last of it when it goes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use super::error::Kind;
use super::{Error, Parts};

/// Flushes and shuts telemetry down when it is dropped, within five seconds or what
/// [`shutdown_timeout`](super::Telemetry::shutdown_timeout) says.
///
/// It may be dropped anywhere: inside of a runtime of one thread or of many, outside, and while a panic
/// unwinds. Spans that have not ended by then, such as those of bodies that are still being sent, are lost,
/// and how many they are is told. To lose none, drop it after the server has stopped.
#[derive(Debug)]
#[must_use = "telemetry ends when the guard is dropped: keep it in a variable of `main`"]
pub struct Guard {
    parts: Parts,
    over: bool,
    flushing: Arc<Flushing>,
}

/// How many threads flush, so that they do not pile up where a flush hangs.
#[derive(Debug, Default)]
struct Flushing {
    threads: Mutex<usize>,
    fewer: Condvar,
}

type Job = Box<dyn FnOnce() -> OTelSdkResult + Send>;

impl Guard {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, over: false, flushing: Arc::default() }
    }

    /// The providers.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Exports what was recorded until now. It blocks for as long as shutting down may at most, and first waits
    /// for those who flush already.
    ///
    /// # Errors
    ///
    /// If not everything could be exported that was still there to export. What was lost before is no error
    /// here, and neither is what a collector rejects of a batch that it takes: [`Delivery`](super::Delivery)
    /// counts both.
    pub fn flush(&self) -> Result<(), Error> {
        let deadline = self.deadline();
        if !self.flushing.is_over_by(deadline) {
            let within = self.parts.shutdown_timeout;
            return Err(Error::new(Kind::Timeout, format!("another flush has not ended within {within:?}")));
        }
        let Parts { tracer_provider, meter_provider, logger_provider, .. } = &self.parts;
        let (tracers, loggers) = (tracer_provider.clone(), logger_provider.clone());
        let mut jobs: Vec<(&'static str, Job)> = vec![
            ("spans", Box::new(move || tracers.force_flush())),
            ("logs", Box::new(move || loggers.force_flush())),
        ];
        if self.parts.measures {
            let meters = meter_provider.clone();
            jobs.push(("metrics", Box::new(move || meters.force_flush())));
        }
        let jobs = jobs.into_iter().map(|(what, job)| (what, self.flushing.noting(job)));
        self.all(jobs.collect(), deadline)
    }

    /// Exports what is left and ends telemetry, as dropping does, and says what went wrong.
    ///
    /// # Errors
    ///
    /// If not everything could be exported that was still there to export, or not in time. As with
    /// [`flush`](Self::flush), what was lost before does not count, nor what is rejected of a batch.
    pub fn shutdown(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.over, true) {
            return Ok(());
        }
        // Disabled, there is nothing to end.
        let Some(driver) = &self.parts.driver else { return Ok(()) };
        let Parts { tracer_provider, meter_provider, logger_provider, shutdown_timeout, .. } = &self.parts;
        let (tracers, loggers, within) =
            (tracer_provider.clone(), logger_provider.clone(), *shutdown_timeout);
        driver.ends(within);
        let mut jobs: Vec<(&'static str, Job)> = vec![
            ("spans", Box::new(move || tracers.shutdown_with_timeout(within))),
            ("logs", Box::new(move || loggers.shutdown_with_timeout(within))),
        ];
        if self.parts.measures {
            let meters = meter_provider.clone();
            jobs.push(("metrics", Box::new(move || meters.shutdown_with_timeout(within))));
        }
        let jobs = jobs.into_iter().map(|(what, job)| (what, once(job)));
        self.all(jobs.collect(), self.deadline())
    }

    /// Does it side by side, on threads of their own, since not all of the SDK's waiting has an end.
    fn all(&self, jobs: Vec<(&'static str, Job)>, deadline: Option<Instant>) -> Result<(), Error> {
        let (within, begun_at) = (self.parts.shutdown_timeout, Instant::now());
        let mut errors = Vec::new();
        let waiting: Vec<_> = jobs.into_iter().map(|(what, job)| (what, begun(job))).collect();
        for (what, answer) in waiting {
            let done = answer.recv_timeout(left(deadline)).unwrap_or(Err(OTelSdkError::Timeout(within)));
            errors.extend(done.err().map(|error| (what, error)));
        }
        // The SDK tells of its processors' errors in words alone.
        as_one(&errors, begun_at.elapsed() >= within)
    }

    /// None if no clock can say it.
    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.parts.shutdown_timeout.saturating_add(GRACE))
    }
}

impl Flushing {
    fn is_over_by(&self, deadline: Option<Instant>) -> bool {
        let busy = |threads: &mut usize| *threads > 0;
        let waited = self.fewer.wait_timeout_while(self.threads(), left(deadline), busy);
        *waited.unwrap_or_else(PoisonError::into_inner).0 == 0
    }

    /// The job, which is one of those that flush until it ends.
    fn noting(self: &Arc<Self>, job: Job) -> Job {
        *self.threads() += 1;
        let one = OneOf(self.clone());
        Box::new(move || {
            let _one = one;
            job()
        })
    }

    fn threads(&self) -> MutexGuard<'_, usize> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct OneOf(Arc<Flushing>);

impl Drop for OneOf {
    fn drop(&mut self) {
        *self.0.threads() -= 1;
        self.0.fewer.notify_all();
    }
}

fn left(deadline: Option<Instant>) -> Duration {
    deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
}

/// A provider that somebody has shut down already is none that fails to.
fn once(shutdown: Job) -> Job {
    Box::new(move || match shutdown() {
        Err(OTelSdkError::AlreadyShutdown) => Ok(()),
        ended => ended,
    })
}

/// How much later than they should, threads may say that they are done.
const GRACE: Duration = Duration::from_millis(500);

fn begun(job: Job) -> mpsc::Receiver<OTelSdkResult> {
    let (answer, answered) = mpsc::sync_channel(1);
    let run = move || _ = answer.send(job());
    // Without a thread, the answer is that there was no time.
    _ = std::thread::Builder::new().name("otelhttp-end".to_owned()).spawn(run);
    answered
}

fn as_one(errors: &[(&'static str, OTelSdkError)], late: bool) -> Result<(), Error> {
    if errors.is_empty() {
        return Ok(());
    }
    let late = late || errors.iter().any(|(_, error)| matches!(error, OTelSdkError::Timeout(_)));
    let texts: Vec<_> = errors.iter().map(|(what, error)| format!("{what}: {error}")).collect();
    let kind = if late { Kind::Timeout } else { Kind::Export };
    Err(Error::new(kind, format!("not everything was exported: {}", texts.join("; "))))
}

impl Drop for Guard {
    fn drop(&mut self) {
        // What was lost has been told.
        _ = self.end();
    }
}
