//! A request of reqwest costs little more with the layer than one of another client does. Counted, so
//! that it is the same on every machine.
#![cfg(feature = "reqwest")]

#[allow(dead_code, reason = "the request of other tests")]
#[path = "common/cost.rs"]
mod cost;

use std::convert::Infallible;

use http::response::Builder;
use otelhttp::ClientLayer;
use reqwest::{Body, Method, Request, Response, ResponseBuilderExt};
use tower::{Layer, Service};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const REQUESTS: u64 = 200;
const URL: &str = "http://shop.example/users/7";

fn get() -> Request {
    let mut request = Request::new(Method::GET, URL.parse().unwrap());
    request.headers_mut().insert("accept", "*/*".parse().unwrap());
    request
}

fn post() -> Request {
    let mut request = get();
    *request.method_mut() = Method::POST;
    *request.body_mut() = Some(Body::from("hello"));
    request
}

/// reqwest keeps the deadline in the extensions.
fn with_extensions() -> Request {
    let mut request = get();
    *request.timeout_mut() = Some(std::time::Duration::from_secs(1));
    request
}

/// Allocations of one request, from the call to the end of the body.
async fn allocations<S>(mut service: S, request: fn() -> Request) -> u64
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let mut total = 0;
    for round in 0..2 * REQUESTS {
        let request = request();
        let before = dhat::HeapStats::get().total_blocks;
        std::future::poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
        let mut response = service.call(request).await.unwrap();
        while response.chunk().await.unwrap().is_some() {}
        drop(response);
        // The first half is for whatever is allocated once.
        total += if round < REQUESTS { 0 } else { dhat::HeapStats::get().total_blocks - before };
    }
    // Now and then the thread of the test harness allocates too.
    (total + REQUESTS / 2) / REQUESTS
}

/// What stands for reqwest's client: a response with a body and a URL.
fn upstream() -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone {
    tower::service_fn(|request: Request| async move {
        let response = Builder::new().url(request.url().clone()).body(Body::wrap("hello".to_owned()));
        Ok(Response::from(response.unwrap()))
    })
}

/// What reqwest takes to put a response together again, whoever asks for it.
fn rebuilding() -> impl Service<Request, Response = Response, Error = Infallible> {
    let mut upstream = upstream();
    tower::service_fn(move |request| {
        let response = upstream.call(request);
        async {
            let response = response.await?;
            let url = response.url().clone();
            let (mut parts, body) = http::Response::<Body>::from(response).into_parts();
            let mut builder = Builder::new();
            *builder.extensions_mut().unwrap() = std::mem::take(&mut parts.extensions);
            parts.extensions = std::mem::take(builder.url(url).extensions_mut().unwrap());
            Ok(http::Response::from_parts(parts, Body::wrap(body)).into())
        }
    })
}

#[tokio::test]
async fn a_recorded_request_allocates_little_more_than_one_of_another_client() {
    let _profiler = dhat::Profiler::builder().testing().build();
    cost::configure();
    for (what, request, expected) in [
        ("GET", get as fn() -> Request, 8 + 3),
        ("POST", post, 8 + 3),
        ("with extensions", with_extensions, 8 + 5),
    ] {
        let bare = allocations(upstream(), request).await;
        let rebuilt = allocations(rebuilding(), request).await - bare;
        let ours = allocations(ClientLayer::new().layer(upstream()), request).await - bare - rebuilt;
        println!("{what}: {ours} allocations more, and {rebuilt} of reqwest's rebuilding");
        // 8 are those of any client; the others are for the extensions of a request and for its URI.
        assert_eq!((rebuilt, ours), (6, expected), "{what}");
    }
}
