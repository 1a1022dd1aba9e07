//! A request that is shown in the viewer of its own process, at whom nobody looks, allocates little more than one whose
//! span is dropped. Counted, so that it is the same on every machine.

#[path = "common/cost.rs"]
mod cost;

use cost::{finish, request, router};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanProcessor};
use otelhttp::ServerLayer;
use otelhttp_viewer::Viewer;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const REQUESTS: u64 = 2_000;

#[derive(Debug)]
struct Drops;

impl SpanProcessor for Drops {
    fn on_start(&self, _span: &mut opentelemetry_sdk::trace::Span, _parent: &opentelemetry::Context) {}

    fn on_end(&self, _span: SpanData) {}

    fn force_flush(&self) -> opentelemetry_sdk::error::OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(
        &self,
        _timeout: std::time::Duration,
    ) -> opentelemetry_sdk::error::OTelSdkResult {
        Ok(())
    }
}

/// Allocations of all threads for one request, with all that was put off.
async fn allocations(processor: impl SpanProcessor + 'static) -> f64 {
    let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
    let layer = ServerLayer::new().metrics(false).tracer_provider(provider.clone());
    let mut service = router().layer(layer).with_state(());
    let mut total = 0;
    // The first time is for whatever is allocated once.
    for _ in 0..2 {
        let mut requests: Vec<_> = (0..REQUESTS).map(|_| request(true)).collect();
        let before = dhat::HeapStats::get().total_blocks;
        for request in requests.drain(..) {
            finish(&mut service, request).await;
        }
        provider.force_flush().unwrap();
        total = dhat::HeapStats::get().total_blocks - before;
    }
    total as f64 / REQUESTS as f64
}

#[tokio::test]
async fn a_request_that_is_shown_allocates_little_more_than_one_that_is_not() {
    let viewer = Viewer::new().serve("127.0.0.1:0").unwrap();
    let _profiler = dhat::Profiler::builder().testing().build();
    let dropped = allocations(Drops).await;
    let shown = allocations(viewer.span_processor()).await;
    println!("{:.2} allocations more: {shown:.2} and {dropped:.2}", shown - dropped);
    assert!(shown - dropped <= 3.0, "{shown} and {dropped}");
    assert!(shown > dropped, "nothing was taken in: {shown} and {dropped}");
}
