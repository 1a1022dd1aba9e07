use std::collections::HashMap;

use serde::Serialize;

use super::{Durations, Figures, Range, Scanned, micros};
use crate::model::{Kind, Span};
use crate::search::{Query, Subject, Whole};
use crate::store::{Running, RunningSpan, Store};

const MOST: usize = 1_000;
/// Parts of the time asked for.
const PARTS: usize = 30;

/// Which spans are operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kinds {
    #[default]
    Entry,
    Calls,
    All,
}

impl Kinds {
    fn has(self, kind: Kind, is_root: bool) -> bool {
        match self {
            Self::Entry => kind.is_served() || is_root,
            Self::Calls => kind.is_call(),
            Self::All => true,
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Operations {
    pub(crate) operations: Vec<Operation>,
    from: u64,
    to: u64,
    pub(crate) scanned: Scanned,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) count: u64,
    running: usize,
    mean: u64,
    min: u64,
    max: u64,
    pub(crate) total: u64,
    pub(crate) share: f64,
    spark: Vec<u32>,
    spark_errors: Vec<u32>,
    #[serde(flatten)]
    figures: Figures,
}

impl Operation {
    pub(crate) fn errors(&self) -> u64 {
        self.figures.errors
    }

    pub(crate) fn rate(&self) -> f64 {
        self.figures.rate
    }

    /// The median, the 95th and the 99th hundredth.
    pub(crate) fn quantiles(&self) -> [u64; 3] {
        [self.figures.p50, self.figures.p95, self.figures.p99].map(Option::unwrap_or_default)
    }
}

/// Service, name and kind.
type Key<'a> = (&'a str, &'a str, Kind);

#[derive(Default)]
pub(super) struct Gathered {
    durations: Durations,
    errors: u64,
    spark: [u32; PARTS],
    spark_errors: [u32; PARTS],
}

/// The time that an answer is about, and its parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    pub(super) from: u64,
    pub(super) to: u64,
    /// How much of it is known.
    covered: u64,
}

impl Period {
    /// The time asked for, or that which is kept.
    pub(super) fn of(store: &Store, range: Range, now: u64) -> Self {
        let to = range.to.unwrap_or(now);
        // A start of 0 is none.
        let starts = || store.traces.recent().map(|trace| trace.start).filter(|start| *start > 0);
        let from = range.from.unwrap_or_else(|| starts().min().unwrap_or(to)).min(to);
        let known = |since: u64, until: u64| until.min(to).saturating_sub(since.max(from));
        let imported = store.imported(|start| range.has(start));
        let of_files = imported.map_or(0, |(first, last)| known(first, last));
        let covered = known(store.complete_since(), now) + of_files;
        Self { from, to, covered }
    }

    /// That are covered, and at least one: of less there is no rate.
    pub(super) fn seconds(self) -> f64 {
        (self.covered as f64 / 1e9).max(1.0)
    }

    pub(super) fn part(self, time: u64, parts: usize) -> usize {
        let width = ((self.to - self.from) / parts as u64).max(1);
        usize::try_from(time.saturating_sub(self.from) / width).unwrap_or(parts).min(parts - 1)
    }
}

impl Gathered {
    pub(super) fn add(&mut self, span: &Span, time: Period) {
        let failed = u32::from(span.is_error());
        let part = time.part(span.start, PARTS);
        self.durations.push(span.duration());
        self.errors += u64::from(failed);
        self.spark[part] += 1;
        self.spark_errors[part] += failed;
    }

    pub(super) fn finish(
        mut self,
        (service, name, kind): Key<'_>,
        running: usize,
        time: Period,
    ) -> Operation {
        self.durations.sort();
        let (count, total) = (self.durations.len(), self.durations.total());
        Operation {
            service: service.to_owned(),
            name: name.to_owned(),
            kind: kind.name(),
            count,
            running,
            mean: total.checked_div(count).unwrap_or(0),
            min: self.durations.quantile(0.0).unwrap_or(0),
            max: self.durations.quantile(1.0).unwrap_or(0),
            total,
            share: 0.0,
            spark: self.spark.to_vec(),
            spark_errors: self.spark_errors.to_vec(),
            figures: Figures::new(&self.durations, self.errors, time.seconds()),
        }
    }
}

pub(crate) fn operations(
    (store, running): (&Store, &Running),
    query: &Query,
    range: Range,
    kinds: Kinds,
    now: u64,
) -> Operations {
    let time = Period::of(store, range, now);
    let mut gathered: HashMap<Key<'_>, Gathered> = HashMap::new();
    let mut scanned = running.len() as Scanned;
    for trace in store.traces.recent().filter(|trace| range.touches(trace)) {
        scanned += trace.spans.len() as Scanned;
        let whole = (!query.is_empty()).then(|| Whole::of(trace));
        for span in
            trace.spans.iter().filter(|span| kinds.has(span.kind, span.is_root()) && range.has(span.start))
        {
            if query.is_empty() || query.matches(&Subject::span(trace.id, span, whole.as_ref())) {
                gathered.entry((span.service(), &span.name, span.kind)).or_default().add(span, time);
            }
        }
    }
    let runs = running_now(running, query, kinds, now);
    runs.keys().for_each(|key| {
        gathered.entry(*key).or_default();
    });
    let count = |key: &Key<'_>| runs.get(key).copied().unwrap_or(0);
    let all = gathered.into_iter().map(|(key, gathered)| gathered.finish(key, count(&key), time));
    let operations = most_total_first(all.collect());
    Operations { operations, from: micros(time.from), to: micros(time.to), scanned }
}

fn running_now<'a>(running: &'a Running, query: &Query, kinds: Kinds, now: u64) -> HashMap<Key<'a>, usize> {
    let mut runs: HashMap<Key<'a>, usize> = HashMap::new();
    let key = |span: &'a RunningSpan| (&*span.resource.service, &*span.name, span.kind);
    for (trace, span) in running.iter().filter(|(_, span)| kinds.has(span.kind, span.is_root())) {
        if query.matches(&Subject::running(trace, span, now)) {
            *runs.entry(key(span)).or_default() += 1;
        }
    }
    runs
}

fn most_total_first(mut operations: Vec<Operation>) -> Vec<Operation> {
    let total: f64 = operations.iter().map(|operation| operation.total as f64).sum();
    for operation in &mut operations {
        operation.share = if total == 0.0 { 0.0 } else { operation.total as f64 / total };
    }
    operations.sort_by(|one, other| {
        let (first, second) =
            ((&one.service, &one.name, one.kind), (&other.service, &other.name, other.kind));
        other.total.cmp(&one.total).then(first.cmp(&second))
    });
    operations.truncate(MOST);
    operations
}
