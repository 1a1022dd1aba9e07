//! The store and what waits before it. Requests of the program that is watched never wait for somebody who looks: they leave
//! what they have in a queue with a lock of its own, which is held for no longer than a push takes.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use tokio::sync::Notify;

use crate::intake::sdk::{Pending, nanos, resource, size};
use crate::intake::{Report, otlp};
use crate::model::Resource;
use crate::store::{Counts, Draft, Limits, Running, Store};

/// How long what was pushed may wait, so that much of it is taken in at once.
const WAIT: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Shared {
    /// Taken before the other locks.
    store: Mutex<Inner>,
    queue: Mutex<Queue>,
    running: Mutex<Running>,
    is_paused: AtomicBool,
    /// The program that is watched is this one.
    is_embedded: AtomicBool,
    wake: Notify,
    most_waiting: usize,
    pub(crate) queries: Queries,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    /// The queue's other half, empty, so that neither has to be allocated again.
    spare: Vec<Pending>,
}

#[derive(Debug, Default)]
struct Queue {
    spans: Vec<Pending>,
    logs: Vec<ResourceLogs>,
    bytes: usize,
    /// What came while it was paused.
    left: Counts,
}

/// What questions cost.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    pub(crate) count: AtomicU64,
    pub(crate) slowest_micros: AtomicU64,
    pub(crate) last_scanned: AtomicU64,
}

pub(crate) fn now() -> u64 {
    nanos(SystemTime::now())
}

/// Nothing is left half done by whoever panics: there is no place where somebody could.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            store: Mutex::new(Inner { store: Store::new(limits), spare: Vec::new() }),
            queue: Mutex::default(),
            running: Mutex::new(limits.new_running()),
            is_paused: AtomicBool::new(false),
            is_embedded: AtomicBool::new(false),
            wake: Notify::new(),
            most_waiting: limits.pending() / 2,
            queries: Queries::default(),
        }
    }

    pub(crate) fn embed(&self) {
        self.is_embedded.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_embedded(&self) -> bool {
        self.is_embedded.load(Ordering::Relaxed)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    pub(crate) fn pause(&self, paused: bool) {
        self.settle();
        self.is_paused.store(paused, Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.write(Store::clear);
        self.running().clear();
    }

    pub(crate) fn running(&self) -> MutexGuard<'_, Running> {
        lock(&self.running)
    }

    pub(crate) fn resource(&self, of: &opentelemetry_sdk::Resource) -> Arc<Resource> {
        let mut inner = lock(&self.store);
        resource(&mut Draft::new(&mut inner.store.interner), of)
    }

    /// Everything that has come is in the store that is shown. What runs is shown in a copy, since requests begin and end
    /// spans all the while.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&mut Store, &Running) -> T) -> T {
        let mut inner = lock(&self.store);
        self.drain(&mut inner);
        let running = self.running().clone();
        look(&mut inner.store, &running)
    }

    /// As `read`, for those who do not ask what runs.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let mut inner = lock(&self.store);
        self.drain(&mut inner);
        change(&mut inner.store)
    }

    pub(crate) fn take_span(&self, span: SpanData, resource: &Arc<Resource>) {
        if self.is_paused() {
            lock(&self.queue).left.spans += 1;
            return;
        }
        let bytes = size(&span);
        let pending = Pending { span, resource: resource.clone() };
        self.push(bytes, |queue| queue.spans.push(pending));
    }

    pub(crate) fn take_log(&self, log: ResourceLogs) {
        if self.is_paused() {
            lock(&self.queue).left.logs += 1;
            return;
        }
        // On the heap a message takes some times what it takes on the wire.
        let bytes = 256 + 4 * log.encoded_len();
        self.push(bytes, |queue| queue.logs.push(log));
    }

    fn push(&self, bytes: usize, push: impl FnOnce(&mut Queue)) {
        let mut queue = lock(&self.queue);
        let was_empty = queue.bytes == 0;
        push(&mut queue);
        queue.bytes += bytes;
        let is_full = queue.bytes > self.most_waiting;
        drop(queue);
        if is_full {
            // Whoever fills it clears it away: memory stays bounded, and nothing is lost.
            self.settle();
        } else if was_empty {
            self.wake.notify_one();
        }
    }

    /// Takes in what waits.
    pub(crate) fn settle(&self) {
        self.drain(&mut lock(&self.store));
    }

    fn drain(&self, inner: &mut Inner) {
        let (mut spans, logs, left) = {
            let mut queue = lock(&self.queue);
            queue.bytes = 0;
            let spare = mem::take(&mut inner.spare);
            (mem::replace(&mut queue.spans, spare), mem::take(&mut queue.logs), mem::take(&mut queue.left))
        };
        let now = now();
        let store = &mut inner.store;
        store.leave(left);
        for pending in spans.drain(..) {
            let (trace, span) = pending.into_span(&mut Draft::new(&mut store.interner));
            store.insert(trace, span, now);
        }
        otlp::logs(store, &logs);
        inner.spare = spans;
    }

    /// Takes in what the program leaves in the queue, for ever.
    pub(crate) async fn work(&self) {
        loop {
            self.wake.notified().await;
            tokio::time::sleep(WAIT).await;
            self.settle();
        }
    }

    pub(crate) fn take_spans(&self, sent: &[ResourceSpans]) -> Report {
        let spans =
            || sent.iter().flat_map(|group| &group.scope_spans).map(|group| group.spans.len() as u64).sum();
        if let Some(report) = self.refuse(spans, |dropped, count| dropped.spans += count) {
            return report;
        }
        let now = now();
        self.each(sent, |store, group| otlp::spans(store, group, now))
    }

    /// One group at a time, so that others come in between.
    fn each<T>(&self, sent: &[T], take: impl Fn(&mut Store, &[T]) -> Report) -> Report {
        let take = |group| self.write(|store| take(store, std::slice::from_ref(group)));
        sent.iter().fold(Report::default(), |all, group| all.and(take(group)))
    }

    pub(crate) fn take_logs(&self, sent: &[ResourceLogs]) -> Report {
        let logs = || {
            sent.iter().flat_map(|group| &group.scope_logs).map(|group| group.log_records.len() as u64).sum()
        };
        if let Some(report) = self.refuse(logs, |dropped, count| dropped.logs += count) {
            return report;
        }
        self.each(sent, otlp::logs)
    }

    pub(crate) fn take_metrics(&self, sent: &[ResourceMetrics]) -> Report {
        // How many points there are is not worth counting: a paused viewer counts metrics.
        let metrics = || {
            sent.iter().flat_map(|group| &group.scope_metrics).map(|group| group.metrics.len() as u64).sum()
        };
        if let Some(report) = self.refuse(metrics, |dropped, count| dropped.points += count) {
            return report;
        }
        self.each(sent, otlp::metrics)
    }

    /// What comes while it is paused is counted and left. Its sender is not to blame, and is told that all is well.
    fn refuse(&self, count: impl FnOnce() -> u64, note: impl FnOnce(&mut Counts, u64)) -> Option<Report> {
        if !self.is_paused() {
            return None;
        }
        note(&mut lock(&self.queue).left, count());
        Some(Report::default())
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;
    use crate::intake::sdk::SpanIntake;

    #[test]
    fn a_request_does_not_wait_for_who_looks() {
        for (is_paused, expected) in [(false, (1, 0, 1)), (true, (1, 1, 0))] {
            let shared = Arc::new(Shared::new(Limits::DEFAULT));
            shared.pause(is_paused);
            let intake = SpanIntake::new(shared.clone());
            let tracer = SdkTracerProvider::builder().with_span_processor(intake).build().tracer("");
            let (done, is_done) = std::sync::mpsc::channel();
            shared.read(|_, _| {
                std::thread::spawn(move || {
                    drop(tracer.start("a request"));
                    done.send(())
                });
                is_done.recv_timeout(Duration::from_secs(20)).expect("it waits for who looks");
            });
            let counts = |store: &mut Store, _: &Running| {
                (store.received.spans, store.dropped.spans, store.traces.spans())
            };
            assert_eq!(shared.read(counts), expected);
        }
    }
}
