use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource as Sender;

use super::super::Refusal;
use crate::model::{Attribute, Attributes, Resource, Scope, Value};
use crate::store::{Draft, shared};

/// What one span or record may take. Larger ones are mistakes.
const LARGEST: usize = 1 << 20;
/// How deep arrays and maps may be nested.
const DEEPEST: usize = 32;

const TOO_LARGE: Refusal = Refusal("it takes more than 1 MiB");
const TOO_DEEP: Refusal = Refusal("an attribute is nested deeper than 32 levels");
const NO_TRACE_ID: Refusal = Refusal("a trace id must have 16 bytes, not all of them 0");
const NO_SPAN_ID: Refusal = Refusal("a span id must have 8 bytes, not all of them 0");

/// The bytes of its own, if they are not too many.
pub(super) fn cost(draft: &mut Draft<'_>) -> Result<u32, Refusal> {
    let cost = draft.cost();
    if cost > LARGEST { Err(TOO_LARGE) } else { Ok(cost as u32) }
}

pub(super) fn trace_id(bytes: &[u8]) -> Result<TraceId, Refusal> {
    let id = bytes.try_into().map_or(TraceId::INVALID, TraceId::from_bytes);
    if id == TraceId::INVALID { Err(NO_TRACE_ID) } else { Ok(id) }
}

pub(super) fn span_id(bytes: &[u8]) -> Result<SpanId, Refusal> {
    let id = optional_span_id(bytes)?;
    if id == SpanId::INVALID { Err(NO_SPAN_ID) } else { Ok(id) }
}

/// `INVALID` for none.
pub(super) fn optional_span_id(bytes: &[u8]) -> Result<SpanId, Refusal> {
    if bytes.is_empty() {
        return Ok(SpanId::INVALID);
    }
    bytes.try_into().map(SpanId::from_bytes).map_err(|_| NO_SPAN_ID)
}

/// `INVALID` for none.
pub(super) fn optional_trace_id(bytes: &[u8]) -> Result<TraceId, Refusal> {
    if bytes.is_empty() { Ok(TraceId::INVALID) } else { trace_id(bytes) }
}

pub(super) fn attributes(draft: &mut Draft<'_>, pairs: &[KeyValue]) -> Result<Attributes, Refusal> {
    nested(draft, pairs, 0)
}

fn nested(draft: &mut Draft<'_>, pairs: &[KeyValue], depth: usize) -> Result<Attributes, Refusal> {
    draft.owns(shared::<Attribute>(pairs.len()));
    let mut attribute = |pair: &KeyValue| {
        let value = pair.value.as_ref().map_or(Ok(Value::Empty), |value| at(draft, value, depth))?;
        Ok(Attribute { key: draft.text(&pair.key), value })
    };
    pairs.iter().map(&mut attribute).collect()
}

pub(super) fn value(draft: &mut Draft<'_>, value: &AnyValue) -> Result<Value, Refusal> {
    at(draft, value, 0)
}

fn at(draft: &mut Draft<'_>, value: &AnyValue, depth: usize) -> Result<Value, Refusal> {
    use any_value::Value as Any;
    if depth >= DEEPEST {
        return Err(TOO_DEEP);
    }
    Ok(match &value.value {
        Some(Any::StringValue(text)) => Value::Text(draft.text(text)),
        Some(Any::BoolValue(bool)) => Value::Bool(*bool),
        Some(Any::IntValue(int)) => Value::Int(*int),
        Some(Any::DoubleValue(double)) => Value::Double(*double),
        Some(Any::BytesValue(bytes)) => {
            draft.owns(shared::<u8>(bytes.len()));
            Value::Bytes(Arc::from(&**bytes))
        }
        Some(Any::ArrayValue(array)) => {
            draft.owns(shared::<Value>(array.values.len()));
            let values: Result<_, _> = array.values.iter().map(|value| at(draft, value, depth + 1)).collect();
            Value::Array(values?)
        }
        Some(Any::KvlistValue(map)) => Value::Map(nested(draft, &map.values, depth + 1)?),
        // An index into a table that only profiles have.
        Some(Any::StringValueStrindex(_)) | None => Value::Empty,
    })
}

pub(super) fn resource(draft: &mut Draft<'_>, sender: Option<&Sender>) -> Result<Arc<Resource>, Refusal> {
    let attributes = attributes(draft, sender.map_or(&[], |sender| &sender.attributes))?;
    let service = crate::model::find(&attributes, "service.name").and_then(Value::as_text);
    let service = draft.text(service.unwrap_or("unknown_service"));
    draft.cost();
    Ok(draft.resource(service, attributes))
}

pub(super) fn scope(
    draft: &mut Draft<'_>,
    scope: Option<&InstrumentationScope>,
    schema_url: &str,
) -> Result<Arc<Scope>, Refusal> {
    let (name, version, pairs): (&str, &str, &[KeyValue]) =
        scope.map_or(("", "", &[]), |scope| (&scope.name, &scope.version, &scope.attributes));
    if pairs.is_empty()
        && let Some(known) = draft.known_scope(name, version, schema_url)
    {
        return Ok(known);
    }
    let attributes = attributes(draft, pairs)?;
    let (name, version, schema_url) = (draft.text(name), draft.text(version), draft.text(schema_url));
    draft.cost();
    Ok(draft.scope(Scope { name, version, schema_url, attributes }))
}
