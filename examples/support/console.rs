//! Prints each span when it ends, and the metrics at the end of the program.
//!
//! The examples share it so that there is something to see. A real program exports to a collector
//! here, as the quickstart does; the layers do not know the difference.

use std::time::Duration;

use opentelemetry::trace::Status;
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};

/// Sets the global providers, which is all that the layers need. The metrics are printed when it is
/// dropped.
pub(crate) fn install() -> impl Drop {
    let tracer_provider = SdkTracerProvider::builder().with_simple_exporter(Console).build();
    let at_the_end = PeriodicReader::builder(Console).with_interval(Duration::MAX).build();
    let meter_provider = SdkMeterProvider::builder().with_reader(at_the_end).build();
    global::set_tracer_provider(tracer_provider);
    global::set_meter_provider(meter_provider.clone());
    PrintMetrics(meter_provider)
}

struct PrintMetrics(SdkMeterProvider);

impl Drop for PrintMetrics {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            eprintln!("the metrics could not be printed: {error}");
        }
    }
}

#[derive(Debug)]
struct Console;

impl SpanExporter for Console {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        for span in spans {
            let lasted = span.end_time.duration_since(span.start_time).unwrap_or_default();
            println!("{:?} span {:?}, {lasted:.1?}", span.span_kind, span.name);
            let (id, parent) = (&span.span_context, span.parent_span_id);
            println!("    trace {}, span {}, parent {parent}", id.trace_id(), id.span_id());
            for link in span.links.iter() {
                println!("    linked to trace {}", link.span_context.trace_id());
            }
            if let Status::Error { description } = &span.status {
                println!("    error{}{description}", if description.is_empty() { "" } else { ": " });
            }
            for attribute in &span.attributes {
                println!("    {} = {}", attribute.key, attribute.value);
            }
        }
        Ok(())
    }
}

impl PushMetricExporter for Console {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        for metric in metrics.scope_metrics().flat_map(ScopeMetrics::metrics) {
            println!("{}, in {}", metric.name(), metric.unit());
            match metric.data() {
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                    for point in histogram.data_points() {
                        println!("    {} times, {:.4} in all", point.count(), point.sum());
                        print_labels(point.attributes());
                    }
                }
                AggregatedMetrics::I64(MetricData::Sum(sum)) => {
                    for point in sum.data_points() {
                        println!("    {} now", point.value());
                        print_labels(point.attributes());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

fn print_labels<'l>(labels: impl Iterator<Item = &'l KeyValue>) {
    let mut labels: Vec<_> = labels.collect();
    labels.sort_by_key(|label| &label.key);
    labels.iter().for_each(|label| println!("        {} = {}", label.key, label.value));
}
