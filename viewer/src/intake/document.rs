//! A trace as `/api/v1/traces/{id}` gives it and as a permalink carries it.

mod sources;

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::{Span as Sent, Status, span, status};
use serde::Deserialize;
use serde_json::Value;

use super::decode::{self, Budget, Unsound};
use super::file::Content;
use sources::Sources;

pub(crate) const FORMAT: &str = "otelhttp-trace/1";

#[derive(Deserialize)]
struct Trace {
    id: String,
    epoch: String,
    resources: Vec<Resource>,
    scopes: Vec<Scope>,
    spans: Vec<Span>,
    #[serde(default)]
    logs: Vec<Log>,
}

#[derive(Deserialize)]
struct Resource {
    attributes: Vec<(String, Value)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scope {
    name: String,
    version: String,
    schema_url: String,
    attributes: Vec<(String, Value)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    id: String,
    parent: Option<String>,
    remote: Option<bool>,
    name: String,
    kind: String,
    start: f64,
    end: Option<f64>,
    status: String,
    message: String,
    resource: usize,
    scope: usize,
    attributes: Vec<(String, Value)>,
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default)]
    links: Vec<Link>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    dropped_attributes: u32,
    #[serde(default)]
    dropped_events: u32,
    #[serde(default)]
    dropped_links: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    name: String,
    time: f64,
    attributes: Vec<(String, Value)>,
    #[serde(default)]
    dropped_attributes: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    trace: String,
    span: String,
    #[serde(default)]
    state: String,
    attributes: Vec<(String, Value)>,
    #[serde(default)]
    dropped_attributes: u32,
}

#[derive(Deserialize)]
struct Log {
    time: f64,
    severity: i32,
    level: String,
    body: Value,
    event: Option<String>,
    span: Option<String>,
    resource: usize,
    scope: usize,
    attributes: Vec<(String, Value)>,
}

/// Spans that still ran are left out: nobody will end them.
pub(super) fn read(content: &mut Content, bytes: &[u8], budget: &mut Budget) -> Result<(), Unsound> {
    let trace: Trace = decode::json_as(&decode::DOCUMENT, bytes, budget)
        .map_err(|unsound| unsound.of("no trace of this viewer"))?;
    add(content, trace, budget)
}

fn add(content: &mut Content, trace: Trace, budget: &mut Budget) -> Result<(), Unsound> {
    let id = id::<16>(&trace.id)?;
    let epoch: u64 =
        trace.epoch.parse().map_err(|_| "`epoch` must be nanoseconds, as a string".to_owned())?;
    let at = |relative: f64| u64::try_from(i128::from(epoch).saturating_add(relative as i128)).unwrap_or(0);
    let sources = Sources::new(trace.resources, trace.scopes)?;
    let mut groups = HashMap::new();
    for span in trace.spans {
        let Some(end) = span.end else { continue };
        let source = (span.resource, span.scope);
        let sent = Sent { end_time_unix_nano: at(end), ..sent(&id, span, &at)? };
        sources.group(&mut groups, &mut content.spans, source, budget)?.spans.push(sent);
    }
    let mut groups = HashMap::new();
    for log in trace.logs {
        let source = (log.resource, log.scope);
        let record = record(&id, log, &at)?;
        sources.group(&mut groups, &mut content.logs, source, budget)?.log_records.push(record);
    }
    Ok(())
}

fn sent(trace: &[u8], span: Span, at: &impl Fn(f64) -> u64) -> Result<Sent, String> {
    let events: Result<Vec<span::Event>, String> = span.events.into_iter().map(|of| event(of, at)).collect();
    let links: Result<Vec<span::Link>, String> = span.links.into_iter().map(link).collect();
    Ok(Sent {
        trace_id: trace.to_vec(),
        span_id: id::<8>(&span.id)?,
        trace_state: span.state,
        parent_span_id: span.parent.as_deref().map_or(Ok(Vec::new()), id::<8>)?,
        flags: match span.remote {
            None => 1,
            Some(false) => 0x101,
            Some(true) => 0x301,
        },
        name: span.name,
        kind: kind(&span.kind) as i32,
        start_time_unix_nano: at(span.start),
        attributes: pairs(span.attributes)?,
        dropped_attributes_count: span.dropped_attributes,
        events: events?,
        dropped_events_count: span.dropped_events,
        links: links?,
        dropped_links_count: span.dropped_links,
        status: Some(Status { message: span.message, code: code(&span.status) as i32 }),
        ..Sent::default()
    })
}

fn kind(name: &str) -> span::SpanKind {
    span::SpanKind::from_str_name(&format!("SPAN_KIND_{}", name.to_ascii_uppercase()))
        .unwrap_or(span::SpanKind::Unspecified)
}

fn code(name: &str) -> status::StatusCode {
    status::StatusCode::from_str_name(&format!("STATUS_CODE_{}", name.to_ascii_uppercase()))
        .unwrap_or(status::StatusCode::Unset)
}

fn event(event: Event, at: &impl Fn(f64) -> u64) -> Result<span::Event, String> {
    Ok(span::Event {
        time_unix_nano: at(event.time),
        name: event.name,
        attributes: pairs(event.attributes)?,
        dropped_attributes_count: event.dropped_attributes,
    })
}

fn link(link: Link) -> Result<span::Link, String> {
    Ok(span::Link {
        trace_id: id::<16>(&link.trace)?,
        span_id: id::<8>(&link.span)?,
        trace_state: link.state,
        attributes: pairs(link.attributes)?,
        dropped_attributes_count: link.dropped_attributes,
        flags: 0,
    })
}

fn record(trace: &[u8], log: Log, at: &impl Fn(f64) -> u64) -> Result<LogRecord, String> {
    Ok(LogRecord {
        time_unix_nano: at(log.time),
        severity_number: log.severity,
        severity_text: log.level,
        body: Some(any(log.body)?),
        attributes: pairs(log.attributes)?,
        trace_id: trace.to_vec(),
        span_id: log.span.as_deref().map_or(Ok(Vec::new()), id::<8>)?,
        event_name: log.event.unwrap_or_default(),
        ..LogRecord::default()
    })
}

fn pairs(pairs: Vec<(String, Value)>) -> Result<Vec<KeyValue>, String> {
    let pair = |(key, value)| Ok(KeyValue { key, value: Some(any(value)?), ..KeyValue::default() });
    pairs.into_iter().map(pair).collect()
}

fn any(value: Value) -> Result<AnyValue, String> {
    use any_value::Value as Any;
    let value = match value {
        Value::Null => None,
        Value::Bool(bool) => Some(Any::BoolValue(bool)),
        Value::Number(number) => {
            number.as_i64().map(Any::IntValue).or_else(|| number.as_f64().map(Any::DoubleValue))
        }
        Value::String(text) => Some(Any::StringValue(text)),
        Value::Array(values) => {
            let values: Result<Vec<AnyValue>, String> = values.into_iter().map(any).collect();
            Some(Any::ArrayValue(ArrayValue { values: values? }))
        }
        Value::Object(object) => Some(tagged(object)?),
    };
    Ok(AnyValue { value })
}

/// What JSON's own types would lose.
fn tagged(object: serde_json::Map<String, Value>) -> Result<any_value::Value, String> {
    use any_value::Value as Any;
    const WRONG: &str = "a value that is an object must be one of `int`, `double`, `bytes`, `map`";
    let (tag, value) = object.into_iter().next().ok_or(WRONG)?;
    let value = match (tag.as_str(), value) {
        ("int", Value::String(int)) => int.parse().ok().map(Any::IntValue),
        ("double", Value::String(double)) => double.parse().ok().map(Any::DoubleValue),
        ("bytes", Value::String(bytes)) => STANDARD.decode(bytes).ok().map(Any::BytesValue),
        ("map", map) => {
            let list: Vec<(String, Value)> = serde_json::from_value(map).map_err(|_| WRONG)?;
            Some(Any::KvlistValue(KeyValueList { values: pairs(list)? }))
        }
        _ => None,
    };
    value.ok_or_else(|| WRONG.to_owned())
}

fn id<const LEN: usize>(text: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let byte = |pair: &[u8]| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?);
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    let bytes = bytes.filter(|bytes| bytes.len() == LEN);
    bytes.ok_or_else(|| format!("an id must have {} hexadecimal digits", 2 * LEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_digits_and_nothing_else() {
        assert_eq!(id::<2>("0fA9"), Ok(vec![0x0f, 0xa9]));
        for wrong in ["+f+f", "-f00", "0fA", "0fA9b", "0fA9b0", " fff", "0xff", "\u{e4}ff", ""] {
            assert!(id::<2>(wrong).is_err(), "{wrong}");
        }
    }
}
