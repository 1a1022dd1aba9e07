//! The exporters of `opentelemetry-otlp`, with what their transport knows.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::LogExporter as _;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use super::transport::Transport;
use crate::telemetry::deliver::{Accepted, Exporting, Outcome, Record, Sink, export_logs};
use crate::telemetry::report::Reports;

#[derive(Debug)]
pub(crate) struct OtlpSpans {
    pub(super) exporter: SpanExporter,
    pub(super) transport: Arc<Transport>,
    pub(super) whither: String,
}

#[derive(Debug)]
pub(crate) struct OtlpLogs {
    pub(super) exporter: LogExporter,
    pub(super) transport: Arc<Transport>,
    pub(super) whither: String,
}

#[derive(Debug)]
pub(crate) struct OtlpMetrics {
    pub(super) exporter: MetricExporter,
    pub(super) transport: Arc<Transport>,
    pub(super) whither: String,
    pub(super) reports: Reports,
}

impl Sink<SpanData> for OtlpSpans {
    fn whither(&self) -> String {
        self.whither.clone()
    }

    fn export(&self, batch: Vec<SpanData>) -> Exporting<'_> {
        Box::pin(async { outcome(self.exporter.export(batch).await, &self.transport) })
    }

    fn resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }

    fn shutdown(&self, within: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(within)
    }
}

impl Sink<Record> for OtlpLogs {
    fn whither(&self) -> String {
        self.whither.clone()
    }

    fn export(&self, batch: Vec<Record>) -> Exporting<'_> {
        Box::pin(async move { outcome(export_logs(&self.exporter, &batch).await, &self.transport) })
    }

    fn resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }

    fn shutdown(&self, within: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(within)
    }
}

impl OtlpMetrics {
    pub(crate) fn whither(&self) -> String {
        self.whither.clone()
    }
}

impl PushMetricExporter for OtlpMetrics {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let outcome = outcome(self.exporter.export(metrics).await, &self.transport);
        let accepted = outcome.map_err(OTelSdkError::InternalFailure)?;
        let colon = if accepted.why.is_empty() { "" } else { ": " };
        let why = format!("{colon}{}", accepted.why);
        match accepted.rejected {
            0 if why.is_empty() => Ok(()),
            0 => {
                self.reports.tell_once(format!("{} took all, and says{why}", self.whither));
                Ok(())
            }
            1 => Err(OTelSdkError::InternalFailure(format!("1 point was rejected{why}"))),
            many => Err(OTelSdkError::InternalFailure(format!("{many} points were rejected{why}"))),
        }
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

/// What the transport has seen, or what the exporter says if it has sent nothing.
fn outcome(exported: OTelSdkResult, transport: &Transport) -> Outcome {
    transport.outcome().unwrap_or_else(|| match exported {
        Ok(()) => Ok(Accepted::default()),
        Err(OTelSdkError::InternalFailure(why)) => Err(why),
        Err(error) => Err(error.to_string()),
    })
}
