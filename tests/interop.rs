//! What each side sends is read by the other: our propagators and those of the SDK, of B3 and of AWS, through the layers
//! and over sockets.

mod common;
#[path = "common/grpc.rs"]
mod grpc;

use std::net::SocketAddr;
use std::sync::Arc;

use common::client::{http1_client, request};
use common::*;
use grpc::{asks, health, services, untraced};
use http::Request;
use http_body_util::BodyExt;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_aws::trace::XrayPropagator;
use opentelemetry_propagator_b3::{B3Encoding, Propagator as StockB3};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::Sampler;
use otelhttp::ServerLayer;
use otelhttp::propagation::from_vars;
use tonic::metadata::{MetadataMap, MetadataValue};
use tower::{Service, ServiceExt};

/// One of those that are to understand each other.
#[derive(Clone, Debug)]
struct Shared(Arc<dyn TextMapPropagator + Send + Sync>);

impl TextMapPropagator for Shared {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        self.0.inject_context(cx, injector);
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        self.0.extract_with_context(cx, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.0.fields()
    }
}

fn ours(list: &'static str) -> Shared {
    Shared(Arc::new(from_vars(|_| Some(list.to_owned()))))
}

fn stock(propagator: impl TextMapPropagator + Send + Sync + 'static) -> Shared {
    Shared(Arc::new(propagator))
}

/// Each with what it writes and what it reads.
fn table() -> Vec<(&'static str, Shared, &'static str, &'static str)> {
    let b3 = StockB3::with_encoding;
    vec![
        ("tracecontext", ours("tracecontext"), "w3c", "w3c"),
        ("tracecontext of the SDK", stock(TraceContextPropagator::new()), "w3c", "w3c"),
        ("b3", ours("b3"), "b3", "b3 x-b3"),
        ("b3multi", ours("b3multi"), "x-b3", "b3 x-b3"),
        ("b3 of opentelemetry-propagator-b3", stock(b3(B3Encoding::SingleHeader)), "b3 x-b3", "b3 x-b3"),
        ("b3multi of opentelemetry-propagator-b3", stock(b3(B3Encoding::MultipleHeader)), "x-b3", "b3 x-b3"),
        ("xray", ours("xray"), "xray", "xray"),
        ("xray of opentelemetry-aws", stock(XrayPropagator::new()), "xray", "xray"),
        ("grpc-trace-bin", ours("grpc-trace-bin"), "census", "census"),
        (
            "all of ours",
            ours("tracecontext,baggage,b3,b3multi,xray,grpc-trace-bin"),
            "w3c b3 x-b3 xray census",
            "w3c b3 x-b3 xray census",
        ),
    ]
}

/// A server that answers with the caller it has found, as a `traceparent`.
async fn reader(propagator: Shared) -> SocketAddr {
    serve_fn(ServerLayer::new().propagator(propagator), |_| async {
        let cx = Context::current();
        let span = cx.span();
        let caller = span.span_context();
        let flags = caller.trace_flags().to_u8() & 1;
        http::Response::new(format!("{}-{}-{flags}", caller.trace_id(), caller.span_id()))
    })
    .await
}

#[tokio::test]
async fn each_caller_is_found_by_all_who_read_its_format() {
    const NOBODY: &str = "00000000000000000000000000000000-0000000000000000-0";
    let mut readers = Vec::new();
    for (name, propagator, _, reads) in table() {
        readers.push((name, reader(propagator).await, reads));
    }
    let mut understood = 0;
    for (sampler, flags) in [(Sampler::AlwaysOn, "1"), (Sampler::AlwaysOff, "0")] {
        for (sender, propagator, writes, _) in table() {
            let telemetry = Telemetry::with_sampler(sampler.clone());
            let tracer = telemetry.tracer_provider.tracer("test");
            let mut client = http1_client(&telemetry.client().propagator(propagator));
            for (reader, address, reads) in &readers {
                // A caller of the client's, so that its trace is known though nothing may be recorded.
                let cx = Context::new().with_span(tracer.start("caller"));
                let call = {
                    let _attached = cx.clone().attach();
                    client.call(request(format_args!("http://{address}/x")))
                };
                let body = soon("an answer", call).await.unwrap().into_body().collect().await.unwrap();
                let found = String::from_utf8(body.to_bytes().to_vec()).unwrap();
                if writes.split(' ').any(|format| reads.split(' ').any(|other| other == format)) {
                    let trace = cx.span().span_context().trace_id().to_string();
                    assert!(found.starts_with(&trace), "{sender} to {reader}: {found} is not {trace}");
                    assert!(found.ends_with(&format!("-{flags}")), "{sender} to {reader}: {found}");
                    let caller = cx.span().span_context().span_id().to_string();
                    assert!(
                        !found.contains(&caller),
                        "{sender} to {reader}: the client's span is the parent"
                    );
                    understood += 1;
                } else {
                    assert_eq!(found, NOBODY, "{sender} to {reader}");
                }
            }
        }
    }
    // Twice: two of W3C's among each other, four of B3's, two of X-Ray's, one of OpenCensus's, and the one that knows all
    // with each of nine, there and back, and with itself.
    assert_eq!(understood, 2 * (4 + 16 + 4 + 1 + 18 + 1));
}

#[tokio::test]
async fn the_span_that_a_reader_makes_is_below_the_senders() {
    for (name, propagator, ..) in table() {
        let telemetry = Telemetry::new();
        let server = telemetry.server().propagator(propagator.clone());
        let address = serve_fn(server, |_| async { http::Response::new(text("hello")) }).await;
        let client = http1_client(&telemetry.client().propagator(propagator));
        let response = client.oneshot(request(format_args!("http://{address}/x"))).await.unwrap();
        response.into_body().collect().await.unwrap();
        let mut spans = telemetry.spans(2).await;
        spans.sort_by_key(|span| span.start_time);
        let (client, server) = (&spans[0], &spans[1]);
        assert_eq!(server.span_context.trace_id(), client.span_context.trace_id(), "{name}");
        assert_eq!(server.parent_span_id, client.span_context.span_id(), "{name}");
        assert!(server.parent_span_is_remote, "{name}");
    }
}

#[tokio::test]
async fn baggage_is_read_by_the_sdks_propagator_and_the_other_way_round() {
    let members = [("tenant", "acme"), ("user", "J\u{fc}rgen, \"the\" 100 % one;")];
    for (writes, reads) in [
        (ours("baggage"), stock(BaggagePropagator::new())),
        (stock(BaggagePropagator::new()), ours("baggage")),
        (ours("baggage"), ours("baggage")),
    ] {
        let address = serve_fn(ServerLayer::new().propagator(reads), |_| async {
            let cx = Context::current();
            let mut members: Vec<_> =
                cx.baggage().iter().map(|(key, (value, _))| format!("{key}={value}\n")).collect();
            members.sort();
            http::Response::new(members.concat())
        })
        .await;
        let telemetry = Telemetry::new();
        let mut client = http1_client(&telemetry.client().propagator(writes));
        let call = {
            let members = members.map(|(key, value)| KeyValue::new(key, value));
            let _attached = Context::new().with_baggage(members).attach();
            client.call(request(format_args!("http://{address}/x")))
        };
        let body = call.await.unwrap().into_body().collect().await.unwrap().to_bytes();
        let expected = members.map(|(key, value)| format!("{key}={value}\n")).concat();
        assert_eq!(String::from_utf8_lossy(&body), expected);
    }
}

/// The example in the specification of OpenCensus's binary format.
const CENSUS: [u8; 29] = [
    0, 0, 75, 249, 47, 53, 119, 179, 77, 166, 163, 206, 146, 157, 0, 14, 71, 54, 1, 52, 240, 103, 170, 11,
    169, 2, 183, 2, 1,
];

/// tonic writes the metadata, as a client with OpenCensus would have it written.
#[tokio::test]
async fn a_grpc_client_with_opencensus_is_the_parent() {
    let telemetry = Telemetry::new();
    let address = serve(
        services()
            .into_axum_router()
            .layer(telemetry.server().propagator(ours("tracecontext,grpc-trace-bin"))),
    )
    .await;
    let mut call = tonic::Request::new(asks(""));
    call.metadata_mut().insert_bin("grpc-trace-bin", MetadataValue::from_bytes(&CENSUS));
    soon("an answer", untraced(address).check(call)).await.unwrap();
    let server = telemetry.span().await;
    assert_eq!(server.span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d000e4736");
    assert_eq!(server.parent_span_id.to_string(), "34f067aa0ba902b7");
}

/// tonic reads the metadata, as a server with OpenCensus would have it read.
#[tokio::test]
async fn a_grpc_server_with_opencensus_finds_its_parent() {
    let telemetry = Telemetry::new();
    let (send, mut received) = tokio::sync::mpsc::unbounded_channel();
    let service = services().into_axum_router().layer(tower::util::MapRequestLayer::new(
        move |request: Request<axum::body::Body>| {
            let metadata = MetadataMap::from_headers(request.headers().clone());
            send.send(metadata.get_bin("grpc-trace-bin").unwrap().to_bytes().unwrap()).unwrap();
            request
        },
    ));
    let address = serve(service).await;
    let layer = telemetry.client().propagator(ours("grpc-trace-bin"));
    soon("an answer", health(&layer, address).check(asks(""))).await.unwrap();
    let client = telemetry.span().await.span_context;
    let expected =
        [&[0, 0][..], &client.trace_id().to_bytes(), &[1], &client.span_id().to_bytes(), &[2, 1]].concat();
    assert_eq!(soon("metadata", received.recv()).await.unwrap(), expected);
}
