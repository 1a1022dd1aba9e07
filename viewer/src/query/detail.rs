mod tally;

use opentelemetry::trace::TraceId;
use serde::Serialize;

use tally::{Tally, of_codes, of_errors};

use super::operations::{Gathered, Operation, Period};
use super::{Durations, Range, Scanned, matching, micros};
use crate::model::{Kind, Span};
use crate::search::Query;
use crate::store::{Key, LATENCIES, Running, RunningSpan, Sample as Kept, Store};

const DECADE: f64 = 10.0;
const PARTS: usize = 60;
const SAMPLES: usize = 10;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Detail {
    operation: Operation,
    histogram: Histogram,
    buckets: Vec<Bucket>,
    slowest: Vec<Sample>,
    failed: Vec<Sample>,
    running_now: Vec<Sample>,
    status_codes: Vec<Tally>,
    error_types: Vec<Tally>,
    series: Series,
    pub(crate) scanned: Scanned,
}

#[derive(Debug, Default, Serialize)]
struct Histogram {
    bounds: Vec<u64>,
    counts: Vec<u64>,
    errors: Vec<u64>,
}

#[derive(Debug, Serialize)]
struct Bucket {
    from: u64,
    to: Option<u64>,
    count: u64,
    samples: Vec<Sample>,
}

#[derive(Clone, Debug, Serialize)]
struct Sample {
    trace: String,
    span: String,
    start: u64,
    duration: u64,
    error: bool,
    message: String,
}

#[derive(Debug, Serialize)]
struct Series {
    start: u64,
    step: u64,
    count: Vec<u64>,
    errors: Vec<u64>,
    p50: Vec<Option<u64>>,
    p95: Vec<Option<u64>>,
}

/// One operation. If its kind is not said it is the one of which there is most. Nothing if nothing of it is kept.
pub(crate) fn detail(
    (store, running): (&Store, &Running),
    (service, name, kind): (&str, &str, Option<Kind>),
    query: &Query,
    range: Range,
    now: u64,
) -> Option<Detail> {
    let period = Period::of(store, range, now);
    let is_kind = |other: Kind| kind.is_none_or(|kind| kind == other);
    let is_it = |span: &Span| &*span.name == name && &**span.service() == service && is_kind(span.kind);
    let mut scanned = running.len() as Scanned;
    let mut spans: Vec<(TraceId, &Span)> = Vec::new();
    for trace in store.traces.recent().filter(|trace| range.touches(trace)) {
        scanned += trace.spans.len() as Scanned;
        if !trace.spans.iter().any(is_it) {
            continue;
        }
        let found = matching(query, trace).filter(|span| range.has(span.start) && is_it(span));
        spans.extend(found.map(|span| (trace.id, span)));
    }
    let kind = kind.or_else(|| commonest((store, running), (service, name), &spans))?;
    spans.retain(|(_, span)| span.kind == kind);
    let runs = of_running(running, (service, name, kind));
    let samples = samples(store, (service, name, kind));
    if spans.is_empty() && runs.is_empty() && samples.is_empty() {
        return None;
    }
    let mut gathered = Gathered::default();
    spans.iter().for_each(|(_, span)| gathered.add(span, period));
    let mut operation = gathered.finish((service, name, kind), runs.len(), period);
    // It is the only one of this answer.
    operation.share = if operation.total == 0 { 0.0 } else { 1.0 };
    Some(Detail {
        operation,
        histogram: histogram(&spans),
        buckets: buckets(&spans, store, (service, name, kind)),
        slowest: slowest(&spans, &samples),
        failed: failed(&spans, &samples),
        running_now: longest(runs, now),
        status_codes: of_codes(&spans),
        error_types: of_errors(&spans),
        series: over_time(&spans, period),
        scanned,
    })
}

/// The kind of most of these spans, or else of those that run, or else of the samples that are kept.
fn commonest(
    (store, running): (&Store, &Running),
    (service, name): (&str, &str),
    spans: &[(TraceId, &Span)],
) -> Option<Kind> {
    let count = |kind: &Kind| {
        let found = spans.iter().filter(|(_, span)| span.kind == *kind).count();
        let run = of_running(running, (service, name, *kind)).len();
        [found, run, samples(store, (service, name, *kind)).len()]
    };
    // Of those of which there are as many, what is served.
    let most = Kind::ALL.into_iter().max_by_key(|kind| (count(kind), kind.is_served()))?;
    (count(&most) != [0; 3]).then_some(most)
}

fn sample(trace: TraceId, span: &Span) -> Sample {
    Sample {
        trace: trace.to_string(),
        span: span.id.to_string(),
        start: micros(span.start),
        duration: span.duration(),
        error: span.is_error(),
        message: if span.is_error() { span.failure() } else { String::new() },
    }
}

/// Of a call and what served it both may have the id.
fn look_up(store: &Store, kept: &Kept, kind: Kind) -> Option<Sample> {
    let trace = store.traces.get(kept.trace)?;
    trace
        .spans
        .iter()
        .find(|span| (span.id, span.kind) == (kept.span, kind))
        .map(|span| sample(trace.id, span))
}

/// The slow and the failed that are kept, however old they are.
fn samples(store: &Store, (service, name, kind): (&str, &str, Kind)) -> Vec<Sample> {
    let key = Key { service: service.into(), name: name.into(), kind };
    let Some(kept) = store.traces.operations.get(&key) else { return Vec::new() };
    let all = kept.slowest.iter().map(|(_, sample)| sample).chain(&kept.failed);
    all.filter_map(|sample| look_up(store, sample, kind)).collect()
}

fn histogram(spans: &[(TraceId, &Span)]) -> Histogram {
    let place = |nanos: u64| ((nanos.max(1) as f64).log10() * DECADE).floor() as usize;
    let places = spans.iter().map(|(_, span)| place(span.duration()));
    let (Some(first), Some(last)) = (places.clone().min(), places.max()) else { return Histogram::default() };
    let bound = |place: usize| if place == 0 { 0 } else { 10f64.powf(place as f64 / DECADE).ceil() as u64 };
    let bounds = (first..=last + 1).map(bound).collect();
    let (mut counts, mut errors) = (vec![0; last - first + 1], vec![0; last - first + 1]);
    for (_, span) in spans {
        let place = place(span.duration()) - first;
        counts[place] += 1;
        errors[place] += u64::from(span.is_error());
    }
    Histogram { bounds, counts, errors }
}

fn buckets(
    spans: &[(TraceId, &Span)],
    store: &Store,
    (service, name, kind): (&str, &str, Kind),
) -> Vec<Bucket> {
    let from = |place: usize| LATENCIES.get(place).map(|from| from.as_nanos() as u64);
    let kept = store.traces.operations.get(&Key { service: service.into(), name: name.into(), kind });
    let bucket = |place: usize| {
        let (from, to) = (from(place).unwrap_or(0), from(place + 1));
        let is_in = |nanos: u64| nanos >= from && to.is_none_or(|to| nanos < to);
        let newest = kept.iter().flat_map(|kept| kept.buckets[place].iter().rev());
        Bucket {
            from,
            to,
            count: spans.iter().filter(|(_, span)| is_in(span.duration())).count() as u64,
            samples: newest.filter_map(|sample| look_up(store, sample, kind)).collect(),
        }
    };
    (0..LATENCIES.len()).map(bucket).collect()
}

fn best(mut samples: Vec<Sample>, rank: impl Fn(&Sample) -> u64) -> Vec<Sample> {
    samples.sort_by_key(|sample| std::cmp::Reverse(rank(sample)));
    let mut best: Vec<Sample> = Vec::new();
    for sample in samples {
        if best.len() < SAMPLES
            && !best.iter().any(|other| (&other.trace, &other.span) == (&sample.trace, &sample.span))
        {
            best.push(sample);
        }
    }
    best
}

fn slowest(spans: &[(TraceId, &Span)], kept: &[Sample]) -> Vec<Sample> {
    let mut spans: Vec<_> = spans.iter().collect();
    if spans.len() > SAMPLES {
        spans.select_nth_unstable_by_key(SAMPLES, |(_, span)| std::cmp::Reverse(span.duration()));
    }
    let recent = spans.iter().take(SAMPLES).map(|(trace, span)| sample(*trace, span));
    best(recent.chain(kept.iter().cloned()).collect(), |sample| sample.duration)
}

fn failed(spans: &[(TraceId, &Span)], kept: &[Sample]) -> Vec<Sample> {
    let mut spans: Vec<_> = spans.iter().filter(|(_, span)| span.is_error()).collect();
    spans.sort_unstable_by_key(|(_, span)| std::cmp::Reverse(span.start));
    let recent = spans.iter().take(SAMPLES).map(|(trace, span)| sample(*trace, span));
    let kept = kept.iter().filter(|sample| sample.error).cloned();
    best(recent.chain(kept).collect(), |sample| sample.start)
}

type Runs<'a> = Vec<(TraceId, &'a RunningSpan)>;

fn of_running<'a>(running: &'a Running, (service, name, kind): (&str, &str, Kind)) -> Runs<'a> {
    let is_it = |(_, span): &(TraceId, &RunningSpan)| {
        &*span.resource.service == service && span.name == name && span.kind == kind
    };
    running.iter().filter(is_it).collect()
}

fn longest(mut runs: Runs<'_>, now: u64) -> Vec<Sample> {
    runs.sort_by_key(|(_, span)| span.start);
    let sample = |(trace, span): &(TraceId, &RunningSpan)| Sample {
        trace: trace.to_string(),
        span: span.id.to_string(),
        start: micros(span.start),
        duration: now.saturating_sub(span.start),
        error: false,
        message: String::new(),
    };
    runs.iter().take(SAMPLES).map(sample).collect()
}

fn over_time(spans: &[(TraceId, &Span)], period: Period) -> Series {
    let mut durations = vec![Durations::default(); PARTS];
    let mut errors = vec![0; PARTS];
    for (_, span) in spans {
        let part = period.part(span.start, PARTS);
        durations[part].push(span.duration());
        errors[part] += u64::from(span.is_error());
    }
    durations.iter_mut().for_each(Durations::sort);
    Series {
        start: micros(period.from),
        step: micros((period.to - period.from) / PARTS as u64).max(1),
        count: durations.iter().map(Durations::len).collect(),
        errors,
        p50: durations.iter().map(|durations| durations.quantile(0.5)).collect(),
        p95: durations.iter().map(|durations| durations.quantile(0.95)).collect(),
    }
}
