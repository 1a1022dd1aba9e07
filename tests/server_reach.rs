//! What the layers around a server's span and inside of it do to it, in an axum application over real
//! sockets: each request has one span, which tells what the layer's place lets it see.
//!
//! Panics and cancellations of bare services are in `server_life_cycle`, layers around a router in
//! `routes`, the handle in a handler in `recording`, sizes without other layers in `metrics`.

mod common;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, map_request};
use axum::response::{IntoResponse, Response};
use axum::routing::{get as on_get, post};
use axum::{BoxError, Router};
use bytes::Bytes;
use common::*;
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, Status, Tracer, TracerProvider};
use opentelemetry_sdk::trace::SpanData;
use otelhttp::{RequestBodyLayer, ServerSpan};
use tokio::sync::{Notify, Semaphore};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;

const DURATION: &str = "http.server.request.duration";
const ACTIVE: &str = "http.server.active_requests";
const ROUTE: &str = "/jobs/{id}";
const SOON: Duration = Duration::from_millis(10);

/// One span and one measurement, of the route, with this status code and error.
#[track_caller]
fn assert_told(telemetry: &Telemetry, span: &SpanData, code: Option<&str>, error: Option<&str>) {
    assert_eq!((&span.span_kind, &*span.name), (&SpanKind::Server, "GET /jobs/{id}"));
    assert_eq!(error.is_some(), span.status != Status::Unset, "{:?}", span.status);
    assert_eq!(telemetry.spans_now().len(), 1);
    assert_eq!(telemetry.active(ACTIVE), 0.0);
    let points = telemetry.points(DURATION);
    assert_eq!((points.len(), points[0].count), (1, 1), "{points:#?}");
    for (key, value) in
        [("http.route", Some(ROUTE)), ("http.response.status_code", code), ("error.type", error)]
    {
        assert_eq!(attribute(span, key).as_deref(), value, "{key} of the span");
        assert_eq!(points[0].attributes.get(key).map(String::as_str), value, "{key} of the metric");
    }
}

async fn never() -> Response {
    std::future::pending().await
}

fn never_answers() -> Router {
    Router::new().route(ROUTE, on_get(never))
}

/// Answers what a failed layer leaves.
async fn gateway_timeout(_: BoxError) -> StatusCode {
    StatusCode::GATEWAY_TIMEOUT
}

async fn status(app: Router) -> String {
    get(serve_axum(app).await, "/jobs/7").await[9..12].to_owned()
}

#[tokio::test]
async fn middleware_has_the_handle() {
    let telemetry = Telemetry::new();
    let middleware = from_fn(async |span: ServerSpan, request: Request, next: Next| {
        span.set_attribute(KeyValue::new("app.middleware", true));
        let response = next.run(request).await;
        span.error("unfinished");
        response
    });
    let app = Router::new().route(ROUTE, on_get(async || "done")).layer(middleware).layer(telemetry.server());
    assert_eq!(status(app).await, "200");
    let span = telemetry.span().await;
    assert_told(&telemetry, &span, Some("200"), Some("unfinished"));
    assert_eq!(attribute(&span, "app.middleware").as_deref(), Some("true"));
}

#[tokio::test]
async fn an_error_handler_has_the_handle() {
    let telemetry = Telemetry::new();
    let handle_error = HandleErrorLayer::new(async |span: ServerSpan, _: BoxError| {
        span.error("too_slow");
        span.set_route(ROUTE);
        StatusCode::GATEWAY_TIMEOUT
    });
    let slow = ServiceBuilder::new().layer(handle_error).timeout(SOON);
    let app = Router::new().fallback(never).layer(slow).layer(telemetry.server());
    assert_eq!(status(app).await, "504");
    assert_told(&telemetry, &telemetry.span().await, Some("504"), Some("too_slow"));
}

#[tokio::test]
async fn a_deadline_of_tower_is_a_timeout_inside_and_a_response_where_it_was_handled() {
    let telemetry = Telemetry::new();
    let layers = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(gateway_timeout))
        .layer(telemetry.server())
        .timeout(SOON);
    assert_eq!(status(never_answers().layer(layers)).await, "504");
    let span = telemetry.span().await;
    assert_told(&telemetry, &span, None, Some("timeout"));
    assert_eq!(span.status, Status::error("timeout"));

    let telemetry = Telemetry::new();
    let layers = ServiceBuilder::new()
        .layer(telemetry.server())
        .layer(HandleErrorLayer::new(gateway_timeout))
        .timeout(SOON);
    assert_eq!(status(never_answers().layer(layers)).await, "504");
    assert_told(&telemetry, &telemetry.span().await, Some("504"), Some("504"));

    // Outside it is a drop: the layer cannot know why.
    let telemetry = Telemetry::new();
    let layers = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(gateway_timeout))
        .timeout(SOON)
        .layer(telemetry.server());
    assert_eq!(status(never_answers().layer(layers)).await, "504");
    assert_told(&telemetry, &telemetry.span().await, None, Some("cancelled"));
}

#[tokio::test]
async fn a_deadline_of_tower_http_is_its_response_inside_and_a_cancellation_outside() {
    let deadline = || tower_http::timeout::TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, SOON);
    let telemetry = Telemetry::new();
    assert_eq!(status(never_answers().layer(deadline()).layer(telemetry.server())).await, "504");
    assert_told(&telemetry, &telemetry.span().await, Some("504"), Some("504"));

    let telemetry = Telemetry::new();
    assert_eq!(status(never_answers().layer(telemetry.server()).layer(deadline())).await, "504");
    assert_told(&telemetry, &telemetry.span().await, None, Some("cancelled"));
}

#[tokio::test]
async fn a_panic_keeps_its_route_whichever_side_it_is_caught_on() {
    async fn panics() -> &'static str {
        panic!("on purpose")
    }
    let panicking = || Router::new().route(ROUTE, on_get(panics));
    let telemetry = Telemetry::new();
    assert_eq!(status(panicking().layer(telemetry.server()).layer(CatchPanicLayer::new())).await, "500");
    assert_told(&telemetry, &telemetry.span().await, None, Some("panic"));

    let telemetry = Telemetry::new();
    assert_eq!(status(panicking().layer(CatchPanicLayer::new()).layer(telemetry.server())).await, "500");
    assert_told(&telemetry, &telemetry.span().await, Some("500"), Some("500"));
}

/// Sends a request on a connection of its own, and gives the length of the body that comes.
async fn exchange(app: Router, request: http::request::Builder, body: Bytes) -> usize {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = request.uri(format!("http://{}/jobs/7", serve_axum(app).await));
    let response = client.request(request.body(Full::new(body)).unwrap());
    let response = soon("the head", response).await.unwrap();
    assert_eq!(response.status(), 200);
    soon("the body", response.into_body().collect()).await.unwrap().to_bytes().len()
}

#[track_caller]
fn size(telemetry: &Telemetry, side: &str) -> Option<usize> {
    let points = telemetry.points(&format!("http.server.{side}.body.size"));
    assert!(points.len() <= 1, "{points:#?}");
    points.first().map(|point| point.sum as usize)
}

#[tokio::test]
async fn compression_inside_counts_what_is_sent_and_outside_what_the_handler_says() {
    const LENGTH: usize = 100_000;
    for inside in [true, false] {
        let telemetry = Telemetry::new();
        let layer = telemetry.server().body_size_metrics(true);
        let app = Router::new().route(ROUTE, on_get(async || "a".repeat(LENGTH)));
        let app = if inside {
            app.layer(CompressionLayer::new()).layer(layer)
        } else {
            app.layer(layer).layer(CompressionLayer::new())
        };
        let request = http::Request::get("/").header("accept-encoding", "gzip");
        let sent = exchange(app, request, Bytes::new()).await;
        assert!(sent < LENGTH / 10, "it was compressed: {sent}");
        assert_told(&telemetry, &telemetry.span().await, Some("200"), None);
        assert_eq!(size(&telemetry, "response"), Some(if inside { sent } else { LENGTH }));
    }
}

/// So many bytes, as gzip has them.
async fn gzip(length: usize) -> Bytes {
    use tower::ServiceExt;
    let service = tower::service_fn(move |_: http::Request<()>| async move {
        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(vec![b'a'; length]))))
    });
    let request = http::Request::builder().header("accept-encoding", "gzip").body(()).unwrap();
    let response = CompressionLayer::new().layer(service).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn decompression_inside_counts_what_was_sent_and_outside_what_the_handler_reads() {
    const LENGTH: usize = 100_000;
    let compressed = gzip(LENGTH).await;
    for (inside, counted) in [(true, Some(compressed.len())), (false, Some(LENGTH))] {
        let telemetry = Telemetry::new();
        let layers = ServiceBuilder::new()
            .layer(RequestBodyLayer::new())
            .layer(telemetry.server().body_size_metrics(true));
        let app = Router::new().route(ROUTE, post(async |body: Bytes| body.len().to_string()));
        let app = if inside {
            app.layer(RequestDecompressionLayer::new()).layer(layers)
        } else {
            app.layer(layers).layer(RequestDecompressionLayer::new())
        };
        let request = http::Request::post("/").header("content-encoding", "gzip");
        assert_eq!(exchange(app, request, compressed.clone()).await, LENGTH.to_string().len());
        let span = telemetry.span().await;
        assert_eq!((&*span.name, &span.status), ("POST /jobs/{id}", &Status::Unset));
        assert_eq!(size(&telemetry, "request"), counted, "inside: {inside}");
    }
    // Without the counting layer: decompression takes away the length that was announced.
    let telemetry = Telemetry::new();
    let app = Router::new()
        .route(ROUTE, post(async |body: Bytes| body.len().to_string()))
        .layer(telemetry.server().body_size_metrics(true))
        .layer(RequestDecompressionLayer::new());
    exchange(app, http::Request::post("/").header("content-encoding", "gzip"), compressed).await;
    telemetry.span().await;
    assert_eq!(size(&telemetry, "request"), None);
}

/// Tries again while the service is unavailable.
#[derive(Clone)]
struct Unavailable;

impl tower::retry::Policy<Request, Response, Infallible> for Unavailable {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request, result: &mut Result<Response, Infallible>) -> Option<Ready<()>> {
        let again = matches!(result, Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE);
        again.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        let mut clone = Request::new(Body::empty());
        *clone.method_mut() = request.method().clone();
        *clone.uri_mut() = request.uri().clone();
        *clone.headers_mut() = request.headers().clone();
        *clone.extensions_mut() = request.extensions().clone();
        Some(clone)
    }
}

#[tokio::test]
async fn retries_inside_are_one_request_and_outside_several() {
    let third_time = || {
        let attempts = Arc::new(AtomicUsize::new(0));
        on_get(async move |span: ServerSpan| {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed) + 1;
            span.set_attribute(KeyValue::new("app.attempt", attempt as i64));
            if attempt < 3 { (StatusCode::SERVICE_UNAVAILABLE, "not yet") } else { (StatusCode::OK, "done") }
        })
    };
    let retry = tower::retry::RetryLayer::new(Unavailable);
    let telemetry = Telemetry::new();
    let app = Router::new().route(ROUTE, third_time()).layer(retry.clone()).layer(telemetry.server());
    assert_eq!(status(app).await, "200");
    let span = telemetry.span().await;
    assert_told(&telemetry, &span, Some("200"), None);
    assert_eq!(attribute(&span, "app.attempt").as_deref(), Some("3"), "each attempt has the handle");

    let telemetry = Telemetry::new();
    let app = Router::new().route(ROUTE, third_time()).layer(telemetry.server()).layer(retry);
    assert_eq!(status(app).await, "200");
    let spans = telemetry.spans(3).await;
    let codes: Vec<_> = spans.iter().map(|span| attribute(span, "http.response.status_code")).collect();
    assert_eq!(codes.iter().flatten().collect::<Vec<_>>(), ["503", "503", "200"]);
    let errors: Vec<_> = spans.iter().filter_map(|span| attribute(span, "error.type")).collect();
    assert_eq!(errors, ["cancelled", "cancelled"], "their bodies were thrown away");
    assert_eq!(telemetry.active(ACTIVE), 0.0);
}

#[tokio::test]
async fn a_buffer_inside_keeps_the_trace_of_the_handler() {
    let telemetry = Telemetry::new();
    let tracer = Arc::new(telemetry.tracer_provider.tracer("app"));
    let buffer = ServiceBuilder::new().layer(HandleErrorLayer::new(gateway_timeout)).buffer(4);
    let handler = on_get(async move |span: ServerSpan| {
        span.set_attribute(KeyValue::new("app.done", true));
        tracer.in_span("work", |_| "done")
    });
    let app = Router::new().route(ROUTE, handler).layer(buffer).layer(telemetry.server());
    assert_eq!(status(app).await, "200");
    let spans = telemetry.spans(2).await;
    assert_eq!(spans[0].parent_span_id, spans[1].span_context.span_id());
    assert_eq!(attribute(&spans[1], "app.done").as_deref(), Some("true"));
    assert_eq!(attribute(&spans[1], "http.route").as_deref(), Some(ROUTE));
}

#[tokio::test]
async fn a_buffer_between_two_layers_parts_them_only_within_one_stack() {
    let telemetry = Telemetry::new();
    let buffer = ServiceBuilder::new().layer(HandleErrorLayer::new(gateway_timeout)).buffer(4);
    let app = Router::new().route(ROUTE, on_get(async || "done"));
    let app = app.layer(telemetry.server()).layer(buffer).layer(telemetry.server());
    assert_eq!(status(app).await, "200");
    assert_told(&telemetry, &telemetry.span().await, Some("200"), None);

    // The buffer's worker calls the inner layer in a task of its own, where no request is current.
    let telemetry = Telemetry::new();
    let layers = ServiceBuilder::new()
        .layer(telemetry.server())
        .layer(HandleErrorLayer::new(gateway_timeout))
        .buffer(4)
        .layer(telemetry.server());
    assert_eq!(status(Router::new().route(ROUTE, on_get(async || "done")).layer(layers)).await, "200");
    telemetry.spans(2).await;
}

#[tokio::test]
async fn what_fails_behind_a_buffer_is_named_and_a_buffer_that_died_says_so() {
    // The error of a service that cannot become ready comes wrapped in the buffer's own.
    let telemetry = Telemetry::new();
    let layers = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(gateway_timeout))
        .layer(telemetry.server())
        .buffer(4)
        .layer_fn(|_| NeverReady);
    assert_eq!(status(never_answers().layer(layers)).await, "504");
    assert_told(&telemetry, &telemetry.span().await, None, Some("connect"));

    let telemetry = Telemetry::new();
    let layers = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(gateway_timeout))
        .layer(telemetry.server())
        .buffer(4)
        .map_request(|_: Request| -> Request { panic!("on purpose") });
    assert_eq!(status(never_answers().layer(layers)).await, "504");
    let span = telemetry.span().await;
    assert_told(&telemetry, &span, None, Some("_OTHER"));
}

#[derive(Clone)]
struct NeverReady;

impl tower::Service<Request> for NeverReady {
    type Response = Response;
    type Error = std::io::Error;
    type Future = Ready<Result<Response, std::io::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), std::io::Error>> {
        std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionRefused.into()))
    }

    fn call(&mut self, _: Request) -> Self::Future {
        ready(Err(std::io::ErrorKind::Other.into()))
    }
}

/// A handler that waits to be released, and tells how many have come.
fn held() -> (axum::routing::MethodRouter, Arc<Semaphore>, Arc<Notify>) {
    let (release, arrived) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (released, arrives) = (release.clone(), arrived.clone());
    let handler = on_get(async move || {
        arrives.notify_one();
        released.acquire().await.unwrap().forget();
        "done"
    });
    (handler, release, arrived)
}

#[tokio::test]
async fn waiting_for_a_limit_is_part_of_the_span_unless_one_stack_holds_both() {
    for (one_stack, expected) in [(false, ["begun", "released"]), (true, ["released", "begun"])] {
        let telemetry = Telemetry::new();
        let (handler, release, arrived) = held();
        let order = Arc::new(Mutex::new(Vec::new()));
        let begins = order.clone();
        let layer = telemetry.server().on_request(move |head, _| {
            if head.uri.path() == "/jobs/2" {
                begins.lock().unwrap().push("begun");
            }
        });
        let app = Router::new().route(ROUTE, handler);
        let limit = ConcurrencyLimitLayer::new(1);
        let app = if one_stack {
            app.layer(ServiceBuilder::new().layer(layer).layer(limit))
        } else {
            app.layer(limit).layer(layer)
        };
        let second = Arc::new(Notify::new());
        let comes = second.clone();
        // On the test's one thread the request goes on to where it has to wait before the test does.
        let app = app.layer(map_request(move |request: Request| {
            if request.uri().path() == "/jobs/2" {
                comes.notify_one();
            }
            ready(request)
        }));
        let address = serve_axum(app).await;
        let first = tokio::spawn(async move { get(address, "/jobs/1").await });
        soon("the first", arrived.notified()).await;
        let waiting = tokio::spawn(async move { get(address, "/jobs/2").await });
        soon("the second", second.notified()).await;
        order.lock().unwrap().push("released");
        release.add_permits(2);
        for answer in [first, waiting] {
            assert!(soon("an answer", answer).await.unwrap().ends_with("done"));
        }
        telemetry.spans(2).await;
        assert_eq!(*order.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_request_that_goes_away_while_it_waits_for_a_limit_is_cancelled() {
    let telemetry = Telemetry::new();
    let (handler, release, arrived) = held();
    let app = Router::new().route(ROUTE, handler).layer(ConcurrencyLimitLayer::new(1));
    let address = serve_axum(app.layer(telemetry.server())).await;
    let first = tokio::spawn(async move { get(address, "/jobs/1").await });
    soon("the first", arrived.notified()).await;
    let second = tokio::spawn(async move { get(address, "/jobs/2").await });
    soon("its span", async {
        while telemetry.started().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    second.abort();
    let span = telemetry.span().await;
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("cancelled"));
    assert_eq!(attribute(&span, "url.path").as_deref(), Some("/jobs/2"));
    release.add_permits(1);
    soon("the first", first).await.unwrap();
    telemetry.spans(2).await;
    assert_eq!(telemetry.active(ACTIVE), 0.0);
}

/// The span of a request that is refused because another one is being answered.
async fn overloaded(telemetry: &Telemetry, app: Router, held: (Arc<Semaphore>, Arc<Notify>)) -> SpanData {
    let (release, arrived) = held;
    let address = serve_axum(app).await;
    let first = tokio::spawn(async move { get(address, "/jobs/1").await });
    soon("the first", arrived.notified()).await;
    assert!(get(address, "/jobs/2").await.starts_with("HTTP/1.1 503"));
    let span = telemetry.span().await;
    release.add_permits(1);
    assert!(soon("the answer", first).await.unwrap().ends_with("done"));
    assert_eq!(telemetry.spans(2).await[1].status, Status::Unset);
    assert_eq!(telemetry.active(ACTIVE), 0.0);
    span
}

#[tokio::test]
async fn a_load_that_is_shed_is_overloaded_and_a_response_where_it_was_handled() {
    let unavailable = || HandleErrorLayer::new(async |_: BoxError| StatusCode::SERVICE_UNAVAILABLE);
    let telemetry = Telemetry::new();
    let (handler, release, arrived) = held();
    let layers =
        ServiceBuilder::new().layer(unavailable()).layer(telemetry.server()).load_shed().concurrency_limit(1);
    let app = Router::new().route(ROUTE, handler.layer(layers));
    let span = overloaded(&telemetry, app, (release, arrived)).await;
    assert_eq!(span.status, Status::error("overloaded"));
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("overloaded"));
    assert_eq!(attribute(&span, "http.response.status_code"), None);

    let telemetry = Telemetry::new();
    let (handler, release, arrived) = held();
    let layers =
        ServiceBuilder::new().layer(telemetry.server()).layer(unavailable()).load_shed().concurrency_limit(1);
    let app = Router::new().route(ROUTE, handler.layer(layers));
    let span = overloaded(&telemetry, app, (release, arrived)).await;
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("503"));
    assert_eq!(span.status, NO_DESCRIPTION);
}

#[tokio::test]
async fn server_sent_events_are_one_span_to_the_last_event() {
    use axum::response::sse::{Event, Sse};
    let telemetry = Telemetry::new();
    let events = || {
        futures_util::stream::iter(
            (0..3).map(|count| Ok::<_, Infallible>(Event::default().data(count.to_string()))),
        )
    };
    let handler = on_get(async move || Sse::new(events()).into_response());
    let layer = telemetry.server().body_size_metrics(true);
    let app = Router::new().route(ROUTE, handler).layer(layer);
    let received = exchange(app, http::Request::get("/"), Bytes::new()).await;
    assert_told(&telemetry, &telemetry.span().await, Some("200"), None);
    assert_eq!(size(&telemetry, "response"), Some(received));
}
