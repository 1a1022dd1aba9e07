use std::collections::{HashMap, VecDeque};

use opentelemetry::trace::{SpanId, TraceId};

use super::histogram::{Histogram, LATENCIES, latency};
use super::size;
use crate::model::{Kind, Span, Text};

/// How many operations have samples, at most. With more, the one that was not seen for the longest time gives its place.
pub(super) const OPERATIONS: usize = 500;
/// The newest of each latency bucket.
const OF_A_BUCKET: usize = 4;
const SLOWEST: usize = 10;
const FAILED: usize = 10;
/// What is the 99th hundredth of less is chance.
const KNOWN: u32 = 100;
/// Longer names are made of what should be an attribute. There would be no end to them.
const LONGEST_NAME: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
}

/// What is done where: the spans of one service, name and kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) service: Text,
    pub(crate) name: Text,
    pub(crate) kind: Kind,
}

impl Key {
    pub(crate) fn of(span: &Span) -> Self {
        Self { service: span.service().clone(), name: span.name.clone(), kind: span.kind }
    }
}

/// Spans that stand for the others of their operation, as tracez has them: the newest of each decade of latency, the
/// slowest, and the newest that failed.
#[derive(Debug)]
pub(crate) struct Samples {
    pub(crate) buckets: [VecDeque<Sample>; LATENCIES.len()],
    pub(crate) slowest: Vec<(u64, Sample)>,
    pub(crate) failed: VecDeque<Sample>,
    durations: Histogram,
    seen: u64,
}

/// What a span did to the samples of its operation.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// As how many samples the span was taken.
    pub(super) pins: u32,
    /// It is slower than 99 hundredths of the others.
    pub(super) is_slow: bool,
}

impl Samples {
    fn new() -> Self {
        Self {
            buckets: std::array::from_fn(|_| VecDeque::new()),
            slowest: Vec::new(),
            failed: VecDeque::new(),
            durations: Histogram::new(),
            seen: 0,
        }
    }

    fn add(&mut self, sample: Sample, span: &Span, unpinned: &mut Vec<TraceId>) -> Change {
        let duration = span.duration();
        let slow = self.durations.quantile(0.99).filter(|_| self.durations.count() >= KNOWN);
        let is_slow = slow.is_some_and(|slow| duration > slow);
        self.durations.add(duration);
        unpinned.extend(push(&mut self.buckets[latency(duration)], OF_A_BUCKET, sample));
        let mut pins = 1;
        if span.is_error() {
            unpinned.extend(push(&mut self.failed, FAILED, sample));
            pins += 1;
        }
        let rank = self.slowest.partition_point(|(other, _)| *other >= duration);
        if rank < SLOWEST {
            if self.slowest.len() == SLOWEST {
                unpinned.extend(self.slowest.pop().map(|(_, sample)| sample.trace));
            }
            self.slowest.insert(rank, (duration, sample));
            pins += 1;
        }
        Change { pins, is_slow }
    }

    fn forget(&mut self, trace: TraceId) {
        self.slowest.retain(|(_, sample)| sample.trace != trace);
        self.failed.retain(|sample| sample.trace != trace);
        self.buckets.iter_mut().for_each(|bucket| bucket.retain(|sample| sample.trace != trace));
    }

    fn traces(&self) -> impl Iterator<Item = TraceId> {
        let slowest = self.slowest.iter().map(|(_, sample)| sample);
        let all = slowest.chain(&self.failed).chain(self.buckets.iter().flatten());
        all.map(|sample| sample.trace)
    }
}

/// Tells the trace of the sample that had to go.
fn push(ring: &mut VecDeque<Sample>, most: usize, sample: Sample) -> Option<TraceId> {
    if ring.capacity() < most {
        ring.reserve_exact(most - ring.len());
    }
    let oldest = if ring.len() == most { ring.pop_front() } else { None };
    ring.push_back(sample);
    oldest.map(|sample| sample.trace)
}

/// The samples of all operations.
#[derive(Debug)]
pub(crate) struct Operations {
    of: HashMap<Key, Box<Samples>>,
    sequence: u64,
    most: usize,
}

impl Operations {
    pub(super) fn new(most: usize) -> Self {
        Self { of: HashMap::new(), sequence: 0, most }
    }

    /// Tells in `unpinned` the traces of the samples that had to go.
    pub(super) fn add(&mut self, trace: TraceId, span: &Span, unpinned: &mut Vec<TraceId>) -> Change {
        if span.name.len().max(span.service().len()) > LONGEST_NAME {
            return Change::default();
        }
        let key = Key::of(span);
        if self.of.len() >= self.most && !self.of.contains_key(&key) {
            let oldest = self.of.iter().min_by_key(|(_, samples)| samples.seen).map(|(key, _)| key.clone());
            let oldest = oldest.and_then(|oldest| self.of.remove(&oldest));
            unpinned.extend(oldest.iter().flat_map(|samples| samples.traces()));
        }
        self.sequence += 1;
        let samples = self.of.entry(key).or_insert_with(|| Box::new(Samples::new()));
        samples.seen = self.sequence;
        samples.add(Sample { trace, span: span.id }, span, unpinned)
    }

    pub(super) fn forget(&mut self, trace: TraceId, spans: &[Span]) {
        for span in spans {
            if let Some(samples) = self.of.get_mut(&Key::of(span)) {
                samples.forget(trace);
            }
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Samples> {
        self.of.get(key).map(|samples| &**samples)
    }

    pub(super) fn bytes(&self) -> usize {
        let slowest = size::vec::<(u64, Sample)>(SLOWEST.next_power_of_two());
        let rings = size::vec::<Sample>(LATENCIES.len() * OF_A_BUCKET + FAILED);
        // The names may be the last references to texts that were not shared.
        let each = size_of::<Samples>() + slowest + rings + 2 * (LONGEST_NAME + 16);
        size::table::<(Key, Box<Samples>)>(self.of.capacity()) + self.of.len() * each
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Status, tests};

    const MILLI: u64 = 1_000_000;

    fn span(name: &str, millis: u64, failed: bool) -> Span {
        let status = if failed { Status::Error } else { Status::Unset };
        Span { name: name.into(), end: millis * MILLI, status, ..tests::span(1, 0, Kind::Server) }
    }

    fn sample(trace: u64) -> Sample {
        Sample { trace: TraceId::from(u128::from(trace)), span: SpanId::from(1) }
    }

    #[test]
    fn the_slowest_the_last_that_failed_and_the_newest_of_each_decade_are_samples() {
        let (mut samples, mut unpinned) = (Samples::new(), Vec::new());
        // Their durations go up and down: 7, 14, 21, 28, 4, …
        let millis = |n: u64| n * 7 % 31;
        let pins: u32 = (1..=30)
            .map(|n| samples.add(sample(n), &span("n", millis(n), n % 2 == 0), &mut unpinned).pins)
            .sum();
        let slowest: Vec<u64> = samples.slowest.iter().map(|(duration, _)| duration / MILLI).collect();
        assert_eq!(slowest, (21..=30).rev().collect::<Vec<_>>());
        assert_eq!(samples.failed, (12..=30).step_by(2).map(sample).collect::<Vec<_>>());
        for (bucket, decade) in [(3, 1..10), (4, 10..31)] {
            let all: Vec<u64> = (1..=30).filter(|n| decade.contains(&millis(*n))).collect();
            let newest: Vec<Sample> = all[all.len() - OF_A_BUCKET..].iter().copied().map(sample).collect();
            assert_eq!(samples.buckets[bucket], newest, "{bucket}");
        }
        // Each that was taken is still here, or was told when it had to go.
        assert_eq!(samples.traces().count() + unpinned.len(), pins as usize);
    }

    #[test]
    fn slow_is_beyond_the_99th_hundredth_of_what_is_known() {
        let mut samples = Samples::new();
        let mut is_slow = |millis| samples.add(sample(1), &span("n", millis, false), &mut Vec::new()).is_slow;
        assert!((1..KNOWN).all(|_| !is_slow(1)));
        assert!(!is_slow(1_000), "of 99 nothing is known");
        assert!(is_slow(2_000));
        assert!(!is_slow(1));
    }

    #[test]
    fn so_many_operations_have_samples() {
        let (mut operations, mut unpinned) = (Operations::new(2), Vec::new());
        let mut add = |trace: u64, name: &str| {
            operations.add(TraceId::from(u128::from(trace)), &span(name, 1, false), &mut unpinned).pins
        };
        assert!((1..).zip(["a", "b", "a", "c"]).all(|(trace, name)| add(trace, name) == 2));
        assert_eq!(add(5, &"x".repeat(LONGEST_NAME + 1)), 0);
        let has = |name: &str| operations.get(&Key::of(&span(name, 1, false))).is_some();
        assert_eq!(["a", "b", "c"].map(has), [true, false, true]);
        // That of the operation that was not seen for the longest time, as which it was twice a sample.
        assert_eq!(unpinned, [2, 2].map(|trace: u128| TraceId::from(trace)));
    }
}
