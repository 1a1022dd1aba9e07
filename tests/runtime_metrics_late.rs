//! Polls are counted where the global meter provider is set after the layer was used.
#![allow(missing_docs, clippy::unwrap_used)]

use std::convert::Infallible;
use std::time::{Duration, Instant};

use opentelemetry::global;
use opentelemetry_sdk::metrics::data::{ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use otelhttp::telemetry::PollsLayer;
use tower::{Layer, ServiceExt};

#[tokio::test]
async fn a_provider_that_is_set_late_is_found() {
    let service = PollsLayer::new().layer(tower::service_fn(|()| async { Ok::<_, Infallible>(()) }));
    for _ in 0..3 {
        service.clone().oneshot(()).await.unwrap();
    }

    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(3_600)).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    global::set_meter_provider(provider.clone());
    let start = Instant::now();
    loop {
        service.clone().oneshot(()).await.unwrap();
        provider.force_flush().unwrap();
        let exports = exporter.get_finished_metrics().unwrap();
        let mut metrics =
            exports.iter().flat_map(ResourceMetrics::scope_metrics).flat_map(ScopeMetrics::metrics);
        if metrics.any(|metric| metric.name() == "otelhttp.server.poll.count") {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain for the polls");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
