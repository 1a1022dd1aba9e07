//! Zipkin, through its own protocol.
//!
//! Run with: `cargo run --example zipkin`, after `docker run -p 9411:9411 openzipkin/zipkin`.
//! `OTEL_EXPORTER_ZIPKIN_ENDPOINT` says where else it is.
//!
//! OpenTelemetry has deprecated this protocol and the crate that speaks it, which no longer tells Zipkin the name
//! of the service. The way forward is Zipkin's own intake of OTLP (`zipkin-otel`), with the example `backends` and
//! `OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:9411`.
#![allow(deprecated, reason = "that is what this example is about")]

#[path = "support/shop.rs"]
mod shop;

use std::error::Error;

use opentelemetry_zipkin::ZipkinExporter;
use otelhttp::Telemetry;
use otelhttp::telemetry::{Exporter, Signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::from_env()
        .service_name("shop")
        .span_exporter(ZipkinExporter::builder().build()?)
        // Zipkin has traces alone.
        .default_exporters([Signal::Metrics, Signal::Logs], [] as [Exporter; 0])
        .install()?;
    shop::one_visit().await?;
    telemetry.shutdown()?;
    Ok(())
}
