//! Files: OTLP's JSON and protobuf, Jaeger's JSON, and our own.

use opentelemetry::trace::TraceId;
use opentelemetry_proto::tonic::logs::v1::{LogsData, ResourceLogs};
use opentelemetry_proto::tonic::metrics::v1::{MetricsData, ResourceMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, TracesData};
use prost::Message;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Deserializer;
use serde_json::error::Category;

use super::decode::{self, Budget, Shape, Unsound};
use super::{document, jaeger};
use crate::shared::Shared;

/// So many ids are told of what was imported.
const TOLD: usize = 100;

/// What a file held.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Imported {
    pub(crate) spans: u64,
    pub(crate) logs: u64,
    pub(crate) points: u64,
    pub(crate) traces: Vec<String>,
}

/// What a file says, before it is taken in.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) spans: Vec<ResourceSpans>,
    pub(super) logs: Vec<ResourceLogs>,
    pub(super) metrics: Vec<ResourceMetrics>,
}

/// A file may take so many times its size when it is decoded, if that is more than what any message may.
const TIMES: usize = 24;

/// Takes a file in, or says why it cannot.
pub(crate) fn import(shared: &Shared, bytes: &[u8], is_protobuf: bool) -> Result<Imported, Unsound> {
    let budget = &mut Budget::new(decode::MOST.max(bytes.len().saturating_mul(TIMES)));
    let content = if is_protobuf { protobuf(bytes, budget)? } else { text(bytes, budget)? };
    if content.spans.is_empty() && content.logs.is_empty() && content.metrics.is_empty() {
        return Err("nothing was found in it: no spans, no log records, no metrics".into());
    }
    let reports = [
        shared.take_spans(&content.spans),
        shared.take_logs(&content.logs),
        shared.take_metrics(&content.metrics),
    ];
    let [spans, logs, points] = reports.each_ref().map(|report| report.accepted);
    let why = reports.into_iter().find_map(|report| report.why);
    if let (0, Some(why)) = (spans + logs + points, why) {
        return Err(why.into());
    }
    Ok(Imported { spans, logs, points, traces: ids(&content.spans) })
}

/// What a group takes in one of three lists, whose groups are of one size, while they grow.
const PART: usize = 4 * size_of::<ResourceSpans>();

/// `TracesData`, `LogsData`, `MetricsData`, or several of them one after the other: all are lists under the same number.
fn protobuf(bytes: &[u8], budget: &mut Budget) -> Result<Content, Unsound> {
    let mut content = Content::default();
    decode::each_part(bytes, |_| budget.spend(PART))
        .and_then(|()| decode::each_part(bytes, |part| add_part(&mut content, part, budget)))
        .map_err(|unsound| unsound.of("no protobuf of OTLP's traces, logs or metrics"))?;
    Ok(content)
}

/// Nothing in it says what it is. But a record's first field has a type that no span's and no metric's has, and a metric with
/// data is no span: the numbers that data has are those of a span's times and counts.
fn add_part(content: &mut Content, part: &[u8], budget: &mut Budget) -> Result<(), Unsound> {
    let logs = attempt(&decode::RESOURCE_LOGS, part, budget, |logs: &ResourceLogs| {
        logs.scope_logs.iter().any(|group| !group.log_records.is_empty())
    });
    if let Some(logs) = logs {
        content.logs.push(logs);
        return Ok(());
    }
    let metrics = attempt(&decode::RESOURCE_METRICS, part, budget, |metrics: &ResourceMetrics| {
        metrics.scope_metrics.iter().flat_map(|group| &group.metrics).any(|metric| metric.data.is_some())
    });
    if let Some(metrics) = metrics {
        content.metrics.push(metrics);
        return Ok(());
    }
    content.spans.push(decode::protobuf_as(&decode::RESOURCE_SPANS, part, budget)?);
    Ok(())
}

/// Reads a part as something that it may not be.
fn attempt<T: Message + Default>(
    shape: &'static Shape,
    part: &[u8],
    budget: &mut Budget,
    holds: impl FnOnce(&T) -> bool,
) -> Option<T> {
    let mut rest = budget.clone();
    let read = decode::protobuf_as(shape, part, &mut rest).ok().filter(holds)?;
    *budget = rest;
    Some(read)
}

/// One object, or several one after the other, as the collector's file exporter writes them.
pub(super) fn text(bytes: &[u8], budget: &mut Budget) -> Result<Content, Unsound> {
    let mut content = Content::default();
    let mut objects = Deserializer::from_slice(bytes).into_iter::<Keys>();
    loop {
        let start = objects.byte_offset();
        let Some(keys) = objects.next() else { return Ok(content) };
        let keys = keys.map_err(|error| match error.classify() {
            Category::Data => UNKNOWN.to_owned(),
            _ => format!("no JSON: {error}"),
        })?;
        add(&mut content, &keys, &bytes[start..objects.byte_offset()], budget)?;
    }
}

/// What there is in an object, without what it is.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Keys {
    resource_spans: Option<IgnoredAny>,
    /// Tempo says so for the same.
    batches: Option<IgnoredAny>,
    resource_logs: Option<IgnoredAny>,
    resource_metrics: Option<IgnoredAny>,
    data: Option<IgnoredAny>,
    format: Option<String>,
}

#[derive(Deserialize)]
struct Batches {
    batches: Vec<ResourceSpans>,
}

fn add(content: &mut Content, keys: &Keys, object: &[u8], budget: &mut Budget) -> Result<(), Unsound> {
    // Serde takes a list for an object.
    if object.trim_ascii_start().first() != Some(&b'{') {
        return Err(UNKNOWN.into());
    }
    let mut is_known = false;
    if keys.resource_spans.is_some() {
        let data: TracesData = parse("resourceSpans", &decode::TRACES, object, budget)?;
        append(&mut content.spans, data.resource_spans, budget)?;
        is_known = true;
    }
    if keys.batches.is_some() {
        let data: Batches = parse("batches", &decode::TRACES, object, budget)?;
        append(&mut content.spans, data.batches, budget)?;
        is_known = true;
    }
    if keys.resource_logs.is_some() {
        let data: LogsData = parse("resourceLogs", &decode::LOGS, object, budget)?;
        append(&mut content.logs, data.resource_logs, budget)?;
        is_known = true;
    }
    if keys.resource_metrics.is_some() {
        let data: MetricsData = parse("resourceMetrics", &decode::METRICS, object, budget)?;
        append(&mut content.metrics, data.resource_metrics, budget)?;
        is_known = true;
    }
    if keys.format.as_deref() == Some(document::FORMAT) {
        document::read(content, object, budget)
    } else if keys.data.is_some() {
        jaeger::read(content, object, budget)
    } else if is_known {
        Ok(())
    } else {
        Err(UNKNOWN.into())
    }
}

fn append<T>(all: &mut Vec<T>, groups: Vec<T>, budget: &mut Budget) -> Result<(), Unsound> {
    budget.spend(groups.len() * PART)?;
    all.extend(groups);
    Ok(())
}

const UNKNOWN: &str = "it is neither OTLP JSON (`resourceSpans`, `resourceLogs`, `resourceMetrics`), nor Jaeger's (`data`), \
                       nor a trace of this viewer (`format`)";

fn parse<T: DeserializeOwned>(
    key: &str,
    shape: &'static Shape,
    object: &[u8],
    budget: &mut Budget,
) -> Result<T, Unsound> {
    decode::json_as(shape, object, budget).map_err(|unsound| unsound.of(&format!("no OTLP in `{key}`")))
}

fn ids(spans: &[ResourceSpans]) -> Vec<String> {
    let mut ids = Vec::new();
    let spans = spans.iter().flat_map(|group| &group.scope_spans).flat_map(|group| &group.spans);
    for span in spans {
        let Ok(bytes) = <[u8; 16]>::try_from(&*span.trace_id) else { continue };
        let id = TraceId::from_bytes(bytes).to_string();
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() == TOLD {
            break;
        }
    }
    ids
}
