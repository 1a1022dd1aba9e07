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
            store: Mutex::new(Inner { store: Store::new(limits).since(now()), spare: Vec::new() }),
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
        self.write(|store| store.clear(now()));
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
        // A span that ends is in the queue before it runs no more: so one that ends meanwhile is in both, and not in neither.
        let mut running = self.running().clone();
        self.drain(&mut inner);
        running.forget_ended(&inner.store);
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
    use std::time::Instant;

    use opentelemetry::trace::{Span as _, SpanId, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

    use super::*;
    use crate::intake::sdk::SpanIntake;
    use crate::model::Kind;
    use crate::store::RunningSpan;

    const SOON: Duration = Duration::from_secs(20);
    const READINGS: u64 = 100;
    const WAITING: u64 = 1_000;
    const AT_ONCE: u64 = 100;

    fn tracer(shared: &Arc<Shared>) -> SdkTracer {
        let intake = SpanIntake::new(shared.clone());
        SdkTracerProvider::builder().with_span_processor(intake).build().tracer("")
    }

    #[test]
    fn a_request_does_not_wait_for_who_looks() {
        for (is_paused, expected) in [(false, (1, 0, 1)), (true, (1, 1, 0))] {
            let shared = Arc::new(Shared::new(Limits::DEFAULT));
            shared.pause(is_paused);
            let tracer = tracer(&shared);
            let (done, is_done) = std::sync::mpsc::channel();
            shared.read(|_, _| {
                std::thread::spawn(move || {
                    drop(tracer.start("a request"));
                    done.send(())
                });
                is_done.recv_timeout(SOON).expect("it waits for who looks");
            });
            let counts = |store: &mut Store, _: &Running| {
                (store.received.spans, store.dropped.spans, store.traces.spans())
            };
            assert_eq!(shared.read(counts), expected);
        }
    }

    /// The spans that an answer has, those that run and those that have ended.
    fn seen(shared: &Shared) -> (Vec<SpanId>, Vec<SpanId>) {
        shared.read(|store, running| {
            let ended = store.traces.iter().flat_map(|trace| &trace.spans).map(|span| span.id);
            (running.iter().map(|(_, span)| span.id).collect(), ended.collect())
        })
    }

    #[test]
    fn a_span_that_is_ending_is_shown_once_and_as_ended() {
        let shared = Arc::new(Shared::new(Limits::DEFAULT));
        let mut span = tracer(&shared).start("a request");
        let (trace, id) = (span.span_context().trace_id(), span.span_context().span_id());
        assert_eq!(seen(&shared), (vec![id], vec![]));
        let ending = {
            // While this is held nothing stops running.
            let _running = shared.running();
            let ending = std::thread::spawn(move || span.end());
            let deadline = Instant::now() + SOON;
            while lock(&shared.queue).spans.is_empty() {
                assert!(Instant::now() < deadline, "it ends before it is in the queue");
                std::thread::yield_now();
            }
            ending
        };
        assert_eq!(seen(&shared), (vec![], vec![id]));
        ending.join().unwrap();
        // As it is between the two.
        let resource = shared.resource(&opentelemetry_sdk::Resource::builder_empty().build());
        let (parent, kind, name) = (SpanId::INVALID, Kind::Internal, "a request".into());
        let running = RunningSpan { id, parent, remote: None, kind, start: 0, name, resource };
        shared.running().begin(trace, running);
        assert_eq!(seen(&shared), (vec![], vec![id]));
    }

    /// Spans begin and end all the while, and whoever asks sees each of those that have begun.
    #[test]
    fn no_answer_lacks_a_span_that_ends_meanwhile() {
        let shared = Arc::new(Shared::new(Limits::DEFAULT));
        let (begun, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let program = {
            let (tracer, begun, is_over) = (tracer(&shared), begun.clone(), is_over.clone());
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let spans: Vec<_> = (0..AT_ONCE).map(|_| tracer.start("a request")).collect();
                    begun.fetch_add(AT_ONCE, Ordering::SeqCst);
                    drop(spans);
                }
            })
        };
        for reading in 1..=READINGS {
            // So many are waiting that some end while they are taken in.
            while begun.load(Ordering::SeqCst) < reading * WAITING {
                std::thread::yield_now();
            }
            let before = begun.load(Ordering::SeqCst);
            let (count, both) = shared.read(|store, running| {
                let both = running.iter().filter(|(trace, _)| store.traces.get(*trace).is_some()).count();
                (store.received.spans + running.len() as u64, both)
            });
            assert!(count >= before, "{count} of {before} spans");
            assert_eq!(both, 0, "a span is shown twice");
        }
        is_over.store(true, Ordering::Relaxed);
        program.join().unwrap();
    }

    fn received(shared: &Shared) -> u64 {
        lock(&shared.store).store.received.spans
    }

    #[test]
    fn what_waits_is_bounded_though_nobody_asks() {
        let shared = Arc::new(Shared::new(Limits { bytes: Limits::LEAST, ..Limits::DEFAULT }));
        let tracer = tracer(&shared);
        for _ in 0..2_000 {
            drop(tracer.start("a request"));
            assert!(lock(&shared.queue).bytes <= shared.most_waiting);
        }
        assert!(received(&shared) > 1_000, "{}", received(&shared));
    }

    #[tokio::test]
    async fn what_waits_is_taken_in_though_nobody_asks() {
        let shared = Arc::new(Shared::new(Limits::DEFAULT));
        let worker = shared.clone();
        tokio::spawn(async move { worker.work().await });
        // A provider that goes would take in what waits.
        let tracer = tracer(&shared);
        for count in 1..=3 {
            drop(tracer.start("a request"));
            let deadline = Instant::now() + SOON;
            while received(&shared) < count {
                assert!(Instant::now() < deadline, "the span still waits");
                tokio::task::yield_now().await;
            }
        }
    }

    #[test]
    fn what_runs_is_cleared_too() {
        let shared = Arc::new(Shared::new(Limits::DEFAULT));
        let (_one, other) = (tracer(&shared).start("a request"), tracer(&shared).start("another"));
        drop(other);
        shared.clear();
        assert_eq!(seen(&shared), (vec![], vec![]));
    }
}
