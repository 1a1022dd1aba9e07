//! Questions to the store, and their answers as `openapi.yaml` has them. They know nothing of HTTP.

mod analysis;
mod detail;
mod list;
mod live;
mod logs;
mod map;
mod metrics;
mod operations;
mod points;
mod stats;
mod suggest;
mod text;
mod trace;

use std::fmt;

use serde::Serialize;

use crate::model::{Span, Value, find_renamed};
use crate::search::{Query, Subject, Whole};
use crate::store::Trace;

pub(crate) use detail::detail;
pub(crate) use list::{List, Order, list};
pub(crate) use live::{MEASURED, Tick, failures, history, tick};
pub(crate) use logs::logs;
pub(crate) use map::map;
pub(crate) use metrics::{Wanted, instruments, series};
pub(crate) use operations::{Kinds, Operations, operations};
pub(crate) use points::points;
pub(crate) use stats::{Stats, stats};
pub(crate) use suggest::suggest;
pub(crate) use text::{operations as operations_text, traces as traces_text, tree};
pub(crate) use trace::{Document, document};

/// The time asked for: nanoseconds since 1970, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Option<u64>,
    pub(crate) to: Option<u64>,
}

impl Range {
    #[cfg(test)]
    pub(crate) const ALL: Self = Self { from: None, to: None };

    fn has(&self, time: u64) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time <= to)
    }

    /// Whether something of this trace may be in it.
    fn touches(&self, trace: &Trace) -> bool {
        self.from.is_none_or(|from| trace.end >= from) && self.to.is_none_or(|to| trace.start <= to)
    }
}

/// Rows that were looked at.
pub(crate) type Scanned = u64;

/// The spans of a trace that a search finds, if any.
fn matching<'a>(query: &'a Query, trace: &'a Trace) -> impl Iterator<Item = &'a Span> {
    let whole = (!query.is_empty()).then(|| Whole::of(trace));
    let is_it = move |span: &Span| query.matches(&Subject::span(trace.id, span, whole.as_ref()));
    trace.spans.iter().filter(move |span| query.is_empty() || is_it(span))
}

/// A value by which spans are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Told<'a> {
    Text(&'a str),
    Int(i64),
}

impl<'a> Told<'a> {
    /// Absent and empty are the same.
    fn of(span: &'a Span, key: &str) -> Option<Self> {
        find_renamed(&span.attributes, key).and_then(Self::value)
    }

    fn value(value: &'a Value) -> Option<Self> {
        match value {
            Value::Text(text) if text.is_empty() => None,
            Value::Text(text) => Some(whole(text).map_or(Told::Text(text), Told::Int)),
            Value::Int(int) => Some(Told::Int(*int)),
            _ => None,
        }
    }
}

/// A text that is written as the number would be: some say a code so.
fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = text == "0" || digits.starts_with(|first| matches!(first, '1'..='9'));
    text.parse().ok().filter(|_| is_plain)
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Int(int) => write!(f, "{int}"),
        }
    }
}

fn micros(nanos: u64) -> u64 {
    nanos / 1_000
}

/// Durations, and what is said of them.
#[derive(Clone, Debug, Default)]
struct Durations(Vec<u64>);

impl Durations {
    fn push(&mut self, nanos: u64) {
        self.0.push(nanos);
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn total(&self) -> u64 {
        self.0.iter().fold(0, |total, nanos| total.saturating_add(*nanos))
    }

    /// Must be called before a quantile is asked for.
    fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// What this part (0 to 1) of them does not exceed: the value at its rank.
    fn quantile(&self, part: f64) -> Option<u64> {
        let rank = (part * self.0.len() as f64).ceil().max(1.0) as usize;
        self.0.get(rank - 1).copied()
    }
}

/// How many, how fast, how many of them failed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    errors: u64,
    rate: f64,
    error_share: f64,
    p50: Option<u64>,
    p95: Option<u64>,
    p99: Option<u64>,
}

impl Figures {
    fn new(durations: &Durations, errors: u64, seconds: f64) -> Self {
        let count = durations.len();
        Self {
            errors,
            rate: count as f64 / seconds,
            error_share: if count == 0 { 0.0 } else { errors as f64 / count as f64 },
            p50: durations.quantile(0.5),
            p95: durations.quantile(0.95),
            p99: durations.quantile(0.99),
        }
    }
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;
