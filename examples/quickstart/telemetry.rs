//! Where the spans go: to the terminal, or to the collector that the environment names.

use std::time::Duration;

use opentelemetry::global;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{self, SdkTracerProvider, SpanData};

use crate::traces::WholeTraces;
use crate::tree;

pub(crate) struct Telemetry {
    pub(crate) provider: SdkTracerProvider,
    pub(crate) where_to_look: String,
}

/// Sets the global provider, which is all that the two layers need.
pub(crate) fn start() -> Result<Telemetry, ExporterBuildError> {
    let resource = Resource::builder().with_service_name("quickstart").build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let (builder, where_to_look) = match std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT") {
        // The exporter reads the address and the protocol from the environment by itself.
        Ok(collector) => (
            builder.with_batch_exporter(Outspoken(SpanExporter::builder().build()?)),
            format!("The traces go to {collector}; the last ones when you press Ctrl-C."),
        ),
        Err(_) => (
            builder.with_span_processor(WholeTraces::new(tree::print)),
            "Each trace is printed here when its last span has ended.".to_owned(),
        ),
    };
    let provider = builder.build();
    global::set_tracer_provider(provider.clone());
    Ok(Telemetry { provider, where_to_look })
}

/// An exporter that says on the terminal when it cannot export. The SDK says it through `tracing`,
/// where nobody listens in this program.
#[derive(Debug)]
struct Outspoken(SpanExporter);

impl trace::SpanExporter for Outspoken {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        let exported = trace::SpanExporter::export(&self.0, spans).await;
        exported.inspect_err(|error| eprintln!("the spans could not be exported: {error}"))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        trace::SpanExporter::shutdown_with_timeout(&self.0, timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        trace::SpanExporter::set_resource(&mut self.0, resource);
    }
}
