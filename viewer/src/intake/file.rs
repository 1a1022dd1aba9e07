//! Files: OTLP's JSON and protobuf, Jaeger's JSON, and our own.

use opentelemetry::trace::TraceId;
use opentelemetry_proto::tonic::logs::v1::{LogsData, ResourceLogs};
use opentelemetry_proto::tonic::metrics::v1::{MetricsData, ResourceMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, TracesData};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Value};

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

/// Takes a file in, or says why it cannot.
pub(crate) fn import(shared: &Shared, bytes: &[u8], is_protobuf: bool) -> Result<Imported, String> {
    let content = if is_protobuf { protobuf(bytes)? } else { text(bytes)? };
    if content.spans.is_empty() && content.logs.is_empty() && content.metrics.is_empty() {
        return Err("nothing was found in it: no spans, no log records, no metrics".to_owned());
    }
    let reports = [
        shared.take_spans(&content.spans),
        shared.take_logs(&content.logs),
        shared.take_metrics(&content.metrics),
    ];
    let [spans, logs, points] = reports.each_ref().map(|report| report.accepted);
    let why = reports.into_iter().find_map(|report| report.why);
    if let (0, Some(why)) = (spans + logs + points, why) {
        return Err(why);
    }
    Ok(Imported { spans, logs, points, traces: ids(&content.spans) })
}

fn protobuf(bytes: &[u8]) -> Result<Content, String> {
    let traces = TracesData::decode(bytes).map_err(|error| format!("no protobuf of OTLP traces: {error}"))?;
    Ok(Content { spans: traces.resource_spans, ..Content::default() })
}

/// One object, or several one after the other, as the collector's file exporter writes them.
fn text(bytes: &[u8]) -> Result<Content, String> {
    let mut content = Content::default();
    for value in Deserializer::from_slice(bytes).into_iter::<Value>() {
        add(&mut content, value.map_err(|error| format!("no JSON: {error}"))?)?;
    }
    Ok(content)
}

fn add(content: &mut Content, value: Value) -> Result<(), String> {
    let Value::Object(mut object) = value else { return Err(UNKNOWN.to_owned()) };
    let mut is_known = false;
    // Tempo says `batches` for the same.
    for key in ["resourceSpans", "batches"] {
        if let Some(list) = object.remove(key) {
            let data: TracesData = parse("resourceSpans", list)?;
            content.spans.extend(data.resource_spans);
            is_known = true;
        }
    }
    if let Some(list) = object.remove("resourceLogs") {
        content.logs.extend(parse::<LogsData>("resourceLogs", list)?.resource_logs);
        is_known = true;
    }
    if let Some(list) = object.remove("resourceMetrics") {
        content.metrics.extend(parse::<MetricsData>("resourceMetrics", list)?.resource_metrics);
        is_known = true;
    }
    if object.get("format").and_then(Value::as_str) == Some(document::FORMAT) {
        document::read(content, Value::Object(object))
    } else if let Some(data) = object.remove("data") {
        jaeger::read(content, data)
    } else if is_known {
        Ok(())
    } else {
        Err(UNKNOWN.to_owned())
    }
}

const UNKNOWN: &str = "it is neither OTLP JSON (`resourceSpans`, `resourceLogs`, `resourceMetrics`), nor Jaeger's (`data`), \
                       nor a trace of this viewer (`format`)";

fn parse<T: DeserializeOwned>(key: &str, list: Value) -> Result<T, String> {
    let object = serde_json::Map::from_iter([(key.to_owned(), list)]);
    serde_json::from_value(Value::Object(object)).map_err(|error| format!("no OTLP in `{key}`: {error}"))
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
