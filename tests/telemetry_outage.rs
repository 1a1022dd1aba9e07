//! A collector is killed in the middle of ten thousand requests, and comes back: no request fails or waits, what
//! was exported and what is told to be lost are what was recorded, and exporting goes on.
#![cfg(all(feature = "axum", feature = "telemetry"))]
#![allow(missing_docs)]

mod common;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use common::client::request;
use common::collector::{Answer, Collector, Told, until, variables};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use otelhttp::telemetry::{Delivery, Guard};
use otelhttp::{ServerLayer, Telemetry};
use tokio::runtime::Runtime;

const REQUESTS: usize = 10_000;
const AT_ONCE: usize = 16;
const QUEUE: u64 = 2_048;
const BATCH: u64 = 512;

/// An export is given up after so many milliseconds.
fn telemetry(endpoint: &str, protocol: &str, timeout: &str) -> (Guard, Told) {
    let told = Told::default();
    let given = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", timeout),
        ("OTEL_BSP_EXPORT_TIMEOUT", timeout),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    let telemetry = Telemetry::from_vars(variables(&given)).on_warning(told.tell());
    (telemetry.build().unwrap().guard(), told)
}

/// A server that records there, and so many requests to it, on threads of their own.
struct Load {
    done: Arc<AtomicUsize>,
    delivery: Delivery,
    runtime: Option<Runtime>,
    requests: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(guard: &Guard) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let layer =
            ServerLayer::new().tracer_provider(guard.parts().tracer_provider().clone()).metrics(false);
        let app = Router::new().route("/hello", get(|| async { "hello" })).layer(layer);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(axum::serve(listener, app).into_future());
        let delivery = guard.parts().span_delivery();
        let (done, next) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let requests = (0..AT_ONCE)
            .map(|_| runtime.spawn(requests(address, next.clone(), done.clone(), delivery.clone())));
        let requests = requests.collect();
        Self { done, delivery, runtime: Some(runtime), requests }
    }

    /// However long they take, as long as there are more and more.
    fn until(&self, enough: usize) {
        let done = || self.done.load(Ordering::Acquire);
        while done() < enough {
            let before = done();
            until(&format!("more than {before} requests"), || done() > before);
        }
    }

    /// No request has failed, and each has ended its span.
    fn end(mut self) {
        self.until(REQUESTS);
        let requests = std::mem::take(&mut self.requests);
        self.runtime.as_ref().unwrap().block_on(async {
            for requests in requests {
                requests.await.unwrap();
            }
        });
        assert_eq!(self.done.load(Ordering::Acquire), REQUESTS);
        until("the last spans", || self.delivery.recorded() == REQUESTS as u64);
    }
}

impl Drop for Load {
    /// Not even a request that waits for ever is waited for.
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn requests(address: SocketAddr, next: Arc<AtomicUsize>, done: Arc<AtomicUsize>, delivery: Delivery) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    while next.fetch_add(1, Ordering::AcqRel) < REQUESTS {
        let hello = request(format!("http://{address}/hello"));
        let response = client.request(hello).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
        // One for each thread may just be turned away.
        assert!(delivery.waiting() <= QUEUE + AT_ONCE as u64, "{delivery:?}");
        done.fetch_add(1, Ordering::AcqRel);
    }
}

#[test]
fn what_is_exported_and_what_is_told_to_be_lost_are_what_was_recorded() {
    for protocol in ["http/protobuf", "grpc"] {
        let collector = Collector::start();
        let (address, received) = (collector.address, collector.received.clone());
        // Long for a collector on a slow machine: if it came to an end while all is well, that would be an outage too,
        // and one that comes soon after another is told of only if it stays.
        let (guard, told) = telemetry(&collector.endpoint(), protocol, "2000");
        let delivery = guard.parts().span_delivery();
        let load = Load::start(&guard);
        load.until(REQUESTS / 10);
        drop(collector);
        load.until(REQUESTS * 6 / 10);
        told.one("spans cannot be exported to ");
        let before = received.now(|everything| everything.batches.len());
        let collector = Collector::start_again(address, &received);
        received
            .wait("exports after the outage", |everything| (everything.batches.len() > before).then_some(()));
        load.end();
        guard.shutdown().unwrap();

        let (exported, lost) = (delivery.exported(), delivery.lost());
        assert_eq!(delivery.recorded(), REQUESTS as u64);
        assert_eq!(exported + lost, REQUESTS as u64, "{delivery:?}");
        assert!(exported >= REQUESTS as u64 / 10 && lost > 0, "{delivery:?}");
        let all = told.all();
        println!("{protocol}: {all:#?}");
        let losses = all.iter().filter_map(|message| {
            let (_, lost) = message.split_once(" s; ")?;
            lost.split_once(" were lost meanwhile")?.0.parse::<u64>().ok()
        });
        assert_eq!(losses.sum::<u64>(), lost, "{all:?}");
        let summary = format!("of {REQUESTS} spans, {exported} were exported to ");
        assert!(all.last().unwrap().starts_with(&summary), "{all:?}");
        assert!(all.last().unwrap().ends_with(&format!(" and {lost} lost")), "{all:?}");
        // What it had got when it was killed, and could not say so any more, was sent again or counts as lost.
        let spans: HashSet<_> =
            received.now(|everything| everything.spans().map(|span| span.span_id.clone()).collect());
        let there = spans.len() as u64;
        assert!((exported..=exported + BATCH).contains(&there), "{there} arrived: {delivery:?}");
        drop(collector);
    }
}

#[test]
fn a_collector_that_never_answers_makes_no_request_wait() {
    for protocol in ["http/protobuf", "grpc"] {
        let collector = Collector::start();
        collector.answers(Answer::Never);
        // The first batch is on its way for the whole of the test, and nothing leaves the queue.
        let (guard, told) = telemetry(&collector.endpoint(), protocol, "3600000");
        let delivery = guard.parts().span_delivery();
        Load::start(&guard).end();
        let on_its_way = || collector.received.now(|everything| everything.requests.len());
        assert_eq!((on_its_way(), delivery.exported(), delivery.waiting()), (1, 0, QUEUE));
        assert_eq!(delivery.lost(), REQUESTS as u64 - QUEUE);
        assert_spans_wait_for_nothing(&guard);
        assert_eq!((on_its_way(), delivery.waiting()), (1, QUEUE));
        let error = guard.shutdown().unwrap_err();
        assert!(error.is_export() || error.is_timeout(), "{error}");
        let recorded = 2 * REQUESTS as u64;
        assert_eq!((delivery.recorded(), delivery.lost()), (recorded, recorded));
        told.one("spans cannot be exported to ");
        told.one(&format!("of {recorded} spans, 0 were exported to "));
    }
}

/// The queue is full. Who waits for something leaves the processor to others.
#[track_caller]
fn assert_spans_wait_for_nothing(guard: &Guard) {
    let tracer = guard.parts().tracer_provider().tracer("test");
    let before = waits();
    (0..REQUESTS).for_each(|_| tracer.in_span("a span", |_| ()));
    if let (Some(before), Some(after)) = (before, waits()) {
        assert!(after - before < REQUESTS / 10, "{} times", after - before);
    }
}

/// How often this thread has waited, where the system tells.
fn waits() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    Some(count.trim().parse().unwrap())
}
