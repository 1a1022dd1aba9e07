//! A line of JSON for each span.

use std::time::Duration;

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SpanData;

use super::json::{Object, line};
use super::print;
use super::time::rfc3339;
use crate::telemetry::deliver::{Accepted, Exporting, Sink};

#[derive(Debug)]
pub(super) struct ConsoleLines;

impl Sink<SpanData> for ConsoleLines {
    fn whither(&self) -> String {
        "the console".to_owned()
    }

    fn export(&self, batch: Vec<SpanData>) -> Exporting<'_> {
        let lines: String = batch.iter().map(json).collect();
        print(&lines);
        Box::pin(std::future::ready(Ok(Accepted::default())))
    }

    fn resource(&mut self, _resource: &Resource) {}

    fn shutdown(&self, _within: Duration) -> OTelSdkResult {
        Ok(())
    }
}

pub(super) fn kind(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

fn json(span: &SpanData) -> String {
    line(|object| {
        object.string("time", &rfc3339(span.start_time));
        let lasted = span.end_time.duration_since(span.start_time).unwrap_or_default();
        object.number("duration_ms", lasted.as_secs_f64() * 1_000.0);
        object.string("kind", kind(&span.span_kind));
        object.string("name", &span.name);
        ids(object, &span.span_context);
        if span.parent_span_id != SpanId::INVALID {
            object.string("parent_span_id", &span.parent_span_id.to_string());
        }
        status(object, &span.status);
        object.attributes("attributes", &span.attributes);
        object.objects("events", span.events.iter(), |object, event| {
            object.string("time", &rfc3339(event.timestamp));
            object.string("name", &event.name);
            object.attributes("attributes", &event.attributes);
        });
        object.objects("links", span.links.iter(), |object, link| {
            ids(object, &link.span_context);
            object.attributes("attributes", &link.attributes);
        });
        object.string("scope", span.instrumentation_scope.name());
    })
}

fn ids(object: &mut Object<'_>, context: &SpanContext) {
    object.string("trace_id", &context.trace_id().to_string());
    object.string("span_id", &context.span_id().to_string());
}

fn status(object: &mut Object<'_>, status: &Status) {
    match status {
        Status::Unset => {}
        Status::Ok => object.string("status", "ok"),
        Status::Error { description } => {
            object.string("status", "error");
            if !description.is_empty() {
                object.string("status_description", description);
            }
        }
    }
}
