//! `OTEL_SDK_DISABLED`: nothing is recorded, and the caller's context flows on. This sets the global propagator, and
//! so has a process of its own.
#![cfg(all(feature = "axum", feature = "telemetry"))]
#![allow(missing_docs)]

mod common;

use bytes::Bytes;
use common::client::{http1_client, request};
use common::collector::{Collector, variables};
use common::serve_fn;
use http::Response;
use http_body_util::{BodyExt, Full};
use opentelemetry::logs::{Logger as _, LoggerProvider as _};
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otelhttp::{ClientLayer, ServerLayer, Telemetry};
use tower::ServiceExt;

#[tokio::test]
async fn disabled_telemetry_passes_the_context_on_and_does_nothing_else() {
    let collector = Collector::start();
    let given = [
        ("OTEL_SDK_DISABLED", "True"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint()),
        ("OTEL_PROPAGATORS", "tracecontext"),
    ];
    let guard = Telemetry::from_vars(variables(&given)).install().unwrap();
    let echo = serve_fn(ServerLayer::new(), async |request: http::Request<_>| {
        let parent = request.headers().get("traceparent").map(|parent| parent.to_str().unwrap().to_owned());
        Response::new(Full::<Bytes>::from(parent.unwrap_or_default()))
    })
    .await;
    let proxy = serve_fn(ServerLayer::new(), move |_| async move {
        let client = http1_client(&ClientLayer::new());
        let answer = client.oneshot(request(format!("http://{echo}/"))).await.unwrap();
        let parent = answer.into_body().collect().await.unwrap().to_bytes();
        Response::new(Full::new(parent))
    })
    .await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut call = request(format!("http://{proxy}/"));
    call.headers_mut().insert("traceparent", parent.parse().unwrap());
    call.headers_mut().insert("baggage", "a=b".parse().unwrap());
    // Without a layer of its own: it is the caller.
    let client =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let answer = client.request(call).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.to_bytes(), parent);

    let parts = guard.parts();
    assert!(!parts.tracer_provider().tracer("test").start("a span").is_recording());
    let logger = parts.logger_provider().logger("test");
    assert!(!logger.event_enabled(opentelemetry::logs::Severity::Error, "test", None));
    assert_eq!(parts.span_delivery().recorded(), 0);
    guard.flush().unwrap();
    guard.shutdown().unwrap();
    assert!(
        collector.received.now(|everything| everything.requests.is_empty() && everything.metrics.is_empty())
    );
}
