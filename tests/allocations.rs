//! A recorded request allocates little more than a bare one. Counted, so that it is the same on every
//! machine.

#[path = "common/cost.rs"]
mod cost;

use std::convert::Infallible;

use axum::body::Body;
use cost::{configure, finish, request, router, upstream};
use http::{Request, Response};
use otelhttp::{ClientLayer, ServerLayer};
use tower::{Layer, Service};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const REQUESTS: u64 = 200;

/// Allocations of one request.
async fn allocations<S, B>(mut service: S, is_sampled: bool) -> u64
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body,
{
    let mut total = 0;
    for round in 0..2 * REQUESTS {
        let request = request(is_sampled);
        let before = dhat::HeapStats::get().total_blocks;
        finish(&mut service, request).await;
        // The first half is for whatever is allocated once.
        total += if round < REQUESTS { 0 } else { dhat::HeapStats::get().total_blocks - before };
    }
    total.div_ceil(REQUESTS)
}

async fn server(layer: ServerLayer, is_sampled: bool) -> u64 {
    let bare = allocations(router().with_state(()), is_sampled).await;
    allocations(router().layer(layer).with_state(()), is_sampled).await - bare
}

async fn client() -> u64 {
    let bare = allocations(upstream(), true).await;
    allocations(ClientLayer::new().layer(upstream()), true).await - bare
}

#[tokio::test]
async fn a_recorded_request_allocates_little_more_than_a_bare_one() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let unconfigured = server(ServerLayer::new(), true).await;
    configure();
    // Exact, so that the README's figures and what costs more are noticed.
    for (what, expected, allocations) in [
        ("unconfigured", 7, unconfigured),
        ("unsampled", 10, server(ServerLayer::new(), false).await),
        ("sampled", 11, server(ServerLayer::new(), true).await),
        #[cfg(feature = "bound-instruments")]
        ("sampled, not bound", 11, server(ServerLayer::new().bound_instruments(false), true).await),
        ("client, sampled", 8, client().await),
    ] {
        println!("{what}: {allocations} allocations more than without the layer");
        assert_eq!(allocations, expected, "{what}");
    }
}
