//! A client's span and metric of each gRPC call, over tonic's channel.

mod common;
#[path = "common/grpc.rs"]
mod grpc;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use common::client::{accepts, answers, get_x, http1_client};
use common::*;
use futures_util::{FutureExt, StreamExt, stream};
use grpc::*;
use http::Response;
use http_body_util::{BodyExt, Full};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, Status};
use otelhttp::ClientLayer;
use tokio::io::AsyncReadExt;
use tonic::Code;
use tonic_health::pb::health_client::HealthClient;
use tower::Layer;

const DURATION: &str = "rpc.client.call.duration";
const HTTP: [&str; 2] = ["http.client.request.duration", "http.client.active_requests"];

async fn services() -> SocketAddr {
    serve(grpc::services().into_axum_router()).await
}

/// The one series of the calls, and nothing of HTTP's.
#[track_caller]
fn assert_measured(
    telemetry: &Telemetry,
    address: SocketAddr,
    method: &str,
    code: &str,
    error: Option<&str>,
) {
    let points = telemetry.points(DURATION);
    assert_eq!(points.len(), 1, "{points:#?}");
    let port = address.port().to_string();
    let mut expected = vec![
        ("rpc.system.name", "grpc"),
        ("rpc.method", method),
        ("rpc.status_code", code),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
    ];
    expected.extend(error.map(|error| ("error.type", error)));
    assert_attributes(&points[0].attributes, &expected);
    assert_eq!((points[0].count, points[0].unit.as_str(), points[0].bounds.len()), (1, "s", 14));
    assert_eq!(HTTP.map(|metric| telemetry.points(metric).len()), [0, 0]);
}

#[tokio::test]
async fn a_call_is_a_span_of_its_method() {
    let telemetry = Telemetry::new();
    let address = services().await;
    health(&telemetry.client(), address).check(asks("")).await.unwrap();
    let span = telemetry.span().await;
    assert_eq!(span.span_kind, SpanKind::Client);
    assert_rpc(&span, address, CHECK, "OK", Status::Unset, &[]);
    assert_measured(&telemetry, address, CHECK, "OK", None);
}

#[tokio::test]
async fn every_status_but_ok_is_an_error() {
    for code in 1..=16 {
        let telemetry = Telemetry::new();
        let address = services().await;
        let status = health(&telemetry.client(), address).check(asks(format!("{code} disk full"))).await;
        assert_eq!(status.unwrap_err().code(), Code::from_i32(code));
        let span = telemetry.span().await;
        let name = attribute(&span, "rpc.status_code").unwrap();
        assert_eq!(
            name.replace('_', "").to_lowercase(),
            format!("{:?}", Code::from_i32(code)).to_lowercase()
        );
        assert_rpc(&span, address, CHECK, &name, error("disk full"), &[("error.type", &name)]);
        assert_measured(&telemetry, address, CHECK, &name, Some(&name));
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_status_in_its_trailers() {
    for (script, code, error) in [("", "OK", None), ("13 disk full", "INTERNAL", Some("INTERNAL"))] {
        let telemetry = Telemetry::new();
        let address = services().await;
        // The status comes last, so the head cannot end the span.
        let layer = telemetry.client().end_at_headers(true);
        let mut messages = health(&layer, address).watch(asks(script)).await.unwrap().into_inner();
        for _ in 0..2 {
            assert!(telemetry.spans_now().is_empty(), "it lasts as long as its messages");
            assert!(messages.message().await.unwrap().is_some());
        }
        assert_eq!(messages.message().await.is_err(), error.is_some());
        let span = telemetry.span().await;
        let status = if error.is_some() { grpc::error("disk full") } else { Status::Unset };
        let more: Vec<_> = error.iter().map(|error| ("error.type", *error)).collect();
        assert_rpc(&span, address, WATCH, code, status, &more);
        assert_measured(&telemetry, address, WATCH, code, error);
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled() {
    let cancelled = [("error.type", "CANCELLED")];
    // Before a response.
    let (telemetry, server) = (Telemetry::new(), Telemetry::new());
    let address = serve(grpc::services().into_axum_router().layer(server.server())).await;
    let mut client = health(&telemetry.client(), address);
    let call = tokio::spawn(async move { client.check(asks("wait")).await });
    soon("the call to arrive", async {
        while server.started().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    call.abort();
    assert_rpc(&telemetry.span().await, address, CHECK, "CANCELLED", NO_DESCRIPTION, &cancelled);
    assert_measured(&telemetry, address, CHECK, "CANCELLED", Some("CANCELLED"));

    // Before the end of the messages.
    let telemetry = Telemetry::new();
    let mut messages = health(&telemetry.client(), address).watch(asks("wait")).await.unwrap().into_inner();
    assert!(messages.message().await.unwrap().is_some());
    drop(messages);
    assert_rpc(&telemetry.span().await, address, WATCH, "CANCELLED", NO_DESCRIPTION, &cancelled);
}

#[tokio::test]
async fn a_deadline_outside_of_the_layer_is_a_deadline() {
    let telemetry = Telemetry::new();
    // The channel keeps the deadline too; this one comes first, and is one that does not.
    let service = telemetry.client().layer(tower::service_fn(|_: http::Request<tonic::body::Body>| {
        std::future::pending::<Result<Response<tonic::body::Body>, std::convert::Infallible>>()
    }));
    let mut client = HealthClient::with_origin(service, "http://127.0.0.1:7".parse().unwrap());
    let mut request = tonic::Request::new(asks(""));
    request.set_timeout(Duration::from_millis(20));
    // The call's time counts from here, whenever the machine comes to it.
    let mut call = Box::pin(client.check(request));
    assert!(call.as_mut().now_or_never().is_none());
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(call);
    let more = [("error.type", "DEADLINE_EXCEEDED")];
    let address = "127.0.0.1:7".parse().unwrap();
    assert_rpc(&telemetry.span().await, address, CHECK, "DEADLINE_EXCEEDED", NO_DESCRIPTION, &more);
}

#[cfg(feature = "tonic")]
#[tokio::test]
async fn a_deadline_of_the_channel_is_a_timeout() {
    let telemetry = Telemetry::new();
    let address = services().await;
    let mut request = tonic::Request::new(asks("wait"));
    request.set_timeout(Duration::from_millis(20));
    let status = health(&telemetry.client(), address).check(request).await.unwrap_err();
    // tonic 0.14 calls a deadline of its own a cancellation.
    assert_eq!((status.code(), status.message()), (Code::Cancelled, "Timeout expired"));
    let span = telemetry.span().await;
    let description = error("timeout: Timeout expired");
    assert_rpc(&span, address, CHECK, "DEADLINE_EXCEEDED", description, &[("error.type", "timeout")]);
    assert_measured(&telemetry, address, CHECK, "DEADLINE_EXCEEDED", Some("timeout"));
}

#[cfg(feature = "tonic")]
#[tokio::test]
async fn a_refused_connection_is_named_and_unavailable() {
    let telemetry = Telemetry::new();
    // Nobody listens there any more.
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let status = health(&telemetry.client(), address).check(asks("")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let span = telemetry.span().await;
    let description = error("connect: tcp connect error: Connection refused (os error 111)");
    assert_rpc(&span, address, CHECK, "UNAVAILABLE", description, &[("error.type", "connect")]);
    assert_measured(&telemetry, address, CHECK, "UNAVAILABLE", Some("connect"));
}

#[cfg(feature = "tonic")]
#[tokio::test]
async fn a_connection_that_breaks_is_a_reset() {
    let telemetry = Telemetry::new();
    let address = accepts(|mut stream| async move {
        // The preface of HTTP/2.
        stream.read_exact(&mut [0; 24]).await.unwrap();
    })
    .await;
    health(&telemetry.client(), address).check(asks("")).await.unwrap_err();
    let span = telemetry.span().await;
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("reset"), "{span:#?}");
    assert_eq!(attribute(&span, "rpc.status_code").as_deref(), Some("UNAVAILABLE"));
}

#[cfg(feature = "tonic")]
#[tokio::test]
async fn a_stream_that_is_reset_has_the_status_that_tonic_tells() {
    let telemetry = Telemetry::new();
    let address = answers(|_| {
        let message = stream::iter([Ok(http_body::Frame::data(Bytes::from_static(&[0; 5])))]);
        // What was said before goes out while the body makes hyper wait.
        let failure = stream::once(async {
            tokio::task::yield_now().await;
            Err(std::io::Error::other("disk"))
        });
        let body = http_body_util::StreamBody::new(message.chain(failure));
        Response::builder().header("content-type", "application/grpc").body(body).unwrap()
    })
    .await;
    let status = health(&telemetry.client(), address).check(asks("")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let span = telemetry.span().await;
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("body"), "{span:#?}");
    assert_eq!(attribute(&span, "rpc.status_code").as_deref(), Some("INTERNAL"));
}

#[cfg(feature = "tonic")]
#[tokio::test]
async fn a_call_that_is_reset_has_the_status_of_its_reason() {
    let telemetry = Telemetry::new();
    // hyper resets a stream whose service fails, with INTERNAL_ERROR.
    let address = serve(tower::service_fn(|_: http::Request<hyper::body::Incoming>| async {
        Err::<Response<Full<Bytes>>, _>(std::io::Error::other("disk"))
    }))
    .await;
    let status = health(&telemetry.client(), address).check(asks("")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let description = error("reset: http2 error: stream error received");
    let span = telemetry.span().await;
    assert_rpc(&span, address, CHECK, "INTERNAL", description, &[("error.type", "reset")]);
}

#[tokio::test]
async fn what_is_no_status_is_unknown_and_the_caller_gets_what_it_would_have_got() {
    for trailers in [
        &[("grpc-status", "banana")][..],
        &[("grpc-status", "17")],
        &[("grpc-status", "99999999999999999999")],
        &[("grpc-message", "no%20status")],
        &[],
    ] {
        let telemetry = Telemetry::new();
        let address = answers(|_| answer(trailers)).await;
        let bare = untraced(address).check(asks("")).await.unwrap_err();
        let traced = health(&telemetry.client(), address).check(asks("")).await.unwrap_err();
        assert_eq!((traced.code(), traced.message()), (bare.code(), bare.message()));
        assert_eq!(traced.code(), Code::Unknown);
        let span = telemetry.span().await;
        assert_rpc(&span, address, CHECK, "UNKNOWN", NO_DESCRIPTION, &[("error.type", "UNKNOWN")]);
        assert_measured(&telemetry, address, CHECK, "UNKNOWN", Some("UNKNOWN"));
    }
    let telemetry = Telemetry::new();
    let address = answers(|_| only("banana")).await;
    health(&telemetry.client(), address).check(asks("")).await.unwrap_err();
    let span = telemetry.span().await;
    assert_rpc(&span, address, CHECK, "UNKNOWN", NO_DESCRIPTION, &[("error.type", "UNKNOWN")]);
}

#[tokio::test]
async fn an_answer_of_http_is_read_by_its_code_and_the_caller_gets_what_it_would_have_got() {
    for (code, name) in [(503, "UNAVAILABLE"), (401, "UNAUTHENTICATED"), (500, "UNKNOWN"), (200, "UNKNOWN")] {
        let telemetry = Telemetry::new();
        let html = move |_| {
            let head = Response::builder().status(code).header("content-type", "text/html");
            head.body(Full::new(Bytes::from_static(b"<html>down</html>"))).unwrap()
        };
        let address = answers(html).await;
        let bare = untraced(address).check(asks("")).await.unwrap_err();
        let traced = health(&telemetry.client(), address).check(asks("")).await.unwrap_err();
        assert_eq!((traced.code(), traced.message()), (bare.code(), bare.message()));
        let span = telemetry.span().await;
        assert_rpc(&span, address, CHECK, name, NO_DESCRIPTION, &[("error.type", name)]);
    }
}

#[tokio::test]
async fn client_and_server_are_one_trace() {
    let telemetry = Telemetry::new();
    let app = grpc::services().into_axum_router().layer(telemetry.server());
    let address = serve(app).await;
    health(&telemetry.client(), address).check(asks("")).await.unwrap();
    let spans = telemetry.spans(2).await;
    let of = |kind| spans.iter().find(|span| span.span_kind == kind).unwrap();
    let (client, server) = (of(SpanKind::Client), of(SpanKind::Server));
    assert_eq!(server.parent_span_id, client.span_context.span_id());
    assert_eq!(server.span_context.trace_id(), client.span_context.trace_id());
}

#[tokio::test]
async fn metadata_is_recorded_if_it_is_allowed() {
    let telemetry = Telemetry::new();
    let address = services().await;
    let layer =
        telemetry.client().capture_request_headers(["x-tenant"]).capture_response_headers(["x-cache"]);
    let mut client = health(&layer, address);
    for script in ["metadata", "metadata of an error"] {
        let mut request = tonic::Request::new(asks(script));
        request.metadata_mut().insert("x-tenant", "acme".parse().unwrap());
        request.metadata_mut().insert("authorization", "s3cret".parse().unwrap());
        let _ = client.check(request).await;
    }
    let spans = telemetry.spans(2).await;
    let tenant = ("rpc.request.header.x-tenant", "[\"acme\"]");
    let more = [tenant, ("rpc.response.header.x-cache", "[\"miss\"]")];
    assert_rpc(&spans[0], address, CHECK, "OK", Status::Unset, &more);
    let failed = ("error.type", "NOT_FOUND");
    let more = [tenant, ("rpc.response.trailer.x-cache", "[\"none\"]"), failed];
    assert_rpc(&spans[1], address, CHECK, "NOT_FOUND", NO_DESCRIPTION, &more);
    assert!(!telemetry.everything().contains("s3cret"));
}

#[tokio::test]
async fn without_an_origin_the_server_is_not_known() {
    let telemetry = Telemetry::new();
    let address = services().await;
    let mut client = HealthClient::new(telemetry.client().layer(channel(address)));
    client.check(asks("")).await.unwrap();
    let more = [("server.address", ""), ("server.port", "")];
    assert_rpc(&telemetry.span().await, address, CHECK, "OK", Status::Unset, &more);
    let labels = &telemetry.points(DURATION)[0].attributes;
    assert!(!labels.contains_key("server.address") && !labels.contains_key("server.port"));
}

#[tokio::test]
async fn a_path_of_another_shape_is_no_method() {
    use tower::ServiceExt;
    let telemetry = Telemetry::new();
    let request = http::Request::post("http://127.0.0.1:7/alone").header("content-type", "application/grpc");
    let service = telemetry.client().layer(tower::service_fn(|_: http::Request<()>| async {
        Ok::<_, std::convert::Infallible>(only("0"))
    }));
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    response.into_body().collect().await.unwrap();
    let span = telemetry.span().await;
    let address = "127.0.0.1:7".parse().unwrap();
    assert_rpc(&span, address, "_OTHER", "OK", Status::Unset, &[("rpc.method_original", "alone")]);
}

#[tokio::test]
async fn a_client_of_both_has_the_metrics_of_both() {
    let telemetry = Telemetry::new();
    let address = services().await;
    let hook = |layer: ClientLayer| {
        layer.on_request(|_, span| span.set_metric_attribute(KeyValue::new("app.tenant", "acme")))
    };
    health(&hook(telemetry.client()), address).check(asks("")).await.unwrap();
    let web = http1_client(&telemetry.client());
    let response = tower::ServiceExt::oneshot(web, get_x(address)).await.unwrap();
    response.into_body().collect().await.unwrap();
    telemetry.spans(2).await;
    assert_eq!(telemetry.points(DURATION)[0].attributes["app.tenant"], "acme");
    assert_eq!(HTTP.map(|metric| telemetry.points(metric).len()), [1, 1]);
}
