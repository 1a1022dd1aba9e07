//! What is kept in memory, and no more of it than was allowed. Nothing here knows where it came from or who will ask.

mod digest;
mod histogram;
mod intern;
mod live;
mod logs;
mod metrics;
mod running;
mod samples;
mod size;
mod slab;
mod trace;
mod traces;

use opentelemetry::trace::TraceId;

use crate::model::{Log, Span};

pub(crate) use digest::FRESH;
pub(crate) use histogram::LATENCIES;
pub(crate) use intern::{Draft, Interner};
pub(crate) use live::{Failure, Live, Second};
pub(crate) use logs::Logs;
pub(crate) use metrics::{
    Course, Data, Distribution, Exemplar, Header, Identity, Instrument, Measurement, Metrics, Point, Sender,
    Series, Shape,
};
pub(crate) use running::{Running, RunningSpan};
pub(crate) use samples::{Key, Sample};
pub(crate) use size::{MORE, shared, text as text_bytes, vec as vec_bytes};
pub(crate) use trace::Trace;
pub(crate) use traces::{Insertion, Traces};

/// How much may be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of memory, for everything together.
    pub(crate) bytes: usize,
    pub(crate) spans: usize,
    pub(crate) spans_per_trace: usize,
    pub(crate) logs: usize,
    pub(crate) points: usize,
}

impl Limits {
    /// Less would not hold the tables.
    pub(crate) const LEAST: usize = 4 << 20;
    pub(crate) const DEFAULT: Self =
        Self { bytes: 64 << 20, spans: 200_000, spans_per_trace: 50_000, logs: 50_000, points: 200_000 };

    /// What is set aside: for spans on their way in, for those that run and a copy of them, and for tables that are just
    /// being copied to grow.
    fn reserve(&self) -> usize {
        self.bytes / 8
    }

    /// For spans on their way in.
    pub(crate) fn pending(&self) -> usize {
        self.bytes / 32
    }

    /// How many running spans are noted.
    fn running(&self) -> usize {
        self.bytes / 32 / running::EACH
    }

    /// What traces, logs, metrics and shared texts may take together.
    fn kept(&self) -> usize {
        self.bytes - self.reserve()
    }

    pub(crate) fn new_running(&self) -> Running {
        Running::new(self.running())
    }
}

/// How many of each signal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) spans: u64,
    pub(crate) logs: u64,
    pub(crate) points: u64,
}

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) limits: Limits,
    pub(crate) interner: Interner,
    pub(crate) traces: Traces,
    pub(crate) logs: Logs,
    pub(crate) metrics: Metrics,
    pub(crate) live: Live,
    pub(crate) received: Counts,
    evicted: Counts,
    pub(crate) dropped: Counts,
    /// Grows with each change.
    pub(crate) revision: u64,
    /// When it began to take in. If that was not said, it always has.
    began: u64,
}

impl Store {
    pub(crate) fn new(limits: Limits) -> Self {
        let traces = traces::Most {
            spans_per_trace: limits.spans_per_trace,
            trace_bytes: limits.kept() / 2,
            kept_bytes: limits.kept() / 4,
            operations: samples::OPERATIONS.min(limits.bytes >> 17),
        };
        Self {
            limits,
            interner: Interner::new(limits.bytes / 8),
            traces: Traces::new(traces),
            logs: Logs::new(limits.logs, limits.bytes / 8),
            metrics: Metrics::new(limits.points, limits.bytes / 8),
            live: Live::new(),
            received: Counts::default(),
            evicted: Counts::default(),
            dropped: Counts::default(),
            revision: 0,
            began: 0,
        }
    }

    /// One that takes in since then (nanoseconds since 1970).
    pub(crate) fn since(self, began: u64) -> Self {
        Self { began, ..self }
    }

    /// Takes a span in. False: its trace is full.
    pub(crate) fn insert(&mut self, trace: TraceId, span: Span, now: u64) -> bool {
        self.received.spans += 1;
        let shown = span.clone();
        match self.traces.insert(trace, span, now) {
            Insertion::Inserted { is_slow } => self.live.add(trace, &shown, is_slow, now),
            Insertion::Duplicate => return true,
            Insertion::Refused => {
                self.dropped.spans += 1;
                return false;
            }
        }
        self.revision += 1;
        drop(shown);
        self.bound();
        true
    }

    pub(crate) fn log(&mut self, log: Log) -> bool {
        self.received.logs += 1;
        self.revision += 1;
        let evicted = self.logs.push(log);
        match evicted {
            Some(evicted) => self.evicted.logs += evicted as u64,
            None => self.dropped.logs += 1,
        }
        self.bound();
        evicted.is_some()
    }

    pub(crate) fn measure(&mut self, header: &Header, measurement: Measurement) -> bool {
        self.received.points += 1;
        self.revision += 1;
        let evicted = self.metrics.push(header, measurement);
        match evicted {
            Some(evicted) => self.evicted.points += evicted as u64,
            None => self.dropped.points += 1,
        }
        self.bound();
        evicted.is_some()
    }

    /// Counts what came and is not wanted.
    pub(crate) fn leave(&mut self, left: Counts) {
        for counts in [&mut self.received, &mut self.dropped] {
            counts.spans += left.spans;
            counts.logs += left.logs;
            counts.points += left.points;
        }
    }

    /// The oldest traces go until the rest fits.
    fn bound(&mut self) {
        while self.traces.spans() > self.limits.spans || self.bytes() > self.limits.kept() {
            if !self.traces.evict() {
                break;
            }
        }
    }

    /// What everything that is kept takes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.traces.bytes()
            + self.logs.bytes()
            + self.metrics.bytes()
            + self.live.bytes()
            + self.interner.bytes()
    }

    /// What had to go to stay within the limits.
    pub(crate) fn evicted(&self) -> Counts {
        Counts { spans: self.evicted.spans + self.traces.evicted(), ..self.evicted }
    }

    /// No trace is missing that began after this: it has taken in since then, and what had to go is older.
    pub(crate) fn complete_since(&self) -> u64 {
        self.began.max(self.traces.gone())
    }

    /// From when to when there is what came from files: traces that were over before it took in, of those in this time. Between
    /// their end and that beginning nobody knows what was.
    pub(crate) fn imported(&self, is_in: impl Fn(u64) -> bool) -> Option<(u64, u64)> {
        let is_it = |trace: &&Trace| trace.start > 0 && trace.end < self.began && is_in(trace.start);
        let all = self.traces.recent().filter(is_it).map(|trace| (trace.start, trace.end));
        let (first, last) = all.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))?;
        let gone = Some(self.traces.gone()).filter(|gone| *gone < self.began);
        Some((gone.map_or(first, |gone| gone.max(first)), last))
    }

    /// Forgets everything but what it has counted.
    pub(crate) fn clear(&mut self, now: u64) {
        let (received, evicted, dropped) = (self.received, self.evicted(), self.dropped);
        // Whoever was told of failures by their number is told of the next.
        let (revision, live) = (self.revision + 1, self.live.cleared());
        *self = Self { received, evicted, dropped, revision, live, ..Self::new(self.limits).since(now) };
    }
}

#[cfg(test)]
pub(crate) use metrics::tests as measured;
#[cfg(test)]
mod tests;
