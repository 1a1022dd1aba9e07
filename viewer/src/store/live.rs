use std::collections::VecDeque;

use opentelemetry::trace::{SpanId, TraceId};

use super::histogram::Histogram;
use crate::model::{Kind, Span, Text, cut};

/// How far back the tiles go.
pub(crate) const SECONDS: u64 = 300;
const FAILURES: usize = 50;
const SECOND: u64 = 1_000_000_000;
/// Of a message in the feed.
const LONGEST: usize = 256;

/// What happened in each of the last seconds, by the second in which spans ended.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// Oldest first, without gaps.
    seconds: VecDeque<Second>,
    /// Oldest first.
    failures: VecDeque<Failure>,
    /// How many failures there have been, those that were cleared too.
    failed: u64,
    /// How many of the seconds have durations.
    timed: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Second {
    /// Seconds since 1970.
    pub(crate) time: u64,
    pub(crate) requests: u32,
    pub(crate) failures: u32,
    pub(crate) calls: u32,
    pub(crate) call_failures: u32,
    pub(crate) spans: u32,
    pub(crate) durations: Option<Box<Histogram>>,
    /// It has changed since it was last shown.
    pub(crate) is_new: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// Which of all failures it is.
    pub(crate) number: u64,
    /// Not failed, but slower than its operation mostly is.
    pub(crate) is_slow: bool,
    pub(crate) time: u64,
    pub(crate) duration: u64,
    pub(crate) service: Text,
    pub(crate) name: Text,
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

impl Second {
    fn new(time: u64) -> Self {
        Self {
            time,
            requests: 0,
            failures: 0,
            calls: 0,
            call_failures: 0,
            spans: 0,
            durations: None,
            is_new: true,
        }
    }

    fn add(&mut self, span: &Span) {
        let failed = u32::from(span.is_error());
        self.spans += 1;
        self.is_new = true;
        if span.kind.is_served() {
            self.requests += 1;
            self.failures += failed;
            self.durations.get_or_insert_with(|| Box::new(Histogram::new())).add(span.duration());
        } else if span.kind.is_call() {
            self.calls += 1;
            self.call_failures += failed;
        }
    }
}

impl Live {
    pub(super) fn new() -> Self {
        Self { seconds: VecDeque::new(), failures: VecDeque::new(), failed: 0, timed: 0 }
    }

    /// Nothing of the past, but the next failure's number.
    pub(super) fn cleared(&self) -> Self {
        Self { failed: self.failed, ..Self::new() }
    }

    /// Lets the seconds go on until now (nanoseconds since 1970).
    pub(crate) fn advance(&mut self, now: u64) {
        let now = now / SECOND;
        if self.seconds.back().is_some_and(|last| last.time > now + SECONDS) {
            // The clock was set back.
            self.seconds.clear();
            self.timed = 0;
        }
        let last = self.seconds.back().map_or(0, |second| second.time);
        let first = (last + 1).max((now + 1).saturating_sub(SECONDS));
        // Seconds in which nothing was asked and nothing came are no news.
        let second = |time: u64| Second { is_new: time + 2 >= now, ..Second::new(time) };
        self.seconds.extend((first..=now).map(second));
        while self.seconds.front().is_some_and(|second| second.time + SECONDS <= now) {
            let gone = self.seconds.pop_front();
            self.timed -= usize::from(gone.is_some_and(|second| second.durations.is_some()));
        }
    }

    pub(super) fn add(&mut self, trace: TraceId, span: &Span, is_slow: bool, now: u64) {
        self.advance(now.max(span.end.min(now.saturating_add(SECOND))));
        let first = self.seconds.front().map_or(u64::MAX, |second| second.time);
        let Some(place) = (span.end / SECOND).checked_sub(first) else { return };
        let Some(second) = self.seconds.get_mut(place as usize) else { return };
        let was_timed = second.durations.is_some();
        second.add(span);
        self.timed += usize::from(second.durations.is_some() != was_timed);
        let is_request = span.kind.is_served() || span.is_root();
        if is_request && (is_slow || span.is_error()) {
            self.note(trace, span);
        }
    }

    fn note(&mut self, trace: TraceId, span: &Span) {
        if self.failures.len() == FAILURES {
            self.failures.pop_front();
        }
        self.failed += 1;
        self.failures.push_back(Failure {
            number: self.failed,
            is_slow: !span.is_error(),
            time: span.end,
            duration: span.duration(),
            service: short(span.service()),
            name: short(&span.name),
            trace,
            span: span.id,
            kind: span.kind,
            message: cut(&span.failure(), LONGEST).to_owned(),
        });
    }

    pub(crate) fn seconds(&self) -> impl Iterator<Item = &Second> {
        self.seconds.iter()
    }

    /// Those that have changed since the last time.
    pub(crate) fn take_new(&mut self, before: u64) -> Vec<Second> {
        let is_due = |second: &&mut Second| second.is_new && second.time < before;
        let seen = |second: &mut Second| {
            second.is_new = false;
            second.clone()
        };
        self.seconds.iter_mut().filter(is_due).map(seen).collect()
    }

    /// The number of the last failure.
    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }

    /// Oldest first.
    pub(crate) fn failures(&self) -> impl DoubleEndedIterator<Item = &Failure> {
        self.failures.iter()
    }

    pub(super) fn bytes(&self) -> usize {
        let seconds = self.seconds.capacity() * size_of::<Second>();
        let durations = self.timed * size_of::<Histogram>();
        seconds
            + durations
            + self.failures.capacity() * size_of::<Failure>()
            + self.failures.len() * 3 * (LONGEST + 16)
    }
}

/// A text that is not shared would outlive its trace here.
fn short(text: &Text) -> Text {
    if text.len() <= LONGEST { text.clone() } else { cut(text, LONGEST).into() }
}
