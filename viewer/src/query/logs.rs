use opentelemetry::trace::{SpanId, TraceId};
use serde::Serialize;

use super::{Range, Scanned, micros};
use crate::model::{Log, Pairs, Value};
use crate::search::{Query, Subject};
use crate::store::Store;

#[derive(Debug, Serialize)]
pub(crate) struct LogList {
    logs: Vec<Line>,
    next: Option<String>,
    pub(crate) scanned: Scanned,
}

#[derive(Debug)]
struct Line(Log);

#[derive(Serialize)]
struct Written<'a> {
    time: u64,
    severity: u8,
    level: &'a str,
    body: &'a Value,
    service: &'a str,
    scope: &'a str,
    event: Option<&'a str>,
    trace: Option<String>,
    span: Option<String>,
    attributes: Pairs<'a>,
}

impl Serialize for Line {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let log = &self.0;
        let written = Written {
            time: micros(log.time),
            severity: log.severity,
            level: &log.level,
            body: &log.body,
            service: &log.resource.service,
            scope: &log.scope.name,
            event: log.event.as_deref(),
            trace: (log.trace != TraceId::INVALID).then(|| log.trace.to_string()),
            span: (log.span != SpanId::INVALID).then(|| log.span.to_string()),
            attributes: Pairs(&log.attributes),
        };
        written.serialize(serializer)
    }
}

/// The newest first, in the order in which they came.
pub(crate) fn logs(store: &Store, query: &Query, range: Range, limit: usize, before: Option<u64>) -> LogList {
    let mut list = LogList { logs: Vec::new(), next: None, scanned: 0 };
    let older = store.logs.iter().filter(|(number, _)| before.is_none_or(|before| *number < before));
    for (number, log) in older {
        if list.logs.len() == limit {
            list.next = Some((number + 1).to_string());
            break;
        }
        list.scanned += 1;
        if range.has(log.time) && query.matches(&Subject::log(log)) {
            list.logs.push(Line(log.clone()));
        }
    }
    list
}
