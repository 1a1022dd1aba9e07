//! Collects the spans of each trace until none of them is running any more.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, SpanId, TraceId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData};

use crate::telemetry::deliver::{Accepted, Exporting, Sink, SpanWatcher};

/// What is kept at most. When there are more traces, the oldest is forgotten.
const MAX_TRACES: usize = 1_000;
const MAX_SPANS_PER_TRACE: usize = 1_000;

/// Hands on whole traces: all their spans that ended in this process.
#[derive(Clone)]
pub(super) struct WholeTraces {
    unfinished: Arc<Mutex<HashMap<TraceId, Unfinished>>>,
    finished: fn(Vec<SpanData>),
}

struct Unfinished {
    since: Instant,
    /// Those whose end has not been seen here yet.
    running: HashSet<SpanId>,
    ended: Vec<SpanData>,
}

impl WholeTraces {
    pub(super) fn new(finished: fn(Vec<SpanData>)) -> Self {
        Self { unfinished: Arc::default(), finished }
    }

    fn unfinished(&self) -> MutexGuard<'_, HashMap<TraceId, Unfinished>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trace of this span, if it was the last one.
    fn collect(&self, span: SpanData) -> Option<Vec<SpanData>> {
        let trace_id = span.span_context.trace_id();
        let mut unfinished = self.unfinished();
        let trace = unfinished.get_mut(&trace_id)?;
        // A span that is not running here started when there was no room for it.
        if !trace.running.remove(&span.span_context.span_id()) {
            return None;
        }
        trace.ended.push(span);
        let whole = trace.running.is_empty();
        whole.then(|| unfinished.remove(&trace_id).map(|trace| trace.ended)).flatten()
    }
}

impl SpanWatcher for WholeTraces {
    fn started(&self, span: &mut Span, _parent: &Context) {
        let id = span.span_context();
        let mut unfinished = self.unfinished();
        if unfinished.len() >= MAX_TRACES && !unfinished.contains_key(&id.trace_id()) {
            let oldest = unfinished.iter().min_by_key(|(_, trace)| trace.since).map(|(id, _)| *id);
            oldest.and_then(|oldest| unfinished.remove(&oldest));
        }
        let trace = unfinished.entry(id.trace_id()).or_insert_with(Unfinished::new);
        if trace.running.len() + trace.ended.len() < MAX_SPANS_PER_TRACE {
            trace.running.insert(id.span_id());
        }
    }

    fn ended(&self, _span: &SpanData) {}
}

impl Sink<SpanData> for WholeTraces {
    fn whither(&self) -> String {
        "the console".to_owned()
    }

    fn export(&self, batch: Vec<SpanData>) -> Exporting<'_> {
        batch.into_iter().filter_map(|span| self.collect(span)).for_each(self.finished);
        Box::pin(std::future::ready(Ok(Accepted::default())))
    }

    fn resource(&mut self, _resource: &Resource) {}

    /// What still runs is not waited for: its traces are handed on as far as they are.
    fn shutdown(&self, _within: Duration) -> OTelSdkResult {
        let unfinished = std::mem::take(&mut *self.unfinished());
        unfinished
            .into_values()
            .map(|trace| trace.ended)
            .filter(|ended| !ended.is_empty())
            .for_each(self.finished);
        Ok(())
    }
}

impl Unfinished {
    fn new() -> Self {
        Self { since: Instant::now(), running: HashSet::new(), ended: Vec::new() }
    }
}

impl fmt::Debug for WholeTraces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WholeTraces").field("unfinished", &self.unfinished().len()).finish_non_exhaustive()
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

    /// Hands what ends to the sink at once, where a queue stands otherwise.
    #[derive(Debug)]
    struct AtOnce(WholeTraces);

    impl opentelemetry_sdk::trace::SpanProcessor for AtOnce {
        fn on_start(&self, span: &mut Span, parent: &Context) {
            self.0.started(span, parent);
        }

        fn on_end(&self, span: SpanData) {
            drop(self.0.export(vec![span]));
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
    fn no_more_is_kept_than_there_is_room_for() {
        let (provider, traces) = provider();
        let tracer = provider.tracer("test");
        let running: Vec<_> = (0..MAX_TRACES + 10).map(|_| tracer.start("a")).collect();
        assert_eq!(traces.unfinished().len(), MAX_TRACES);
        drop(running);
        assert_eq!(finished().len(), MAX_TRACES);
        let root = Context::new().with_span(tracer.start("root"));
        (0..2 * MAX_SPANS_PER_TRACE).for_each(|_| drop(tracer.start_with_context("child", &root)));
        drop(root);
        assert_eq!(finished().iter().map(Vec::len).collect::<Vec<_>>(), [MAX_SPANS_PER_TRACE]);
    }
}
