//! Azure Application Insights: the requests that the program served, the dependencies that it called, and the
//! operation that joins them in the end-to-end view.
//!
//! Run with, from the overview of the resource in Azure's portal:
//!
//! ```text
//! APPLICATIONINSIGHTS_CONNECTION_STRING='InstrumentationKey=…;IngestionEndpoint=https://…' \
//!     cargo run --example azure
//! ```
//!
//! Azure Monitor also takes OTLP, through its agent or a collector: then the example `backends` is enough.

#[path = "support/shop.rs"]
mod shop;

use std::error::Error;
use std::time::Duration;

use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry_application_insights::Exporter;
use opentelemetry_http::hyper::HyperClient;
use otelhttp::Telemetry;
use rustls::crypto::ring;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Any client that speaks TLS will do, such as reqwest's with its feature `rustls`.
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(ring::default_provider())?
        .https_only()
        .enable_http1()
        .build();
    let client = HyperClient::new(tls, Duration::from_secs(10), None);
    let insights = Exporter::new_from_env(client).map_err(|error| error.to_string())?;

    let telemetry = Telemetry::from_env()
        .service_name("shop")
        .span_exporter(insights.clone())
        .metric_exporter(insights.clone())
        .log_exporter(insights)
        .install()?;
    shop::one_visit().await?;
    telemetry.shutdown()?;
    Ok(())
}
