//! Lines of the `log` facade are lines as all others.

mod common;
#[path = "common/lines.rs"]
mod lines;

use axum::Router;
use axum::routing::get as on_get;
use common::*;
use lines::*;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use otelhttp::log::{LogLayer, TraceFormat};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::Layer as Fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::test]
async fn a_record_of_the_facade_carries_the_ids_and_one_of_an_exporter_is_not_exported() {
    let exporter = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let lines = Lines::default();
    let format = Fmt::new().with_writer(lines.clone()).without_time().with_ansi(false);
    let format = format.map_event_format(TraceFormat::text);
    Registry::default().with(format).with(LogLayer::new(&provider)).with(LevelFilter::INFO).init();

    let telemetry = Telemetry::new();
    let handler = async || {
        log::info!(target: "shop", "sold");
        log::info!(target: "reqwest::connect", "connecting");
    };
    get(serve_axum(Router::new().route("/", on_get(handler)).layer(telemetry.server())).await, "/").await;
    let span = telemetry.span().await;
    assert_eq!(lines.with("sold"), format!(" INFO shop: sold {}", ids_of(&span)));
    assert_eq!(lines.with("connecting"), format!(" INFO reqwest::connect: connecting {}", ids_of(&span)));

    let logs = exporter.get_emitted_logs().unwrap();
    let logs: Vec<_> = logs.iter().map(|log| format!("{:?}", log.record.body())).collect();
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert!(logs[0].contains("sold"), "{logs:?}");
    let trace = exporter.get_emitted_logs().unwrap()[0].record.trace_context().unwrap().trace_id;
    assert_eq!(trace, span.span_context.trace_id());
}
