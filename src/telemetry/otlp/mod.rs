//! OpenTelemetry's protocol, to a collector or to any backend that speaks it.

mod answer;
mod client;
mod endpoint;
mod secrets;
mod settings;
mod sinks;
mod tls;
mod transport;
mod trouble;

use std::sync::Arc;

use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::metrics::Temporality;
use settings::Settings;
pub(crate) use sinks::{OtlpLogs, OtlpMetrics, OtlpSpans};
use transport::Transport;

use super::Error;
use super::driver::Driver;
use super::environment::{Environment, Signal};

/// The exporter of spans that the variables describe.
pub(crate) fn spans(environment: &Environment, driver: &Driver) -> Result<OtlpSpans, Error> {
    let (transport, whither) = transport(environment, Signal::Traces, driver)?;
    let exporter = told(SpanExporter::builder().with_http(), &transport).build().map_err(unbuilt)?;
    Ok(OtlpSpans { exporter, transport, whither })
}

/// The exporter of logs that the variables describe.
pub(crate) fn logs(environment: &Environment, driver: &Driver) -> Result<OtlpLogs, Error> {
    let (transport, whither) = transport(environment, Signal::Logs, driver)?;
    let exporter = told(LogExporter::builder().with_http(), &transport).build().map_err(unbuilt)?;
    Ok(OtlpLogs { exporter, transport, whither })
}

/// The exporter of metrics that the variables describe.
pub(crate) fn metrics(environment: &Environment, driver: &Driver) -> Result<OtlpMetrics, Error> {
    let (transport, whither) = transport(environment, Signal::Metrics, driver)?;
    let builder = MetricExporter::builder().with_http().with_temporality(temporality(environment));
    let exporter = told(builder, &transport).build().map_err(unbuilt)?;
    Ok(OtlpMetrics { exporter, transport, whither, reports: environment.reports.clone() })
}

fn transport(
    environment: &Environment,
    signal: Signal,
    driver: &Driver,
) -> Result<(Arc<Transport>, String), Error> {
    let mut settings = Settings::read(environment, signal)?;
    if signal == Signal::Metrics {
        settings.timeout = settings.timeout.min(environment.metric_timeout());
    }
    let whither = settings.endpoint.to_string();
    Ok((Arc::new(Transport::new(settings, driver.clone())?), whither))
}

/// All that the exporter would read from the process by itself.
fn told<B: WithExportConfig + WithHttpConfig>(builder: B, transport: &Arc<Transport>) -> B {
    builder
        .with_shared_http_client(transport.clone())
        // The transport knows better.
        .with_endpoint("http://localhost/")
        .with_protocol(Protocol::HttpBinary)
        .with_retry_policy(RetryPolicy::disabled())
}

/// "The aggregation temporality to use on the basis of instrument kind."
fn temporality(environment: &Environment) -> Temporality {
    let choices = [
        ("cumulative", Temporality::Cumulative),
        ("delta", Temporality::Delta),
        ("lowmemory", Temporality::LowMemory),
    ];
    let chosen = environment.chosen("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", &choices);
    chosen.unwrap_or(Temporality::Cumulative)
}

fn unbuilt(error: impl std::fmt::Display) -> Error {
    Error::configuration(format!("the OTLP exporter cannot be built: {error}"))
}
