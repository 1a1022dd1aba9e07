//! Lines of a log that name their request: as text or as JSON, and as OpenTelemetry's logs for a collector.
//!
//! The handler's lines have the ids of the server's span, those of `quote` the ids of its own; the two spans and
//! all lines are found by one trace id.
//!
//! Run with: `cargo run --example logs --features telemetry,tracing`, with `LOGS=json` before it for JSON, and with
//! `OTEL_LOGS_EXPORTER=otlp OTEL_TRACES_EXPORTER=otlp` to send all to a collector too.

use std::error::Error;
use std::net::Ipv4Addr;

use axum::extract::Path;
use axum::{Router, routing::get};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use opentelemetry::global;
use otelhttp::log::{BridgeFilter, RequestSpanLayer, TraceFormat};
use otelhttp::telemetry::Guard;
use otelhttp::{ServerLayer, Telemetry};
use tokio::net::TcpListener;
use tracing::level_filters::LevelFilter;
use tracing::{Span, field::Empty as Later, info, info_span, instrument};
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::from_vars(variable).service_name("shop").install()?;
    log_to(&telemetry);
    info!("open");

    // For those who want fields of the request on each of its lines. The ids need no such span.
    let request = RequestSpanLayer::new().span(|_| info_span!("request", customer = Later));
    let app = Router::new().route("/buy/{item}", get(buy)).layer(request).layer(ServerLayer::new());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, app).into_future());

    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    for item in ["apples", "bread"] {
        let answer = client.get(format!("http://{address}/buy/{item}").parse()?).await?;
        answer.into_body().collect().await?;
    }
    Ok(())
}

fn log_to(telemetry: &Guard) {
    let json = std::env::var("LOGS").is_ok_and(|format| format == "json");
    let lines = tracing_subscriber::fmt::layer();
    let lines = if json {
        lines.json().map_event_format(TraceFormat::json).boxed()
    } else {
        lines.map_event_format(TraceFormat::text).boxed()
    };
    let spans = tracing_opentelemetry::layer().with_tracer(global::tracer("shop")).with_filter(BridgeFilter);
    let logs = telemetry.parts().log_layer();
    tracing_subscriber::registry().with(LevelFilter::INFO).with(lines).with(spans).with(logs).init();
}

async fn buy(Path(item): Path<String>) -> String {
    Span::current().record("customer", "alice");
    let price = quote(&item).await;
    info!(price, "sold");
    format!("{item} for {price}\n")
}

#[instrument]
async fn quote(item: &str) -> usize {
    info!("asking for the price");
    item.len()
}

/// Those of the process, but nothing is sent unless it is asked for.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().or_else(|| name.ends_with("S_EXPORTER").then(|| "none".to_owned()))
}
