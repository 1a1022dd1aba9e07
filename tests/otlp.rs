//! What a collector receives: spans and metrics of a real request, by the SDK's own exporters.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use common::{get, serve_fn, soon, text};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server as metrics_service;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server as trace_service;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value::{self, IntValue};
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric, ScopeMetrics, metric};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use otelhttp::{ClientLayer, Observe, ServerLayer};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::TcpListenerStream;
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_receives_both_spans_of_a_call_and_nothing_of_the_export() {
    let mut collector = Collector::start().await;
    let exporter = ThroughOurLayer { exporter: collector.span_exporter(), sent: Arc::default() };
    let sent = exporter.sent.clone();
    let provider =
        SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
    // So that the exporter's layer, too, would record here.
    opentelemetry::global::set_tracer_provider(provider.clone());
    let address = call(
        ServerLayer::new().tracer_provider(provider.clone()).metrics(false),
        &ClientLayer::new().tracer_provider(provider.clone()).metrics(false),
    )
    .await;
    provider.force_flush().unwrap();

    let [server, client] = collector.two_spans().await;
    let port = IntValue(address.port().into());
    assert_eq!((&*client.name, client.kind()), ("GET", SpanKind::Client));
    assert_eq!((&*server.name, server.kind()), ("GET /users/{id}", SpanKind::Server));
    assert_eq!((client.trace_id.len(), client.span_id.len()), (16, 8));
    assert!(client.parent_span_id.is_empty(), "{client:#?}");
    assert_eq!((&server.trace_id, &server.parent_span_id), (&client.trace_id, &client.span_id));
    // "Bits 8 and 9 represent the 3 states of whether a span's parent is remote": the server's is.
    assert_eq!((client.flags, server.flags), (0x101, 0x301));
    assert!(client.start_time_unix_nano <= server.start_time_unix_nano);
    for span in [&client, &server] {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        // "Instrumentation libraries SHOULD NOT set the status code to Ok": none is set at all.
        assert_eq!(span.status.clone().unwrap_or_default().code, 0, "{span:#?}");
    }

    let mut attributes = values(&client.attributes);
    // With the feature `hyper-util` the address of the connection is known too.
    attributes.retain(|key, _| !key.starts_with("network.peer."));
    let expected = [
        ("http.request.method", string("GET")),
        ("http.response.status_code", IntValue(200)),
        ("network.protocol.version", string("1.1")),
        ("server.address", string("127.0.0.1")),
        ("server.port", port.clone()),
        ("url.full", string(&format!("http://{address}/users/7?page=2"))),
    ];
    assert_eq!(attributes, BTreeMap::from(expected));

    let mut attributes = values(&server.attributes);
    assert!(matches!(attributes.remove("network.peer.port"), Some(IntValue(1..=0xffff))), "{server:#?}");
    let expected = [
        ("client.address", string("127.0.0.1")),
        ("http.request.method", string("GET")),
        ("http.response.status_code", IntValue(200)),
        ("http.route", string("/users/{id}")),
        ("network.local.address", string("127.0.0.1")),
        ("network.local.port", port.clone()),
        ("network.peer.address", string("127.0.0.1")),
        ("network.protocol.version", string("1.1")),
        ("server.address", string("127.0.0.1")),
        ("server.port", port),
        ("url.path", string("/users/7")),
        ("url.query", string("page=2")),
        ("url.scheme", string("http")),
    ];
    assert_eq!(attributes, BTreeMap::from(expected));

    provider.shutdown().unwrap();
    assert_eq!(sent.load(Ordering::Relaxed), 1, "one batch, and none about its sending");
    collector.has_no_more_spans();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_receives_the_durations_of_a_call() {
    let mut collector = Collector::start().await;
    let exporter = collector.metric_exporter();
    let provider =
        SdkMeterProvider::builder().with_resource(resource()).with_periodic_exporter(exporter).build();
    let address = call(
        ServerLayer::new().meter_provider(provider.clone()).observe(|_| Observe::MetricsOnly),
        &ClientLayer::new().meter_provider(provider.clone()).observe(|_| Observe::MetricsOnly),
    )
    .await;
    provider.shutdown().unwrap();

    let metrics = collector.metrics().await;
    let point = duration(&metrics, "http.server.request.duration");
    let expected = [
        ("http.request.method", string("GET")),
        ("http.response.status_code", IntValue(200)),
        ("http.route", string("/users/{id}")),
        ("network.protocol.version", string("1.1")),
        ("url.scheme", string("http")),
    ];
    assert_eq!(values(&point.attributes), BTreeMap::from(expected));

    let point = duration(&metrics, "http.client.request.duration");
    let expected = [
        ("http.request.method", string("GET")),
        ("http.response.status_code", IntValue(200)),
        ("network.protocol.version", string("1.1")),
        ("server.address", string("127.0.0.1")),
        ("server.port", IntValue(address.port().into())),
    ];
    assert_eq!(values(&point.attributes), BTreeMap::from(expected));
}

#[tokio::test]
async fn the_quickstart_exports_to_the_collector_of_its_environment() {
    let mut collector = Collector::start().await;
    let mut quickstart = Command::new(example("quickstart"))
        .envs([("PORT", "0"), ("FAIL_EVERY", "0"), ("OTEL_BSP_SCHEDULE_DELAY", "50")])
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut output = BufReader::new(quickstart.stdout.take().unwrap()).lines();
    let line = soon("its address", output.next_line()).await.unwrap().unwrap();
    let address = line.strip_prefix("listening on http://").unwrap().parse().unwrap();
    assert!(get(address, "/home").await.starts_with("HTTP/1.1 200 OK"));

    let spans = collector.spans(11).await;
    let count = |scope: &str, kind| {
        let from = |from: &ScopeSpans| from.scope.as_ref().is_some_and(|from| from.name == scope);
        spans.iter().filter(|(_, scope, span)| from(scope) && span.kind() == kind).count()
    };
    assert_eq!(count("otelhttp", SpanKind::Server), 5, "{spans:#?}");
    assert_eq!(count("otelhttp", SpanKind::Client), 4, "{spans:#?}");
    assert_eq!(count("quickstart/database", SpanKind::Client), 2, "{spans:#?}");
    for (resource, _, span) in &spans {
        assert_eq!(values(&resource.attributes)["service.name"], string("quickstart"));
        assert_eq!(span.trace_id, spans[0].2.trace_id);
    }
}

/// A request over loopback through both layers, its answer read to the end.
async fn call(server: ServerLayer, client: &ClientLayer) -> SocketAddr {
    let route = |_: &http::request::Parts| Some("/users/{id}".to_owned());
    let address = serve_fn(server.route(route), async |_| Response::new(text("a user"))).await;
    let client = client.layer(Client::builder(TokioExecutor::new()).build_http());
    let request = Request::get(format!("http://{address}/users/7?page=2")).body(Full::<Bytes>::default());
    let response = soon("a response", client.oneshot(request.unwrap())).await.unwrap();
    assert_eq!(soon("its body", response.into_body().collect()).await.unwrap().to_bytes(), "a user");
    address
}

fn resource() -> opentelemetry_sdk::Resource {
    opentelemetry_sdk::Resource::builder_empty().with_service_name("shop").build()
}

/// An exporter that makes a call through a client layer for each batch, as one would whose transport
/// is instrumented.
#[derive(Debug)]
struct ThroughOurLayer {
    exporter: SpanExporter,
    sent: Arc<AtomicUsize>,
}

impl opentelemetry_sdk::trace::SpanExporter for ThroughOurLayer {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let transport = service_fn(async |request: Request<String>| {
            assert!(request.headers().is_empty(), "an export is part of no trace: {request:?}");
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        let request = Request::post("http://collector.example/v1/traces").body(String::new()).unwrap();
        ClientLayer::new().layer(transport).oneshot(request).await.unwrap();
        self.exporter.export(batch).await
    }

    fn set_resource(&mut self, resource: &opentelemetry_sdk::Resource) {
        self.exporter.set_resource(resource);
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }
}

/// The receiving end of OTLP.
struct Collector {
    address: SocketAddr,
    traces: UnboundedReceiver<ExportTraceServiceRequest>,
    metrics: UnboundedReceiver<ExportMetricsServiceRequest>,
}

/// Hands on what it receives.
struct Receive<T>(UnboundedSender<T>);

#[tonic::async_trait]
impl trace_service::TraceService for Receive<ExportTraceServiceRequest> {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.0.send(request.into_inner()).unwrap();
        Ok(tonic::Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl metrics_service::MetricsService for Receive<ExportMetricsServiceRequest> {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        self.0.send(request.into_inner()).unwrap();
        Ok(tonic::Response::new(Default::default()))
    }
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (traces_sender, traces) = unbounded_channel();
        let (metrics_sender, metrics) = unbounded_channel();
        let server = tonic::transport::Server::builder()
            .add_service(trace_service::TraceServiceServer::new(Receive(traces_sender)))
            .add_service(metrics_service::MetricsServiceServer::new(Receive(metrics_sender)));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, traces, metrics }
    }

    fn span_exporter(&self) -> SpanExporter {
        let endpoint = format!("http://{}", self.address);
        SpanExporter::builder().with_tonic().with_endpoint(endpoint).build().unwrap()
    }

    fn metric_exporter(&self) -> MetricExporter {
        let endpoint = format!("http://{}", self.address);
        MetricExporter::builder().with_tonic().with_endpoint(endpoint).build().unwrap()
    }

    /// So many spans, and what they say to be from.
    async fn spans(&mut self, count: usize) -> Vec<(Resource, ScopeSpans, Span)> {
        let mut spans = Vec::new();
        while spans.len() < count {
            for of_resource in soon("spans", self.traces.recv()).await.unwrap().resource_spans {
                let resource = of_resource.resource.unwrap();
                for mut of_scope in of_resource.scope_spans {
                    let more = std::mem::take(&mut of_scope.spans);
                    spans.extend(more.into_iter().map(|span| (resource.clone(), of_scope.clone(), span)));
                }
            }
        }
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }

    /// The two spans of a call, the server's first.
    async fn two_spans(&mut self) -> [Span; 2] {
        let spans = self.spans(2).await.into_iter().map(|(resource, scope, span)| {
            assert_resource(&resource);
            assert_scope(scope.scope, &scope.schema_url);
            span
        });
        let mut spans: Vec<_> = spans.collect();
        spans.sort_by_key(|span| span.kind() != SpanKind::Server);
        spans.try_into().expect("two spans")
    }

    fn has_no_more_spans(&mut self) {
        if let Ok(more) = self.traces.try_recv() {
            panic!("more spans than ours: {more:#?}");
        }
    }

    /// The next export of metrics.
    async fn metrics(&mut self) -> Vec<Metric> {
        let mut metrics = Vec::new();
        for of_resource in soon("metrics", self.metrics.recv()).await.unwrap().resource_metrics {
            assert_resource(&of_resource.resource.unwrap());
            for ScopeMetrics { scope, metrics: more, schema_url } in of_resource.scope_metrics {
                assert_scope(scope, &schema_url);
                metrics.extend(more);
            }
        }
        metrics
    }
}

/// The only point of a duration, of one call that took less than ten seconds.
#[track_caller]
fn duration<'m>(metrics: &'m [Metric], name: &str) -> &'m HistogramDataPoint {
    let metric = metrics.iter().find(|metric| metric.name == name).unwrap();
    let Some(metric::Data::Histogram(histogram)) = &metric.data else { panic!("no histogram: {metric:#?}") };
    let [point] = histogram.data_points.as_slice() else { panic!("not one point: {metric:#?}") };
    assert_eq!((&*metric.unit, point.count), ("s", 1));
    assert!((0.0..10.0).contains(&point.sum()), "{point:#?}");
    let bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
    assert_eq!(point.explicit_bounds, bounds);
    point
}

#[track_caller]
fn assert_resource(resource: &Resource) {
    assert_eq!(values(&resource.attributes), BTreeMap::from([("service.name", string("shop"))]));
}

#[track_caller]
fn assert_scope(scope: Option<InstrumentationScope>, schema_url: &str) {
    let scope = scope.unwrap();
    assert_eq!((&*scope.name, &*scope.version), ("otelhttp", env!("CARGO_PKG_VERSION")));
    assert_eq!(schema_url, "https://opentelemetry.io/schemas/1.45.0");
}

fn values(attributes: &[KeyValue]) -> BTreeMap<&str, Value> {
    let value = |attribute: &KeyValue| attribute.value.clone().unwrap().value.unwrap();
    let values: BTreeMap<_, _> =
        attributes.iter().map(|attribute| (&*attribute.key, value(attribute))).collect();
    assert_eq!(values.len(), attributes.len(), "a key stands twice: {attributes:#?}");
    values
}

/// Examples are built next to the tests: `target/debug/deps/<test>`, `target/debug/examples/<example>`.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    let program = folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "{} is missing: `cargo build --example {name}`", program.display());
    program
}

fn string(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}
