use std::collections::{HashMap, VecDeque};

use opentelemetry::trace::TraceId;

use super::samples::Operations;
use super::size;
use super::slab::Slab;
use super::trace::Trace;
use crate::model::Span;

/// All traces: those that have come lately, and those that would be gone by now but are kept as samples.
#[derive(Debug)]
pub(crate) struct Traces {
    slab: Slab<Trace>,
    places: HashMap<TraceId, u32>,
    /// Oldest first.
    recent: VecDeque<u32>,
    /// Oldest first. One that is gone may still be named here, and its place may have another trace by now.
    kept: VecDeque<(u32, u64)>,
    pub(crate) operations: Operations,
    sequence: u64,
    /// Of all traces, and of those that are kept.
    bytes: usize,
    kept_bytes: usize,
    kept_count: usize,
    spans: usize,
    /// Spans that have gone.
    evicted: u64,
    /// The latest start of the traces that are not recent any more.
    gone: u64,
    most: Most,
    unpinned: Vec<TraceId>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    pub(super) spans_per_trace: usize,
    pub(super) trace_bytes: usize,
    pub(super) kept_bytes: usize,
    pub(super) operations: usize,
}

/// What became of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insertion {
    Inserted {
        is_slow: bool,
    },
    Duplicate,
    /// Its trace is full.
    Refused,
}

impl Traces {
    pub(super) fn new(most: Most) -> Self {
        Self {
            slab: Slab::new(),
            places: HashMap::new(),
            recent: VecDeque::new(),
            kept: VecDeque::new(),
            operations: Operations::new(most.operations),
            sequence: 0,
            bytes: 0,
            kept_bytes: 0,
            kept_count: 0,
            spans: 0,
            evicted: 0,
            gone: 0,
            most,
            unpinned: Vec::new(),
        }
    }

    pub(super) fn insert(&mut self, id: TraceId, span: Span, now: u64) -> Insertion {
        let place = match self.places.get(&id) {
            Some(place) => *place,
            None => self.begin(id, now),
        };
        let trace = self.slab.get_mut(place).expect("a place of a trace has one");
        if trace.has((span.id, span.kind)) {
            return Insertion::Duplicate;
        }
        let before = trace.bytes();
        let is_full = trace.spans.len() >= self.most.spans_per_trace;
        if is_full || before + before / 2 + span.cost as usize > self.most.trace_bytes {
            trace.refused = trace.refused.saturating_add(1);
            return Insertion::Refused;
        }
        let change = self.operations.add(id, &span, &mut self.unpinned);
        trace.push(span);
        trace.pins += change.pins;
        let grown = trace.bytes() - before;
        self.bytes += grown;
        self.kept_bytes += if trace.is_kept { grown } else { 0 };
        self.spans += 1;
        self.unpin();
        Insertion::Inserted { is_slow: change.is_slow }
    }

    fn begin(&mut self, id: TraceId, now: u64) -> u32 {
        self.sequence += 1;
        let place = self.slab.insert(Trace::new(id, self.sequence, now));
        self.places.insert(id, place);
        self.recent.push_back(place);
        place
    }

    fn unpin(&mut self) {
        let mut unpinned = std::mem::take(&mut self.unpinned);
        for id in unpinned.drain(..) {
            let Some(place) = self.places.get(&id).copied() else { continue };
            let trace = self.slab.get_mut(place).expect("a place of a trace has one");
            trace.pins = trace.pins.saturating_sub(1);
            if trace.pins == 0 && trace.is_kept {
                self.remove(place);
            }
        }
        self.unpinned = unpinned;
    }

    /// Lets the oldest trace go; false if there is none. A trace with samples is kept, as long as those that are take no
    /// more than their share.
    pub(super) fn evict(&mut self) -> bool {
        if self.kept_bytes > self.most.kept_bytes && self.evict_kept() {
            return true;
        }
        while let Some(place) = self.recent.pop_front() {
            let trace = self.slab.get_mut(place).expect("a recent trace is there");
            // One that refused its only span has no start.
            self.gone = self.gone.max(if trace.spans.is_empty() { 0 } else { trace.start.min(trace.came) });
            if trace.pins == 0 || trace.bytes() > self.most.kept_bytes {
                self.remove(place);
                return true;
            }
            trace.is_kept = true;
            self.kept_bytes += trace.bytes();
            self.kept_count += 1;
            self.kept.push_back((place, trace.sequence));
            if self.kept_bytes > self.most.kept_bytes {
                return self.evict_kept();
            }
        }
        self.evict_kept()
    }

    pub(super) fn evict_kept(&mut self) -> bool {
        while let Some((place, sequence)) = self.kept.pop_front() {
            if self.slab.get(place).is_some_and(|trace| trace.sequence == sequence) {
                self.remove(place);
                return true;
            }
        }
        false
    }

    fn remove(&mut self, place: u32) {
        let trace = self.slab.remove(place).expect("it is there");
        self.places.remove(&trace.id);
        if trace.pins > 0 {
            self.operations.forget(trace.id, &trace.spans);
        }
        self.bytes -= trace.bytes();
        if trace.is_kept {
            self.kept_bytes -= trace.bytes();
            self.kept_count -= 1;
            self.forget_gone();
        }
        self.spans -= trace.spans.len();
        self.evicted += trace.spans.len() as u64;
    }

    /// Keeps the list of the kept from growing by those that are gone.
    fn forget_gone(&mut self) {
        if self.kept.len() > 2 * self.kept_count + 64 {
            let slab = &self.slab;
            let is_there =
                |(place, sequence): &(u32, u64)| slab.get(*place).is_some_and(|t| t.sequence == *sequence);
            self.kept.retain(is_there);
        }
    }

    pub(crate) fn get(&self, id: TraceId) -> Option<&Trace> {
        self.slab.get(*self.places.get(&id)?)
    }

    /// Newest first; those that are kept come last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Trace> {
        self.recent().chain(self.kept())
    }

    /// Without those that are only kept as samples, which would make statistics worse than the truth.
    pub(crate) fn recent(&self) -> impl DoubleEndedIterator<Item = &Trace> {
        self.recent.iter().rev().filter_map(|place| self.slab.get(*place))
    }

    pub(crate) fn kept(&self) -> impl Iterator<Item = &Trace> {
        self.kept.iter().rev().filter_map(|(place, sequence)| {
            let trace = self.slab.get(*place)?;
            (trace.sequence == *sequence).then_some(trace)
        })
    }

    /// Those that came before this one, newest first.
    pub(crate) fn before(&self, sequence: u64) -> impl Iterator<Item = &Trace> {
        let of = |place: &u32| self.slab.get(*place).map_or(0, |trace| trace.sequence);
        let older = self.recent.partition_point(|place| of(place) < sequence);
        let recent = self.recent.range(..older).rev().filter_map(|place| self.slab.get(*place));
        recent.chain(self.kept().filter(move |trace| trace.sequence < sequence))
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn kept_count(&self) -> usize {
        self.kept_count
    }

    /// How many in the list of the kept are gone.
    #[cfg(test)]
    pub(super) fn stale(&self) -> usize {
        self.kept.len() - self.kept_count
    }

    pub(crate) fn spans(&self) -> usize {
        self.spans
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    pub(super) fn gone(&self) -> u64 {
        self.gone
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
            + self.slab.bytes()
            + size::table::<(TraceId, u32)>(self.places.capacity())
            + size::vec::<u32>(self.recent.capacity())
            + size::vec::<(u32, u64)>(self.kept.capacity())
            + size::vec::<TraceId>(self.unpinned.capacity())
            + self.operations.bytes()
    }
}
