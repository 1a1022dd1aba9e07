//! Lines of `tracing` as OpenTelemetry's logs: with the context in which they were written, and never one of
//! an exporter.

mod common;

use axum::Router;
use axum::routing::get as on_get;
use common::*;
use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, SpanId, TraceFlags, TraceId};
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::trace::{Sampler, SpanData};
use otelhttp::log::{BridgeFilter, LogLayer};
use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, info, instrument, warn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

type Ids = (TraceId, SpanId, Option<TraceFlags>);

/// The logs of one test.
struct Logs {
    provider: SdkLoggerProvider,
    exporter: InMemoryLogExporter,
}

impl Logs {
    fn new() -> Self {
        let exporter = InMemoryLogExporter::default();
        let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter.clone()).build();
        Self { provider, exporter }
    }

    fn subscriber(
        &self,
    ) -> impl Subscriber + Send + Sync + for<'a> tracing_subscriber::registry::LookupSpan<'a> {
        Registry::default().with(LogLayer::new(&self.provider).with_filter(LevelFilter::INFO))
    }

    fn records(&self) -> Vec<SdkLogRecord> {
        self.exporter.get_emitted_logs().unwrap().into_iter().map(|log| log.record).collect()
    }

    /// What the records say, and in which trace and span.
    fn told(&self) -> Vec<(String, Option<Ids>)> {
        let context = |record: &SdkLogRecord| {
            record.trace_context().map(|cx| (cx.trace_id, cx.span_id, cx.trace_flags))
        };
        self.records().iter().map(|record| (body(record), context(record))).collect()
    }
}

fn body(record: &SdkLogRecord) -> String {
    match record.body() {
        Some(AnyValue::String(body)) => body.to_string(),
        other => panic!("{other:?}"),
    }
}

fn ids(span: &SpanData) -> Option<Ids> {
    let ids = &span.span_context;
    Some((ids.trace_id(), ids.span_id(), Some(ids.trace_flags())))
}

#[instrument]
async fn load() {
    info!("loading");
}

async fn sell() {
    info!("selling");
    load().await;
}

#[tokio::test]
async fn a_line_carries_the_ids_of_the_server() {
    let (logs, telemetry) = (Logs::new(), Telemetry::new());
    let _guard = tracing::subscriber::set_default(logs.subscriber());
    info!("open");
    get(serve_axum(Router::new().route("/", on_get(sell)).layer(telemetry.server())).await, "/").await;
    let server = telemetry.span().await;
    let expected = [
        ("open".to_owned(), None),
        ("selling".to_owned(), ids(&server)),
        ("loading".to_owned(), ids(&server)),
    ];
    assert_eq!(logs.told(), expected);
}

#[tokio::test]
async fn a_line_of_an_instrumented_function_carries_the_ids_of_its_span() {
    let (logs, telemetry) = (Logs::new(), Telemetry::new());
    let bridge = tracing_opentelemetry::layer().with_tracer(telemetry.tracer_provider.tracer("bridge"));
    let subscriber = logs.subscriber().with(bridge.with_filter(BridgeFilter));
    let _guard = tracing::subscriber::set_default(subscriber);
    get(serve_axum(Router::new().route("/", on_get(sell)).layer(telemetry.server())).await, "/").await;
    let [load, server] = telemetry.spans(2).await.try_into().unwrap();
    let expected = [("selling".to_owned(), ids(&server)), ("loading".to_owned(), ids(&load))];
    assert_eq!(logs.told(), expected);
}

#[tokio::test]
async fn a_line_of_a_request_that_is_not_sampled_says_so() {
    let (logs, telemetry) = (Logs::new(), Telemetry::with_sampler(Sampler::AlwaysOff));
    let _guard = tracing::subscriber::set_default(logs.subscriber());
    get(serve_axum(Router::new().route("/", on_get(load)).layer(telemetry.server())).await, "/").await;
    let told = logs.told();
    let [(said, Some((trace_id, span_id, flags)))] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&**said, *flags), ("loading", Some(TraceFlags::default())));
    assert!(*trace_id != TraceId::INVALID && *span_id != SpanId::INVALID);
}

#[tokio::test]
async fn level_target_and_fields_are_kept() {
    let logs = Logs::new();
    let _guard = tracing::subscriber::set_default(logs.subscriber());
    warn!(target: "shop", item = 7, "sold");
    let [record] = logs.records().try_into().unwrap();
    assert_eq!((record.severity_number(), record.severity_text()), (Some(Severity::Warn), Some("WARN")));
    assert_eq!(record.target().map(|target| &**target), Some("shop"));
    let attributes: Vec<_> = record.attributes_iter().map(|(key, value)| (key.as_str(), value)).collect();
    assert_eq!(attributes, [("item", &AnyValue::Int(7))]);
}

#[tokio::test]
async fn lines_about_exporting_are_not_exported() {
    let logs = Logs::new();
    let _guard = tracing::subscriber::set_default(logs.subscriber());
    warn!(target: "h2::codec", "a frame");
    warn!(target: "hyper_util::client::legacy", "a connection");
    warn!(target: "opentelemetry-otlp", "an export");
    warn!(target: "opentelemetry_sdk", "a batch");
    warn!(target: "tonic", "a call");
    {
        let _export = Context::enter_telemetry_suppressed_scope();
        warn!(target: "an exporter", "sent");
    }
    warn!(target: "hyperspace", "here");
    assert_eq!(logs.told(), [("here".to_owned(), None)]);
}
