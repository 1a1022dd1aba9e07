//! What can be chosen in code, which beats the environment.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::logs::{LogExporter, LogProcessor, LoggerProviderBuilder};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{MeterProviderBuilder, PeriodicReader};
use opentelemetry_sdk::trace::{ShouldSample, SpanExporter, SpanProcessor, TracerProviderBuilder};

use super::Telemetry;

impl Telemetry {
    /// The name of the service, `service.name`.
    pub fn service_name(self, name: impl Into<String>) -> Self {
        self.resource_attributes([KeyValue::new("service.name", name.into())])
    }

    /// The version of the service, `service.version`.
    pub fn service_version(self, version: impl Into<String>) -> Self {
        self.resource_attributes([KeyValue::new("service.version", version.into())])
    }

    /// Adds attributes to the resource, which all spans, metrics and logs have in common.
    pub fn resource_attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    /// Decides which traces are recorded.
    pub fn sampler(mut self, sampler: impl ShouldSample + 'static) -> Self {
        self.sampler = Some(Box::new(sampler));
        self
    }

    /// Reads and writes context headers.
    pub fn propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.propagator = Some(Arc::new(propagator));
        self
    }

    /// Adds an exporter of spans.
    pub fn span_exporter(self, exporter: impl SpanExporter + 'static) -> Self {
        self.tracer_provider(|builder| builder.with_batch_exporter(exporter))
    }

    /// Adds a processor of spans, which sees each as it starts and ends.
    pub fn span_processor(self, processor: impl SpanProcessor + 'static) -> Self {
        self.tracer_provider(|builder| builder.with_span_processor(processor))
    }

    /// Adds an exporter of metrics.
    pub fn metric_exporter(self, exporter: impl PushMetricExporter) -> Self {
        self.meter_provider(|builder| builder.with_periodic_exporter(exporter))
    }

    /// Adds a reader of metrics, with an interval of its own.
    pub fn metric_reader(self, reader: PeriodicReader<impl PushMetricExporter>) -> Self {
        self.meter_provider(|builder| builder.with_reader(reader))
    }

    /// Adds an exporter of logs.
    pub fn log_exporter(self, exporter: impl LogExporter + 'static) -> Self {
        self.logger_provider(|builder| builder.with_batch_exporter(exporter))
    }

    /// Adds a processor of logs.
    pub fn log_processor(self, processor: impl LogProcessor + 'static) -> Self {
        self.logger_provider(|builder| builder.with_log_processor(processor))
    }

    /// Changes the SDK's builder for whatever has no setter here, such as limits or an id generator.
    pub fn tracer_provider(
        mut self,
        change: impl FnOnce(TracerProviderBuilder) -> TracerProviderBuilder + Send + 'static,
    ) -> Self {
        self.tracers.push(Box::new(change));
        self
    }

    /// Changes the SDK's builder for whatever has no setter here, such as views.
    pub fn meter_provider(
        mut self,
        change: impl FnOnce(MeterProviderBuilder) -> MeterProviderBuilder + Send + 'static,
    ) -> Self {
        self.meters.push(Box::new(change));
        self
    }

    /// Changes the SDK's builder for whatever has no setter here.
    pub fn logger_provider(
        mut self,
        change: impl FnOnce(LoggerProviderBuilder) -> LoggerProviderBuilder + Send + 'static,
    ) -> Self {
        self.loggers.push(Box::new(change));
        self
    }
}
