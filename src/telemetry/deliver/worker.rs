//! The thread at the other end of the queue.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use super::ledger::Ledger;
use super::queue::{Ask, Desk};
use super::{Batches, Outage, Outcome, PANICKED, Sink, wait};
use crate::guest::contain;
use crate::telemetry::driver::Driver;
use crate::telemetry::report::Reports;

/// What no clock can say is as good as this.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 24 * 3_600);

/// What the thread owns.
pub(super) struct Worker<T> {
    receiver: Receiver<T>,
    sinks: Vec<Box<dyn Sink<T>>>,
    batches: Batches,
    ledger: Arc<Ledger>,
    desk: Arc<Desk>,
    crowded: Outage,
    /// When the queue was last found too small.
    last_dropped: Option<Instant>,
    no_room: String,
}

impl<T: Clone + Send> Worker<T> {
    pub(super) fn new(
        receiver: Receiver<T>,
        sinks: Vec<Box<dyn Sink<T>>>,
        batches: Batches,
        ledger: Arc<Ledger>,
        desk: Arc<Desk>,
        variable: &str,
        reports: Reports,
    ) -> Self {
        let what = ledger.what;
        let crowded = Outage::new(format!("{what} are lost"), format!("{what} find room again"), reports);
        let no_room = format!(
            "more are recorded than exported, and the queue has room for {} ({variable})",
            batches.queue
        );
        Self { receiver, sinks, batches, ledger, desk, crowded, last_dropped: None, no_room }
    }

    pub(super) fn run(mut self, driver: &Driver) {
        // "SDKs MUST NOT export telemetry about their own exporting": what runs here makes no spans.
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        // For exporters that ask for a runtime. The thread is not one of it, so that they may block too.
        let _runtime = driver.enter();
        let mut due = self.due();
        loop {
            let asked = self.heard(self.desk.take());
            let left = due.saturating_duration_since(Instant::now());
            if asked.is_empty() && !self.desk.full() && !left.is_zero() {
                std::thread::park_timeout(left);
                continue;
            }
            if self.answer(asked) {
                break;
            }
            due = self.due();
        }
        self.desk.close();
        // Here, while their end makes no telemetry either and has a runtime.
        for sink in self.sinks.drain(..) {
            contain("an exporter that was dropped", || drop(sink));
        }
    }

    fn due(&self) -> Instant {
        // Not zero, which would spin.
        Instant::now() + self.batches.delay.clamp(Duration::from_millis(1), FOR_EVER)
    }

    /// What needs an answer.
    fn heard(&mut self, mut asked: Vec<Ask>) -> Vec<Ask> {
        asked.retain(|ask| {
            let Ask::Resource(resource) = ask else { return true };
            for sink in &mut self.sinks {
                contain("an exporter that was told the resource", || sink.resource(resource));
            }
            false
        });
        asked
    }

    /// Exports everything, and answers who asked for it. Whether it was the last time.
    fn answer(&mut self, asked: Vec<Ask>) -> bool {
        let mut exported = self.export_all();
        let mut last = false;
        for ask in asked {
            match ask {
                Ask::Resource(_) => {}
                Ask::Flush(answer) => _ = answer.try_send(copy(&exported)),
                Ask::End(within, answer) => {
                    last = true;
                    exported = exported.and(self.export_last());
                    _ = answer.try_send(copy(&exported).and(self.shutdown(within)));
                }
            }
        }
        last
    }

    fn export_all(&mut self) -> OTelSdkResult {
        let mut left = self.ledger.queued();
        let mut exported = Ok(());
        while left > 0 && !self.is_late() {
            let size = left.min(self.batches.size);
            let mut batch = Vec::with_capacity(size);
            batch.extend(self.receiver.try_iter().take(size));
            if batch.is_empty() {
                break;
            }
            left -= batch.len();
            exported = exported.and(self.export(batch));
        }
        self.note_dropped();
        if left > 0 && self.is_late() { exported.and(Err(no_time())) } else { exported }
    }

    /// Nothing is recorded any more, but something may still be on its way into the queue.
    fn export_last(&mut self) -> OTelSdkResult {
        let mut exported = Ok(());
        while self.ledger.queued() > 0 {
            if self.is_late() {
                return exported.and(Err(no_time()));
            }
            exported = exported.and(self.export_all());
            std::thread::yield_now();
        }
        exported
    }

    /// Shows a batch to all exporters, side by side, and keeps the books.
    fn export(&self, batch: Vec<T>) -> OTelSdkResult {
        let count = batch.len();
        let until = Instant::now() + self.batches.timeout.min(FOR_EVER);
        let deadline = || self.desk.end_by().map_or(until, |end| end.min(until));
        let mut outcomes: Vec<_> = self.sinks.iter().map(|_| self.no_answer()).collect();
        let exporting = self.sinks.iter().zip(copies(batch, self.sinks.len()));
        let exporting = exporting.map(|(sink, batch)| sink.export(batch)).collect();
        let done = |index: usize, outcome: Option<Outcome>| {
            outcomes[index] = outcome.unwrap_or_else(|| Err(PANICKED.to_owned()));
        };
        wait::until(deadline, wait::each(exporting, done));
        let mut exported = Ok(());
        for (account, outcome) in self.ledger.accounts.iter().zip(outcomes) {
            match outcome {
                Ok(accepted) => self.ledger.accepts(account, count as u64, &accepted),
                Err(why) => {
                    account.outage.goes_on(count as u64, &why);
                    exported = Err(OTelSdkError::InternalFailure(why));
                }
            }
        }
        // Last, so that what is exported is never missing from both.
        self.ledger.left(count);
        exported
    }

    fn no_answer(&self) -> Outcome {
        let late = if self.desk.end_by().is_some() { "before the end" } else { "in time" };
        Err(format!("no answer {late}"))
    }

    /// What found no room belongs to the outage of the exporters, if they all have one.
    fn note_dropped(&mut self) {
        let dropped = self.ledger.dropped.swap(0, Ordering::Relaxed);
        if dropped == 0 {
            if self.last_dropped.is_none_or(|last| last.elapsed() > self.batches.delay) {
                self.crowded.is_over();
            }
            return;
        }
        let out = self.ledger.accounts.iter().filter(|account| account.outage.adds(dropped)).count();
        if out < self.ledger.accounts.len() {
            self.last_dropped = Some(Instant::now());
            self.crowded.goes_on(dropped, &self.no_room);
        }
    }

    fn is_late(&self) -> bool {
        self.desk.end_by().is_some_and(|end| end <= Instant::now())
    }

    fn shutdown(&self, within: Duration) -> OTelSdkResult {
        let ended = self.sinks.iter().map(|sink| {
            contain("an exporter that was shut down", || sink.shutdown(within))
                .unwrap_or_else(|| Err(OTelSdkError::InternalFailure(PANICKED.to_owned())))
        });
        ended.fold(Ok(()), OTelSdkResult::and)
    }
}

impl<T> Drop for Worker<T> {
    /// However the thread ends.
    fn drop(&mut self) {
        self.desk.close();
    }
}

/// As many as there are exporters. Here, on this thread, and the last one gets the original.
fn copies<T: Clone>(batch: Vec<T>, count: usize) -> Vec<Vec<T>> {
    let mut copies: Vec<_> = (1..count).map(|_| batch.clone()).collect();
    copies.push(batch);
    copies
}

fn no_time() -> OTelSdkError {
    OTelSdkError::InternalFailure("there was no time for all that was left".to_owned())
}

/// The SDK's error cannot be copied.
fn copy(result: &OTelSdkResult) -> OTelSdkResult {
    match result {
        Ok(()) => Ok(()),
        Err(OTelSdkError::InternalFailure(why)) => Err(OTelSdkError::InternalFailure(why.clone())),
        Err(error) => Err(OTelSdkError::InternalFailure(error.to_string())),
    }
}
