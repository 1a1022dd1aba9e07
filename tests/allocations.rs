//! A recorded request allocates little more than a bare one. Counted, so that it is the same on every
//! machine.
#![expect(clippy::unwrap_used, reason = "a test")]

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use http::Request;
use http_body_util::BodyExt;
use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};
use otelhttp::{ClientLayer, ServerLayer};
use tower::{Layer, Service};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const REQUESTS: u64 = 200;

/// A processor to which a span costs nothing more.
#[derive(Debug)]
struct Forget;

impl SpanProcessor for Forget {
    fn on_start(&self, _span: &mut Span, _cx: &Context) {}
    fn on_end(&self, _span: SpanData) {}
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _timeout: std::time::Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn router() -> Router {
    Router::new().route("/users/{id}", get(|Path(id): Path<String>| async move { id }))
}

/// A parent, and five ordinary headers.
fn request(flags: &str) -> Request<Body> {
    Request::get("http://shop.example/users/7")
        .header("traceparent", format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"))
        .header("host", "shop.example")
        .header("accept", "*/*")
        .header("accept-encoding", "gzip")
        .header("accept-language", "en")
        .header("user-agent", "curl/8.0")
        .body(Body::empty())
        .unwrap()
}

/// Allocations of one request, from the call to the end of the body.
async fn allocations<S, B>(mut service: S, flags: &str) -> u64
where
    S: Service<Request<Body>, Response = http::Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
{
    let mut total = 0;
    for round in 0..2 * REQUESTS {
        let request = request(flags);
        let before = dhat::HeapStats::get().total_blocks;
        std::future::poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
        let response = service.call(request).await.unwrap();
        let mut body = std::pin::pin!(response.into_body());
        while body.frame().await.is_some() {}
        // The first half is for whatever is allocated once.
        total += if round < REQUESTS { 0 } else { dhat::HeapStats::get().total_blocks - before };
    }
    total.div_ceil(REQUESTS)
}

async fn server(flags: &str) -> u64 {
    let bare = allocations(router().with_state(()), flags).await;
    allocations(router().layer(ServerLayer::new()).with_state(()), flags).await - bare
}

async fn client(flags: &str) -> u64 {
    let service = || {
        tower::service_fn(|request: Request<Body>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(request.into_body()))
        })
    };
    let bare = allocations(service(), flags).await;
    allocations(ClientLayer::new().layer(service()), flags).await - bare
}

#[tokio::test]
async fn a_recorded_request_allocates_little_more_than_a_bare_one() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let unconfigured = server("01").await;
    opentelemetry::global::set_tracer_provider(
        SdkTracerProvider::builder().with_span_processor(Forget).build(),
    );
    // It never comes to an export: that would count too.
    let reader = PeriodicReader::builder(InMemoryMetricExporter::default())
        .with_interval(std::time::Duration::from_secs(3_600));
    opentelemetry::global::set_meter_provider(
        SdkMeterProvider::builder().with_reader(reader.build()).build(),
    );
    // Exact, so that the README's figures and what costs more are noticed.
    for (what, expected, allocations) in [
        ("unconfigured", 7, unconfigured),
        ("unsampled", 10, server("00").await),
        ("sampled", 11, server("01").await),
        ("client, sampled", 8, client("01").await),
    ] {
        println!("{what}: {allocations} allocations more than without the layer");
        assert_eq!(allocations, expected, "{what}");
    }
}
