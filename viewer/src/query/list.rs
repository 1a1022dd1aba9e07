use std::collections::HashMap;

use opentelemetry::trace::{SpanId, TraceId};
use serde::Serialize;

use super::analysis::{Children, self_time};
use super::{Range, Scanned, matching, micros};
use crate::model::{Kind, Span};
use crate::search::{Query, Subject};
use crate::store::{Running, RunningSpan, Store, Trace};

const MATCHES: usize = 10;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    #[default]
    Newest,
    Slowest,
    Errors,
    Spans,
}

#[derive(Debug, Serialize)]
pub(crate) struct List {
    pub(crate) traces: Vec<Summary>,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
    pub(crate) scanned: Scanned,
}

#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) id: String,
    pub(crate) start: u64,
    pub(crate) duration: u64,
    pub(crate) name: String,
    pub(crate) service: String,
    kind: &'static str,
    rooted: bool,
    pub(crate) spans: usize,
    running: usize,
    pub(crate) errors: u32,
    logs: usize,
    kept: bool,
    pub(crate) error: Option<Failure>,
    pub(crate) services: Vec<Share>,
    matches: Vec<Match>,
}

/// A call and what served it may have one id.
#[derive(Debug, Serialize)]
struct Match {
    span: String,
    kind: &'static str,
}

impl Match {
    fn new(span: SpanId, kind: Kind) -> Self {
        Self { span: span.to_string(), kind: kind.name() }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    service: String,
    pub(crate) name: String,
    span: String,
    kind: &'static str,
    pub(crate) message: String,
    offset: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Share {
    pub(crate) name: String,
    spans: usize,
    #[serde(rename = "self")]
    own: u64,
}

type RunningBy<'a> = HashMap<TraceId, Vec<&'a RunningSpan>>;

pub(crate) fn list(
    (store, running): (&Store, &Running),
    query: &Query,
    range: Range,
    (order, limit, before): (Order, usize, Option<u64>),
    now: u64,
) -> List {
    let mut by_trace: RunningBy<'_> = HashMap::new();
    running.iter().for_each(|(trace, span)| by_trace.entry(trace).or_default().push(span));
    let mut scanned = running.len() as Scanned;
    let (found, next) = match order {
        Order::Newest => newest(store, query, range, (limit, before), &mut scanned),
        _ => ordered(store, query, range, (order, limit, before), &mut scanned),
    };
    let logs = log_counts(store, &found, &mut scanned);
    let mut traces = Vec::new();
    if before.is_none() && order == Order::Newest {
        let unended = by_trace.iter().filter(|(id, _)| store.traces.get(**id).is_none());
        traces.extend(unended.filter_map(|(id, spans)| unended_summary(*id, spans, query, range, now)));
        traces.sort_by_key(|summary: &Summary| std::cmp::Reverse(summary.start));
        traces.truncate(limit);
    }
    for (trace, matches) in found {
        let running = by_trace.get(&trace.id).map_or(&[] as &[_], |running| running);
        let summary = summary(trace, running, logs.get(&trace.id).copied().unwrap_or(0), now);
        traces.push(Summary { matches, ..summary });
    }
    List { traces, next: next.map(|next| next.to_string()), scanned }
}

type Found<'a> = Vec<(&'a Trace, Vec<Match>)>;

fn newest<'a>(
    store: &'a Store,
    query: &Query,
    range: Range,
    (limit, before): (usize, Option<u64>),
    scanned: &mut Scanned,
) -> (Found<'a>, Option<u64>) {
    let mut found: Found<'a> = Vec::new();
    for trace in store.traces.before(before.unwrap_or(u64::MAX)) {
        if found.len() == limit {
            return (found, Some(trace.sequence + 1));
        }
        found.extend(find(trace, query, range, scanned).map(|matches| (trace, matches)));
    }
    (found, None)
}

/// A page of these begins at a place, and the whole order is made anew for each page.
fn ordered<'a>(
    store: &'a Store,
    query: &Query,
    range: Range,
    (order, limit, before): (Order, usize, Option<u64>),
    scanned: &mut Scanned,
) -> (Found<'a>, Option<u64>) {
    let all = store.traces.iter();
    let mut found: Found<'a> =
        all.filter_map(|trace| find(trace, query, range, scanned).map(|matches| (trace, matches))).collect();
    found.sort_by_key(|(trace, _)| {
        std::cmp::Reverse(match order {
            Order::Newest => trace.sequence,
            Order::Slowest => trace.duration(),
            Order::Errors => u64::from(trace.errors),
            Order::Spans => trace.spans.len() as u64,
        })
    });
    let from = before.map_or(0, |before| usize::try_from(before).unwrap_or(usize::MAX)).min(found.len());
    let mut page = found.split_off(from);
    let next = (page.len() > limit).then_some((from + limit) as u64);
    page.truncate(limit);
    (page, next)
}

/// The first spans that fulfil the search; none without one.
fn find(trace: &Trace, query: &Query, range: Range, scanned: &mut Scanned) -> Option<Vec<Match>> {
    if !range.has(trace.start) {
        *scanned += 1;
        return None;
    }
    if query.is_empty() {
        *scanned += 1;
        return Some(Vec::new());
    }
    *scanned += trace.spans.len() as Scanned;
    let spans = matching(query, trace).take(MATCHES);
    let matches: Vec<Match> = spans.map(|span| Match::new(span.id, span.kind)).collect();
    (!matches.is_empty()).then_some(matches)
}

fn log_counts(store: &Store, found: &Found<'_>, scanned: &mut Scanned) -> HashMap<TraceId, usize> {
    let mut counts: HashMap<TraceId, usize> = found.iter().map(|(trace, _)| (trace.id, 0)).collect();
    *scanned += store.logs.len() as Scanned;
    for (_, log) in store.logs.iter() {
        if let Some(count) = counts.get_mut(&log.trace) {
            *count += 1;
        }
    }
    counts
}

fn summary(trace: &Trace, running: &[&RunningSpan], logs: usize, now: u64) -> Summary {
    let end = if running.is_empty() { trace.end } else { now.max(trace.end) };
    let start = running.iter().map(|span| span.start).fold(trace.start, u64::min);
    let running_root = running.iter().find(|span| span.is_root());
    let root = trace.root();
    let (name, service, kind): (&str, &str, Kind) = match (running_root, root) {
        (Some(root), _) => (&root.name, &root.resource.service, root.kind),
        (None, Some(root)) => (&root.name, root.service(), root.kind),
        (None, None) => ("", "", Kind::Unspecified),
    };
    let first = trace.spans.iter().filter(|span| span.is_error()).min_by_key(|span| span.end);
    Summary {
        id: trace.id.to_string(),
        start: micros(start),
        duration: end.saturating_sub(start),
        name: name.to_owned(),
        service: service.to_owned(),
        kind: kind.name(),
        rooted: running_root.is_some() || root.is_some_and(Span::is_root),
        spans: trace.spans.len() + running.len(),
        running: running.len(),
        errors: trace.errors,
        logs,
        kept: trace.is_kept,
        error: first.map(|span| failure(trace, span, start)),
        services: shares(trace),
        matches: Vec::new(),
    }
}

/// The first span that failed, in time; what it says, or else the first that says anything.
fn failure(trace: &Trace, first: &Span, start: u64) -> Failure {
    let failed = trace.spans.iter().filter(|span| span.is_error());
    let worded = failed.min_by_key(|span| (span.message.is_none(), span.end)).unwrap_or(first);
    let span = if first.failure().is_empty() { worded } else { first };
    Failure {
        service: span.service().to_string(),
        name: span.name.to_string(),
        span: span.id.to_string(),
        kind: span.kind.name(),
        message: span.failure(),
        offset: span.end.saturating_sub(start),
    }
}

/// In the order of appearance.
fn shares(trace: &Trace) -> Vec<Share> {
    let children = Children::new(&trace.spans);
    let mut order: Vec<usize> = (0..trace.spans.len()).collect();
    order.sort_by_key(|place| trace.spans[*place].start);
    let mut shares: Vec<Share> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for place in order {
        let service = &**trace.spans[place].service();
        let share = *places.entry(service).or_insert_with(|| {
            shares.push(Share { name: service.to_owned(), spans: 0, own: 0 });
            shares.len() - 1
        });
        shares[share].spans += 1;
        shares[share].own = shares[share].own.saturating_add(self_time(&trace.spans, &children, place));
    }
    shares
}

/// Of a trace of which nothing has ended.
fn unended_summary(
    id: TraceId,
    running: &[&RunningSpan],
    query: &Query,
    range: Range,
    now: u64,
) -> Option<Summary> {
    let first = running.iter().min_by_key(|span| (!span.is_root(), span.start))?;
    let found = running.iter().filter(|span| query.matches(&Subject::running(id, span, now)));
    let found: Vec<Match> = found.take(MATCHES).map(|span| Match::new(span.id, span.kind)).collect();
    if !range.has(first.start) || found.is_empty() {
        return None;
    }
    let service = first.resource.service.to_string();
    Some(Summary {
        id: id.to_string(),
        start: micros(first.start),
        duration: now.saturating_sub(first.start),
        name: first.name.to_string(),
        kind: first.kind.name(),
        rooted: first.is_root(),
        spans: running.len(),
        running: running.len(),
        errors: 0,
        logs: 0,
        kept: false,
        error: None,
        services: vec![Share {
            name: service.clone(),
            spans: running.len(),
            own: now.saturating_sub(first.start),
        }],
        service,
        matches: if query.is_empty() { Vec::new() } else { found },
    })
}
