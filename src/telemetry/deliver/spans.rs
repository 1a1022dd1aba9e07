//! The queue of the spans.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::Span as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::queue::Queue;
use super::{Delivery, Means, Sink, SpanWatcher};
use crate::guest::contain;
use crate::telemetry::Error;

/// The processor of spans, and its only one unless others are asked for.
#[derive(Debug)]
pub(crate) struct Spans {
    queue: Queue<SpanData>,
    watchers: Vec<Box<dyn SpanWatcher>>,
}

impl Spans {
    pub(crate) fn new(
        sinks: Vec<Box<dyn Sink<SpanData>>>,
        watchers: Vec<Box<dyn SpanWatcher>>,
        means: Means,
    ) -> Result<Self, Error> {
        Ok(Self { queue: Queue::new("spans", sinks, means)?, watchers })
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.queue.delivery()
    }

    fn each_watcher(&self, mut show: impl FnMut(&dyn SpanWatcher)) {
        for watcher in &self.watchers {
            contain("a watcher of spans", || show(&**watcher));
        }
    }
}

impl SpanProcessor for Spans {
    fn on_start(&self, span: &mut Span, parent: &Context) {
        if span.span_context().is_sampled() {
            self.queue.started();
            self.each_watcher(|watcher| watcher.started(span, parent));
        }
    }

    fn on_end(&self, span: SpanData) {
        // "Span Exporter SHOULD NOT receive them unless the Sampled flag was also set."
        if span.span_context.is_sampled() {
            self.each_watcher(|watcher| watcher.ended(&span));
            self.queue.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.queue.flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.queue.end(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.queue.resource(resource);
    }
}
