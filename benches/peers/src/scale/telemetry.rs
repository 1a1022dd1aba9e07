//! Providers with ends that drop everything, but count it first: a subject that loses spans is not fast.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::{Context, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, MeterProviderBuilder, PeriodicReader, SdkMeterProvider, Stream, Temporality,
};
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};

use super::Subject;

const DURATION: &str = "http.server.request.duration";
const ACTIVE_REQUESTS: &str = "http.server.active_requests";

thread_local! {
    /// Each thread counts for itself, so that they do not meet here.
    static SPANS: Cell<u64> = const { Cell::new(0) };
}

static MEASURED: AtomicU64 = AtomicU64::new(0);
static ACTIVE: AtomicI64 = AtomicI64::new(0);

pub(super) fn spans_of_this_thread() -> u64 {
    SPANS.get()
}

/// What has to be shut down in the end.
pub(super) struct Telemetry(Option<SdkMeterProvider>);

pub(super) fn configure(subject: Subject) -> Telemetry {
    global::set_tracer_provider(SdkTracerProvider::builder().with_span_processor(Forget).build());
    let meters = match subject {
        Subject::Bare | Subject::WithoutMetrics => None,
        Subject::Otelhttp => Some(meter_provider().build()),
        Subject::WithoutLocks => Some(meter_provider().with_view(without_duration).build()),
    };
    if let Some(meters) = &meters {
        global::set_meter_provider(meters.clone());
    }
    Telemetry(meters)
}

fn meter_provider() -> MeterProviderBuilder {
    let reader = PeriodicReader::builder(Forget).with_interval(Duration::from_secs(3_600));
    SdkMeterProvider::builder().with_reader(reader.build())
}

fn without_duration(instrument: &Instrument) -> Option<Stream> {
    let dropped = || Stream::builder().with_aggregation(Aggregation::Drop).build().expect("a stream");
    (instrument.name() == DURATION).then(dropped)
}

impl Telemetry {
    /// Tells how many durations were measured, and how many requests are still thought to be in flight.
    pub(super) fn finish(self) -> String {
        if let Some(meters) = self.0 {
            meters.shutdown().expect("the metrics are flushed");
        }
        let (measured, active) = (MEASURED.load(Ordering::Relaxed), ACTIVE.load(Ordering::Relaxed));
        format!("measured={measured} active={active}")
    }
}

#[derive(Debug)]
struct Forget;

impl SpanProcessor for Forget {
    fn on_start(&self, _span: &mut Span, _cx: &Context) {}
    fn on_end(&self, _span: SpanData) {
        SPANS.set(SPANS.get() + 1);
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl PushMetricExporter for Forget {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            match (metric.name(), metric.data()) {
                (DURATION, AggregatedMetrics::F64(MetricData::Histogram(data))) => {
                    let measured = data.data_points().map(|point| point.count()).sum();
                    MEASURED.store(measured, Ordering::Relaxed);
                }
                (ACTIVE_REQUESTS, AggregatedMetrics::I64(MetricData::Sum(data))) => {
                    let active = data.data_points().map(|point| point.value()).sum();
                    ACTIVE.store(active, Ordering::Relaxed);
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
