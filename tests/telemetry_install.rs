//! One line, and layers that know of nothing record: this sets the globals, and so has a process of its own.
#![cfg(all(feature = "axum", feature = "telemetry"))]
#![allow(missing_docs)]

mod common;

use common::client::{http1_client, request};
use common::collector::{Collector, Told, variables};
use common::serve_fn;
use http::Response;
use http_body_util::BodyExt;
use otelhttp::{ClientLayer, ServerLayer, Telemetry};
use tower::ServiceExt;

#[tokio::test]
async fn install_makes_layers_record() {
    let (collector, told) = (Collector::start(), Told::default());
    let given = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint()),
        ("OTEL_PROPAGATORS", "baggage,tracecontext"),
        ("OTEL_SERVICE_NAME", "shop"),
    ];
    // Before, as in a program whose router is built first.
    let (server, client) = (ServerLayer::new(), ClientLayer::new());
    let guard = Telemetry::from_vars(variables(&given)).on_warning(told.tell()).install().unwrap();
    let address = serve_fn(server, async |_| Response::new(common::text("hello"))).await;
    let response = http1_client(&client).oneshot(request(format!("http://{address}/"))).await.unwrap();
    response.into_body().collect().await.unwrap();
    guard.flush().unwrap();

    let spans = collector.received.spans(2);
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0].trace_id, spans[1].trace_id, "the propagator is installed");
    collector.received.now(|everything| {
        assert_eq!(everything.attribute("service.name").as_deref(), Some("shop"));
        for metric in ["http.server.request.duration", "http.client.request.duration"] {
            assert!(everything.metrics.iter().any(|found| found.name == metric), "{metric}");
        }
    });
    guard.shutdown().unwrap();
    // The layers have a tracer that has ended: they go on without it.
    let response = http1_client(&client).oneshot(request(format!("http://{address}/"))).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(collector.received.spans(2).len(), 2);
    assert!(told.all().is_empty(), "{:?}", told.all());
}
