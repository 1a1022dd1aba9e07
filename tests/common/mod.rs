//! The harness: a telemetry pipeline that can be waited for, and servers on real sockets.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    reason = "each test uses its share"
)]

#[cfg(feature = "telemetry")]
pub mod authority;
pub mod client;
#[cfg(all(feature = "axum", feature = "telemetry"))]
pub mod collector;
pub mod tls;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, ShouldSample, Span, SpanData, SpanProcessor};
use otelhttp::{ClientLayer, PeerAddr, ServerLayer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tower::Service;

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Fails the test instead of hanging.
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Spans and metrics of one test, kept in memory.
pub struct Telemetry {
    pub tracer_provider: SdkTracerProvider,
    pub meter_provider: SdkMeterProvider,
    spans: Collector,
    metrics: InMemoryMetricExporter,
}

impl Telemetry {
    pub fn new() -> Self {
        Self::with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
    }

    pub fn with_sampler(sampler: impl ShouldSample + 'static) -> Self {
        let spans = Collector::default();
        let metrics = InMemoryMetricExporter::default();
        let reader =
            PeriodicReader::builder(metrics.clone()).with_interval(Duration::from_secs(3_600)).build();
        Self {
            tracer_provider: SdkTracerProvider::builder()
                .with_sampler(sampler)
                .with_span_processor(spans.clone())
                .build(),
            meter_provider: SdkMeterProvider::builder().with_reader(reader).build(),
            spans,
            metrics,
        }
    }

    /// A layer that records here.
    pub fn server(&self) -> ServerLayer {
        ServerLayer::new()
            .tracer_provider(self.tracer_provider.clone())
            .meter_provider(self.meter_provider.clone())
    }

    /// A layer that records here.
    pub fn client(&self) -> ClientLayer {
        ClientLayer::new()
            .tracer_provider(self.tracer_provider.clone())
            .meter_provider(self.meter_provider.clone())
    }

    /// The spans in the order in which they ended, once there are so many. More are a failure.
    pub async fn spans(&self, count: usize) -> Vec<SpanData> {
        let what = format!("{count} spans");
        let spans = soon(&what, self.spans.ended(count)).await;
        assert_eq!(spans.len(), count, "{:#?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
        spans
    }

    pub async fn span(&self) -> SpanData {
        self.spans(1).await.remove(0)
    }

    /// The spans that have ended by now.
    pub fn spans_now(&self) -> Vec<SpanData> {
        self.spans.state.lock().unwrap().ended.clone()
    }

    /// The spans as they were when they started.
    pub fn started(&self) -> Vec<SpanData> {
        self.spans.state.lock().unwrap().started.clone()
    }

    /// The points of a metric by now, cumulative.
    pub fn points(&self, metric: &str) -> Vec<Point> {
        self.meter_provider.force_flush().unwrap();
        let exports = self.metrics.get_finished_metrics().unwrap();
        exports.last().map(|export| points(export, metric)).unwrap_or_default()
    }

    /// How many requests a gauge says are in flight.
    pub fn active(&self, metric: &str) -> f64 {
        self.points(metric).iter().map(|point| point.sum).sum()
    }

    /// Everything that was exported, as text: for what must appear nowhere.
    pub fn everything(&self) -> String {
        self.meter_provider.force_flush().unwrap();
        format!("{:#?}\n{:#?}", self.spans_now(), self.metrics.get_finished_metrics().unwrap())
    }

    /// The last export of metrics.
    pub fn metrics(&self) -> ResourceMetrics {
        self.meter_provider.force_flush().unwrap();
        self.metrics.get_finished_metrics().unwrap().pop().unwrap()
    }
}

/// One time series of a metric.
#[derive(Debug, PartialEq)]
pub struct Point {
    pub attributes: BTreeMap<String, String>,
    /// Of a histogram; 1 for a sum.
    pub count: u64,
    pub sum: f64,
    pub bounds: Vec<f64>,
    pub unit: String,
    /// The spans of the exemplars.
    pub exemplars: Vec<[u8; 8]>,
}

fn points(export: &ResourceMetrics, name: &str) -> Vec<Point> {
    let metrics = export.scope_metrics().flat_map(ScopeMetrics::metrics);
    metrics
        .filter(|metric| metric.name() == name)
        .flat_map(|metric| {
            let unit = metric.unit();
            macro_rules! histogram {
                ($histogram:expr) => {
                    $histogram
                        .data_points()
                        .map(|point| Point {
                            attributes: texts(point.attributes()),
                            count: point.count(),
                            sum: point.sum() as f64,
                            bounds: point.bounds().collect(),
                            unit: unit.to_owned(),
                            exemplars: point.exemplars().map(|exemplar| *exemplar.span_id()).collect(),
                        })
                        .collect::<Vec<_>>()
                };
            }
            match metric.data() {
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => histogram!(histogram),
                AggregatedMetrics::U64(MetricData::Histogram(histogram)) => histogram!(histogram),
                AggregatedMetrics::I64(MetricData::Sum(sum)) => sum
                    .data_points()
                    .map(|point| Point {
                        attributes: texts(point.attributes()),
                        count: 1,
                        sum: point.value() as f64,
                        bounds: Vec::new(),
                        unit: unit.to_owned(),
                        exemplars: Vec::new(),
                    })
                    .collect(),
                other => panic!("{name} is of an unexpected kind: {other:?}"),
            }
        })
        .collect()
}

/// Attributes as text, by key. A key that stands twice fails the test.
pub fn texts<'a>(attributes: impl IntoIterator<Item = &'a KeyValue>) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for attribute in attributes {
        let twice = texts.insert(attribute.key.to_string(), attribute.value.to_string());
        assert_eq!(twice, None, "{} stands twice", attribute.key);
    }
    texts
}

/// Compares a whole span: kind, name, status and all attributes. `*` stands for any value.
#[track_caller]
pub fn assert_span(span: &SpanData, kind: SpanKind, name: &str, status: Status, attributes: &[(&str, &str)]) {
    assert_eq!((&span.span_kind, &*span.name, &span.status), (&kind, name, &status), "{span:#?}");
    assert_attributes(&texts(&span.attributes), attributes);
    assert!(span.start_time <= span.end_time);
}

/// Compares all attributes. `*` stands for any value.
#[track_caller]
pub fn assert_attributes(actual: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    let wildcard = |key: &str| expected.iter().any(|(other, value)| *other == key && *value == "*");
    let actual: BTreeMap<&str, &str> = actual
        .iter()
        .map(|(key, value)| (key.as_str(), if wildcard(key) { "*" } else { value.as_str() }))
        .collect();
    let expected: BTreeMap<&str, &str> = expected.iter().copied().collect();
    assert_eq!(actual, expected);
}

/// The value of one attribute of a span.
pub fn attribute(span: &SpanData, key: &str) -> Option<String> {
    texts(&span.attributes).remove(key)
}

pub const NO_DESCRIPTION: Status = Status::Error { description: std::borrow::Cow::Borrowed("") };

#[derive(Clone, Debug, Default)]
struct Collector {
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    started: Vec<SpanData>,
    ended: Vec<SpanData>,
}

impl Collector {
    async fn ended(&self, count: usize) -> Vec<SpanData> {
        loop {
            let news = self.news.notified();
            let ended = self.state.lock().unwrap().ended.clone();
            if ended.len() >= count {
                return ended;
            }
            news.await;
        }
    }
}

impl SpanProcessor for Collector {
    fn on_start(&self, span: &mut Span, _cx: &Context) {
        self.state.lock().unwrap().started.extend(span.exported_data());
    }

    fn on_end(&self, span: SpanData) {
        self.state.lock().unwrap().ended.push(span);
        self.news.notify_one();
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Serves on a port of loopback, HTTP/1.1 and HTTP/2 with prior knowledge, with upgrades. Each
/// request carries a `PeerAddr`.
pub async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            let local = stream.local_addr().unwrap();
            let service =
                tower::util::MapRequest::new(service.clone(), move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(PeerAddr::new(peer).local(local));
                    request
                });
            tokio::spawn(async move {
                let mut builder = auto::Builder::new(TokioExecutor::new());
                builder.http2().enable_connect_protocol();
                let service = TowerToHyperService::new(service);
                // A connection that ends in an error is part of many tests.
                let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// `serve`, for a function.
pub async fn serve_fn<F, Fut, B>(layer: ServerLayer, handler: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>> + std::fmt::Display,
{
    let service = tower::service_fn(move |request| {
        let response = handler(request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    serve(tower::ServiceBuilder::new().layer(layer).service(service)).await
}

/// Serves an axum application on a port of loopback, with `ConnectInfo`.
pub async fn serve_axum(app: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// A connection on which a test writes what it likes.
pub async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Sends bytes and reads until the server closes.
pub async fn raw(address: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = connect(address).await;
    stream.write_all(request.as_ref()).await.unwrap();
    let mut answer = Vec::new();
    soon("the server to close", stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A GET on a connection of its own.
pub async fn get(address: SocketAddr, path: &str) -> String {
    get_with(address, path, "").await
}

/// A GET with more header lines, each ended by `\r\n`.
pub async fn get_with(address: SocketAddr, path: &str, headers: &str) -> String {
    raw(address, format!("GET {path} HTTP/1.1\r\nhost: shop.example\r\n{headers}connection: close\r\n\r\n"))
        .await
}

/// Reads until what was read ends so.
pub async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = String::new();
    let mut byte = [0];
    while !read.ends_with(end) {
        let count = soon(end, stream.read(&mut byte)).await.unwrap();
        assert_eq!(count, 1, "closed after {read:?}");
        read.push(byte[0].into());
    }
    read
}

/// A client of HTTP/2 with one connection.
pub async fn http2<B>(address: SocketAddr) -> hyper::client::conn::http2::SendRequest<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let io = TokioIo::new(connect(address).await);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub fn text(text: &'static str) -> http_body_util::Full<Bytes> {
    http_body_util::Full::new(Bytes::from_static(text.as_bytes()))
}
