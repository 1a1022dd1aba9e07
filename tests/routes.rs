//! Names and routes: templates, never paths; known late or early, from one layer or from two.

mod common;

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, get as on_get};
use common::*;
use http::StatusCode;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use otelhttp::{Observe, ServerLayer, ServerSpan};
use tower::{Layer, ServiceExt};
use tower_http::normalize_path::NormalizePathLayer;

#[track_caller]
fn assert_routed(span: &SpanData, name: &str, route: Option<&str>) {
    assert_eq!(span.span_kind, SpanKind::Server);
    assert_eq!((&*span.name, attribute(span, "http.route").as_deref()), (name, route));
}

fn assert_measured(telemetry: &Telemetry, route: Option<&str>) {
    let points = telemetry.points("http.server.request.duration");
    let routes: Vec<_> =
        points.iter().map(|point| point.attributes.get("http.route").map(String::as_str)).collect();
    assert_eq!(routes, [route]);
}

fn users() -> Router {
    Router::new().route("/users/{id}", on_get(|| async { "hello" }))
}

#[tokio::test]
async fn a_route_is_its_template() {
    let telemetry = Telemetry::new();
    let app = users().layer(telemetry.server());
    get(serve_axum(app).await, "/users/7?token=1").await;
    let span = telemetry.span().await;
    let expected = [
        ("http.request.method", "GET"),
        ("http.route", "/users/{id}"),
        ("url.path", "/users/7"),
        ("url.query", "token=1"),
        ("url.scheme", "http"),
        ("server.address", "shop.example"),
        ("client.address", "127.0.0.1"),
        ("network.peer.address", "127.0.0.1"),
        ("network.peer.port", "*"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
    ];
    assert_span(&span, SpanKind::Server, "GET /users/{id}", Status::Unset, &expected);
    assert_measured(&telemetry, Some("/users/{id}"));
    assert_eq!(telemetry.started()[0].name, "GET /users/{id}", "a sampler sees the route");
}

#[tokio::test]
async fn nested_routers_give_the_whole_template() {
    let telemetry = Telemetry::new();
    get(serve_axum(Router::new().nest("/api", users()).layer(telemetry.server())).await, "/api/users/7")
        .await;
    assert_routed(&telemetry.span().await, "GET /api/users/{id}", Some("/api/users/{id}"));

    let telemetry = Telemetry::new();
    get(serve_axum(Router::new().nest("/api", users().layer(telemetry.server()))).await, "/api/users/7")
        .await;
    assert_routed(&telemetry.span().await, "GET /api/users/{id}", Some("/api/users/{id}"));
}

#[tokio::test]
async fn a_nested_service_tells_its_route_with_the_prefix() {
    let telemetry = Telemetry::new();
    let inner = users().layer(telemetry.server());
    let app = Router::new().nest_service("/api", inner).layer(telemetry.server());
    get(serve_axum(app).await, "/api/users/7").await;
    assert_routed(&telemetry.span().await, "GET /api/users/{id}", Some("/api/users/{id}"));
    assert_measured(&telemetry, Some("/api/users/{id}"));
    assert_eq!(telemetry.started()[0].name, "GET", "the outer layer cannot know it yet");

    let telemetry = Telemetry::new();
    let app = Router::new().nest_service("/api", users()).layer(telemetry.server());
    get(serve_axum(app).await, "/api/users/7").await;
    assert_routed(&telemetry.span().await, "GET", None);
}

#[tokio::test]
async fn a_layer_around_the_whole_application_gets_its_route_from_one_inside() {
    let telemetry = Telemetry::new();
    let inner = users().layer(ServerLayer::new());
    let app = NormalizePathLayer::trim_trailing_slash().layer(inner);
    let app = telemetry.server().layer(app);
    get(serve(app.map_request(|request: http::Request<_>| request.map(Body::new))).await, "/users/7/").await;
    let span = telemetry.span().await;
    assert_routed(&span, "GET /users/{id}", Some("/users/{id}"));
    assert_eq!(attribute(&span, "url.path").as_deref(), Some("/users/7/"));
    assert_measured(&telemetry, Some("/users/{id}"));
    assert_eq!(telemetry.active("http.server.active_requests"), 0.0);
}

#[tokio::test]
async fn a_layer_on_one_route_records_only_that() {
    let telemetry = Telemetry::new();
    let app = Router::new()
        .route("/seen/{id}", on_get(|| async { "" }).layer(telemetry.server()))
        .route("/unseen", on_get(|| async { "" }));
    let address = serve_axum(app).await;
    get(address, "/unseen").await;
    get(address, "/seen/1").await;
    assert_routed(&telemetry.span().await, "GET /seen/{id}", Some("/seen/{id}"));
}

#[tokio::test]
async fn without_a_route_the_name_is_the_method() {
    let telemetry = Telemetry::new();
    let answer = get(serve_axum(users().layer(telemetry.server())).await, "/nowhere/7").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert_routed(&telemetry.span().await, "GET", None);
    assert_measured(&telemetry, None);
}

#[tokio::test]
async fn a_method_that_is_not_allowed_keeps_the_route() {
    let telemetry = Telemetry::new();
    let address = serve_axum(users().layer(telemetry.server())).await;
    let answer = raw(address, "POST /users/7 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    let span = telemetry.span().await;
    assert_routed(&span, "POST /users/{id}", Some("/users/{id}"));
    assert_eq!(span.status, Status::Unset);
}

#[tokio::test]
async fn an_unknown_method_is_other() {
    for method in ["FOO", "get"] {
        let telemetry = Telemetry::new();
        let app = Router::new().route("/x", any(|| async { "" })).layer(telemetry.server());
        let request = format!("{method} /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        raw(serve_axum(app).await, request).await;
        let span = telemetry.span().await;
        assert_routed(&span, "HTTP /x", Some("/x"));
        assert_eq!(attribute(&span, "http.request.method").as_deref(), Some("_OTHER"));
        assert_eq!(attribute(&span, "http.request.method_original").as_deref(), Some(method));
        let point = telemetry.points("http.server.request.duration").remove(0);
        assert_eq!(point.attributes["http.request.method"], "_OTHER");
        assert_eq!(point.attributes.get("http.request.method_original"), None);
    }
}

#[tokio::test]
async fn known_methods_replace_the_list() {
    let telemetry = Telemetry::new();
    let app =
        Router::new().route("/x", any(|| async { "" })).layer(telemetry.server().known_methods(["FOO"]));
    let address = serve_axum(app).await;
    raw(address, "FOO /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    get(address, "/x").await;
    let spans = telemetry.spans(2).await;
    assert_routed(&spans[0], "FOO /x", Some("/x"));
    assert_routed(&spans[1], "HTTP /x", Some("/x"));
}

#[tokio::test]
async fn a_handler_that_fails_keeps_its_route() {
    for (path, status) in [("/bad", Status::Unset), ("/broken", NO_DESCRIPTION)] {
        let telemetry = Telemetry::new();
        let app = Router::new()
            .route("/bad", on_get(|| async { StatusCode::BAD_REQUEST }))
            .route("/broken", on_get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
            .layer(telemetry.server());
        get(serve_axum(app).await, path).await;
        let span = telemetry.span().await;
        assert_routed(&span, &format!("GET {path}"), Some(path));
        assert_eq!(span.status, status);
    }
}

#[tokio::test]
async fn a_wildcard_is_a_route_unless_something_better_comes() {
    let telemetry = Telemetry::new();
    let app = Router::new().route("/files/{*path}", on_get(|| async { "" })).layer(telemetry.server());
    get(serve_axum(app).await, "/files/a/b").await;
    assert_routed(&telemetry.span().await, "GET /files/{*path}", Some("/files/{*path}"));

    let telemetry = Telemetry::new();
    let handler = |span: ServerSpan| async move { span.set_route("/files/a/{name}") };
    let app = Router::new().route("/files/{*path}", on_get(handler)).layer(telemetry.server());
    get(serve_axum(app).await, "/files/a/b").await;
    assert_routed(&telemetry.span().await, "GET /files/a/{name}", Some("/files/a/{name}"));
    assert_measured(&telemetry, Some("/files/a/{name}"));
}

#[tokio::test]
async fn a_route_may_come_from_a_hook_or_from_the_handler() {
    let telemetry = Telemetry::new();
    let layer =
        telemetry.server().route(|head| head.uri.path().starts_with("/a/").then(|| "/a/{x}".to_owned()));
    let handler = |request: http::Request<hyper::body::Incoming>| async move {
        if request.uri().path() == "/late" {
            request.extensions().get::<ServerSpan>().unwrap().set_route("/{late}");
        }
        http::Response::new(text(""))
    };
    let address = serve_fn(layer, handler).await;
    for path in ["/a/1", "/b/1", "/late"] {
        get(address, path).await;
    }
    let spans = telemetry.spans(3).await;
    assert_routed(&spans[0], "GET /a/{x}", Some("/a/{x}"));
    assert_routed(&spans[1], "GET", None);
    assert_routed(&spans[2], "GET /{late}", Some("/{late}"));
}

#[tokio::test]
async fn a_route_that_is_said_again_leaves_the_name_that_a_handler_gave() {
    let telemetry = Telemetry::new();
    let handler = |span: ServerSpan| async move {
        opentelemetry::trace::get_active_span(|span| span.update_name("better"));
        span.set_route("/users/{id}");
    };
    let app = Router::new().route("/users/{id}", on_get(handler));
    get(serve_axum(app.layer(telemetry.server()).layer(telemetry.server())).await, "/users/7").await;
    assert_routed(&telemetry.span().await, "better", Some("/users/{id}"));
}

#[tokio::test]
async fn two_layers_make_one_span_and_the_inner_one_adds_what_it_knows() {
    let telemetry = Telemetry::new();
    let elsewhere = Telemetry::new();
    let inner = elsewhere
        .server()
        .capture_request_headers(["x-in"])
        .capture_response_headers(["x-out"])
        .on_request(|_, span| span.set_attribute(KeyValue::new("app.inner", true)))
        .on_response(|_, span| span.set_metric_attribute(KeyValue::new("app.done", true)))
        .observe(|_| Observe::Nothing);
    let app = users()
        .layer(inner)
        .layer(axum::middleware::map_response(|mut response: Response| async {
            response.headers_mut().insert("x-out", "2".parse().unwrap());
            response
        }))
        .layer(telemetry.server().public_endpoint(true));
    get_with(serve_axum(app).await, "/users/7", "x-in: 1\r\n").await;
    let span = telemetry.span().await;
    assert_routed(&span, "GET /users/{id}", Some("/users/{id}"));
    assert_eq!(attribute(&span, "app.inner").as_deref(), Some("true"));
    assert_eq!(attribute(&span, "http.request.header.x-in").as_deref(), Some("[\"1\"]"));
    assert_eq!(attribute(&span, "http.response.header.x-out"), None, "it was set outside of the inner layer");
    let points = telemetry.points("http.server.request.duration");
    assert_eq!((points.len(), points[0].count), (1, 1));
    assert_eq!(points[0].attributes["app.done"], "true");
    assert!(elsewhere.spans_now().is_empty(), "the outer layer owns the span");
    assert!(elsewhere.points("http.server.request.duration").is_empty(), "and the metrics");
}

#[tokio::test]
async fn where_the_outer_layer_does_not_observe_the_inner_one_is_the_outermost() {
    let telemetry = Telemetry::new();
    let app = users().layer(telemetry.server()).layer(telemetry.server().observe(|_| false));
    get(serve_axum(app).await, "/users/7").await;
    assert_routed(&telemetry.span().await, "GET /users/{id}", Some("/users/{id}"));
    assert_measured(&telemetry, Some("/users/{id}"));
}

#[tokio::test]
async fn a_handle_that_has_ended_or_is_of_another_trace_counts_as_none() {
    let telemetry = Telemetry::new();
    let handle = std::sync::Arc::new(std::sync::Mutex::new(None));
    let keeps = handle.clone();
    let service = tower::service_fn(move |request: Request| {
        *keeps.lock().unwrap() = request.extensions().get::<ServerSpan>().cloned();
        async { Ok::<_, Infallible>(Response::new(Body::empty())) }
    });
    let service = telemetry.server().layer(service);
    let response = service.clone().oneshot(Request::new(Body::empty())).await.unwrap();
    drop(response);
    let ended: ServerSpan = handle.lock().unwrap().take().unwrap();
    ended.set_route("/too/late");
    ended.set_attribute(KeyValue::new("too", "late"));
    ended.error("too_late");
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(ended);
    service.clone().oneshot(request).await.unwrap();
    let spans = telemetry.spans(2).await;
    assert_routed(&spans[0], "GET", None);
    assert_eq!(spans[0].status, Status::Unset);

    // A live handle that was carried out of its trace.
    let inner = service.clone();
    let outer = telemetry.server().layer(tower::service_fn(move |request: Request| {
        let inner = inner.clone();
        async move { tokio::spawn(inner.oneshot(request)).await.unwrap() }
    }));
    outer.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(telemetry.spans(4).await.len(), 4);
}

#[tokio::test]
async fn a_handle_is_inert_where_no_layer_runs() {
    let handler = |span: ServerSpan| async move {
        span.set_route("/x");
        span.set_attribute(KeyValue::new("a", 1));
        span.set_metric_attribute(KeyValue::new("a", 1));
        span.rename("x");
        span.error("x");
        format!("{:?}", span.context())
    };
    let answer = get(serve_axum(Router::new().route("/", on_get(handler))).await, "/").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
