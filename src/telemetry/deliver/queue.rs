//! The end of the queue on which things are put, and the thread at the other end is asked.

use std::fmt::{self, Debug};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use super::ledger::Ledger;
use super::worker::Worker;
use super::{Batches, Delivery, Sink};
use crate::telemetry::Error;
use crate::telemetry::driver::Driver;
use crate::telemetry::report::Reports;

/// How much later than it should, the thread may say that it is done.
const GRACE: Duration = Duration::from_millis(200);

/// What a queue is made with.
#[derive(Debug)]
pub(crate) struct Means {
    pub(crate) batches: Batches,
    /// The variable that sets the room in the queue, for messages.
    pub(crate) variable: &'static str,
    pub(crate) driver: Driver,
    pub(crate) reports: Reports,
}

/// A bounded queue with a thread that exports.
pub(crate) struct Queue<T> {
    ledger: Arc<Ledger>,
    batches: Batches,
    sender: Sender<T>,
    desk: Arc<Desk>,
    worker: Thread,
}

/// Where the thread is asked for something.
#[derive(Debug)]
pub(super) struct Desk {
    /// A batch is full.
    full: AtomicBool,
    /// Nothing if nobody is there any more.
    questions: Mutex<Option<Vec<Ask>>>,
    /// When everything must be over.
    end_by: Mutex<Option<Instant>>,
}

#[derive(Debug)]
pub(super) enum Ask {
    Resource(Resource),
    Flush(SyncSender<OTelSdkResult>),
    /// The queue is not used any more; nobody may wait for the answer.
    End(Duration, SyncSender<OTelSdkResult>),
}

impl<T: Clone + Send + 'static> Queue<T> {
    pub(super) fn new(what: &'static str, sinks: Vec<Box<dyn Sink<T>>>, means: Means) -> Result<Self, Error> {
        let Means { batches, variable, driver, reports } = means;
        let whither = sinks.iter().map(|sink| sink.whither());
        let ledger = Arc::new(Ledger::new(what, whither, &reports));
        let desk = Arc::new(Desk::new());
        let (sender, receiver) = mpsc::channel();
        let worker = Worker::new(receiver, sinks, batches, ledger.clone(), desk.clone(), variable, reports);
        let thread = std::thread::Builder::new().name(format!("otelhttp-{what}"));
        let thread = thread.spawn(move || worker.run(&driver)).map_err(Error::no_thread)?;
        let worker = thread.thread().clone();
        Ok(Self { ledger, batches, sender, desk, worker })
    }

    pub(super) fn started(&self) {
        self.ledger.started.add_one();
    }

    /// Puts something in, or loses it: nobody waits here.
    pub(super) fn push(&self, item: T) {
        let ledger = &*self.ledger;
        let Some(before) = ledger.record() else { return };
        if ledger.accounts.is_empty() {
            ledger.left(1);
        } else if before >= self.batches.queue {
            ledger.left(1);
            ledger.dropped.fetch_add(1, Ordering::Relaxed);
        } else if self.sender.send(item).is_err() {
            // The thread has ended.
            ledger.left(1);
        } else if before + 1 >= self.batches.size && self.desk.is_news() {
            self.worker.unpark();
        }
    }

    pub(super) fn resource(&self, resource: &Resource) {
        self.ask(Ask::Resource(resource.clone()));
    }

    /// Waits until everything that is in the queue is exported.
    pub(super) fn flush(&self) -> OTelSdkResult {
        let (answer, answered) = mpsc::sync_channel(1);
        self.ask(Ask::Flush(answer));
        // What is just being exported takes its time first.
        let timeout = self.batches.timeout.saturating_mul(2).saturating_add(GRACE);
        match answered.recv_timeout(timeout) {
            Ok(exported) => exported,
            Err(RecvTimeoutError::Timeout) => Err(OTelSdkError::Timeout(timeout)),
            Err(RecvTimeoutError::Disconnected) => Err(OTelSdkError::AlreadyShutdown),
        }
    }

    /// Exports what is left, and ends.
    pub(super) fn end(&self, within: Duration) -> OTelSdkResult {
        self.ledger.close();
        *self.desk.end_by() = Instant::now().checked_add(within);
        let (answer, answered) = mpsc::sync_channel(1);
        self.ask(Ask::End(within, answer));
        let ended = match answered.recv_timeout(within.saturating_add(GRACE)) {
            Ok(ended) => ended,
            Err(RecvTimeoutError::Timeout) => Err(OTelSdkError::Timeout(within)),
            Err(RecvTimeoutError::Disconnected) => Err(OTelSdkError::AlreadyShutdown),
        };
        self.ledger.end();
        ended
    }

    pub(super) fn delivery(&self) -> Delivery {
        Delivery(self.ledger.clone())
    }
}

impl<T> Queue<T> {
    /// Where nobody is there, the question is dropped, and with it whatever the answer would come through.
    fn ask(&self, ask: Ask) {
        if let Some(questions) = &mut *self.desk.questions() {
            questions.push(ask);
        }
        self.worker.unpark();
    }
}

impl<T> Drop for Queue<T> {
    /// The thread of a queue that nobody has ended ends all the same.
    fn drop(&mut self) {
        let (answer, _) = mpsc::sync_channel(1);
        self.ask(Ask::End(Duration::ZERO, answer));
    }
}

impl<T> Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

impl Desk {
    fn new() -> Self {
        let questions = Mutex::new(Some(Vec::new()));
        Self { full: AtomicBool::new(false), questions, end_by: Mutex::default() }
    }

    /// A batch is full, and nobody has said so yet.
    fn is_news(&self) -> bool {
        !self.full.load(Ordering::Relaxed) && !self.full.swap(true, Ordering::AcqRel)
    }

    pub(super) fn full(&self) -> bool {
        self.full.swap(false, Ordering::AcqRel)
    }

    pub(super) fn take(&self) -> Vec<Ask> {
        self.questions().as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn close(&self) {
        *self.questions() = None;
    }

    pub(super) fn end_by(&self) -> MutexGuard<'_, Option<Instant>> {
        self.end_by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn questions(&self) -> MutexGuard<'_, Option<Vec<Ask>>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
