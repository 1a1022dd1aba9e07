//! Collects the spans of each trace until none of them is running any more.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, SpanId, TraceId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData};

use crate::telemetry::deliver::{Accepted, Exporting, Sink, SpanWatcher};

/// What is kept at most. When there is more, the trace of which nothing was heard for the longest is handed on as far
/// as it is, and what comes of it later by itself.
const MAX_TRACES: usize = 1_000;
const MAX_SPANS: usize = 10_000;

/// Hands on whole traces: all their spans that ended in this process.
#[derive(Clone)]
pub(super) struct WholeTraces {
    traces: Arc<Mutex<Traces>>,
    finished: fn(Vec<SpanData>),
}

#[derive(Default)]
struct Traces {
    unfinished: HashMap<TraceId, Unfinished>,
    /// By when a span of theirs last started or ended.
    order: BTreeMap<u64, TraceId>,
    /// Those of which no span is running.
    quiet: BTreeMap<u64, TraceId>,
    /// What is to be handed on.
    finished: Vec<Vec<SpanData>>,
    /// How many spans have started or ended so far.
    now: u64,
    /// How many are kept, of all traces.
    spans: usize,
}

#[derive(Default)]
struct Unfinished {
    /// When a span last started or ended.
    last: u64,
    running: HashSet<SpanId>,
    /// Those that have ended, and stand in the queue unless it was full. With when they did.
    coming: HashMap<SpanId, u64>,
    arrived: Vec<SpanData>,
}

impl WholeTraces {
    pub(super) fn new(finished: fn(Vec<SpanData>)) -> Self {
        Self { traces: Arc::default(), finished }
    }

    fn traces(&self) -> MutexGuard<'_, Traces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanWatcher for WholeTraces {
    fn started(&self, span: &mut Span, _parent: &Context) {
        let id = span.span_context();
        self.traces().start(id.trace_id(), id.span_id());
    }

    fn ended(&self, span: &SpanData) {
        self.traces().end(span.span_context.trace_id(), span.span_context.span_id());
    }
}

impl Sink<SpanData> for WholeTraces {
    fn whither(&self) -> String {
        "the console".to_owned()
    }

    fn export(&self, batch: Vec<SpanData>) -> Exporting<'_> {
        // The lock is held no longer than that.
        let finished = self.traces().arrive(batch);
        finished.into_iter().for_each(self.finished);
        Box::pin(std::future::ready(Ok(Accepted::default())))
    }

    fn resource(&mut self, _resource: &Resource) {}

    /// What still runs is not waited for: its traces are handed on as far as they are.
    fn shutdown(&self, _within: Duration) -> OTelSdkResult {
        let finished = self.traces().finish_all();
        finished.into_iter().for_each(self.finished);
        Ok(())
    }
}

impl Traces {
    fn start(&mut self, trace: TraceId, span: SpanId) {
        let (_, unfinished) = self.touch(trace);
        if unfinished.running.insert(span) {
            self.spans += 1;
        }
        self.make_room();
    }

    fn end(&mut self, trace: TraceId, span: SpanId) {
        let known = self.unfinished.get_mut(&trace);
        if !known.is_some_and(|unfinished| unfinished.running.remove(&span)) {
            return;
        }
        let (now, unfinished) = self.touch(trace);
        unfinished.coming.insert(span, now);
        if unfinished.running.is_empty() {
            self.quiet.insert(now, trace);
        }
    }

    /// Something happens in a trace, which may be a new one.
    fn touch(&mut self, trace: TraceId) -> (u64, &mut Unfinished) {
        self.now += 1;
        let unfinished = self.unfinished.entry(trace).or_default();
        self.order.remove(&unfinished.last);
        self.quiet.remove(&unfinished.last);
        unfinished.last = self.now;
        self.order.insert(self.now, trace);
        (self.now, unfinished)
    }

    /// Takes what comes out of the queue, and returns what is to be handed on now.
    fn arrive(&mut self, batch: Vec<SpanData>) -> Vec<Vec<SpanData>> {
        let (mut seen, mut passed) = (Vec::with_capacity(batch.len()), 0);
        for span in batch {
            let id = span.span_context.trace_id();
            let unfinished = self.unfinished.entry(id).or_default();
            match unfinished.coming.remove(&span.span_context.span_id()) {
                Some(ended) => passed = passed.max(ended),
                // It started when there was no room for it.
                None => self.spans += 1,
            }
            unfinished.arrived.push(span);
            seen.push(id);
        }
        seen.into_iter().for_each(|id| self.finish_if_whole(id));
        self.finish_quiet(passed);
        self.make_room();
        std::mem::take(&mut self.finished)
    }

    fn finish_if_whole(&mut self, id: TraceId) {
        let whole = |trace: &Unfinished| trace.running.is_empty() && trace.coming.is_empty();
        if self.unfinished.get(&id).is_some_and(whole) {
            self.finish(id);
        }
    }

    /// Those whose last span ended before one that has arrived: what is still missing was lost on the way.
    fn finish_quiet(&mut self, passed: u64) {
        while let Some((_, id)) = self.quiet.first_key_value().filter(|(last, _)| **last < passed) {
            self.finish(*id);
        }
    }

    fn make_room(&mut self) {
        while self.unfinished.len() > MAX_TRACES || self.spans > MAX_SPANS {
            let Some((_, id)) = self.order.first_key_value() else { return };
            self.finish(*id);
        }
    }

    fn finish(&mut self, id: TraceId) {
        let Some(Unfinished { last, running, coming, arrived }) = self.unfinished.remove(&id) else { return };
        self.order.remove(&last);
        self.quiet.remove(&last);
        self.spans -= running.len() + coming.len() + arrived.len();
        if !arrived.is_empty() {
            self.finished.push(arrived);
        }
    }

    fn finish_all(&mut self) -> Vec<Vec<SpanData>> {
        let ids: Vec<_> = self.order.values().copied().collect();
        ids.into_iter().for_each(|id| self.finish(id));
        std::mem::take(&mut self.finished)
    }
}

impl fmt::Debug for WholeTraces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unfinished = self.traces().unfinished.len();
        f.debug_struct("WholeTraces").field("unfinished", &unfinished).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    thread_local! {
        static FINISHED: std::cell::RefCell<Vec<Vec<String>>> = const { std::cell::RefCell::new(Vec::new()) };
    }

    /// Hands what ends to the sink at once, where a queue stands otherwise, which may lose something.
    #[derive(Debug)]
    struct AtOnce(WholeTraces);

    impl opentelemetry_sdk::trace::SpanProcessor for AtOnce {
        fn on_start(&self, span: &mut Span, parent: &Context) {
            self.0.started(span, parent);
        }

        fn on_end(&self, span: SpanData) {
            self.0.ended(&span);
            if span.name != "lost" {
                drop(self.0.export(vec![span]));
            }
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
            Sink::shutdown(&self.0, timeout)
        }
    }

    fn finished() -> Vec<Vec<String>> {
        FINISHED.take()
    }

    fn provider() -> (SdkTracerProvider, WholeTraces) {
        let traces = WholeTraces::new(|spans| {
            let names = spans.into_iter().map(|span| span.name.into_owned()).collect();
            FINISHED.with_borrow_mut(|finished| finished.push(names));
        });
        (SdkTracerProvider::builder().with_span_processor(AtOnce(traces.clone())).build(), traces)
    }

    #[test]
    fn a_trace_is_whole_when_its_last_span_has_ended_though_its_first_has_long() {
        let (provider, _) = provider();
        let tracer = provider.tracer("test");
        let root = Context::new().with_span(tracer.start("root"));
        let late = tracer.start_with_context("late", &root);
        drop(root);
        tracer.in_span("another", |_| ());
        assert_eq!(finished(), [["another"]]);
        drop(late);
        assert_eq!(finished(), [["root", "late"]]);
    }

    #[test]
    fn what_still_runs_at_the_end_is_not_waited_for() {
        let (provider, _) = provider();
        let tracer = provider.tracer("test");
        let root = Context::new().with_span(tracer.start("root"));
        drop(tracer.start_with_context("child", &root));
        let alone = tracer.start("alone");
        provider.shutdown().unwrap();
        assert_eq!(finished(), [["child"]]);
        drop((root, alone));
    }

    #[test]
    fn what_got_lost_on_the_way_is_not_waited_for() {
        let (provider, traces) = provider();
        let tracer = provider.tracer("test");
        let root = Context::new().with_span(tracer.start("root"));
        drop(tracer.start_with_context("lost", &root));
        drop(root);
        drop(tracer.start("lost"));
        assert!(finished().is_empty());
        tracer.in_span("another", |_| ());
        assert_eq!(finished(), [["another"], ["root"]]);
        let left = traces.traces();
        assert_eq!((left.unfinished.len(), left.spans), (0, 0));
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for_and_all_is_handed_on() {
        let (provider, traces) = provider();
        let tracer = provider.tracer("test");
        let running: Vec<_> = (0..MAX_TRACES + 10).map(|_| tracer.start("a")).collect();
        assert_eq!(traces.traces().unfinished.len(), MAX_TRACES);
        drop(running);
        assert_eq!(finished().len(), MAX_TRACES + 10);
        let root = Context::new().with_span(tracer.start("root"));
        for _ in 0..2 * MAX_SPANS {
            drop(tracer.start_with_context("child", &root));
            assert!(traces.traces().spans <= MAX_SPANS);
        }
        drop(root);
        assert_eq!(finished().iter().map(Vec::len).sum::<usize>(), 2 * MAX_SPANS + 1);
        let left = traces.traces();
        assert!(left.unfinished.is_empty() && left.order.is_empty() && left.quiet.is_empty());
        assert_eq!(left.spans, 0);
    }

    /// Another trace goes on meanwhile.
    #[test]
    fn the_trace_of_which_nothing_was_heard_for_the_longest_goes_first() {
        let (provider, _) = provider();
        let tracer = provider.tracer("test");
        let [silent, lively] = [(); 2].map(|()| Context::new().with_span(tracer.start("root")));
        drop(tracer.start_with_context("of the silent", &silent));
        drop(tracer.start_with_context("of the lively", &lively));
        let others: Vec<_> = (0..MAX_TRACES - 1).map(|_| tracer.start("other")).collect();
        drop(lively);
        assert_eq!(finished(), [vec!["of the silent"], vec!["of the lively", "root"]]);
        drop(silent);
        assert_eq!(finished(), [["root"]], "by itself");
        drop(others);
    }
}
