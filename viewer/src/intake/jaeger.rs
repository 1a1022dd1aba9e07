//! Jaeger's JSON, as its page saves it.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Sent, Status, span, status};
use serde::Deserialize;
use serde_json::Value;

use super::decode::{self, Budget, Unsound};
use super::file::Content;

#[derive(Deserialize)]
struct File {
    data: Vec<Trace>,
}

#[derive(Deserialize)]
struct Trace {
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    processes: HashMap<String, Process>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(rename = "parentSpanID", default)]
    parent_span_id: Option<String>,
    operation_name: String,
    #[serde(default)]
    references: Vec<Reference>,
    /// Microseconds, as all times of it.
    start_time: u64,
    duration: u64,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    logs: Vec<Log>,
    #[serde(rename = "processID", default)]
    process_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: String,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    #[serde(default)]
    r#type: String,
    value: Value,
}

#[derive(Deserialize)]
struct Log {
    timestamp: u64,
    #[serde(default)]
    fields: Vec<Tag>,
}

pub(super) fn read(content: &mut Content, bytes: &[u8], budget: &mut Budget) -> Result<(), Unsound> {
    let File { data } = decode::json_as(&decode::JAEGER, bytes, budget)
        .map_err(|unsound| unsound.of("no traces of Jaeger in `data`"))?;
    for trace in data {
        add(content, trace)?;
    }
    Ok(())
}

/// One group for each process.
fn add(content: &mut Content, trace: Trace) -> Result<(), String> {
    let mut groups = HashMap::new();
    for mut span in trace.spans {
        let process = trace.processes.get(&span.process_id);
        let name = process.map(|_| std::mem::take(&mut span.process_id));
        let place = *groups.entry(name).or_insert_with(|| {
            content.spans.push(ResourceSpans { resource: process.map(resource), ..ResourceSpans::default() });
            content.spans.len() - 1
        });
        content.spans[place].scope_spans.push(scoped(span)?);
    }
    Ok(())
}

fn resource(process: &Process) -> Resource {
    let service = text_pair("service.name", &process.service_name);
    let attributes = [service].into_iter().chain(process.tags.iter().map(pair)).collect();
    Resource { attributes, ..Resource::default() }
}

fn scoped(mut span: Span) -> Result<ScopeSpans, String> {
    let mut named =
        |keys: [&str; 2]| keys.iter().find_map(|key| take(&mut span.tags, key)).unwrap_or_default();
    let name = named(["otel.scope.name", "otel.library.name"]);
    let version = named(["otel.scope.version", "otel.library.version"]);
    let scope = Some(InstrumentationScope { name, version, ..InstrumentationScope::default() });
    Ok(ScopeSpans { scope, spans: vec![sent(span)?], schema_url: String::new() })
}

fn sent(mut span: Span) -> Result<Sent, String> {
    let code = take(&mut span.tags, "otel.status_code");
    let message = take(&mut span.tags, "otel.status_description").unwrap_or_default();
    let kind = take(&mut span.tags, "span.kind");
    let is_error = span.tags.iter().any(|tag| tag.key == "error" && is_true(&tag.value));
    let is_parent =
        |reference: &&Reference| reference.ref_type == "CHILD_OF" && reference.trace_id == span.trace_id;
    let referred = span.references.iter().find(is_parent).map(|reference| reference.span_id.clone());
    let parent = referred.or(span.parent_span_id).unwrap_or_default();
    let others =
        span.references.iter().filter(|other| other.span_id != parent || other.trace_id != span.trace_id);
    let links: Result<Vec<span::Link>, String> = others.map(link).collect();
    let code = match code.as_deref() {
        Some("OK") => status::StatusCode::Ok,
        Some("ERROR") => status::StatusCode::Error,
        _ if is_error => status::StatusCode::Error,
        _ => status::StatusCode::Unset,
    };
    Ok(Sent {
        trace_id: id::<16>(&span.trace_id)?,
        span_id: id::<8>(&span.span_id)?,
        parent_span_id: if parent.is_empty() { Vec::new() } else { id::<8>(&parent)? },
        name: span.operation_name,
        kind: kind_of(kind.as_deref()) as i32,
        start_time_unix_nano: span.start_time.saturating_mul(1_000),
        end_time_unix_nano: span.start_time.saturating_add(span.duration).saturating_mul(1_000),
        attributes: span.tags.iter().map(pair).collect(),
        events: span.logs.into_iter().map(event).collect(),
        links: links?,
        status: Some(Status { code: code as i32, message }),
        ..Sent::default()
    })
}

fn kind_of(name: Option<&str>) -> span::SpanKind {
    match name {
        Some("server") => span::SpanKind::Server,
        Some("client") => span::SpanKind::Client,
        Some("producer") => span::SpanKind::Producer,
        Some("consumer") => span::SpanKind::Consumer,
        Some("internal") => span::SpanKind::Internal,
        _ => span::SpanKind::Unspecified,
    }
}

fn link(reference: &Reference) -> Result<span::Link, String> {
    let (trace_id, span_id) = (id::<16>(&reference.trace_id)?, id::<8>(&reference.span_id)?);
    Ok(span::Link { trace_id, span_id, ..span::Link::default() })
}

fn event(mut log: Log) -> span::Event {
    let name = take(&mut log.fields, "event").unwrap_or_else(|| "log".to_owned());
    let (time_unix_nano, attributes) =
        (log.timestamp.saturating_mul(1_000), log.fields.iter().map(pair).collect());
    span::Event { time_unix_nano, name, attributes, dropped_attributes_count: 0 }
}

/// The text of a tag that becomes something else than an attribute.
fn take(tags: &mut Vec<Tag>, key: &str) -> Option<String> {
    let place = tags.iter().position(|tag| tag.key == key && tag.value.is_string())?;
    tags.remove(place).value.as_str().map(str::to_owned)
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

fn text_pair(key: &str, text: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn pair(tag: &Tag) -> KeyValue {
    use any_value::Value as Any;
    let value = match &tag.value {
        Value::Bool(bool) => Some(Any::BoolValue(*bool)),
        Value::Number(number) if tag.r#type == "float64" => number.as_f64().map(Any::DoubleValue),
        Value::Number(number) => {
            number.as_i64().map(Any::IntValue).or_else(|| number.as_f64().map(Any::DoubleValue))
        }
        Value::String(text) => Some(match tag.r#type.as_str() {
            "int64" => text.parse().map_or_else(|_| Any::StringValue(text.clone()), Any::IntValue),
            _ => Any::StringValue(text.clone()),
        }),
        Value::Null => None,
        other => Some(Any::StringValue(other.to_string())),
    };
    KeyValue { key: tag.key.clone(), value: Some(AnyValue { value }), ..KeyValue::default() }
}

/// Ids of Jaeger may be shorter than ours, by the zeros in front.
fn id<const LEN: usize>(text: &str) -> Result<Vec<u8>, String> {
    let number = u128::from_str_radix(text, 16);
    let is_id =
        !text.is_empty() && text.len() <= 2 * LEN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match number {
        Ok(number) if is_id => Ok(number.to_be_bytes()[16 - LEN..].to_vec()),
        _ => Err(format!("an id must have at most {} hexadecimal digits", 2 * LEN)),
    }
}
