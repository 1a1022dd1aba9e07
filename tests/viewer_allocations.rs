//! A request that is shown in the viewer of its own process, at whom nobody looks, allocates little more than one whose
//! span is dropped. Counted, so that it is the same on every machine.

#[path = "common/cost.rs"]
mod cost;

use std::convert::Infallible;

use axum::body::Body;
use cost::{configure, finish, request, router, upstream};
use http::{Request, Response};
use opentelemetry_sdk::trace::SdkTracerProvider;
use otelhttp::{ClientLayer, ServerLayer};
use otelhttp_viewer::Viewer;
use tower::{Layer, Service};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const REQUESTS: u64 = 4_000;

fn of_its_own_trace(number: u64) -> Request<Body> {
    let mut request = request(true);
    let traceparent = format!("00-{:032x}-b7ad6b7169203331-01", number + 1);
    request.headers_mut().insert("traceparent", traceparent.parse().unwrap());
    request
}

/// Allocations of all threads for one request, with all that was put off.
async fn allocations<S, B>(mut service: S, settle: impl Fn()) -> f64
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body,
{
    let mut total = 0;
    // The first time is for whatever is allocated once.
    for round in 0..2 {
        let requests: Vec<_> =
            (0..REQUESTS).map(|number| of_its_own_trace(round * REQUESTS + number)).collect();
        let before = dhat::HeapStats::get().total_blocks;
        for request in requests {
            finish(&mut service, request).await;
        }
        settle();
        total = dhat::HeapStats::get().total_blocks - before;
    }
    total as f64 / REQUESTS as f64
}

/// A copy of the span, since the SDK shows a running one's name in no other way, and its attributes as they are kept. What is
/// above is for tables that grow.
const MOST: f64 = 2.03;

#[track_caller]
fn assert_little_more(what: &str, dropped: f64, shown: f64) {
    println!("{what}: {:.3} allocations more: {shown:.3} and {dropped:.3}", shown - dropped);
    assert!(shown - dropped <= MOST, "{shown} and {dropped}");
    assert!(shown > dropped, "nothing was taken in: {shown} and {dropped}");
}

#[tokio::test]
async fn a_request_that_is_shown_allocates_little_more_than_one_that_is_not() {
    configure();
    let viewer = Viewer::new().serve("127.0.0.1:0").unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(viewer.span_processor()).build();
    let settle = || provider.force_flush().unwrap();
    let _profiler = dhat::Profiler::builder().testing().build();

    let dropped = allocations(router().layer(ServerLayer::new()).with_state(()), || ()).await;
    let layer = ServerLayer::new().tracer_provider(provider.clone());
    let shown = allocations(router().layer(layer).with_state(()), settle).await;
    assert_little_more("server", dropped, shown);

    let dropped = allocations(ClientLayer::new().layer(upstream()), || ()).await;
    let layer = ClientLayer::new().tracer_provider(provider.clone());
    let shown = allocations(layer.layer(upstream()), settle).await;
    assert_little_more("client", dropped, shown);
}
