//! A meter provider that is set late, without any tracer provider, measures the next request.

mod common;

use std::convert::Infallible;

use bytes::Bytes;
use common::*;
use http::{Request, Response};
use http_body_util::Empty;
use opentelemetry::global;
use otelhttp::{ClientLayer, ServerLayer};
use tower::{ServiceBuilder, ServiceExt};

async fn answer(request: Request<()>) -> Result<Response<Empty<Bytes>>, Infallible> {
    if request.uri().path() == "/never" {
        std::future::pending::<()>().await;
    }
    Ok(Response::new(Empty::new()))
}

fn request() -> Request<()> {
    Request::get("http://shop.example/x").body(()).unwrap()
}

#[tokio::test]
async fn a_meter_provider_that_is_set_late_measures_the_next_request() {
    let service = ServiceBuilder::new().layer(ServerLayer::new()).layer(ClientLayer::new());
    let service = service.service(tower::service_fn(answer));
    service.clone().oneshot(request()).await.unwrap();

    let telemetry = Telemetry::new();
    global::set_meter_provider(telemetry.meter_provider.clone());
    service.clone().oneshot(request()).await.unwrap();
    for metric in ["http.server.request.duration", "http.client.request.duration"] {
        let points = telemetry.points(metric);
        let [point] = &points[..] else { panic!("{metric}: {points:?}") };
        assert_eq!(point.count, 1, "{metric}");
        assert_eq!(point.attributes["http.request.method"], "GET");
    }
    assert_eq!(telemetry.active("http.server.active_requests"), 0.0);

    // And so does one that takes its place, while what is in flight ends where it began.
    let mut call =
        Box::pin(service.clone().oneshot(Request::get("http://shop.example/never").body(()).unwrap()));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(call.as_mut().poll(&mut cx).is_pending());
    assert_eq!(telemetry.active("http.server.active_requests"), 1.0);
    let next = Telemetry::new();
    global::set_meter_provider(next.meter_provider.clone());
    service.clone().oneshot(request()).await.unwrap();
    assert_eq!(measured(&next), 1);
    assert_eq!(telemetry.active("http.server.active_requests"), 1.0);
    drop(call);
    assert_eq!((measured(&telemetry), measured(&next)), (2, 1));
    for telemetry in [&telemetry, &next] {
        assert_eq!(telemetry.active("http.server.active_requests"), 0.0);
        assert!(telemetry.spans_now().is_empty());
    }
}

fn measured(telemetry: &Telemetry) -> u64 {
    telemetry.points("http.server.request.duration").iter().map(|point| point.count).sum()
}
