//! A global tracer that makes a span only now and then is asked each time, and nothing piles up.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Empty;
use opentelemetry::trace::{SpanBuilder, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope, global};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracer, SdkTracerProvider, Span};
use otelhttp::ServerLayer;
use tower::{Layer, ServiceExt};

/// Makes two spans of three.
#[derive(Clone)]
struct Sometimes<T>(T, Arc<AtomicUsize>);

impl TracerProvider for Sometimes<SdkTracerProvider> {
    type Tracer = Sometimes<SdkTracer>;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> Self::Tracer {
        Sometimes(self.0.tracer_with_scope(scope), self.1.clone())
    }
}

impl Tracer for Sometimes<SdkTracer> {
    type Span = Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Span {
        match self.1.fetch_add(1, Ordering::Relaxed) % 3 {
            0 | 1 => self.0.build_with_context(builder, parent),
            _ => self.0.build_with_context(builder, &parent.with_telemetry_suppressed()),
        }
    }
}

#[test]
fn a_tracer_that_makes_spans_now_and_then_makes_nothing_grow() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    global::set_tracer_provider(Sometimes(provider, Arc::default()));
    let service = ServerLayer::new().layer(tower::service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    }));
    let requests = |number: usize| {
        for _ in 0..number {
            let answered = service.clone().oneshot(Request::new(())).now_or_never();
            drop(answered.expect("it waits for nothing").expect("infallible"));
            exporter.reset();
        }
    };
    requests(1_000);
    let heap = allocation_counter::measure(|| requests(10_000));
    assert!(heap.bytes_current.abs() < 1_000, "{heap:?}");
    // It is still asked.
    let spans = (0..3).map(|_| {
        drop(service.clone().oneshot(Request::new(())).now_or_never());
        let made = exporter.get_finished_spans().expect("an exporter in memory").len();
        exporter.reset();
        made
    });
    assert_eq!(spans.sum::<usize>(), 2);
}
