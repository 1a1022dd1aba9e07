//! Collects the spans of each trace until none of them is running any more.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use opentelemetry::trace::{Span as _, SpanId, TraceId};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

/// What is kept at most. When there are more traces, the oldest is forgotten.
const MAX_TRACES: usize = 1_000;
const MAX_SPANS_PER_TRACE: usize = 1_000;

/// A span processor that hands on whole traces: all their spans that ended in this process.
pub(crate) struct WholeTraces {
    unfinished: Mutex<HashMap<TraceId, Unfinished>>,
    finished: fn(Vec<SpanData>),
}

struct Unfinished {
    since: Instant,
    running: HashSet<SpanId>,
    ended: Vec<SpanData>,
}

impl WholeTraces {
    pub(crate) fn new(finished: fn(Vec<SpanData>)) -> Self {
        Self { unfinished: Mutex::default(), finished }
    }

    fn unfinished(&self) -> MutexGuard<'_, HashMap<TraceId, Unfinished>> {
        self.unfinished.lock().expect("nothing panics while it holds the lock")
    }
}

impl SpanProcessor for WholeTraces {
    fn on_start(&self, span: &mut Span, _parent: &opentelemetry::Context) {
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

    fn on_end(&self, span: SpanData) {
        let trace_id = span.span_context.trace_id();
        let mut unfinished = self.unfinished();
        let Some(trace) = unfinished.get_mut(&trace_id) else { return };
        // A span that is not running here started when there was no room for it.
        if !trace.running.remove(&span.span_context.span_id()) {
            return;
        }
        trace.ended.push(span);
        if !trace.running.is_empty() {
            return;
        }
        let finished = unfinished.remove(&trace_id);
        // Others may go on while the trace is printed.
        drop(unfinished);
        if let Some(trace) = finished {
            (self.finished)(trace.ended);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    /// What still runs is not waited for: its traces are handed on as far as they are.
    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        let unfinished = std::mem::take(&mut *self.unfinished());
        unfinished.into_values().for_each(|trace| (self.finished)(trace.ended));
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
