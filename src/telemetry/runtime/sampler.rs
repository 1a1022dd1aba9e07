//! Readings, taken no more often than they are needed.

use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::process::{CpuTime, Process, ProcessSample};
use super::tokio::TokioSample;
use crate::guest::contain;

/// One reading, and what it is since the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    at: Instant,
    pub(super) process: ProcessSample,
    pub(super) tokio: Option<TokioSample>,
    pub(super) cpu_utilization: Option<Utilization>,
    pub(super) worker_utilization: Option<f64>,
}

/// Shares of what the CPUs that the process may use could have done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Utilization {
    Total(f64),
    ByMode { user: f64, system: f64 },
}

/// All instruments read here. One collection asks for each of them in turn, and takes one reading for all.
pub(super) struct Sampler {
    /// How old a reading may be.
    interval: Duration,
    /// Nothing once it is over.
    state: Mutex<Option<State>>,
}

struct State {
    process: Process,
    handle: Option<Handle>,
    last: Sample,
}

impl Sampler {
    /// CPU time is counted in hundredths of a second: of less than a tenth, a share says nothing.
    pub(super) const LEAST: Duration = Duration::from_millis(100);

    pub(super) fn new(interval: Option<Duration>, handle: Option<Handle>) -> Self {
        let state = contain("reading the process", || State::new(handle));
        Self { interval: interval.unwrap_or_default().max(Self::LEAST), state: Mutex::new(state) }
    }

    pub(super) fn sample(&self) -> Option<Sample> {
        let mut state = self.lock();
        let state = state.as_mut()?;
        // A reader's interval is never quite its interval: a tenth is forgiven.
        if state.last.at.elapsed() >= self.interval - self.interval / 10 {
            contain("reading the process", || state.refresh());
        }
        Some(state.last)
    }

    pub(super) fn look_at(&self, handle: Handle) {
        if let Some(state) = self.lock().as_mut() {
            state.last.tokio = Some(TokioSample::read(&handle));
            state.handle = Some(handle);
        }
    }

    pub(super) fn stop(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // A reading replaces the last one whole, or not at all.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(handle: Option<Handle>) -> Self {
        let mut process = Process::new();
        let last = Sample {
            at: Instant::now(),
            process: process.sample(),
            tokio: handle.as_ref().map(TokioSample::read),
            cpu_utilization: None,
            worker_utilization: None,
        };
        Self { process, handle, last }
    }

    fn refresh(&mut self) {
        if self.handle.is_none() {
            self.handle = Handle::try_current().ok();
        }
        let at = Instant::now();
        let process = self.process.sample();
        let tokio = self.handle.as_ref().map(TokioSample::read);
        let elapsed = at.saturating_duration_since(self.last.at);
        let cpus = available_parallelism().map_or(1, NonZero::get) as u64;
        self.last = Sample {
            at,
            process,
            tokio,
            cpu_utilization: cpu_utilization(self.last.process.cpu, process.cpu, elapsed, cpus),
            worker_utilization: worker_utilization(self.last.tokio, tokio, elapsed),
        };
    }
}

/// "Difference in process.cpu.time since the last measurement, divided by the elapsed time and number of
/// CPUs available to the process."
fn cpu_utilization(
    before: Option<CpuTime>,
    now: Option<CpuTime>,
    elapsed: Duration,
    cpus: u64,
) -> Option<Utilization> {
    match (before?, now?) {
        (CpuTime::Total(before), CpuTime::Total(now)) => {
            Some(Utilization::Total(share(before, now, elapsed, cpus)?))
        }
        (CpuTime::ByMode { user: user_before, system: system_before }, CpuTime::ByMode { user, system }) => {
            Some(Utilization::ByMode {
                user: share(user_before, user, elapsed, cpus)?,
                system: share(system_before, system, elapsed, cpus)?,
            })
        }
        _ => None,
    }
}

fn worker_utilization(
    before: Option<TokioSample>,
    now: Option<TokioSample>,
    elapsed: Duration,
) -> Option<f64> {
    let (before, now) = (before?, now?);
    share(before.busy, now.busy, elapsed, now.workers)
}

/// What was used of what there was. Times are counted coarsely, or when work pauses, so that a little more than
/// all can seem to have been used.
fn share(before: Duration, now: Duration, elapsed: Duration, of: u64) -> Option<f64> {
    let there_was = elapsed.as_secs_f64() * of as f64;
    (there_was > 0.0).then(|| (now.saturating_sub(before).as_secs_f64() / there_was).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_share_is_of_the_time_and_of_all_cpus() {
        for (before, now, elapsed, of, expected) in [
            (ms(100), ms(600), ms(1_000), 1, Some(0.5)),
            (ms(100), ms(600), ms(1_000), 2, Some(0.25)),
            (ms(100), ms(2_200), ms(1_000), 2, Some(1.0)),
            (ms(600), ms(100), ms(1_000), 1, Some(0.0)),
            (ms(0), ms(100), ms(0), 1, None),
            (ms(0), ms(100), ms(1_000), 0, None),
        ] {
            assert_eq!(share(before, now, elapsed, of), expected);
        }
    }

    #[test]
    fn shares_are_by_mode_where_the_times_are() {
        let total = |milliseconds| Some(CpuTime::Total(ms(milliseconds)));
        let by_mode = |user, system| Some(CpuTime::ByMode { user: ms(user), system: ms(system) });
        let utilization = |before, now| cpu_utilization(before, now, ms(1_000), 2);
        assert_eq!(utilization(total(0), total(500)), Some(Utilization::Total(0.25)));
        let expected = Utilization::ByMode { user: 0.5, system: 0.25 };
        assert_eq!(utilization(by_mode(0, 500), by_mode(1_000, 1_000)), Some(expected));
        assert_eq!(utilization(None, total(500)), None);
        assert_eq!(utilization(total(500), None), None);
    }

    #[test]
    fn a_reading_that_is_young_enough_is_not_taken_anew() {
        let sampler = Sampler::new(Some(Duration::from_secs(3_600)), None);
        let first = sampler.sample().unwrap();
        assert_eq!(sampler.sample().unwrap().at, first.at);
        sampler.stop();
        assert!(sampler.sample().is_none());
    }
}
