//! Without any provider nothing is recorded, and nothing of the caller's context is lost.

mod common;

use std::convert::Infallible;

use bytes::Bytes;
use common::*;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use opentelemetry::KeyValue;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::TraceContextExt;
use otelhttp::{ClientLayer, ServerLayer, ServerSpan};
use tower::{Layer, ServiceExt};

const PARENT: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
const STATE: &str = "tracestate: foo=1 , a@b@c=2\r\n";

async fn told(request: Request<()>) -> Result<Response<String>, Infallible> {
    let lines =
        request.headers().iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
    Ok(Response::new(lines.collect()))
}

#[tokio::test]
async fn the_context_goes_on_as_it_came() {
    let client = ClientLayer::new().layer(tower::service_fn(told));
    let address = serve_fn(ServerLayer::new(), move |_: Request<Incoming>| {
        let client = client.clone();
        async move { client.oneshot(Request::get("http://next.example/x").body(()).unwrap()).await.unwrap() }
    })
    .await;
    for headers in [
        PARENT.to_owned(),
        PARENT.replace("-01", "-00"),
        PARENT.replace("-01", "-02"),
        PARENT.replace("-01", "-03"),
        format!("{PARENT}{STATE}baggage: tenant=acme;level=gold\r\n"),
        "baggage: tenant=acme\r\n".to_owned(),
        String::new(),
    ] {
        let answer = get_with(address, "/x", &headers).await;
        assert!(answer.ends_with(&format!("\r\n\r\n{headers}")), "{headers:?}: {answer}");
    }
    // A caller who says nothing valid has no trace that could go on.
    let answer = get_with(address, "/x", &format!("traceparent: 00-nonsense-01\r\n{STATE}")).await;
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn the_handler_sees_the_caller_and_has_a_handle() {
    let address = serve_fn(ServerLayer::new(), |request: Request<Incoming>| async move {
        let span = request.extensions().get::<ServerSpan>().unwrap().clone();
        span.set_route("/x");
        span.rename("mine");
        span.set_attribute(KeyValue::new("app.items", 3));
        span.set_metric_attribute(KeyValue::new("app.tenant", "acme"));
        span.error("mine");
        let ids = |cx: &opentelemetry::Context| cx.span().span_context().span_id().to_string();
        let current = opentelemetry::Context::current();
        let tenant = current.baggage().get("tenant").map(ToString::to_string).unwrap_or_default();
        Response::new(format!("{} {} {tenant}", ids(&span.context()), ids(&current)))
    })
    .await;
    let answer = get_with(address, "/x", &format!("{PARENT}baggage: tenant=acme\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("b7ad6b7169203331 b7ad6b7169203331 acme"), "{answer}");
}

#[tokio::test]
async fn a_handle_that_outlives_its_request_is_harmless() {
    let service = ServerLayer::new().layer(tower::service_fn(|request: Request<()>| async move {
        let mut response = Response::new(Empty::<Bytes>::new());
        response.extensions_mut().insert(request.extensions().get::<ServerSpan>().unwrap().clone());
        Ok::<_, Infallible>(response)
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    let span = response.extensions().get::<ServerSpan>().unwrap().clone();
    drop(response);
    span.set_attribute(KeyValue::new("app.items", 3));
    span.error("too late");
    assert!(!span.context().span().span_context().is_valid());
}

#[tokio::test]
async fn errors_come_through() {
    let service = tower::service_fn(|_: Request<()>| async { Err::<Response<Empty<Bytes>>, _>("mine") });
    let server = ServerLayer::new().layer(service);
    assert_eq!(server.oneshot(Request::new(())).await.unwrap_err(), "mine");
    let client = ClientLayer::new().layer(service);
    assert_eq!(client.oneshot(Request::new(())).await.unwrap_err(), "mine");
}
