//! Any backend, and the program stays the same: the `OTEL_*` variables say where its telemetry goes.
//!
//! To people, as a tree, or to a pipe, as a line of JSON for each span:
//!
//! ```text
//! OTEL_TRACES_EXPORTER=console cargo run --example backends
//! OTEL_TRACES_EXPORTER=console cargo run --example backends | jq .name
//! ```
//!
//! To a collector, or to whatever else speaks OTLP: Jaeger, Tempo, Zipkin with its own intake, Datadog's agent,
//! Honeycomb, New Relic, Dynatrace, Grafana Cloud, … Some want a key:
//!
//! ```text
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 cargo run --example backends
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc \
//!     cargo run --example backends
//! OTEL_EXPORTER_OTLP_ENDPOINT=https://otlp.example OTEL_EXPORTER_OTLP_HEADERS=api-key=1234 \
//!     cargo run --example backends
//! ```
//!
//! To several at once, and nowhere:
//!
//! ```text
//! OTEL_TRACES_EXPORTER=otlp,console cargo run --example backends
//! OTEL_SDK_DISABLED=true cargo run --example backends
//! ```

#[path = "support/shop.rs"]
mod shop;

use std::error::Error;

use otelhttp::Telemetry;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::from_env().service_name("shop").install()?;
    shop::one_visit().await?;
    // Dropping it would do; this also says what went wrong.
    telemetry.shutdown()?;
    Ok(())
}
