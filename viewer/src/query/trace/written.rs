//! A trace as `openapi.yaml` has it.

use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry::trace::SpanId;
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::Document;
use crate::model::{Attributes, Event, Link, Log, Pairs, Resource, Scope, Span, Value};
use crate::store::RunningSpan;

/// Each resource or scope once, with its place.
struct Table<'a, T> {
    all: Vec<&'a Arc<T>>,
    places: HashMap<*const T, usize>,
}

impl<'a, T> Table<'a, T> {
    fn new(of: impl Iterator<Item = &'a Arc<T>>) -> Self {
        let mut table = Self { all: Vec::new(), places: HashMap::new() };
        for one in of {
            table.places.entry(Arc::as_ptr(one)).or_insert_with(|| {
                table.all.push(one);
                table.all.len() - 1
            });
        }
        table
    }

    fn place(&self, of: &Arc<T>) -> usize {
        *self.places.get(&Arc::as_ptr(of)).expect("it is made of all of them")
    }
}

struct Places<'a> {
    epoch: u64,
    resources: Table<'a, Resource>,
    scopes: Table<'a, Scope>,
}

impl Places<'_> {
    fn time(&self, nanos: u64) -> i64 {
        i64::try_from(i128::from(nanos) - i128::from(self.epoch)).unwrap_or(i64::MAX)
    }
}

impl Document {
    fn start(&self) -> u64 {
        let starts =
            self.spans.iter().map(|span| span.start).chain(self.running.iter().map(|span| span.start));
        starts.min().unwrap_or(self.now)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let epoch = self.start();
        let spans = self.spans.iter();
        let resources =
            spans.clone().map(|span| &span.resource).chain(self.running.iter().map(|span| &span.resource));
        let resources = Table::new(resources.chain(self.logs.iter().map(|log| &log.resource)));
        let scopes = Table::new(spans.map(|span| &span.scope).chain(self.logs.iter().map(|log| &log.scope)));
        let places = Places { epoch, resources, scopes };
        let mut document = serializer.serialize_struct("Trace", 10)?;
        document.serialize_field("format", crate::intake::FORMAT)?;
        document.serialize_field("id", &self.id.to_string())?;
        document.serialize_field("epoch", &epoch.to_string())?;
        document.serialize_field("now", &places.time(self.now))?;
        document.serialize_field(
            "resources",
            &places.resources.all.iter().map(|of| WrittenResource(of)).collect::<Vec<_>>(),
        )?;
        document.serialize_field("scopes", &scopes_of(&places, !self.running.is_empty()))?;
        document.serialize_field("spans", &Spans { document: self, places: &places })?;
        let logs: Vec<WrittenLog<'_>> =
            self.logs.iter().map(|log| WrittenLog { log, places: &places }).collect();
        document.serialize_field("logs", &logs)?;
        document.serialize_field("linkedFrom", &self.linked_from)?;
        document.serialize_field("truncated", &self.truncated)?;
        document.end()
    }
}

struct WrittenResource<'a>(&'a Resource);

impl Serialize for WrittenResource<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut resource = serializer.serialize_struct("Resource", 2)?;
        resource.serialize_field("service", &*self.0.service)?;
        resource.serialize_field("attributes", &Pairs(&self.0.attributes))?;
        resource.end()
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenScope<'a> {
    name: &'a str,
    version: &'a str,
    schema_url: &'a str,
    attributes: Pairs<'a>,
}

/// A running span's scope is not noted: it has an empty one, at the end.
fn scopes_of<'a>(places: &Places<'a>, has_running: bool) -> Vec<WrittenScope<'a>> {
    let written = |scope: &&'a Arc<Scope>| WrittenScope {
        name: &scope.name,
        version: &scope.version,
        schema_url: &scope.schema_url,
        attributes: Pairs(&scope.attributes),
    };
    let empty =
        has_running.then_some(WrittenScope { name: "", version: "", schema_url: "", attributes: Pairs(&[]) });
    places.scopes.all.iter().map(written).chain(empty).collect()
}

/// Those that have ended and those that run, in the order of their start.
struct Spans<'a> {
    document: &'a Document,
    places: &'a Places<'a>,
}

impl Serialize for Spans<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ended = self.document.spans.iter().map(|span| WrittenSpan::ended(span, self.places));
        let running = self.document.running.iter().map(|span| WrittenSpan::running(span, self.places));
        let mut all: Vec<WrittenSpan<'_>> = ended.chain(running).collect();
        all.sort_by_key(|span| span.start);
        serializer.collect_seq(all)
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenSpan<'a> {
    id: String,
    parent: Option<String>,
    remote: Option<bool>,
    name: &'a str,
    kind: &'static str,
    start: i64,
    end: Option<i64>,
    status: &'static str,
    message: &'a str,
    resource: usize,
    scope: usize,
    attributes: Pairs<'a>,
    events: Vec<WrittenEvent<'a>>,
    links: Vec<WrittenLink<'a>>,
    state: &'a str,
    dropped_attributes: u32,
    dropped_events: u32,
    dropped_links: u32,
}

fn optional(id: SpanId) -> Option<String> {
    (id != SpanId::INVALID).then(|| id.to_string())
}

impl<'a> WrittenSpan<'a> {
    fn ended(span: &'a Span, places: &Places<'_>) -> Self {
        let more = span.more.as_deref();
        Self {
            id: span.id.to_string(),
            parent: optional(span.parent),
            remote: span.remote.filter(|_| !span.is_root()),
            name: &span.name,
            kind: span.kind.name(),
            start: places.time(span.start),
            end: Some(places.time(span.end)),
            status: span.status.name(),
            message: span.message.as_deref().unwrap_or_default(),
            resource: places.resources.place(&span.resource),
            scope: places.scopes.place(&span.scope),
            attributes: Pairs(&span.attributes),
            events: span.events().iter().map(|event| WrittenEvent::new(event, places)).collect(),
            links: span.links().iter().map(WrittenLink::new).collect(),
            state: more.map_or("", |more| &more.state),
            dropped_attributes: more.map_or(0, |more| more.dropped_attributes),
            dropped_events: more.map_or(0, |more| more.dropped_events),
            dropped_links: more.map_or(0, |more| more.dropped_links),
        }
    }

    fn running(span: &'a RunningSpan, places: &Places<'_>) -> Self {
        Self {
            id: span.id.to_string(),
            parent: optional(span.parent),
            remote: span.remote.filter(|_| !span.is_root()),
            name: &span.name,
            kind: span.kind.name(),
            start: places.time(span.start),
            end: None,
            status: "unset",
            message: "",
            resource: places.resources.place(&span.resource),
            scope: places.scopes.all.len(),
            attributes: Pairs(&[]),
            events: Vec::new(),
            links: Vec::new(),
            state: "",
            dropped_attributes: 0,
            dropped_events: 0,
            dropped_links: 0,
        }
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenEvent<'a> {
    name: &'a str,
    time: i64,
    attributes: Pairs<'a>,
    dropped_attributes: u32,
}

impl<'a> WrittenEvent<'a> {
    fn new(event: &'a Event, places: &Places<'_>) -> Self {
        let (time, attributes) = (places.time(event.time), Pairs(&event.attributes));
        Self { name: &event.name, time, attributes, dropped_attributes: event.dropped_attributes }
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenLink<'a> {
    trace: String,
    span: String,
    state: &'a str,
    attributes: Pairs<'a>,
    dropped_attributes: u32,
}

impl<'a> WrittenLink<'a> {
    fn new(link: &'a Link) -> Self {
        let (trace, span) = (link.trace.to_string(), link.span.to_string());
        let attributes: &Attributes = &link.attributes;
        Self {
            trace,
            span,
            state: &link.state,
            attributes: Pairs(attributes),
            dropped_attributes: link.dropped_attributes,
        }
    }
}

struct WrittenLog<'a> {
    log: &'a Log,
    places: &'a Places<'a>,
}

impl Serialize for WrittenLog<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (log, body): (&Log, &Value) = (self.log, &self.log.body);
        let mut written = serializer.serialize_struct("Log", 9)?;
        written.serialize_field("time", &self.places.time(log.time))?;
        written.serialize_field("severity", &log.severity)?;
        written.serialize_field("level", &*log.level)?;
        written.serialize_field("body", body)?;
        written.serialize_field("event", &log.event.as_deref())?;
        written.serialize_field("span", &optional(log.span))?;
        written.serialize_field("resource", &self.places.resources.place(&log.resource))?;
        written.serialize_field("scope", &self.places.scopes.place(&log.scope))?;
        written.serialize_field("attributes", &Pairs(&log.attributes))?;
        written.end()
    }
}
