use std::collections::HashMap;

use serde::Serialize;

use super::micros;
use crate::store::{Counts, Running, Store};

#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    revision: u64,
    since: Option<u64>,
    now: u64,
    pub(crate) spans: usize,
    traces: usize,
    running: usize,
    kept: usize,
    logs: usize,
    instruments: usize,
    series: usize,
    points: usize,
    pub(crate) bytes: usize,
    received: Written,
    evicted: Written,
    dropped: Written,
    services: Vec<Service>,
}

#[derive(Debug, Serialize)]
struct Written {
    spans: u64,
    logs: u64,
    points: u64,
}

impl From<Counts> for Written {
    fn from(counts: Counts) -> Self {
        Self { spans: counts.spans, logs: counts.logs, points: counts.points }
    }
}

#[derive(Debug, Serialize)]
struct Service {
    name: String,
    spans: u64,
    errors: u64,
}

pub(crate) fn stats(store: &Store, running: &Running, now: u64) -> Stats {
    Stats {
        revision: store.revision,
        since: store.traces.recent().map(|trace| micros(trace.start)).min(),
        now: micros(now),
        spans: store.traces.spans(),
        traces: store.traces.len(),
        running: running.len(),
        kept: store.traces.kept_count(),
        logs: store.logs.len(),
        instruments: store.metrics.instruments.len(),
        series: store.metrics.series(),
        points: store.metrics.points(),
        bytes: store.bytes(),
        received: store.received.into(),
        evicted: store.evicted().into(),
        dropped: store.dropped.into(),
        services: services(store),
    }
}

fn services(store: &Store) -> Vec<Service> {
    let mut services: HashMap<&str, (u64, u64)> = HashMap::new();
    for span in store.traces.iter().flat_map(|trace| &trace.spans) {
        let (spans, errors) = services.entry(span.service()).or_default();
        *spans += 1;
        *errors += u64::from(span.is_error());
    }
    for (_, log) in store.logs.iter() {
        services.entry(&log.resource.service).or_default();
    }
    for series in store.metrics.instruments.values().flat_map(|instrument| instrument.series.values()) {
        services.entry(&series.resource.service).or_default();
    }
    let service =
        |(name, (spans, errors)): (&str, (u64, u64))| Service { name: name.to_owned(), spans, errors };
    let mut services: Vec<Service> = services.into_iter().map(service).collect();
    services.sort_by(|one, other| one.name.cmp(&other.name));
    services
}
