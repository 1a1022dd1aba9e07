use std::sync::Arc;

use opentelemetry::trace::{Link as SdkLink, Status as SdkStatus, TraceId};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value as SdkValue};
use opentelemetry_sdk::trace::SpanData;

use super::nanos;
use crate::model::{Attribute, Attributes, Event, Kind, Link, More, Resource, Scope, Span, Status, Value};
use crate::store::{Draft, MORE, shared, text_bytes, vec_bytes};

/// A span as the SDK gave it away, on its way into the store.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) span: SpanData,
    pub(crate) resource: Arc<Resource>,
}

impl Pending {
    pub(crate) fn into_span(self, draft: &mut Draft<'_>) -> (TraceId, Span) {
        let data = self.span;
        let (status, message) = match data.status {
            SdkStatus::Unset => (Status::Unset, None),
            SdkStatus::Ok => (Status::Ok, None),
            SdkStatus::Error { description } => (Status::Error, Some(description)),
        };
        let state = data.span_context.trace_state().header();
        let more = More {
            state,
            events: data.events.events.into_iter().map(|sent| event(draft, sent)).collect(),
            links: data.links.links.into_iter().map(|sent| link(draft, sent)).collect(),
            dropped_attributes: data.dropped_attributes_count,
            dropped_events: data.events.dropped_count,
            dropped_links: data.links.dropped_count,
        };
        let more = (!more.is_empty()).then(|| shared_more(draft, more));
        let start = nanos(data.start_time);
        let mut span = Span {
            id: data.span_context.span_id(),
            parent: data.parent_span_id,
            remote: Some(data.parent_span_is_remote),
            kind: Kind::from(data.span_kind),
            status,
            start,
            end: nanos(data.end_time).max(start),
            name: draft.text(&data.name),
            message: message.filter(|message| !message.is_empty()).map(|message| draft.text(&message)),
            resource: self.resource,
            scope: scope(draft, &data.instrumentation_scope),
            attributes: attributes(draft, data.attributes),
            more,
            cost: 0,
        };
        span.cost = u32::try_from(draft.cost()).unwrap_or(u32::MAX);
        (data.span_context.trace_id(), span)
    }
}

fn shared_more(draft: &mut Draft<'_>, more: More) -> Arc<More> {
    let lists = vec_bytes::<Event>(more.events.capacity()) + vec_bytes::<Link>(more.links.capacity());
    draft.owns(MORE + lists + text_bytes(&more.state));
    Arc::new(more)
}

fn scope(draft: &mut Draft<'_>, scope: &InstrumentationScope) -> Arc<Scope> {
    let (version, schema_url) = (scope.version().unwrap_or_default(), scope.schema_url().unwrap_or_default());
    if scope.attributes().next().is_none()
        && let Some(known) = draft.known_scope(scope.name(), version, schema_url)
    {
        return known;
    }
    let attributes = attributes(draft, scope.attributes().cloned().collect());
    let [name, version, schema_url] = [scope.name(), version, schema_url].map(|text| draft.text(text));
    draft.scope(Scope { name, version, schema_url, attributes })
}

pub(super) fn attributes(draft: &mut Draft<'_>, pairs: Vec<KeyValue>) -> Attributes {
    draft.owns(shared::<Attribute>(pairs.len()));
    let attribute =
        |pair: KeyValue| Attribute { key: draft.text(pair.key.as_str()), value: value(draft, &pair.value) };
    pairs.into_iter().map(attribute).collect()
}

fn value(draft: &mut Draft<'_>, value: &SdkValue) -> Value {
    match value {
        SdkValue::Bool(bool) => Value::Bool(*bool),
        SdkValue::I64(int) => Value::Int(*int),
        SdkValue::F64(double) => Value::Double(*double),
        SdkValue::String(text) => Value::Text(draft.text(text.as_str())),
        SdkValue::Array(Array::Bool(bools)) => array(draft, bools, |_, bool| Value::Bool(*bool)),
        SdkValue::Array(Array::I64(ints)) => array(draft, ints, |_, int| Value::Int(*int)),
        SdkValue::Array(Array::F64(doubles)) => array(draft, doubles, |_, double| Value::Double(*double)),
        SdkValue::Array(Array::String(texts)) => {
            array(draft, texts, |draft, text| Value::Text(draft.text(text.as_str())))
        }
        // The API may learn more types.
        other => Value::Text(draft.text(&other.to_string())),
    }
}

fn array<T>(draft: &mut Draft<'_>, values: &[T], value: impl Fn(&mut Draft<'_>, &T) -> Value) -> Value {
    draft.owns(shared::<Value>(values.len()));
    Value::Array(values.iter().map(|of| value(draft, of)).collect())
}

fn event(draft: &mut Draft<'_>, sent: opentelemetry::trace::Event) -> Event {
    Event {
        time: nanos(sent.timestamp),
        name: draft.text(&sent.name),
        attributes: attributes(draft, sent.attributes),
        dropped_attributes: sent.dropped_attributes_count,
    }
}

fn link(draft: &mut Draft<'_>, sent: SdkLink) -> Link {
    let state = sent.span_context.trace_state().header();
    draft.owns(text_bytes(&state));
    Link {
        trace: sent.span_context.trace_id(),
        span: sent.span_context.span_id(),
        state,
        attributes: attributes(draft, sent.attributes),
        dropped_attributes: sent.dropped_attributes_count,
    }
}

/// About what a span takes while it waits: the texts of its attributes are not looked for in its events and links.
pub(crate) fn size(span: &SpanData) -> usize {
    let text = |pair: &KeyValue| match &pair.value {
        SdkValue::String(text) => text.as_str().len(),
        SdkValue::Array(Array::String(texts)) => texts.iter().map(|text| 24 + text.as_str().len()).sum(),
        SdkValue::Array(Array::I64(ints)) => 8 * ints.len(),
        SdkValue::Array(Array::F64(doubles)) => 8 * doubles.len(),
        _ => 0,
    };
    let pairs =
        |pairs: &[KeyValue]| vec_bytes::<KeyValue>(pairs.len()) + pairs.iter().map(text).sum::<usize>();
    let events: usize = span.events.iter().map(|event| 64 + pairs(&event.attributes)).sum();
    let links: usize = span.links.iter().map(|link| 96 + pairs(&link.attributes)).sum();
    size_of::<Pending>() + span.name.len() + pairs(&span.attributes) + events + links
}
