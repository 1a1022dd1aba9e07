//! The exporters of metrics, watched for outages.

use std::pin::pin;
use std::time::Duration;

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;

use crate::telemetry::deliver::Outage;
use crate::telemetry::driver::Driver;
use crate::telemetry::report::Reports;

/// An exporter whose outages are told, once each, and that has a runtime.
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
        let mut exporting = pin!(self.exporter.export(metrics));
        let exported = std::future::poll_fn(|cx| {
            let _runtime = self.driver.enter();
            exporting.as_mut().poll(cx)
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
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
