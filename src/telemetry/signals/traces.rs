//! Spans.

use opentelemetry_sdk::trace::{SdkTracerProvider, ShouldSample, SpanData, TracerProviderBuilder};

use super::{Change, SOON, Site, changed};
use crate::telemetry::deliver::{Delivery, Sink, SpanWatcher, Spans};
use crate::telemetry::environment::{Exporter, Signal};
use crate::telemetry::{Error, console, otlp};

#[derive(Default)]
pub(in crate::telemetry) struct Traces {
    pub(in crate::telemetry) sampler: Option<Box<dyn ShouldSample>>,
    pub(in crate::telemetry) sinks: Vec<Box<dyn Sink<SpanData>>>,
    pub(in crate::telemetry) watchers: Vec<Box<dyn SpanWatcher>>,
    pub(in crate::telemetry) changes: Vec<Change<TracerProviderBuilder>>,
}

impl Traces {
    pub(in crate::telemetry) fn build(mut self, site: &Site) -> Result<(SdkTracerProvider, Delivery), Error> {
        let Site { environment, .. } = site;
        let has_its_own = !self.sinks.is_empty();
        let mut soon = None;
        for exporter in site.exporters(Signal::Traces, has_its_own) {
            match exporter {
                Exporter::Otlp => self.sinks.push(Box::new(otlp::spans(environment, &site.driver)?)),
                Exporter::Console => {
                    let (sink, watcher) = console::spans(site.console);
                    self.sinks.push(sink);
                    self.watchers.extend(watcher);
                    soon = Some(SOON);
                }
            }
        }
        let builder = SdkTracerProvider::builder()
            .with_resource(site.resource.clone())
            .with_sampler(self.sampler.unwrap_or_else(|| environment.sampler()))
            .with_span_limits(environment.span_limits());
        let builder = changed(builder, self.changes);
        if self.sinks.is_empty() && self.watchers.is_empty() {
            return Ok((builder.build(), Delivery::nowhere("spans")));
        }
        let means = site.means(environment.span_batches(soon), "OTEL_BSP_MAX_QUEUE_SIZE");
        let spans = Spans::new(self.sinks, self.watchers, means)?;
        let delivery = spans.delivery();
        Ok((builder.with_span_processor(spans).build(), delivery))
    }
}
