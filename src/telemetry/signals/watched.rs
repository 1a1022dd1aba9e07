//! The exporters of metrics, watched for outages.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;

use crate::guest::contain;
use crate::telemetry::deliver::{Outage, PANICKED};
use crate::telemetry::driver::Driver;
use crate::telemetry::report::Reports;

/// An exporter whose outages are told, once each, and that has a runtime. A panic is its own, and not the end of
/// the reader's thread.
#[derive(Debug)]
pub(super) struct Watched<E> {
    exporter: E,
    outage: Outage,
    driver: Driver,
}

impl<E: PushMetricExporter> Watched<E> {
    pub(super) fn new(exporter: E, whither: &str, driver: Driver, reports: &Reports) -> Self {
        Self { exporter, outage: Outage::of_exports("metrics", whither, reports.clone()), driver }
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Watched<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        // The reader's thread knows of no runtime.
        let mut exporting = pin!(async { self.exporter.export(metrics).await });
        let exported = std::future::poll_fn(|cx| {
            let _runtime = self.driver.enter();
            contain(METRICS, || exporting.as_mut().poll(cx)).unwrap_or_else(|| Poll::Ready(panicked()))
        });
        let exported = exported.await;
        match &exported {
            Ok(()) => self.outage.is_over(),
            Err(OTelSdkError::InternalFailure(why)) => self.outage.goes_on(0, why),
            Err(error) => self.outage.goes_on(0, &error.to_string()),
        }
        exported
    }

    fn force_flush(&self) -> OTelSdkResult {
        contain(METRICS, || self.exporter.force_flush()).unwrap_or_else(panicked)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        contain(METRICS, || self.exporter.shutdown_with_timeout(timeout)).unwrap_or_else(panicked)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

const METRICS: &str = "an exporter of metrics";

fn panicked() -> OTelSdkResult {
    Err(OTelSdkError::InternalFailure(PANICKED.to_owned()))
}
