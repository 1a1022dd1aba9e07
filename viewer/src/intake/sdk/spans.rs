use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, SpanId, TraceId};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};

use super::nanos;
use crate::model::{Kind, Resource};
use crate::shared::Shared;
use crate::store::RunningSpan;

/// Takes the spans of this process, as the only processor of a provider or as an exporter behind one.
#[derive(Debug)]
pub(crate) struct SpanIntake {
    shared: Arc<Shared>,
    resource: Arc<Resource>,
}

impl SpanIntake {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let resource = shared.resource(&opentelemetry_sdk::Resource::builder_empty().build());
        Self { shared, resource }
    }
}

impl SpanProcessor for SpanIntake {
    fn on_start(&self, span: &mut Span, _parent: &Context) {
        self.shared.begin(span, &self.resource);
    }

    fn on_end(&self, span: SpanData) {
        let ended = ids(&span);
        // First this, so that whoever asks meanwhile sees it somewhere.
        self.shared.take_span(span, &self.resource);
        self.shared.end(ended);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.shared.settle();
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        self.shared.settle();
        Ok(())
    }

    fn set_resource(&mut self, resource: &opentelemetry_sdk::Resource) {
        self.resource = self.shared.resource(resource);
    }
}

impl SpanExporter for SpanIntake {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        batch.into_iter().for_each(|span| self.shared.take_span(span, &self.resource));
        Ok(())
    }

    fn set_resource(&mut self, resource: &opentelemetry_sdk::Resource) {
        self.resource = self.shared.resource(resource);
    }
}

/// Stands around another processor and notes what runs.
#[derive(Debug)]
pub(crate) struct Watch<P> {
    shared: Arc<Shared>,
    resource: Arc<Resource>,
    inner: P,
}

impl<P> Watch<P> {
    pub(crate) fn new(shared: Arc<Shared>, inner: P) -> Self {
        let SpanIntake { shared, resource } = SpanIntake::new(shared);
        Self { shared, resource, inner }
    }
}

impl<P: SpanProcessor> SpanProcessor for Watch<P> {
    fn on_start(&self, span: &mut Span, parent: &Context) {
        self.inner.on_start(span, parent);
        self.shared.begin(span, &self.resource);
    }

    fn on_end(&self, span: SpanData) {
        let ended = ids(&span);
        self.inner.on_end(span);
        self.shared.end(ended);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &opentelemetry_sdk::Resource) {
        self.resource = self.shared.resource(resource);
        self.inner.set_resource(resource);
    }
}

impl Shared {
    fn begin(&self, span: &Span, resource: &Arc<Resource>) {
        // The SDK shows a running span's name only together with a copy of everything in it.
        let Some(data) = span.exported_data() else { return };
        let running = RunningSpan {
            id: data.span_context.span_id(),
            parent: data.parent_span_id,
            remote: Some(data.parent_span_is_remote),
            kind: Kind::from(data.span_kind),
            start: nanos(data.start_time),
            name: data.name,
            resource: resource.clone(),
        };
        self.running().begin(span.span_context().trace_id(), running);
    }

    fn end(&self, (trace, span): (TraceId, SpanId)) {
        self.running().end(trace, span);
    }
}

fn ids(span: &SpanData) -> (TraceId, SpanId) {
    (span.span_context.trace_id(), span.span_context.span_id())
}
