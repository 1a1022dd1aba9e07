//! Providers and a propagator that are set after the layers were built are used from the next request on.

mod common;

use std::convert::Infallible;

use bytes::Bytes;
use common::*;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use opentelemetry::global;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceContextExt};
use opentelemetry::{Context, SpanId, TraceFlags, TraceId};
use otelhttp::{ClientLayer, ServerLayer};
use tower::{Layer, ServiceExt};

const PARENT: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";

/// A propagator of its own, so that it is seen whether it was asked: `x-trace: <trace>/<span>`.
#[derive(Debug)]
struct Own(Vec<String>);

impl TextMapPropagator for Own {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let span = cx.span();
        let ids = span.span_context();
        injector.set("x-trace", format!("{}/{}", ids.trace_id(), ids.span_id()));
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let ids = extractor.get("x-trace").and_then(|ids| ids.split_once('/'));
        let Some((trace, span)) = ids else { return cx.clone() };
        let (trace, span) = (TraceId::from_hex(trace).unwrap(), SpanId::from_hex(span).unwrap());
        cx.with_remote_span_context(SpanContext::new(
            trace,
            span,
            TraceFlags::SAMPLED,
            true,
            Default::default(),
        ))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.0)
    }
}

/// The headers that went out, as the response's body.
async fn told(request: Request<()>) -> Result<Response<String>, Infallible> {
    let lines =
        request.headers().iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
    Ok(Response::new(lines.collect()))
}

#[tokio::test]
async fn what_is_set_after_the_layers_were_built_is_used_from_the_next_request_on() {
    let (server, client) = (ServerLayer::new(), ClientLayer::new());
    let client = client.layer(tower::service_fn(told));
    let address = serve_fn(server, move |_: Request<Incoming>| {
        let client = client.clone();
        async move { client.oneshot(Request::get("http://next.example/x").body(()).unwrap()).await.unwrap() }
    })
    .await;
    // Nothing is configured: our own propagators carry the caller's context on.
    let answer = get_with(address, "/x", PARENT).await;
    assert!(answer.ends_with(&format!("\r\n\r\n{PARENT}")), "{answer}");

    let telemetry = Telemetry::new();
    global::set_tracer_provider(telemetry.tracer_provider.clone());
    global::set_meter_provider(telemetry.meter_provider.clone());
    global::set_text_map_propagator(Own(vec!["x-trace".to_owned()]));

    let caller = format!("{PARENT}x-trace: 11111111111111111111111111111111/2222222222222222\r\n");
    let answer = get_with(address, "/x", &caller).await;
    let spans = telemetry.spans(2).await;
    let (client, server) = (&spans[0], &spans[1]);
    let expected = [
        ("http.request.method", "GET"),
        ("url.path", "/x"),
        ("url.scheme", "http"),
        ("server.address", "shop.example"),
        ("client.address", "127.0.0.1"),
        ("network.peer.address", "127.0.0.1"),
        ("network.peer.port", "*"),
        ("network.local.address", "127.0.0.1"),
        ("network.local.port", "*"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
    ];
    assert_span(server, SpanKind::Server, "GET", Status::Unset, &expected);
    assert_eq!(server.span_context.trace_id().to_string(), "1".repeat(32));
    assert_eq!(server.parent_span_id.to_string(), "2".repeat(16));
    assert_eq!(client.span_kind, SpanKind::Client);
    assert_eq!(client.parent_span_id, server.span_context.span_id());
    let sent = format!("x-trace: {}/{}\r\n", "1".repeat(32), client.span_context.span_id());
    assert!(answer.ends_with(&format!("\r\n\r\n{sent}")), "{answer}");

    for metric in ["http.server.request.duration", "http.client.request.duration"] {
        let points = telemetry.points(metric);
        assert_eq!(points.iter().map(|point| point.count).collect::<Vec<_>>(), [1], "{metric}");
    }
    assert_eq!(telemetry.active("http.server.active_requests"), 0.0);
    assert_eq!(telemetry.active("http.client.active_requests"), 0.0);

    // A layer that has been used and kept its tracer is no different from one that is cloned now.
    let later = ServerLayer::new().layer(tower::service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    }));
    later.clone().oneshot(Request::new(())).await.unwrap();
    later.oneshot(Request::new(())).await.unwrap();
    telemetry.spans(4).await;
}
