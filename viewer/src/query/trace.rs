mod written;

use opentelemetry::trace::TraceId;

use super::Scanned;
use crate::model::{Log, Span};
use crate::store::{Running, RunningSpan, Store};

const LINKED_FROM: usize = 100;

/// A whole trace, taken out of the store, so that it can be written without holding anybody up.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) id: TraceId,
    pub(crate) spans: Vec<Span>,
    pub(crate) running: Vec<RunningSpan>,
    pub(crate) logs: Vec<Log>,
    linked_from: Vec<LinkedFrom>,
    truncated: u32,
    pub(crate) now: u64,
    pub(crate) scanned: Scanned,
}

#[derive(Debug, serde::Serialize)]
struct LinkedFrom {
    trace: String,
    span: String,
    kind: &'static str,
    name: String,
    to: String,
}

pub(crate) fn document((store, running): (&Store, &Running), id: TraceId, now: u64) -> Option<Document> {
    let trace = store.traces.get(id);
    let running: Vec<RunningSpan> =
        running.iter().filter(|(trace, _)| *trace == id).map(|(_, span)| span.clone()).collect();
    if trace.is_none() && running.is_empty() {
        return None;
    }
    let mut spans = trace.map_or_else(Vec::new, |trace| trace.spans.to_vec());
    spans.sort_by_key(|span| span.start);
    let mut logs: Vec<Log> =
        store.logs.iter().filter(|(_, log)| log.trace == id).map(|(_, log)| log.clone()).collect();
    logs.sort_by_key(|log| log.time);
    let scanned = (spans.len() + store.logs.len() + store.traces.spans()) as Scanned;
    let truncated = trace.map_or(0, |trace| trace.refused);
    let linked_from = linked_from(store, id);
    Some(Document { id, spans, running, logs, linked_from, truncated, now, scanned })
}

fn linked_from(store: &Store, id: TraceId) -> Vec<LinkedFrom> {
    let others = store.traces.iter().filter(|trace| trace.id != id);
    let spans = others.flat_map(|trace| trace.spans.iter().map(|span| (trace.id, span)));
    let links = spans.flat_map(|(trace, span)| span.links().iter().map(move |link| (trace, span, link)));
    let linked = links.filter(|(_, _, link)| link.trace == id).map(|(trace, span, link)| LinkedFrom {
        trace: trace.to_string(),
        span: span.id.to_string(),
        kind: span.kind.name(),
        name: span.name.to_string(),
        to: link.span.to_string(),
    });
    linked.take(LINKED_FROM).collect()
}
