//! A server's span and metric of each gRPC call, next to HTTP on the same port.
#![cfg(feature = "axum")]

mod common;
#[path = "common/grpc.rs"]
mod grpc;

use std::net::SocketAddr;

use axum::Router;
use bytes::Bytes;
use common::*;
use futures_util::stream;
use grpc::*;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use opentelemetry::trace::{SpanKind, Status};
use otelhttp::ServerLayer;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_prost::ProstCodec;
use tower::ServiceExt;

const DURATION: &str = "rpc.server.call.duration";
const HTTP: [&str; 2] = ["http.server.request.duration", "http.server.active_requests"];

/// Both services and a route of HTTP in one router, the layer inside of it.
fn app(layer: ServerLayer) -> Router {
    let users = axum::routing::get(|| async { "hello" });
    services().into_axum_router().route("/users/{id}", users).layer(layer)
}

async fn start() -> (Telemetry, SocketAddr) {
    start_with(|layer| layer).await
}

async fn start_with(more: impl FnOnce(ServerLayer) -> ServerLayer) -> (Telemetry, SocketAddr) {
    let telemetry = Telemetry::new();
    let address = serve(app(more(telemetry.server()))).await;
    (telemetry, address)
}

/// The one series of the calls, and nothing of HTTP's.
#[track_caller]
fn assert_measured(telemetry: &Telemetry, method: &str, code: &str, error: Option<&str>) {
    let points = telemetry.points(DURATION);
    assert_eq!(points.len(), 1, "{points:#?}");
    let mut expected = vec![("rpc.system.name", "grpc"), ("rpc.method", method), ("rpc.status_code", code)];
    expected.extend(error.map(|error| ("error.type", error)));
    assert_attributes(&points[0].attributes, &expected);
    assert_eq!((points[0].count, points[0].unit.as_str(), points[0].bounds.len()), (1, "s", 14));
    assert_eq!(HTTP.map(|metric| telemetry.points(metric).len()), [0, 0]);
}

#[tokio::test]
async fn a_call_is_a_span_of_its_method_and_not_of_http() {
    let (telemetry, address) = start().await;
    untraced(address).check(asks("")).await.unwrap();
    let span = telemetry.span().await;
    assert_eq!(span.span_kind, SpanKind::Server);
    assert_rpc(&span, address, CHECK, "OK", Status::Unset, &[]);
    assert_measured(&telemetry, CHECK, "OK", None);
    let lasted = span.end_time.duration_since(span.start_time).unwrap().as_secs_f64();
    assert!((telemetry.points(DURATION)[0].sum - lasted).abs() < 1e-6);
}

#[tokio::test]
async fn each_status_is_an_error_as_the_conventions_have_it() {
    const ERRORS: [i32; 6] = [2, 4, 12, 13, 14, 15];
    for code in 1..=16 {
        let (telemetry, address) = start().await;
        let status = untraced(address).check(asks(format!("{code} disk full"))).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::from_i32(code), "disk full"));
        let name = name_of(code);
        let error = ERRORS.contains(&code).then_some(name);
        let span = telemetry.span().await;
        let (status, more) = match error {
            Some(error) => (Status::error("disk full"), vec![("error.type", error)]),
            None => (Status::Unset, vec![]),
        };
        assert_rpc(&span, address, CHECK, name, status, &more);
        // Whoever calls a method that does not exist must not make a series.
        let label = if name == "UNIMPLEMENTED" { "_OTHER" } else { CHECK };
        assert_measured(&telemetry, label, name, error);
    }
}

/// The registry's name of a status.
fn name_of(code: i32) -> &'static str {
    let registry: serde_json::Value = serde_json::from_str(include_str!("data/http_semconv.json")).unwrap();
    let name = &registry["rules"]["grpc_status_names"][usize::try_from(code).unwrap()];
    name.as_str().unwrap().to_owned().leak()
}

#[tokio::test]
async fn a_message_is_decoded_and_can_be_left_out() {
    let (telemetry, address) = start().await;
    untraced(address).check(asks("13 100% über\nvoll")).await.unwrap_err();
    let span = telemetry.span().await;
    assert_rpc(
        &span,
        address,
        CHECK,
        "INTERNAL",
        Status::error("100% über\nvoll"),
        &[("error.type", "INTERNAL")],
    );

    let (telemetry, address) = start_with(|layer| layer.rpc_status_messages(false)).await;
    untraced(address).check(asks("13 s3cret")).await.unwrap_err();
    assert_eq!(telemetry.span().await.status, NO_DESCRIPTION);
    assert!(!telemetry.everything().contains("s3cret"));
}

#[tokio::test]
async fn a_stream_ends_with_the_status_in_its_trailers() {
    for (script, code, status, error) in [
        ("", "OK", Status::Unset, None),
        ("13 disk full", "INTERNAL", error("disk full"), Some("INTERNAL")),
        ("5 none", "NOT_FOUND", Status::Unset, None),
    ] {
        let (telemetry, address) = start().await;
        let mut messages = untraced(address).watch(asks(script)).await.unwrap().into_inner();
        for _ in 0..2 {
            assert!(messages.message().await.unwrap().is_some());
        }
        assert_eq!(
            messages.message().await.map_err(|status| name_of(status.code().into())),
            match code {
                "OK" => Ok(None),
                code => Err(code),
            }
        );
        let span = telemetry.span().await;
        let more: Vec<_> = error.iter().map(|error| ("error.type", *error)).collect();
        assert_rpc(&span, address, WATCH, code, status, &more);
        assert_measured(&telemetry, WATCH, code, error);
    }
}

#[tokio::test]
async fn streams_may_come_from_the_client_or_from_both() {
    let (telemetry, address) = start().await;
    let client = Telemetry::new();
    let messages = || tonic::Request::new(stream::iter([asks("a"), asks("b")]));
    let codec = || ProstCodec::<HealthCheckRequest, HealthCheckRequest>::default();
    let path = |method: &str| format!("/{method}").parse().unwrap();

    let mut echo = echo(&client.client(), address).await;
    let mut echoes = echo.streaming(messages(), path(TALK), codec()).await.unwrap().into_inner();
    for expected in ["a", "b"] {
        assert_eq!(echoes.message().await.unwrap(), Some(asks(expected)));
    }
    assert_eq!(echoes.message().await.unwrap(), None);
    assert_rpc(&telemetry.span().await, address, TALK, "OK", Status::Unset, &[]);
    assert_rpc(&client.span().await, address, TALK, "OK", Status::Unset, &[]);

    let codec = ProstCodec::<HealthCheckRequest, tonic_health::pb::HealthCheckResponse>::default();
    echo.ready().await.unwrap();
    let count = echo.client_streaming(messages(), path(COUNT), codec).await.unwrap().into_inner();
    assert_eq!(count.status, 2);
    assert_rpc(&telemetry.spans(2).await[1], address, COUNT, "OK", Status::Unset, &[]);
    assert_rpc(&client.spans(2).await[1], address, COUNT, "OK", Status::Unset, &[]);
}

#[tokio::test]
async fn a_client_that_goes_away_has_cancelled() {
    // While the handler works.
    let (telemetry, address) = start().await;
    let mut client = untraced(address);
    let call = tokio::spawn(async move { client.check(asks("wait")).await });
    soon("the call to start", async {
        while telemetry.started().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    call.abort();
    assert_rpc(&telemetry.span().await, address, CHECK, "CANCELLED", Status::Unset, &[]);
    assert_measured(&telemetry, CHECK, "CANCELLED", None);

    // While the messages stream: a reset.
    let (telemetry, address) = start().await;
    let mut messages = untraced(address).watch(asks("wait")).await.unwrap().into_inner();
    assert!(messages.message().await.unwrap().is_some());
    assert!(telemetry.spans_now().is_empty(), "it lasts as long as its messages");
    drop(messages);
    assert_rpc(&telemetry.span().await, address, WATCH, "CANCELLED", Status::Unset, &[]);
    assert_measured(&telemetry, WATCH, "CANCELLED", None);
}

#[tokio::test]
async fn a_deadline_that_passed_is_no_cancellation() {
    let telemetry = Telemetry::new();
    let address = serve_tonic(telemetry.server().rpc_methods([CHECK])).await;
    // A message that asks to wait. Who sends it waits longer than it says.
    let message = Bytes::from_static(b"\0\0\0\0\x06\x0a\x04wait");
    let request = Request::post(format!("http://{address}/{CHECK}"))
        .header("content-type", "application/grpc")
        .header("grpc-timeout", "20m")
        .body(Full::new(message))
        .unwrap();
    let response = soon("a head", http2(address).await.send_request(request)).await.unwrap();
    // tonic 0.14 answers a deadline of its own as a cancellation.
    assert_eq!(response.headers()["grpc-status"], "1");
    assert_eq!(response.headers()["grpc-message"], "Timeout%20expired");
    let span = telemetry.span().await;
    let more = [("error.type", "DEADLINE_EXCEEDED"), ("network.peer.address", ""), ("network.peer.port", "")];
    assert_rpc(&span, address, CHECK, "DEADLINE_EXCEEDED", NO_DESCRIPTION, &more);
    assert_measured(&telemetry, CHECK, "DEADLINE_EXCEEDED", Some("DEADLINE_EXCEEDED"));
}

#[tokio::test]
async fn a_panic_is_a_panic() {
    let telemetry = Telemetry::new();
    let app = app(telemetry.server()).layer(tower_http::catch_panic::CatchPanicLayer::new());
    let address = serve(app).await;
    untraced(address).check(asks("panic")).await.unwrap_err();
    let span = telemetry.span().await;
    assert_rpc(&span, address, CHECK, "UNKNOWN", NO_DESCRIPTION, &[("error.type", "panic")]);
    assert_measured(&telemetry, CHECK, "UNKNOWN", Some("panic"));
}

#[tokio::test]
async fn one_port_serves_both_and_each_has_its_metrics() {
    let (telemetry, address) = start().await;
    get(address, "/users/7").await;
    untraced(address).check(asks("")).await.unwrap();
    // gRPC-Web is another protocol, whose status is in the body.
    get_with(address, "/users/8", "content-type: application/grpc-web+proto\r\n").await;
    let spans = telemetry.spans(3).await;
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["GET /users/{id}", CHECK, "GET /users/{id}"]);
    let counts = |metric| telemetry.points(metric).iter().map(|point| point.count).collect::<Vec<_>>();
    assert_eq!((counts(DURATION), counts(HTTP[0])), (vec![1], vec![2]));
    assert_eq!(telemetry.points(HTTP[1]).len(), 1);
    assert_eq!(telemetry.active(HTTP[1]), 0.0);
}

#[tokio::test]
async fn a_program_without_grpc_has_no_instrument_for_it() {
    let (telemetry, address) = start().await;
    get(address, "/users/7").await;
    telemetry.span().await;
    assert!(!telemetry.everything().contains("rpc."));
}

#[tokio::test]
async fn a_method_exists_if_the_router_or_the_list_says_so() {
    // Around the router nothing is known, unless it is listed.
    for (listed, method, original) in [(None, "_OTHER", CHECK), (Some(CHECK), CHECK, "")] {
        let telemetry = Telemetry::new();
        let address = serve_tonic(telemetry.server().rpc_methods(listed)).await;
        untraced(address).check(asks("")).await.unwrap();
        let unknown_peer = [("network.peer.address", ""), ("network.peer.port", "")];
        let more = [("rpc.method_original", original), unknown_peer[0], unknown_peer[1]];
        assert_rpc(&telemetry.span().await, address, method, "OK", Status::Unset, &more);
        assert_measured(&telemetry, method, "OK", None);
    }
    // A service of which methods are listed has no others.
    let (telemetry, address) = start_with(|layer| layer.rpc_methods(["/grpc.health.v1.Health/Watch"])).await;
    untraced(address).check(asks("")).await.unwrap();
    let more = [("rpc.method_original", CHECK)];
    assert_rpc(&telemetry.span().await, address, "_OTHER", "OK", Status::Unset, &more);
}

#[tokio::test]
async fn ten_thousand_paths_add_no_series() {
    let telemetry = Telemetry::new();
    let app = app(telemetry.server());
    for number in 0..10_000 {
        // Of no service, of one that exists, and of no shape.
        let head = finish(
            &app,
            match number % 4 {
                0 => format!("/x{number}.Service/Method{number}"),
                1 => format!("/grpc.health.v1.Health/Method{number}"),
                2 => format!("/grpc.health.v1.Health/a/b{number}"),
                _ => format!("/{number}"),
            },
        )
        .await;
        assert_eq!(head["grpc-status"], "12");
    }
    let spans = telemetry.spans(10_000).await;
    let unknown = spans.iter().filter(|span| span.name == "grpc");
    assert_eq!(unknown.count(), 7_500);
    for span in &spans {
        let is_unknown = span.name == "grpc";
        assert_eq!(attribute(span, "rpc.method").as_deref() == Some("_OTHER"), is_unknown);
        assert_eq!(attribute(span, "rpc.method_original").is_some(), is_unknown);
    }
    let points = telemetry.points(DURATION);
    assert_eq!(points.len(), 1, "{points:#?}");
    assert_eq!(points[0].count, 10_000);
    assert_eq!(points[0].attributes["rpc.method"], "_OTHER");
    assert_eq!(HTTP.map(|metric| telemetry.points(metric).len()), [0, 0]);
}

#[tokio::test]
async fn who_answers_before_the_method_is_known_lets_no_caller_make_series() {
    let telemetry = Telemetry::new();
    let refuse = axum::middleware::from_fn(async |_: axum::extract::Request, _: axum::middleware::Next| {
        only("16").map(axum::body::Body::new)
    });
    let layer = telemetry.server();
    let app = services().into_axum_router().layer(refuse).layer(layer.clone());
    for number in 0..1_000 {
        finish(&app, format!("/grpc.health.v1.Health/Method{number}")).await;
    }
    telemetry.spans(1_000).await;
    assert_eq!(telemetry.points(DURATION).len(), 128 + 1);
    // There is still a place for those that exist.
    let app = services().into_axum_router().layer(layer);
    finish(&app, "/grpc.health.v1.Health/Check".to_owned()).await;
    telemetry.spans(1_001).await;
    let methods =
        telemetry.points(DURATION).into_iter().map(|mut point| point.attributes.remove("rpc.method"));
    assert!(methods.flatten().any(|method| method == "grpc.health.v1.Health/Check"));
}

#[tokio::test]
async fn only_a_post_is_a_call() {
    let telemetry = Telemetry::new();
    let app = Router::new().route("/x", axum::routing::any(async || "hello")).layer(telemetry.server());
    for method in ["GET", "HEAD", "PUT"] {
        let request = Request::builder().method(method).uri("/x").header("content-type", "application/grpc");
        let response = app.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    let spans = telemetry.spans(3).await;
    let mut names: Vec<_> = spans.iter().map(|span| (span.name.clone(), span.status.clone())).collect();
    names.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(names, ["GET /x", "HEAD /x", "PUT /x"].map(|name| (name.into(), Status::Unset)));
    assert_eq!(telemetry.points("http.server.request.duration").len(), 3);
}

/// Ends with this status in its trailers.
fn ends_with(status: &'static str) -> Response<axum::body::Body> {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static(status));
    let body = stream::iter([Ok::<_, std::convert::Infallible>(Frame::<Bytes>::trailers(trailers))]);
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(axum::body::Body::new(StreamBody::new(body))).unwrap()
}

/// What the caller is sent counts, not what an inner layer has seen.
#[tokio::test]
async fn the_outermost_status_counts() {
    let telemetry = Telemetry::new();
    let replace =
        axum::middleware::from_fn(async |request: axum::extract::Request, next: axum::middleware::Next| {
            next.run(request).await.into_body().collect().await.unwrap();
            ends_with("0")
        });
    let app = Router::new().fallback(async || ends_with("13")).layer(telemetry.server());
    finish(&app.layer(replace).layer(telemetry.server()), "/a.B/C".to_owned()).await;
    assert_eq!(telemetry.span().await.status, Status::Unset);
}

/// Calls a method in process, and reads the answer whole.
async fn finish(app: &Router, path: String) -> http::HeaderMap {
    let request = Request::post(path).header("content-type", "application/grpc");
    let response = app.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    body.collect().await.unwrap();
    head.headers
}

/// A server that answers every call so.
async fn answers<B>(
    telemetry: &Telemetry,
    answer: impl Fn() -> Response<B> + Clone + Send + Sync + 'static,
) -> SocketAddr
where
    B: http_body::Body<
            Data = Bytes,
            Error: std::fmt::Display + Into<Box<dyn std::error::Error + Send + Sync>>,
        > + Send
        + 'static,
{
    let layer = telemetry.server().rpc_methods([CHECK]);
    serve_fn(layer, move |_| std::future::ready(answer())).await
}

#[tokio::test]
async fn what_is_no_status_is_unknown() {
    for trailers in [
        &[("grpc-status", "banana")][..],
        &[("grpc-status", "17")],
        &[("grpc-status", "-1")],
        &[("grpc-status", "")],
        &[("grpc-message", "no%20status")],
        &[],
    ] {
        let telemetry = Telemetry::new();
        let address = answers(&telemetry, || answer(trailers)).await;
        let (head, received) = call(address, &format!("/{CHECK}"), &[]).await;
        assert!(!head.contains_key("grpc-status"));
        assert_eq!(received.len(), trailers.len(), "they reach the client as they were");
        let span = telemetry.span().await;
        assert_rpc(&span, address, CHECK, "UNKNOWN", NO_DESCRIPTION, &[("error.type", "UNKNOWN")]);
        assert_measured(&telemetry, CHECK, "UNKNOWN", Some("UNKNOWN"));
    }
}

#[tokio::test]
async fn an_answer_of_http_has_the_status_that_clients_make_of_it() {
    for (code, name, error) in [
        (200, "UNKNOWN", Some("UNKNOWN")),
        (401, "UNAUTHENTICATED", None),
        (404, "UNIMPLEMENTED", Some("UNIMPLEMENTED")),
        (503, "UNAVAILABLE", Some("UNAVAILABLE")),
    ] {
        let telemetry = Telemetry::new();
        let address = answers(&telemetry, move || {
            Response::builder().status(code).header("content-type", "text/html").body(text("<html>")).unwrap()
        })
        .await;
        call(address, &format!("/{CHECK}"), &[]).await;
        let span = telemetry.span().await;
        let status = if error.is_some() { NO_DESCRIPTION } else { Status::Unset };
        let more: Vec<_> = error.iter().map(|error| ("error.type", *error)).collect();
        assert_rpc(&span, address, CHECK, name, status, &more);
    }
}

#[tokio::test]
async fn a_body_that_fails_is_an_error() {
    let telemetry = Telemetry::new();
    let address = answers(&telemetry, || {
        let frames = [Ok(Frame::data(Bytes::from_static(&[0; 5]))), Err(std::io::Error::other("disk"))];
        let body = StreamBody::new(stream::iter(frames));
        Response::builder().header("content-type", "application/grpc").body(body).unwrap()
    })
    .await;
    untraced(address).check(asks("")).await.unwrap_err();
    let span = telemetry.span().await;
    assert_rpc(&span, address, CHECK, "UNKNOWN", Status::error("body"), &[("error.type", "body")]);
}

#[cfg(feature = "tonic")]
#[tokio::test]
async fn a_status_that_comes_as_an_error_is_a_status() {
    use tower::Layer;
    for (code, error) in [(Code::NotFound, None), (Code::Internal, Some("INTERNAL"))] {
        let telemetry = Telemetry::new();
        let service = tower::service_fn(move |_: Request<()>| async move {
            Err::<Response<Full<Bytes>>, _>(tonic::Status::new(code, "s3cret"))
        });
        let request = Request::post(format!("/{CHECK}")).header("content-type", "application/grpc");
        let service = telemetry.server().rpc_methods([CHECK]).layer(service);
        let status = service.oneshot(request.body(()).unwrap()).await.unwrap_err();
        assert_eq!(status.code(), code);
        let span = telemetry.span().await;
        let mut attributes = vec![
            ("rpc.system.name", "grpc"),
            ("rpc.method", CHECK),
            ("rpc.status_code", name_of(code.into())),
        ];
        attributes.extend(error.map(|error| ("error.type", error)));
        let status = if error.is_some() { NO_DESCRIPTION } else { Status::Unset };
        assert_span(&span, SpanKind::Server, CHECK, status, &attributes);
        assert!(!telemetry.everything().contains("s3cret"));
    }
}

#[tokio::test]
async fn metadata_is_recorded_if_it_is_allowed() {
    let capture = |layer: ServerLayer| {
        layer.capture_request_headers(["x-tenant"]).capture_response_headers(["x-cache"])
    };
    let (telemetry, address) = start_with(capture).await;
    let asks = |script| {
        let mut request = tonic::Request::new(asks(script));
        request.metadata_mut().append("x-tenant", "acme".parse().unwrap());
        request.metadata_mut().append("x-tenant", "corp".parse().unwrap());
        request.metadata_mut().append("authorization", "s3cret".parse().unwrap());
        request
    };
    untraced(address).check(asks("metadata")).await.unwrap();
    untraced(address).check(asks("metadata of an error")).await.unwrap_err();
    let spans = telemetry.spans(2).await;
    let tenant = ("rpc.request.header.x-tenant", "[\"acme\",\"corp\"]");
    let more = [tenant, ("rpc.response.header.x-cache", "[\"miss\"]")];
    assert_rpc(&spans[0], address, CHECK, "OK", Status::Unset, &more);
    // What comes with the status is a trailer, though it be in the head.
    let more = [tenant, ("rpc.response.trailer.x-cache", "[\"none\"]")];
    assert_rpc(&spans[1], address, CHECK, "NOT_FOUND", Status::Unset, &more);
    assert!(!telemetry.everything().contains("s3cret"));

    let telemetry = Telemetry::new();
    let layer = capture(telemetry.server().rpc_methods([CHECK]));
    let trailers = &[("grpc-status", "0"), ("x-cache", "late")];
    let address = serve_fn(layer, |_| std::future::ready(answer(trailers))).await;
    call(address, &format!("/{CHECK}"), &[]).await;
    let more = [("rpc.response.trailer.x-cache", "[\"late\"]")];
    assert_rpc(&telemetry.span().await, address, CHECK, "OK", Status::Unset, &more);
}

#[tokio::test]
async fn a_layer_further_in_adds_its_captures_and_no_span() {
    let telemetry = Telemetry::new();
    let inner =
        telemetry.server().capture_request_headers(["x-tenant"]).capture_response_headers(["x-cache"]);
    let app = services().into_axum_router().layer(inner).layer(telemetry.server());
    let address = serve(app).await;
    let mut request = tonic::Request::new(asks("metadata"));
    request.metadata_mut().append("x-tenant", "acme".parse().unwrap());
    untraced(address).check(request).await.unwrap();
    let more = [("rpc.request.header.x-tenant", "[\"acme\"]"), ("rpc.response.header.x-cache", "[\"miss\"]")];
    assert_rpc(&telemetry.span().await, address, CHECK, "OK", Status::Unset, &more);
    assert_measured(&telemetry, CHECK, "OK", None);
}

#[tokio::test]
async fn what_hooks_say_is_believed() {
    let (telemetry, address) = start_with(|layer| {
        layer.on_request(|_, span| {
            span.rename("mine");
            span.error("my_error");
            span.set_metric_attribute(opentelemetry::KeyValue::new("app.tenant", "acme"));
        })
    })
    .await;
    untraced(address).check(asks("")).await.unwrap();
    let span = telemetry.span().await;
    assert_eq!(span.name, "mine");
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("my_error"));
    let labels = &telemetry.points(DURATION)[0].attributes;
    assert_eq!((&*labels["app.tenant"], &*labels["error.type"]), ("acme", "my_error"));
}

#[tokio::test]
async fn an_unsampled_call_is_measured() {
    let telemetry = Telemetry::with_sampler(opentelemetry_sdk::trace::Sampler::AlwaysOff);
    let address = serve(app(telemetry.server())).await;
    untraced(address).check(asks("")).await.unwrap();
    soon("the measurement", async {
        while telemetry.points(DURATION).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_measured(&telemetry, CHECK, "OK", None);
    assert!(telemetry.spans_now().is_empty());
}
