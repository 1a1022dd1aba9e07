//! Clients over real sockets, and servers that say what a test tells them to.

use std::convert::Infallible;
use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use otelhttp::{ClientLayer, ClientService};
use tokio::net::{TcpListener, TcpStream};
use tower::Layer;

use super::{Telemetry, assert_attributes, assert_span, attribute, read_until};

pub const CLIENT_DURATION: &str = "http.client.request.duration";
pub const CLIENT_ACTIVE: &str = "http.client.active_requests";

pub type HyperClient = legacy::Client<HttpConnector, Full<Bytes>>;

/// hyper-util's client inside of a layer.
pub fn http1_client(layer: &ClientLayer) -> ClientService<HyperClient> {
    layer.layer(legacy::Client::builder(TokioExecutor::new()).build_http())
}

/// The same, which speaks HTTP/2 with prior knowledge.
pub fn http2_client(layer: &ClientLayer) -> ClientService<HyperClient> {
    layer.layer(legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http())
}

/// A GET without a body.
pub fn request(uri: impl Display) -> Request<Full<Bytes>> {
    Request::get(uri.to_string()).body(Full::default()).unwrap()
}

/// The GET that most tests send.
pub fn get_x(address: SocketAddr) -> Request<Full<Bytes>> {
    request(format_args!("http://{address}/x"))
}

/// A server without a layer.
pub async fn answers<B>(
    answer: impl Fn(Request<Incoming>) -> Response<B> + Clone + Send + 'static,
) -> SocketAddr
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    super::serve(tower::service_fn(move |request| std::future::ready(Ok::<_, Infallible>(answer(request)))))
        .await
}

/// A server that hands each connection to a function.
pub async fn accepts<F, Fut>(accept: F) -> SocketAddr
where
    F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            tokio::spawn(accept(listener.accept().await.unwrap().0));
        }
    });
    address
}

/// A server that reads the head of a request, says this and closes.
pub async fn says(answer: &'static str) -> SocketAddr {
    use tokio::io::AsyncWriteExt;
    accepts(move |mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await
}

/// A server that reads the head of a request and says no more.
pub async fn never_answers() -> SocketAddr {
    accepts(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        std::future::pending::<()>().await;
    })
    .await
}

/// Compares a whole span of a GET for `/x` on HTTP/1.1, and what more there is. An empty value takes
/// away what would be there.
#[track_caller]
pub fn assert_client(span: &SpanData, address: SocketAddr, status: Status, more: &[(&str, &str)]) {
    let has = |key: &str| more.iter().find(|(other, _)| *other == key);
    let name = has("http.request.method").map_or("GET", |(_, method)| *method);
    let (url, port) = (format!("http://{address}/x"), address.port().to_string());
    let mut attributes = vec![
        ("http.request.method", "GET"),
        ("url.full", url.as_str()),
        ("server.address", "127.0.0.1"),
        ("server.port", port.as_str()),
    ];
    if has("http.response.status_code").is_some() {
        attributes.extend([
            ("network.peer.address", "127.0.0.1"),
            ("network.peer.port", port.as_str()),
            ("network.protocol.version", "1.1"),
        ]);
    }
    attributes.retain(|(key, _)| has(key).is_none());
    attributes.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    assert_span(span, SpanKind::Client, name, status, &attributes);
}

/// The same of a span that failed with a class. What the description says more is the system's.
#[track_caller]
pub fn assert_failed(span: &SpanData, address: SocketAddr, class: &str, more: &[(&str, &str)]) {
    let more: Vec<_> = more.iter().copied().chain([("error.type", class)]).collect();
    let Status::Error { description } = &span.status else { panic!("no error: {span:#?}") };
    let text = description.strip_prefix(class).unwrap_or_else(|| panic!("no {class}: {description}"));
    assert!(text.is_empty() || text.starts_with(": "), "{description}");
    assert_client(span, address, span.status.clone(), &more);
}

/// So many spans ended, nothing is in flight, and so many calls were measured.
#[track_caller]
pub fn assert_settled(telemetry: &Telemetry, spans: usize, measurements: u64) {
    assert_eq!(telemetry.spans_now().len(), spans);
    assert_eq!(telemetry.active(CLIENT_ACTIVE), 0.0);
    assert_eq!(telemetry.points(CLIENT_DURATION).iter().map(|point| point.count).sum::<u64>(), measurements);
}

/// One call was measured, with what its span tells too.
#[track_caller]
pub fn assert_measured(telemetry: &Telemetry, span: &SpanData) {
    const BASE: [&str; 4] = ["http.request.method", "server.address", "server.port", "url.template"];
    const MORE: [&str; 3] = ["http.response.status_code", "network.protocol.version", "error.type"];
    let told = |keys: &[&'static str]| -> Vec<(&str, String)> {
        keys.iter().filter_map(|key| Some((*key, attribute(span, key)?))).collect()
    };
    assert_settled(telemetry, 1, 1);
    for (metric, keys) in [(CLIENT_ACTIVE, &BASE[..]), (CLIENT_DURATION, &[&BASE[..], &MORE[..]].concat())] {
        let told = told(keys);
        let told: Vec<_> = told.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let points = telemetry.points(metric);
        assert_eq!(points.len(), 1, "{points:#?}");
        assert_attributes(&points[0].attributes, &told);
    }
    let duration = &telemetry.points(CLIENT_DURATION)[0];
    let lasted = span.end_time.duration_since(span.start_time).unwrap();
    assert!((duration.sum - lasted.as_secs_f64()).abs() < 1e-6, "{} is not {lasted:?}", duration.sum);
    assert_eq!(duration.unit, "s");
    assert_eq!(duration.bounds.len(), 14);
}

/// Neither spans nor metrics hold any of these.
#[track_caller]
pub fn assert_nowhere(telemetry: &Telemetry, secrets: &[&str]) {
    let everything = telemetry.everything();
    let leaks: Vec<_> =
        everything.lines().filter(|line| secrets.iter().any(|secret| line.contains(secret))).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
