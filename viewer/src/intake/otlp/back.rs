use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource as Sender;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span as Sent, Status as SentStatus, span, status,
};
use serde::Serialize;

use crate::model::{Attribute, Event, Link, Log, Resource, Scope, Span, Status, Value};

/// What `TracesData` and `LogsData` are in JSON, in one object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Traces {
    resource_spans: Vec<ResourceSpans>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_logs: Vec<ResourceLogs>,
}

/// A trace as OTLP has it.
pub(crate) fn traces(id: TraceId, spans: &[Span], logs: &[Log]) -> Traces {
    let mut resource_spans: Vec<ResourceSpans> = Vec::new();
    for (resource, scope, spans) in groups(spans, |span| (&span.resource, &span.scope)) {
        let spans = spans.into_iter().map(|span| sent(id, span)).collect();
        let schema_url = scope.schema_url.to_string();
        resource_spans.push(ResourceSpans {
            resource: Some(sender(resource)),
            scope_spans: vec![ScopeSpans { scope: Some(instrumentation(scope)), spans, schema_url }],
            schema_url: String::new(),
        });
    }
    let mut resource_logs: Vec<ResourceLogs> = Vec::new();
    for (resource, scope, logs) in groups(logs, |log| (&log.resource, &log.scope)) {
        let log_records = logs.into_iter().map(record).collect();
        let schema_url = scope.schema_url.to_string();
        resource_logs.push(ResourceLogs {
            resource: Some(sender(resource)),
            scope_logs: vec![ScopeLogs { scope: Some(instrumentation(scope)), log_records, schema_url }],
            schema_url: String::new(),
        });
    }
    Traces { resource_spans, resource_logs }
}

type Group<'a, T> = (&'a Arc<Resource>, &'a Arc<Scope>, Vec<&'a T>);

/// By who sent them, in the order in which those appear.
fn groups<'a, T>(
    of: &'a [T],
    source: impl Fn(&'a T) -> (&'a Arc<Resource>, &'a Arc<Scope>),
) -> Vec<Group<'a, T>> {
    let mut groups: Vec<Group<'a, T>> = Vec::new();
    let mut places: HashMap<(*const Resource, *const Scope), usize> = HashMap::new();
    for item in of {
        let (resource, scope) = source(item);
        let place = places.entry((Arc::as_ptr(resource), Arc::as_ptr(scope))).or_insert_with(|| {
            groups.push((resource, scope, Vec::new()));
            groups.len() - 1
        });
        groups[*place].2.push(item);
    }
    groups
}

fn sender(resource: &Resource) -> Sender {
    Sender { attributes: pairs(&resource.attributes), ..Sender::default() }
}

fn instrumentation(scope: &Scope) -> InstrumentationScope {
    InstrumentationScope {
        name: scope.name.to_string(),
        version: scope.version.to_string(),
        attributes: pairs(&scope.attributes),
        dropped_attributes_count: 0,
    }
}

fn pairs(attributes: &[Attribute]) -> Vec<KeyValue> {
    let pair = |attribute: &Attribute| KeyValue {
        key: attribute.key.to_string(),
        value: Some(any(&attribute.value)),
        ..KeyValue::default()
    };
    attributes.iter().map(pair).collect()
}

fn any(value: &Value) -> AnyValue {
    use any_value::Value as Any;
    let value = match value {
        Value::Empty => None,
        Value::Text(text) => Some(Any::StringValue(text.to_string())),
        Value::Bool(bool) => Some(Any::BoolValue(*bool)),
        Value::Int(int) => Some(Any::IntValue(*int)),
        Value::Double(double) => Some(Any::DoubleValue(*double)),
        Value::Bytes(bytes) => Some(Any::BytesValue(bytes.to_vec())),
        Value::Array(values) => {
            Some(Any::ArrayValue(ArrayValue { values: values.iter().map(any).collect() }))
        }
        Value::Map(attributes) => Some(Any::KvlistValue(KeyValueList { values: pairs(attributes) })),
    };
    AnyValue { value }
}

fn id_bytes(id: SpanId) -> Vec<u8> {
    if id == SpanId::INVALID { Vec::new() } else { id.to_bytes().to_vec() }
}

fn sent(trace: TraceId, span: &Span) -> Sent {
    let more = span.more.as_deref();
    Sent {
        trace_id: trace.to_bytes().to_vec(),
        span_id: id_bytes(span.id),
        trace_state: more.map_or_else(String::new, |more| more.state.clone()),
        parent_span_id: id_bytes(span.parent),
        flags: match span.remote {
            None => 1,
            Some(false) => 0x101,
            Some(true) => 0x301,
        },
        name: span.name.to_string(),
        kind: span.kind as i32,
        start_time_unix_nano: span.start,
        end_time_unix_nano: span.end,
        attributes: pairs(&span.attributes),
        dropped_attributes_count: more.map_or(0, |more| more.dropped_attributes),
        events: span.events().iter().map(event).collect(),
        dropped_events_count: more.map_or(0, |more| more.dropped_events),
        links: span.links().iter().map(link).collect(),
        dropped_links_count: more.map_or(0, |more| more.dropped_links),
        status: Some(SentStatus {
            message: span.message.as_deref().unwrap_or_default().to_owned(),
            code: match span.status {
                Status::Unset => status::StatusCode::Unset,
                Status::Ok => status::StatusCode::Ok,
                Status::Error => status::StatusCode::Error,
            } as i32,
        }),
    }
}

fn event(event: &Event) -> span::Event {
    span::Event {
        time_unix_nano: event.time,
        name: event.name.to_string(),
        attributes: pairs(&event.attributes),
        dropped_attributes_count: event.dropped_attributes,
    }
}

fn link(link: &Link) -> span::Link {
    span::Link {
        trace_id: link.trace.to_bytes().to_vec(),
        span_id: id_bytes(link.span),
        trace_state: link.state.clone(),
        attributes: pairs(&link.attributes),
        dropped_attributes_count: link.dropped_attributes,
        flags: 0,
    }
}

fn record(log: &Log) -> LogRecord {
    LogRecord {
        time_unix_nano: log.time,
        observed_time_unix_nano: log.time,
        severity_number: i32::from(log.severity),
        severity_text: log.level.to_string(),
        body: Some(any(&log.body)),
        attributes: pairs(&log.attributes),
        trace_id: log.trace.to_bytes().to_vec(),
        span_id: id_bytes(log.span),
        event_name: log.event.as_deref().unwrap_or_default().to_owned(),
        ..LogRecord::default()
    }
}
