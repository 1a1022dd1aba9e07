//! Each call is measured once, however it ends, in as many series as there are routes or hosts.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use bytes::Bytes;
use common::*;
use futures_util::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use opentelemetry::metrics::{
    Histogram, HistogramBuilder, InstrumentProvider, Meter, MeterProvider, SyncInstrument,
};
use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry::{Context, InstrumentationScope, KeyValue, SpanId};
use opentelemetry_sdk::metrics::data::{Metric, ScopeMetrics};
use opentelemetry_sdk::trace::{Sampler, SpanData};
use otelhttp::{ClientLayer, Observe, RequestBodyLayer, ServerLayer, ServerSpan, UrlTemplate};
use tower::{Layer, Service, ServiceExt};

const DURATION: &str = "http.server.request.duration";
const ACTIVE: &str = "http.server.active_requests";
const REQUEST_SIZE: &str = "http.server.request.body.size";
const RESPONSE_SIZE: &str = "http.server.response.body.size";

type AnyBody = UnsyncBoxBody<Bytes, io::Error>;
type Answer = Result<Response<AnyBody>, io::Error>;

fn frames(frames: impl futures_util::Stream<Item = io::Result<&'static str>> + Send + 'static) -> AnyBody {
    let frames = frames.map(|frame| frame.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))));
    StreamBody::new(frames).boxed_unsync()
}

fn full(text: &'static str) -> AnyBody {
    Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {}).boxed_unsync()
}

/// Ends as the path says.
async fn handler<B>(request: Request<B>) -> Answer {
    let some = futures_util::stream::iter([Ok("some")]);
    let body = match request.uri().path() {
        "/fails" => return Err(io::Error::new(io::ErrorKind::TimedOut, request.uri().to_string())),
        "/panics" => panic!("on purpose"),
        "/waits" => std::future::pending().await,
        "/streams" => frames(futures_util::stream::iter([Ok("he"), Ok("llo")])),
        "/body-fails" => frames(some.chain(futures_util::stream::iter([Err(io::Error::other("disk"))]))),
        "/body-panics" => frames(some.chain(futures_util::stream::once(async { panic!("on purpose") }))),
        "/body-waits" => frames(some.chain(futures_util::stream::pending())),
        _ => full("hello"),
    };
    let status = if request.uri().path() == "/breaks" { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    Ok(response)
}

fn request(path: &str) -> Request<()> {
    Request::get(format!("http://shop.example{path}")).body(()).unwrap()
}

/// Reads the response whole. What panics panics in a task of its own.
async fn finish<S, B>(service: S, request: Request<()>)
where
    S: Service<Request<()>, Response = Response<B>, Error = io::Error> + Send + 'static,
    S::Future: Send,
    B: http_body::Body + Send,
    B::Data: Send,
    B::Error: Send,
{
    let call = async move {
        if let Ok(response) = service.oneshot(request).await {
            let _ = response.into_body().collect().await;
        }
    };
    // A panic is among what is expected.
    let _ = tokio::spawn(call).await;
}

/// Polls until it waits, and loses interest.
fn abandon<S, B>(service: S, request: Request<()>)
where
    S: Service<Request<()>, Response = Response<B>, Error = io::Error>,
    B: http_body::Body,
{
    let call = async move {
        if let Ok(response) = service.oneshot(request).await {
            let _ = response.into_body().collect().await;
        }
    };
    let mut cx = std::task::Context::from_waker(Waker::noop());
    assert!(std::pin::pin!(call).poll(&mut cx).is_pending());
}

fn sum(points: &[Point]) -> u64 {
    points.iter().map(|point| point.count).sum()
}

#[tokio::test]
async fn a_request_is_measured_however_it_ends() {
    for (path, code, error) in [
        ("/", "200", ""),
        ("/streams", "200", ""),
        ("/breaks", "502", "502"),
        ("/fails", "", "timeout"),
        ("/panics", "", "panic"),
        ("/waits", "", "cancelled"),
        ("/body-fails", "200", "body"),
        ("/body-panics", "200", "panic"),
        ("/body-waits", "200", "cancelled"),
    ] {
        let telemetry = Telemetry::new();
        let service = telemetry.server().layer(tower::service_fn(handler));
        if path.ends_with("waits") {
            abandon(service, request(path));
        } else {
            finish(service, request(path)).await;
        }
        let points = telemetry.points(DURATION);
        let [point] = &points[..] else { panic!("{path}: {points:?}") };
        let mut expected = vec![
            ("http.request.method", "GET"),
            ("url.scheme", "http"),
            ("network.protocol.version", "1.1"),
            ("http.response.status_code", code),
            ("error.type", error),
        ];
        expected.retain(|(_, value)| !value.is_empty());
        assert_attributes(&point.attributes, &expected);
        assert_eq!((point.count, &*point.unit), (1, "s"), "{path}");
        assert_eq!(telemetry.active(ACTIVE), 0.0, "{path}");
    }
}

#[tokio::test]
async fn a_call_of_a_client_is_measured_however_it_ends() {
    for (path, code, error) in [
        ("/", "200", ""),
        ("/breaks", "502", "502"),
        ("/fails", "", "timeout"),
        ("/panics", "", "panic"),
        ("/waits", "", ""),
        ("/body-fails", "200", "body"),
        ("/body-panics", "200", "panic"),
        ("/body-waits", "200", ""),
    ] {
        let telemetry = Telemetry::new();
        let service = telemetry.client().layer(tower::service_fn(handler));
        if path.ends_with("waits") {
            abandon(service, request(path));
        } else {
            finish(service, request(path)).await;
        }
        let points = telemetry.points("http.client.request.duration");
        let [point] = &points[..] else { panic!("{path}: {points:?}") };
        let version = if code.is_empty() { "" } else { "1.1" };
        let mut expected = vec![
            ("http.request.method", "GET"),
            ("server.address", "shop.example"),
            ("server.port", "80"),
            ("network.protocol.version", version),
            ("http.response.status_code", code),
            ("error.type", error),
        ];
        expected.retain(|(_, value)| !value.is_empty());
        assert_attributes(&point.attributes, &expected);
        assert_eq!(point.count, 1, "{path}");
        assert_eq!(telemetry.active("http.client.active_requests"), 0.0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_active_after_a_storm() {
    const CALLS: usize = 900;
    let telemetry = Telemetry::new();
    let server = telemetry.server().on_request(|_, span| {
        span.set_metric_attribute(KeyValue::new("app.tenant", "acme"));
        span.rename("mine");
    });
    let service = telemetry.client().layer(server.layer(tower::service_fn(|request: Request<()>| {
        let span = request.extensions().get::<ServerSpan>().unwrap().clone();
        span.set_route("/late");
        span.set_metric_attribute(KeyValue::new("http.request.method", "mine"));
        if request.uri().query() == Some("error") {
            span.error("mine");
        }
        async move {
            tokio::task::yield_now().await;
            handler(request).await
        }
    })));
    let paths = [
        "/",
        "/streams",
        "/breaks",
        "/fails",
        "/panics",
        "/waits",
        "/body-fails",
        "/body-panics",
        "/body-waits",
    ];
    let calls = paths.iter().cycle().take(CALLS).enumerate().map(|(number, path)| {
        let service = service.clone();
        let query = ["", "?error", "?q=1"][number % 3];
        let method = [Method::GET, Method::POST, Method::from_bytes(b"FOO").unwrap()][number % 5 % 3].clone();
        let mut request = request(&format!("{path}{query}"));
        *request.method_mut() = method;
        let call = tokio::spawn(async move {
            let response = service.oneshot(request).await?;
            response.into_body().collect().await
        });
        let waits = path.ends_with("waits");
        async move {
            // Some have begun by now, some have not, some have ended.
            if waits || number % 7 == 0 {
                for _ in 0..number % 4 {
                    tokio::task::yield_now().await;
                }
                call.abort();
            }
            let _ = call.await;
        }
    });
    let calls: Vec<_> = calls.collect();
    soon("the storm to be over", futures_util::future::join_all(calls)).await;

    let (started, ended) = (telemetry.started(), telemetry.spans_now());
    assert_eq!(started.len(), ended.len());
    for (side, kind) in [("server", SpanKind::Server), ("client", SpanKind::Client)] {
        let active = telemetry.points(&format!("http.{side}.active_requests"));
        assert_eq!(active.len(), 3, "{active:?}");
        for point in &active {
            assert_eq!(point.sum, 0.0, "{point:?}");
            let method = &point.attributes["http.request.method"];
            assert!(["GET", "POST", "_OTHER"].contains(&method.as_str()), "{point:?}");
        }
        let keys: BTreeSet<_> = active.iter().flat_map(|point| point.attributes.keys()).collect();
        let expected: &[&str] = match kind {
            SpanKind::Server => &["http.request.method", "url.scheme"],
            _ => &["http.request.method", "server.address", "server.port"],
        };
        assert_eq!(Vec::from_iter(keys), expected);
        let spans = ended.iter().filter(|span| span.span_kind == kind).count();
        assert_eq!(sum(&telemetry.points(&format!("http.{side}.request.duration"))), spans as u64);
        assert!(spans > CALLS / 3, "the storm was a calm: {spans}");
    }
}

#[tokio::test]
async fn a_request_in_flight_is_active() {
    let telemetry = Telemetry::new();
    let service = telemetry.server().layer(tower::service_fn(handler));
    let response = service.oneshot(request("/streams")).await.unwrap();
    let points = telemetry.points(ACTIVE);
    let [point] = &points[..] else { panic!("{points:?}") };
    assert_attributes(&point.attributes, &[("http.request.method", "GET"), ("url.scheme", "http")]);
    assert_eq!((point.sum, &*point.unit), (1.0, "{request}"));
    response.into_body().collect().await.unwrap();
    let points = telemetry.points(ACTIVE);
    assert_eq!(points.iter().map(|point| point.sum).collect::<Vec<_>>(), [0.0]);
}

/// The one size that was recorded, if any.
fn size(telemetry: &Telemetry, metric: &str) -> Option<f64> {
    let points = telemetry.points(metric);
    assert!(points.len() <= 1 && sum(&points) <= 1, "{points:?}");
    points.first().map(|point| point.sum)
}

#[tokio::test]
async fn a_response_body_is_counted_as_far_as_it_was_sent() {
    for (method, path, expected) in [
        (Method::GET, "/", Some(5.0)),
        (Method::GET, "/streams", Some(5.0)),
        (Method::HEAD, "/", Some(0.0)),
        (Method::HEAD, "/streams", Some(0.0)),
        (Method::GET, "/body-fails", Some(4.0)),
        (Method::GET, "/body-panics", Some(4.0)),
        (Method::GET, "/body-waits", Some(4.0)),
        (Method::GET, "/fails", None),
        (Method::GET, "/panics", None),
        (Method::GET, "/waits", None),
    ] {
        let telemetry = Telemetry::new();
        let service = telemetry.server().body_size_metrics(true).layer(tower::service_fn(handler));
        let mut request = request(path);
        *request.method_mut() = method.clone();
        if path.ends_with("waits") {
            abandon(service, request);
        } else {
            finish(service, request).await;
        }
        assert_eq!(size(&telemetry, RESPONSE_SIZE), expected, "{method} {path}");
        assert_eq!(size(&telemetry, REQUEST_SIZE), None, "{method} {path}");
        let (sizes, durations) = (telemetry.points(RESPONSE_SIZE), telemetry.points(DURATION));
        for (size, duration) in sizes.iter().zip(&durations) {
            assert_eq!(size.attributes, duration.attributes);
            assert_eq!(size.unit, "By");
        }
    }
}

#[tokio::test]
async fn sizes_are_not_recorded_unless_asked_for() {
    let telemetry = Telemetry::new();
    let service = telemetry.client().layer(telemetry.server().layer(tower::service_fn(handler)));
    let mut request = request("/");
    request.headers_mut().insert("content-length", "5".parse().unwrap());
    finish(service, request).await;
    let export = telemetry.metrics();
    let names: BTreeSet<_> =
        export.scope_metrics().flat_map(ScopeMetrics::metrics).map(Metric::name).collect();
    let durations_and_gauges =
        [ACTIVE, DURATION, "http.client.active_requests", "http.client.request.duration"];
    assert_eq!(names, BTreeSet::from(durations_and_gauges));
}

#[tokio::test]
async fn a_request_body_is_announced_or_counted_or_not_recorded() {
    let reads = |request: Request<otelhttp::RequestBody<Incoming>>| async {
        request.into_body().collect().await.unwrap();
        Response::new(text("thanks"))
    };
    let ignores = |_: Request<otelhttp::RequestBody<Incoming>>| async { Response::new(text("thanks")) };
    const CHUNKED: &str =
        "transfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    const ANNOUNCED: &str = "content-length: 5\r\nconnection: close\r\n\r\nhello";
    const EMPTY: &str = "connection: close\r\n\r\n";
    for (body, counted, expected) in [
        (CHUNKED, true, Some(5.0)),
        (CHUNKED, false, None),
        (ANNOUNCED, true, Some(5.0)),
        (ANNOUNCED, false, Some(5.0)),
        (EMPTY, true, Some(0.0)),
        (EMPTY, false, None),
    ] {
        let telemetry = Telemetry::new();
        let layer = telemetry.server().body_size_metrics(true);
        let head = "POST /x HTTP/1.1\r\nhost: shop.example\r\n";
        let address = if counted {
            let service = tower::service_fn(move |request| {
                let response = reads(request);
                async move { Ok::<_, Infallible>(response.await) }
            });
            serve(RequestBodyLayer::new().layer(layer.layer(service))).await
        } else {
            serve_fn(layer, |request| async {
                request.into_body().collect().await.unwrap();
                Response::new(text("thanks"))
            })
            .await
        };
        assert!(raw(address, format!("{head}{body}")).await.ends_with("thanks"));
        telemetry.span().await;
        assert_eq!(size(&telemetry, REQUEST_SIZE), expected, "{body:?} {counted}");
        assert_eq!(size(&telemetry, RESPONSE_SIZE), Some(6.0), "{body:?} {counted}");
    }
    // What nobody reads is not guessed.
    let telemetry = Telemetry::new();
    let service = tower::service_fn(move |request| {
        let response = ignores(request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    let layer = telemetry.server().body_size_metrics(true);
    let address = serve(RequestBodyLayer::new().layer(layer.layer(service))).await;
    raw(address, format!("POST /x HTTP/1.1\r\nhost: shop.example\r\n{CHUNKED}")).await;
    telemetry.span().await;
    assert_eq!(size(&telemetry, REQUEST_SIZE), Some(0.0));
}

#[tokio::test]
async fn a_client_counts_what_it_read() {
    let telemetry = Telemetry::new();
    let service = telemetry.client().body_size_metrics(true).layer(tower::service_fn(handler));
    let mut request = request("/streams");
    request.headers_mut().insert("content-length", "7".parse().unwrap());
    finish(service, request).await;
    assert_eq!(size(&telemetry, "http.client.response.body.size"), Some(5.0));
    assert_eq!(size(&telemetry, "http.client.request.body.size"), Some(7.0));
}

#[tokio::test]
async fn a_body_that_nobody_looked_at_has_no_size() {
    let telemetry = Telemetry::new();
    let layer = telemetry.client().body_size_metrics(true).end_at_headers(true);
    finish(layer.layer(tower::service_fn(handler)), request("/streams")).await;
    telemetry.span().await;
    assert_eq!(size(&telemetry, "http.client.response.body.size"), None);
}

/// Requests that have nothing in common but what a server knows of them.
fn strangers(count: usize) -> impl Iterator<Item = Request<()>> {
    (0..count).map(|number| {
        let method = match number % 4 {
            0 => Method::GET,
            1 => Method::POST,
            _ => Method::from_bytes(format!("M{number}").as_bytes()).unwrap(),
        };
        let scheme = ["http", "https", "ftp", "gopher"][number % 4];
        let uri = format!("{scheme}://host{number}.example:{}/path/{number}?q={number}", 1 + number % 60_000);
        let request = Request::builder().method(method).uri(if number % 2 == 0 { "/fixed" } else { &uri });
        request
            .header("host", format!("host{number}.example"))
            .header("user-agent", format!("agent/{number}"))
            .header("x-forwarded-for", format!("10.{}.{}.1", number / 256 % 256, number % 256))
            .header("traceparent", format!("00-{:032x}-{:016x}-01", number + 1, number + 1))
            .body(())
            .unwrap()
    })
}

#[tokio::test]
async fn strangers_add_no_series_to_a_server() {
    let telemetry = Telemetry::with_sampler(Sampler::AlwaysOff);
    let layer = telemetry.server().body_size_metrics(true);
    let layer = layer.route(|head| (head.uri.path() == "/fixed").then(|| "/fixed".to_owned()));
    let service = layer.layer(tower::service_fn(|request: Request<()>| async move {
        // An error that prints what the caller wrote.
        let number = request.uri().path().rsplit('/').next().unwrap().parse::<usize>().unwrap_or(0);
        let fail = number % 10 == 3;
        if fail { Err(io::Error::other(request.uri().to_string())) } else { handler(request).await }
    }));
    let mut series = Vec::new();
    for requests in [100, 10_000] {
        for request in strangers(requests) {
            if let Ok(response) = service.clone().oneshot(request).await {
                response.into_body().collect().await.unwrap();
            }
        }
        series.push([ACTIVE, DURATION, RESPONSE_SIZE].map(|metric| telemetry.points(metric).len()));
    }
    assert_eq!(series[0], series[1]);
    assert_eq!(sum(&telemetry.points(DURATION)), 10_100);
    let values = |key: &str| -> BTreeSet<String> {
        telemetry.points(DURATION).iter().filter_map(|point| point.attributes.get(key).cloned()).collect()
    };
    let set = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(values("http.request.method"), set(&["GET", "POST", "_OTHER"]));
    assert_eq!(values("http.route"), set(&["/fixed"]));
    assert_eq!(values("error.type"), set(&["_OTHER"]));
    assert_eq!(values("url.scheme"), set(&["http", "https"]));
    let keys: BTreeSet<_> =
        telemetry.points(DURATION).into_iter().flat_map(|point| point.attributes.into_keys()).collect();
    let known = set(&[
        "error.type",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "network.protocol.version",
        "url.scheme",
    ]);
    assert_eq!(keys, known);
}

#[tokio::test]
async fn the_series_of_a_client_follow_its_hosts_and_nothing_else() {
    let telemetry = Telemetry::with_sampler(Sampler::AlwaysOff);
    let service = telemetry.client().layer(tower::service_fn(handler));
    for number in 0..10_000 {
        let uri = format!("http://host{}.example/path/{number}?q={number}", number % 3);
        let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
        let request =
            Request::builder().method(method).uri(uri).header("user-agent", number).body(()).unwrap();
        service.clone().oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    }
    for metric in ["http.client.request.duration", "http.client.active_requests"] {
        let points = telemetry.points(metric);
        let hosts: Vec<_> = points.iter().map(|point| point.attributes["server.address"].as_str()).collect();
        assert_eq!(hosts.len(), 3, "{metric}: {points:?}");
        assert_eq!(
            BTreeSet::from_iter(hosts),
            BTreeSet::from(["host0.example", "host1.example", "host2.example"])
        );
    }
    assert_eq!(sum(&telemetry.points("http.client.request.duration")), 10_000);
}

#[tokio::test]
async fn hosts_can_be_folded_on_metrics_and_stay_on_spans() {
    let telemetry = Telemetry::new();
    let layer = telemetry.client().metric_server_address(|uri| {
        uri.host().is_some_and(|host| host.starts_with("host")).then(|| "*.example".to_owned())
    });
    let service = layer.layer(tower::service_fn(handler));
    for number in 0..100 {
        let request = Request::get(format!("http://host{number}.example/")).body(()).unwrap();
        service.clone().oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    }
    finish(service, request("/")).await;
    for metric in ["http.client.request.duration", "http.client.active_requests"] {
        let points = telemetry.points(metric);
        let hosts = points.iter().map(|point| point.attributes["server.address"].as_str());
        assert_eq!(BTreeSet::from_iter(hosts), BTreeSet::from(["*.example", "shop.example"]), "{metric}");
    }
    let hosts = telemetry.spans(101).await;
    let hosts: BTreeSet<_> = hosts.iter().map(|span| attribute(span, "server.address")).collect();
    assert_eq!(hosts.len(), 101);
}

/// A meter provider that notes in whose context each measurement was made.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<BTreeMap<String, Vec<SpanId>>>>);

struct Noting {
    name: String,
    witness: Witness,
}

impl MeterProvider for Witness {
    fn meter_with_scope(&self, _scope: InstrumentationScope) -> Meter {
        Meter::new(Arc::new(self.clone()))
    }
}

impl InstrumentProvider for Witness {
    fn f64_histogram(&self, builder: HistogramBuilder<'_, Histogram<f64>>) -> Histogram<f64> {
        Histogram::new(Arc::new(Noting { name: builder.name.into_owned(), witness: self.clone() }))
    }

    fn u64_histogram(&self, builder: HistogramBuilder<'_, Histogram<u64>>) -> Histogram<u64> {
        Histogram::new(Arc::new(Noting { name: builder.name.into_owned(), witness: self.clone() }))
    }
}

impl<T> SyncInstrument<T> for Noting {
    fn measure(&self, _measurement: T, _attributes: &[KeyValue]) {
        let current = Context::current().span().span_context().span_id();
        self.witness.0.lock().unwrap().entry(self.name.clone()).or_default().push(current);
    }
}

/// The SDK makes no exemplars yet; what it will make them of is the context of the measurement.
#[tokio::test]
async fn a_measurement_is_made_in_the_context_of_its_span() {
    for path in ["/", "/streams", "/fails", "/panics", "/waits", "/body-panics", "/body-waits"] {
        let (telemetry, witness) = (Telemetry::new(), Witness::default());
        let server = telemetry.server().meter_provider(witness.clone()).body_size_metrics(true);
        let client = telemetry.client().meter_provider(witness.clone()).body_size_metrics(true);
        // It is a provider that does not know them.
        #[cfg(feature = "bound-instruments")]
        let (server, client) = (server.bound_instruments(false), client.bound_instruments(false));
        let service = client.layer(server.layer(tower::service_fn(handler)));
        if path.ends_with("waits") {
            abandon(service, request(path));
        } else {
            finish(service, request(path)).await;
        }
        let spans = telemetry.spans(2).await;
        let seen = witness.0.lock().unwrap();
        for span in spans {
            let side = format!("{:?}", span.span_kind).to_lowercase();
            let own = |metric: &str| seen.get(&format!("http.{side}.{metric}")).cloned();
            assert_eq!(own("request.duration"), Some(vec![span.span_context.span_id()]), "{path}");
            let answered = attribute(&span, "http.response.status_code").is_some();
            let expected = answered.then(|| vec![span.span_context.span_id()]);
            assert_eq!(own("response.body.size"), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_switched_off_is_not_measured() {
    type Off = (fn(ServerLayer) -> ServerLayer, fn(ClientLayer) -> ClientLayer, usize, u64);
    let cases: [Off; 4] = [
        (|layer| layer, |layer| layer, 2, 1),
        (|layer| layer.metrics(false), |layer| layer.metrics(false), 2, 0),
        (
            |layer| layer.observe(|_| Observe::MetricsOnly),
            |layer| layer.observe(|_| Observe::MetricsOnly),
            0,
            1,
        ),
        (|layer| layer.observe(|_| false), |layer| layer.observe(|_| false), 0, 0),
    ];
    for (server, client, spans, measurements) in cases {
        let telemetry = Telemetry::new();
        let server = server(telemetry.server().body_size_metrics(true));
        let client = client(telemetry.client().body_size_metrics(true));
        let service = client.layer(server.layer(tower::service_fn(handler)));
        finish(service, request("/")).await;
        assert_eq!(telemetry.spans_now().len(), spans);
        for side in ["server", "client"] {
            for metric in ["request.duration", "response.body.size"] {
                let points = telemetry.points(&format!("http.{side}.{metric}"));
                assert_eq!(sum(&points), measurements, "{side} {metric}");
            }
            let active = telemetry.points(&format!("http.{side}.active_requests"));
            assert_eq!((active.len() as u64, telemetry.active(ACTIVE)), (measurements, 0.0), "{side}");
        }
    }
}

#[tokio::test]
async fn an_unsampled_request_is_measured_with_its_route() {
    let telemetry = Telemetry::with_sampler(Sampler::AlwaysOff);
    let service = telemetry.server().route(|_| Some("/early".to_owned())).layer(tower::service_fn(
        |request: Request<()>| {
            request.extensions().get::<ServerSpan>().unwrap().set_route("/late");
            handler(request)
        },
    ));
    finish(service, request("/")).await;
    let points = telemetry.points(DURATION);
    assert_eq!(points[0].attributes["http.route"], "/late");
    assert!(telemetry.spans_now().is_empty());
}

#[tokio::test]
async fn a_label_that_is_not_equal_to_itself_is_left_out() {
    let telemetry = Telemetry::new();
    let layer = telemetry.server().on_request(|_, span| {
        span.set_metric_attribute(KeyValue::new("app.nan", f64::NAN));
        span.set_metric_attribute(KeyValue::new("app.half", 0.5));
    });
    for _ in 0..10 {
        finish(layer.layer(tower::service_fn(handler)), request("/")).await;
    }
    let points = telemetry.points(DURATION);
    assert_eq!((points.len(), points[0].count), (1, 10), "{points:?}");
    assert_eq!(points[0].attributes["app.half"], "0.5");
    assert!(!points[0].attributes.contains_key("app.nan"));
}

#[tokio::test]
async fn attributes_of_ones_own_go_where_they_were_set() {
    let telemetry = Telemetry::new();
    let metric = |key: &'static str, value: &'static str| KeyValue::new(key, value);
    let server = telemetry
        .server()
        .on_request(move |_, span| {
            span.set_metric_attribute(metric("app.from", "request hook"));
            span.set_metric_attribute(metric("app.twice", "first"));
            span.set_attribute(metric("app.span", "only"));
        })
        .on_response(move |_, span| span.set_metric_attribute(metric("app.to", "response hook")))
        .body_size_metrics(true);
    let client = telemetry
        .client()
        .on_request(move |_, span| span.set_metric_attribute(metric("app.from", "client hook")));
    let service = client.layer(server.layer(tower::service_fn(move |request: Request<()>| {
        let span = request.extensions().get::<ServerSpan>().unwrap();
        span.set_metric_attribute(metric("app.twice", "last"));
        handler(request)
    })));
    finish(service, request("/")).await;

    let expected = [
        ("http.request.method", "GET"),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
        ("app.from", "request hook"),
        ("app.to", "response hook"),
        ("app.twice", "last"),
    ];
    for metric in [DURATION, RESPONSE_SIZE] {
        assert_attributes(&telemetry.points(metric)[0].attributes, &expected);
    }
    assert_attributes(
        &telemetry.points("http.client.request.duration")[0].attributes,
        &[
            ("http.request.method", "GET"),
            ("server.address", "shop.example"),
            ("server.port", "80"),
            ("network.protocol.version", "1.1"),
            ("http.response.status_code", "200"),
            ("app.from", "client hook"),
        ],
    );
    for metric in [ACTIVE, "http.client.active_requests"] {
        let attributes = &telemetry.points(metric)[0].attributes;
        assert!(attributes.keys().all(|key| !key.starts_with("app.")), "{attributes:?}");
    }
    let own = |span: &SpanData| -> Vec<String> {
        texts(&span.attributes).into_keys().filter(|key| key.starts_with("app.")).collect()
    };
    let spans = telemetry.spans(2).await;
    let (server, client): (Vec<_>, Vec<_>) =
        spans.iter().partition(|span| span.span_kind == SpanKind::Server);
    assert_eq!((own(server[0]), own(client[0])), (vec!["app.span".to_owned()], vec![]));
}

#[tokio::test]
async fn a_template_is_on_the_metrics_of_a_client() {
    let telemetry = Telemetry::new();
    let service = telemetry.client().layer(tower::service_fn(handler));
    let mut request = request("/users/7");
    request.extensions_mut().insert(UrlTemplate::new("/users/{id}"));
    finish(service, request).await;
    for metric in ["http.client.request.duration", "http.client.active_requests"] {
        let points = telemetry.points(metric);
        assert_eq!(points[0].attributes["url.template"], "/users/{id}", "{metric}");
    }
}

#[tokio::test]
async fn a_span_and_its_measurement_last_equally_long() {
    let telemetry = Telemetry::new();
    let service =
        telemetry.client().layer(telemetry.server().layer(tower::service_fn(|_: Request<()>| async {
            tokio::time::sleep(std::time::Duration::from_millis(3)).await;
            Ok::<_, io::Error>(Response::new(Empty::<Bytes>::new()))
        })));
    service.oneshot(request("/")).await.unwrap();
    for span in telemetry.spans(2).await {
        let side = format!("{:?}", span.span_kind).to_lowercase();
        let measured = telemetry.points(&format!("http.{side}.request.duration"))[0].sum;
        let lasted = span.end_time.duration_since(span.start_time).unwrap().as_secs_f64();
        assert!(lasted >= 0.003 && (lasted - measured).abs() < 1e-6, "{side}: {lasted} {measured}");
    }
}
