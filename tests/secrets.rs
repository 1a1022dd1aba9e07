//! What is secret in URLs, headers, bodies and errors is in no exported span and in no metric.

mod common;

use std::convert::Infallible;
use std::error::Error;
use std::fmt::{self, Display};
use std::io;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use common::client::*;
use common::*;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::{SpanKind, Status};
use otelhttp::TrustedProxies;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

/// In every URL, header, body and error text here.
const SECRETS: [&str; 3] = ["s3cret", "pa55word", "hunter2"];

const SENSITIVE_KEYS: [&str; 7] = [
    "sig",
    "Signature",
    "AWSAccessKeyId",
    "X-Goog-Signature",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
];

/// Sends a GET through a client's layer to a server's layer, and reads the answer.
async fn call(telemetry: &Telemetry, credentials: &str, path_and_query: &str) -> String {
    let address = serve_fn(telemetry.server(), |_| async { Response::new(text("hello")) }).await;
    let request = request(format_args!("http://{credentials}{address}{path_and_query}"));
    let response = soon("a head", http1_client(&telemetry.client()).oneshot(request)).await.unwrap();
    soon("a body", response.into_body().collect()).await.unwrap();
    address.to_string()
}

/// What the client's span and the server's span tell of the URL.
async fn urls(telemetry: &Telemetry) -> (String, Option<String>) {
    let spans = telemetry.spans(2).await;
    let of = |kind| spans.iter().find(|span| span.span_kind == kind).unwrap();
    (attribute(of(SpanKind::Client), "url.full").unwrap(), attribute(of(SpanKind::Server), "url.query"))
}

#[tokio::test]
async fn a_signature_is_redacted_wherever_it_stands() {
    for key in SENSITIVE_KEYS {
        for (query, shown) in [
            ("KEY=s3cret", "KEY=REDACTED"),
            ("KEY=s3cret&a=b", "KEY=REDACTED&a=b"),
            ("a=b&KEY=s3cret&c=d", "a=b&KEY=REDACTED&c=d"),
            ("a=b&KEY=s3cret", "a=b&KEY=REDACTED"),
            ("KEY=s3cret&KEY=hunter2", "KEY=REDACTED&KEY=REDACTED"),
            ("KEY=", "KEY=REDACTED"),
            ("KEY=s3cret=hunter2", "KEY=REDACTED"),
            ("&&KEY=s3cret&&%61=%20+&", "&&KEY=REDACTED&&%61=%20+&"),
        ] {
            let (query, shown) = (query.replace("KEY", key), shown.replace("KEY", key));
            let telemetry = Telemetry::new();
            let address = call(&telemetry, "", &format!("/x?{query}")).await;
            let urls = urls(&telemetry).await;
            assert_eq!(urls, (format!("http://{address}/x?{shown}"), Some(shown)));
            assert_nowhere(&telemetry, &SECRETS);
        }
    }
}

#[tokio::test]
async fn what_is_no_secret_is_shown_as_it_was_sent() {
    for query in ["SIG=a", "Sig=a", "asig=b", "sig", "x-amz-signature=a", "a@b=c:d@e", "a=%73ig=b"] {
        let telemetry = Telemetry::new();
        let address = call(&telemetry, "", &format!("/p@q:r?{query}")).await;
        let urls = urls(&telemetry).await;
        assert_eq!(urls, (format!("http://{address}/p@q:r?{query}"), Some(query.to_owned())));
    }
}

#[tokio::test]
async fn other_keys_may_be_the_secret_ones() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server().sensitive_query_keys(["token"]), |_| async {
        Response::new(text("hello"))
    })
    .await;
    let client = http1_client(&telemetry.client().sensitive_query_keys(["token"]));
    let request = request(format_args!("http://{address}/x?sig=1&token=s3cret"));
    let response = soon("a head", client.oneshot(request)).await.unwrap();
    soon("a body", response.into_body().collect()).await.unwrap();
    let shown = "sig=1&token=REDACTED";
    assert_eq!(urls(&telemetry).await, (format!("http://{address}/x?{shown}"), Some(shown.to_owned())));
    assert_nowhere(&telemetry, &SECRETS);
}

#[tokio::test]
async fn credentials_are_redacted() {
    for (credentials, shown) in [
        ("hunter2:pa55word@", "REDACTED:REDACTED@"),
        ("hunter2@", "REDACTED@"),
        (":pa55word@", "REDACTED:REDACTED@"),
    ] {
        let telemetry = Telemetry::new();
        let address = call(&telemetry, credentials, "/x").await;
        assert_eq!(urls(&telemetry).await, (format!("http://{shown}{address}/x"), None));
        assert_nowhere(&telemetry, &SECRETS);
    }
}

#[tokio::test]
async fn credentials_that_a_caller_writes_where_none_belong_are_not_shown() {
    for (target, headers) in [
        ("http://hunter2:pa55word@shop.example/x?sig=s3cret", "host: shop.example"),
        ("/x?sig=s3cret", "host: hunter2:pa55word@shop.example"),
        ("/x", "host: shop.example\r\nx-forwarded-host: hunter2:pa55word@shop.example"),
        ("/x", "host: shop.example\r\nforwarded: host=\"hunter2:pa55word@shop.example\""),
        ("/x", "host: shop.example\r\nx-forwarded-for: hunter2:pa55word@10.0.0.1"),
    ] {
        let telemetry = Telemetry::new();
        let layer = telemetry.server().trusted_proxies(TrustedProxies::Hops(1));
        let address = serve_fn(layer, |_| async { Response::new(text("hello")) }).await;
        raw(address, format!("GET {target} HTTP/1.1\r\n{headers}\r\nconnection: close\r\n\r\n")).await;
        telemetry.span().await;
        assert_nowhere(&telemetry, &SECRETS);
    }
}

#[tokio::test]
async fn credentials_in_the_host_header_of_a_bound_client_are_redacted() {
    let telemetry = Telemetry::new();
    let answer =
        service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(Response::new(text("hello"))) });
    let mut request = request("/x?sig=s3cret");
    request.headers_mut().insert("host", HeaderValue::from_static("hunter2:pa55word@shop.example:81"));
    let response = telemetry.client().layer(answer).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    let expected = [
        ("http.request.method", "GET"),
        ("url.full", "http://REDACTED:REDACTED@shop.example:81/x?sig=REDACTED"),
        ("server.address", "shop.example"),
        ("server.port", "81"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
    ];
    assert_span(&telemetry.span().await, SpanKind::Client, "GET", Status::Unset, &expected);
    assert_nowhere(&telemetry, &SECRETS);
}

/// Headers and bodies with secrets, which nobody has asked to be shown.
const SECRET_HEADERS: [(&str, &str); 6] = [
    ("authorization", "Bearer s3cret"),
    ("proxy-authorization", "Basic pa55word"),
    ("cookie", "session=hunter2"),
    ("set-cookie", "session=hunter2; path=/"),
    ("referer", "http://hunter2:pa55word@shop.example/?sig=s3cret"),
    ("location", "http://hunter2:pa55word@shop.example/?sig=s3cret"),
];

fn put_secret_headers(headers: &mut HeaderMap) {
    for (name, value) in SECRET_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[tokio::test]
async fn headers_and_bodies_are_not_shown() {
    let telemetry = Telemetry::new();
    let answer = |request: Request<Incoming>| async {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "s3cret");
        let mut response = Response::new(text("hunter2"));
        put_secret_headers(response.headers_mut());
        response
    };
    let layer = telemetry.server().capture_request_headers(["x-shown"]).capture_response_headers(["x-shown"]);
    let address = serve_fn(layer, answer).await;
    let mut request = Request::post(format!("http://{address}/x")).body(text("s3cret")).unwrap();
    put_secret_headers(request.headers_mut());
    let layer = telemetry.client().capture_request_headers(["x-shown"]).capture_response_headers(["x-shown"]);
    let response = soon("a head", http1_client(&layer).oneshot(request)).await.unwrap();
    soon("a body", response.into_body().collect()).await.unwrap();
    telemetry.spans(2).await;
    assert_nowhere(&telemetry, &SECRETS);
}

#[tokio::test]
async fn headers_that_are_asked_for_are_shown_and_sensitive_ones_as_redacted() {
    fn put_headers(headers: &mut HeaderMap) {
        let mut key = HeaderValue::from_static("s3cret");
        key.set_sensitive(true);
        headers.insert("x-key", key);
        headers.append("x-several", HeaderValue::from_static("one"));
        headers.append("x-several", HeaderValue::from_bytes(b"t\xffo").unwrap());
        headers.append("x-several", HeaderValue::from_static("one"));
        headers.insert("x-hidden", HeaderValue::from_static("hunter2"));
    }
    let telemetry = Telemetry::new();
    let names = ["X-Key", "x-several", "x-absent"];
    let answer = service_fn(|_: Request<Incoming>| async {
        let mut response = Response::new(text("hello"));
        put_headers(response.headers_mut());
        Ok::<_, Infallible>(response)
    });
    // What is sensitive is not told on the wire.
    let server = ServiceBuilder::new()
        .map_request(|mut request: Request<Incoming>| {
            request.headers_mut().get_mut("x-key").unwrap().set_sensitive(true);
            request
        })
        .layer(telemetry.server().capture_request_headers(names).capture_response_headers(names))
        .service(answer);
    let address = serve(server).await;
    let layer = telemetry.client().capture_request_headers(names).capture_response_headers(names);
    let client = ServiceBuilder::new()
        .layer(layer)
        .map_response(|mut response: Response<Incoming>| {
            response.headers_mut().get_mut("x-key").unwrap().set_sensitive(true);
            response
        })
        .service(legacy::Client::builder(TokioExecutor::new()).build_http());
    let mut request = get_x(address);
    put_headers(request.headers_mut());
    let response = soon("a head", client.oneshot(request)).await.unwrap();
    soon("a body", response.into_body().collect()).await.unwrap();
    for span in telemetry.spans(2).await {
        let headers: Vec<_> = texts(&span.attributes)
            .into_iter()
            .filter(|(key, _)| {
                key.starts_with("http.request.header.") || key.starts_with("http.response.header.")
            })
            .collect();
        let several = "[\"one\",\"t\u{fffd}o\",\"one\"]";
        let expected = [
            ("http.request.header.x-key", "[\"REDACTED\"]"),
            ("http.request.header.x-several", several),
            ("http.response.header.x-key", "[\"REDACTED\"]"),
            ("http.response.header.x-several", several),
        ];
        assert_eq!(
            headers,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned())),
            "{:?}",
            span.span_kind
        );
    }
    assert_nowhere(&telemetry, &SECRETS);
}

/// An error that says too much, and so does the one below.
#[derive(Debug)]
struct Telling(&'static str, Option<io::Error>);

const TELLING: &str = "cannot GET http://hunter2:pa55word@shop.example/x?sig=s3cret";

impl Telling {
    fn new() -> Self {
        Self(TELLING, Some(io::Error::other(TELLING)))
    }
}

impl Display for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Telling {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_ref().map(|source| source as _)
    }
}

type Boxed = Box<dyn Error + Send + Sync>;

/// What a service or a body may fail with.
fn telling_errors() -> [Boxed; 4] {
    [
        Box::new(Telling::new()),
        Box::new(io::Error::new(io::ErrorKind::ConnectionReset, Telling::new())),
        Box::new(io::Error::new(io::ErrorKind::TimedOut, TELLING)),
        Box::new(axum::Error::new(Telling::new())),
    ]
}

fn breaking(error: Boxed) -> impl Body<Data = Bytes, Error = Boxed> {
    let frames = [Ok(Frame::data(Bytes::from_static(b"hello"))), Err(error)];
    StreamBody::new(futures_util::stream::iter(frames))
}

#[tokio::test]
async fn the_texts_of_errors_of_a_service_are_not_shown() {
    for case in 0..telling_errors().len() {
        let telemetry = Telemetry::new();
        let fails = service_fn(move |_: Request<Full<Bytes>>| async move {
            Err::<Response<Full<Bytes>>, Boxed>(telling_errors().into_iter().nth(case).unwrap())
        });
        let through_client = telemetry.client().layer(fails);
        through_client
            .oneshot(request("http://hunter2:pa55word@shop.example/x?sig=s3cret"))
            .await
            .unwrap_err();
        let through_server = telemetry.server().layer(fails);
        through_server.oneshot(request("/x?sig=s3cret")).await.unwrap_err();
        for span in telemetry.spans(2).await {
            assert!(matches!(span.status, Status::Error { .. }));
        }
        assert_nowhere(&telemetry, &SECRETS);
    }
}

#[tokio::test]
async fn the_texts_of_errors_of_a_body_are_not_shown() {
    for case in 0..telling_errors().len() {
        let telemetry = Telemetry::new();
        let breaks = service_fn(move |_: Request<Full<Bytes>>| async move {
            let error = telling_errors().into_iter().nth(case).unwrap();
            Ok::<_, Infallible>(Response::new(breaking(error)))
        });
        let through_client = telemetry.client().layer(breaks);
        let response = through_client.oneshot(request("http://shop.example/x?sig=s3cret")).await.unwrap();
        assert!(response.into_body().collect().await.is_err());
        let through_server = telemetry.server().layer(breaks);
        let response = through_server.oneshot(request("/x?sig=s3cret")).await.unwrap();
        assert!(response.into_body().collect().await.is_err());
        for span in telemetry.spans(2).await {
            assert!(matches!(span.status, Status::Error { .. }));
        }
        assert_nowhere(&telemetry, &SECRETS);
    }
}

#[tokio::test]
async fn the_texts_of_errors_of_an_axum_handler_and_its_body_are_not_shown() {
    let telemetry = Telemetry::new();
    let app = Router::new()
        .route("/failed", get(|| async { (http::StatusCode::INTERNAL_SERVER_ERROR, TELLING) }))
        .route(
            "/broken",
            get(|| async { axum::body::Body::new(breaking(Box::new(Telling::new()))).into_response() }),
        )
        .layer(telemetry.server());
    let address = serve_axum(app).await;
    common::get(address, "/failed?sig=s3cret").await;
    common::get(address, "/broken?sig=s3cret").await;
    for span in telemetry.spans(2).await {
        assert!(matches!(span.status, Status::Error { .. }));
    }
    assert_nowhere(&telemetry, &SECRETS);
}

#[tokio::test]
async fn the_text_of_a_panic_is_not_shown() {
    let telemetry = Telemetry::new();
    let panics = service_fn(|_: Request<Full<Bytes>>| async {
        std::panic::panic_any(TELLING) as Result<Response<Full<Bytes>>, Infallible>
    });
    let through_client = telemetry.client().layer(panics);
    tokio::spawn(through_client.oneshot(request("http://shop.example/x?sig=s3cret"))).await.unwrap_err();
    let through_server = telemetry.server().layer(panics);
    tokio::spawn(through_server.oneshot(request("/x?sig=s3cret"))).await.unwrap_err();
    for span in telemetry.spans(2).await {
        assert_eq!(span.status, NO_DESCRIPTION);
    }
    assert_nowhere(&telemetry, &SECRETS);
}

#[tokio::test]
async fn the_texts_of_unknown_errors_are_shown_where_told_so() {
    let telemetry = Telemetry::new();
    let fails = service_fn(|_: Request<Full<Bytes>>| async {
        Err::<Response<Full<Bytes>>, _>(Telling("no more disk", None))
    });
    let client = telemetry.client().error_descriptions(true).layer(fails);
    client.oneshot(request("http://shop.example/x")).await.unwrap_err();
    assert_eq!(telemetry.span().await.status, Status::error("no more disk"));
}

#[tokio::test]
async fn no_url_is_in_a_name_or_in_a_label() {
    let telemetry = Telemetry::new();
    call(&telemetry, "hunter2:pa55word@", "/secret-path?sig=s3cret&a=secret-value").await;
    for span in telemetry.spans(2).await {
        assert_eq!(span.name, "GET");
    }
    let metrics = format!("{:?}", telemetry.metrics());
    for part in ["secret-path", "secret-value", "sig", "hunter2"] {
        assert!(!metrics.contains(part), "{part} in {metrics}");
    }
}
