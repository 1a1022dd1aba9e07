//! What can be chosen in code, which beats the variables.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::logs::{LogExporter, LogProcessor, LoggerProviderBuilder};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{MeterProviderBuilder, PeriodicReader};
use opentelemetry_sdk::trace::{ShouldSample, SpanExporter, SpanProcessor, TracerProviderBuilder};

use super::deliver::{LogSink, SpanSink, name_of};
use super::propagators::Propagator;
use super::report::Reports;
use super::{ConsoleFormat, Exporter, Signal, SpanWatcher, Telemetry};

impl Telemetry {
    /// The name of the service, `service.name`. Default: `OTEL_SERVICE_NAME`, or that of the program.
    pub fn service_name(self, name: impl Into<String>) -> Self {
        self.resource_attributes([KeyValue::new("service.name", name.into())])
    }

    /// The version of the service, `service.version`. Default: none.
    pub fn service_version(self, version: impl Into<String>) -> Self {
        self.resource_attributes([KeyValue::new("service.version", version.into())])
    }

    /// Adds attributes to the resource, which all spans, metrics and logs have in common.
    ///
    /// The process, its host and system, the container where its id can be read, and a random
    /// `service.instance.id` are found without; `OTEL_RESOURCE_ATTRIBUTES` beats what is found, and this beats
    /// both.
    pub fn resource_attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    /// Decides which traces are recorded. Default: `OTEL_TRACES_SAMPLER`, or what the caller has decided, and
    /// all that begin here.
    pub fn sampler(mut self, sampler: impl ShouldSample + 'static) -> Self {
        self.traces.sampler = Some(Box::new(sampler));
        self
    }

    /// Reads and writes context headers. Default: `OTEL_PROPAGATORS`, or W3C Trace Context and Baggage.
    pub fn propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.propagator = Some(Propagator::new(propagator));
        self
    }

    /// The built-in exporters of these signals, whatever the variables say. Default: what
    /// `OTEL_TRACES_EXPORTER` and the other two say.
    pub fn exporters(
        mut self,
        signals: impl IntoIterator<Item = Signal>,
        exporters: impl AsRef<[Exporter]>,
    ) -> Self {
        self.choice.always(signals, exporters.as_ref());
        self
    }

    /// The built-in exporters of these signals where the variables name neither exporters nor an endpoint.
    /// Default: none for a signal with an exporter or a reader of its own ([`span_exporter`](Self::span_exporter),
    /// [`metric_exporter`](Self::metric_exporter), [`metric_reader`](Self::metric_reader),
    /// [`log_exporter`](Self::log_exporter)), and OTLP for others. A processor that exports by itself is not
    /// known as one: say `default_exporters(Signal::ALL, [])` with it.
    pub fn default_exporters(
        mut self,
        signals: impl IntoIterator<Item = Signal>,
        exporters: impl AsRef<[Exporter]>,
    ) -> Self {
        self.choice.otherwise(signals, exporters.as_ref());
        self
    }

    /// What the console shows. Default: trees on a terminal, and otherwise JSON.
    pub fn console_format(mut self, format: ConsoleFormat) -> Self {
        self.console = format;
        self
    }

    /// Adds an exporter of spans, behind the same queue as all others.
    ///
    /// All exporters of spans share one thread, which nobody else has. It is in the context of a tokio runtime
    /// but not of it: they may use the one and block the other. One that blocks holds the others up meanwhile;
    /// those that wait as futures do, run side by side.
    pub fn span_exporter(mut self, exporter: impl SpanExporter + 'static) -> Self {
        self.traces.sinks.push(Box::new(SpanSink(exporter)));
        self
    }

    /// Adds a processor of spans.
    ///
    /// The SDK copies each span for it, on the thread of the request: for exporting use
    /// [`span_exporter`](Self::span_exporter), and for looking [`span_watcher`](Self::span_watcher).
    pub fn span_processor(self, processor: impl SpanProcessor + 'static) -> Self {
        self.tracer_provider(|builder| builder.with_span_processor(processor))
    }

    /// Shows each sampled span as it starts and ends.
    pub fn span_watcher(mut self, watcher: impl SpanWatcher + 'static) -> Self {
        self.traces.watchers.push(Box::new(watcher));
        self
    }

    /// Adds an exporter of metrics.
    pub fn metric_exporter<E: PushMetricExporter>(mut self, exporter: E) -> Self {
        self.metrics.add(exporter, name_of::<E>());
        self
    }

    /// Adds a reader of metrics, with an interval of its own.
    pub fn metric_reader(mut self, reader: PeriodicReader<impl PushMetricExporter>) -> Self {
        self.metrics.has_reader = true;
        self.meter_provider(|builder| builder.with_reader(reader))
    }

    /// How often metrics are exported. Default: `OTEL_METRIC_EXPORT_INTERVAL`, or a minute, and ten seconds to
    /// the console.
    pub fn metric_interval(mut self, interval: Duration) -> Self {
        self.metrics.interval = Some(interval);
        self
    }

    /// Adds an exporter of logs, behind the same queue as all others. It runs as
    /// [one of spans](Self::span_exporter) does.
    pub fn log_exporter(mut self, exporter: impl LogExporter + 'static) -> Self {
        self.logs.sinks.push(Box::new(LogSink(exporter)));
        self
    }

    /// Adds a processor of logs, which may change them before they are exported.
    pub fn log_processor(self, processor: impl LogProcessor + 'static) -> Self {
        self.logger_provider(|builder| builder.with_log_processor(processor))
    }

    /// Changes the SDK's builder, for whatever has no setter here, such as an id generator.
    pub fn tracer_provider(
        mut self,
        change: impl FnOnce(TracerProviderBuilder) -> TracerProviderBuilder + Send + 'static,
    ) -> Self {
        self.traces.changes.push(Box::new(change));
        self
    }

    /// Changes the SDK's builder, for whatever has no setter here, such as views and readers.
    pub fn meter_provider(
        mut self,
        change: impl FnOnce(MeterProviderBuilder) -> MeterProviderBuilder + Send + 'static,
    ) -> Self {
        self.metrics.changes.push(Box::new(change));
        self
    }

    /// Changes the SDK's builder, for whatever has no setter here.
    pub fn logger_provider(
        mut self,
        change: impl FnOnce(LoggerProviderBuilder) -> LoggerProviderBuilder + Send + 'static,
    ) -> Self {
        self.logs.changes.push(Box::new(change));
        self
    }

    /// How long a batch of spans or logs that is not full waits for more, which is how late they are seen.
    /// Default: `OTEL_BSP_SCHEDULE_DELAY` and `OTEL_BLRP_SCHEDULE_DELAY`, or five seconds and one, and 200
    /// milliseconds where the console is among the exporters.
    pub fn batch_delay(mut self, delay: Duration) -> Self {
        self.batch_delay = Some(delay);
        self
    }

    /// How long the guard waits for the last exports. Default: five seconds.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Is told what a user must see: a variable that is ignored, an outage and its end, and what was lost.
    /// Default: the `log` facade if a logger listens there (feature `internal-logs`), and otherwise the
    /// standard error.
    pub fn on_warning(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.environment.reports = Reports::to(tell);
        self
    }
}
