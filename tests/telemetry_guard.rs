//! The guard sends what is left and then goes, in time and from anywhere, and says what it leaves behind.
#![cfg(all(feature = "axum", feature = "telemetry"))]
#![allow(missing_docs)]

mod common;

use std::convert::Infallible;
use std::future::Future;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use common::client::request;
use common::collector::{Answer, Collector, Everything, Told, until, variables};
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry::Context;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use otelhttp::telemetry::{Exporter, Guard, Signal};
use otelhttp::{ServerLayer, Telemetry};

fn telemetry(endpoint: &str) -> (Telemetry, Told) {
    let told = Told::default();
    let given = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_LOGS_EXPORTER", "none")];
    (Telemetry::from_vars(variables(&given)).on_warning(told.tell()), told)
}

fn record(guard: &Guard) {
    guard.parts().tracer_provider().tracer("test").in_span("a span", |_| ());
    guard.parts().meter_provider().meter("test").u64_counter("a.counter").build().add(1, &[]);
}

/// As a program has them, in its layers and instruments. The last one of a provider would end it too, so that
/// nobody could tell what the guard does.
fn others(guard: &Guard) -> impl Sized + use<> {
    let parts = guard.parts();
    (parts.tracer_provider().clone(), parts.meter_provider().clone(), parts.logger_provider().clone())
}

#[track_caller]
fn assert_arrived(collector: &Collector) {
    assert_eq!(collector.received.spans(1).len(), 1);
    assert_eq!(collector.received.now(|everything| everything.metrics.len()), 1);
}

#[test]
fn dropping_it_is_enough() {
    let collector = Collector::start();
    let guard = telemetry(&collector.endpoint()).0.build().unwrap().guard();
    let _others = others(&guard);
    record(&guard);
    drop(guard);
    assert_arrived(&collector);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_may_be_dropped_in_a_runtime_of_many_threads() {
    let collector = Collector::start();
    let guard = telemetry(&collector.endpoint()).0.build().unwrap().guard();
    let _others = others(&guard);
    record(&guard);
    tokio::spawn(async move { drop(guard) }).await.unwrap();
    assert_arrived(&collector);
}

#[tokio::test]
async fn it_sends_what_is_left_after_a_panic_too() {
    let collector = Collector::start();
    let guard = telemetry(&collector.endpoint()).0.build().unwrap().guard();
    let _others = others(&guard);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        record(&guard);
        let _guard = guard;
        panic!("on purpose");
    }));
    assert!(panic.is_err());
    assert_arrived(&collector);
}

#[test]
fn a_provider_that_outlives_it_exports_nothing_more() {
    let collector = Collector::start();
    let (telemetry, told) = telemetry(&collector.endpoint());
    let guard = telemetry.build().unwrap().guard();
    let (provider, delivery) = (guard.parts().tracer_provider().clone(), guard.parts().span_delivery());
    record(&guard);
    guard.shutdown().unwrap();
    provider.tracer("test").in_span("too late", |_| ());
    provider.force_flush().unwrap_err();
    assert_eq!((delivery.recorded(), delivery.exported(), delivery.lost()), (1, 1, 0));
    assert_arrived(&collector);
    assert!(told.all().is_empty(), "{:?}", told.all());
}

#[test]
fn its_end_has_a_bound_though_the_collector_does_not_answer() {
    let collector = Collector::start();
    collector.answers(Answer::Never);
    let (telemetry, told) = telemetry(&collector.endpoint());
    let guard = telemetry.shutdown_timeout(Duration::from_millis(300)).build().unwrap().guard();
    record(&guard);
    let delivery = guard.parts().span_delivery();
    let error = in_time(|| guard.shutdown()).unwrap_err();
    assert!(error.to_string().contains("spans: "), "{error}");
    assert_eq!((delivery.exported(), delivery.lost()), (0, 1));
    told.one("spans cannot be exported to ");
    told.one(": no answer before the end");
    told.one("of 1 spans, 0 were exported to ");
}

#[test]
fn its_end_tries_twice() {
    let collector = Collector::start();
    collector.answers(Answer::Status(503, vec![], ""));
    let (telemetry, _) = telemetry(&collector.endpoint());
    // The exporter alone would go on for ten seconds.
    let guard = telemetry.shutdown_timeout(Duration::from_secs(3_600)).build().unwrap().guard();
    record(&guard);
    assert!(in_time(|| guard.shutdown()).unwrap_err().is_export());
    assert_eq!(collector.received.now(|everything| everything.requests.len()), 2);
}

#[test]
fn its_end_comes_again_when_the_server_says_if_there_is_time() {
    for (timeout, taken) in [(5_000, true), (500, false)] {
        let collector = Collector::start();
        collector.answers(Answer::Status(429, vec![("retry-after", "1")], ""));
        let (telemetry, _) = telemetry(&collector.endpoint());
        let guard = telemetry.shutdown_timeout(Duration::from_millis(timeout)).build().unwrap().guard();
        record(&guard);
        let delivery = guard.parts().span_delivery();
        let ended = std::thread::scope(|scope| {
            let ending = scope.spawn(|| guard.shutdown());
            collector.received.wait("a request", |everything| everything.requests.first().copied());
            collector.answers(Answer::Take);
            ending.join().unwrap()
        });
        assert_eq!((ended.is_ok(), delivery.exported()), (taken, u64::from(taken)), "{ended:?}");
    }
}

/// As a server does that closes a connection just when it is used again.
#[test]
fn a_connection_that_is_closed_meanwhile_is_no_loss() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            taken(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            // The next one is read, and not answered.
            taken(&mut stream);
        }
    });
    let given = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*format!("http://{address}")),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    let guard = Telemetry::from_vars(variables(&given)).build().unwrap().guard();
    record(&guard);
    guard.flush().unwrap();
    record(&guard);
    let delivery = guard.parts().span_delivery();
    guard.shutdown().unwrap();
    assert_eq!((delivery.exported(), delivery.lost()), (2, 0));
}

/// Reads one request, if there is one.
fn taken(stream: &mut TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) && line != "\r\n" {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    _ = reader.read_exact(&mut vec![0; length]);
}

#[test]
fn a_provider_that_is_shut_down_alone_changes_nothing_for_the_others() {
    let collector = Collector::start();
    collector.answers(Answer::Status(503, vec![], ""));
    let given = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint()), ("OTEL_METRICS_EXPORTER", "none")];
    let guard = Telemetry::from_vars(variables(&given)).build().unwrap().guard();
    guard.parts().logger_provider().shutdown().unwrap();
    record(&guard);
    std::thread::scope(|scope| {
        let flushing = scope.spawn(|| guard.parts().tracer_provider().force_flush());
        let more_than_at_the_end = |everything: &Everything| everything.requests.get(2).copied();
        collector.received.wait("a third attempt", more_than_at_the_end);
        collector.answers(Answer::Take);
        flushing.join().unwrap().unwrap();
    });
    guard.shutdown().unwrap();
}

#[test]
fn its_end_has_a_bound_though_an_exporter_blocks_its_thread() {
    let (told, wait) = (Told::default(), Wait::default());
    let telemetry =
        Telemetry::from_vars(|_| None).exporters(Signal::ALL, []).span_exporter(wait).on_warning(told.tell());
    let guard = telemetry.shutdown_timeout(Duration::from_millis(100)).build().unwrap().guard();
    record(&guard);
    assert!(in_time(|| guard.shutdown()).unwrap_err().is_timeout());
    told.one("of 1 spans, 0 were exported to ");
}

#[test]
fn its_end_is_no_success_if_there_was_no_time() {
    #[derive(Debug)]
    struct Slow;
    impl SpanExporter for Slow {
        fn export(&self, _batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
            std::thread::sleep(Duration::from_millis(60));
            std::future::ready(Ok(()))
        }
    }
    let (told, vars) = (Told::default(), variables(&[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")]));
    let telemetry = Telemetry::from_vars(vars).exporters(Signal::ALL, []).on_warning(told.tell());
    let telemetry = telemetry.span_exporter(Slow).shutdown_timeout(Duration::from_millis(100));
    let guard = telemetry.build().unwrap().guard();
    (0..50).for_each(|_| record(&guard));
    let delivery = guard.parts().span_delivery();
    assert!(guard.shutdown().unwrap_err().is_timeout());
    let (exported, lost) = (delivery.exported(), delivery.lost());
    assert!(lost > 0 && exported + lost == 50, "{delivery:?}");
    told.one(&format!("of 50 spans, {exported} were exported to "));
}

#[test]
fn a_provider_that_was_shut_down_before_is_no_trouble() {
    let collector = Collector::start();
    let (telemetry, told) = telemetry(&collector.endpoint());
    let guard = telemetry.build().unwrap().guard();
    record(&guard);
    guard.parts().tracer_provider().shutdown().unwrap();
    guard.parts().meter_provider().shutdown().unwrap();
    guard.shutdown().unwrap();
    assert_arrived(&collector);
    assert!(told.all().is_empty(), "{:?}", told.all());
}

#[test]
fn flushes_do_not_pile_up_where_one_hangs() {
    #[derive(Clone, Debug, Default)]
    struct Hangs(Arc<AtomicUsize>);
    impl SpanProcessor for Hangs {
        fn on_start(&self, _span: &mut Span, _cx: &Context) {}
        fn on_end(&self, _span: SpanData) {}
        fn force_flush(&self) -> OTelSdkResult {
            self.0.fetch_add(1, Ordering::AcqRel);
            loop {
                std::thread::park();
            }
        }
        fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
            Ok(())
        }
    }
    let hangs = Hangs::default();
    let telemetry = Telemetry::from_vars(|_| None).exporters(Signal::ALL, []).span_processor(hangs.clone());
    let guard = telemetry.shutdown_timeout(Duration::ZERO).build().unwrap().guard();
    for _ in 0..5 {
        assert!(guard.flush().unwrap_err().is_timeout());
    }
    assert_eq!(hangs.0.load(Ordering::Acquire), 1, "the others have not even begun");
    guard.shutdown().unwrap();
}

/// For ever, but for the end of the test.
#[derive(Debug, Default)]
struct Wait(());

impl SpanExporter for Wait {
    fn export(&self, _batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        loop {
            std::thread::park();
        }
        #[allow(unreachable_code, reason = "the type of the future")]
        std::future::ready(Ok(()))
    }
}

/// Not in ten seconds, which an export may take otherwise.
#[track_caller]
fn in_time<T>(end: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let output = end();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(9), "{took:?}");
    output
}

#[test]
fn spans_that_have_not_ended_are_counted() {
    let (told, collector) = (Told::default(), Collector::start());
    let given = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint())];
    let guard = Telemetry::from_vars(variables(&given)).on_warning(told.tell()).build().unwrap().guard();
    let delivery = guard.parts().span_delivery();
    let tracer = guard.parts().tracer_provider().tracer("test");
    let mut running: Vec<_> = (0..3).map(|_| tracer.start("a span")).collect();
    assert_eq!(delivery.running(), 3);
    running.pop().unwrap().end();
    assert_eq!((delivery.running(), delivery.recorded()), (2, 1));
    guard.shutdown().unwrap();
    assert_eq!(told.all(), ["2 spans had not ended when telemetry did, and are lost"]);
    drop(running);
    assert_eq!((delivery.running(), delivery.recorded(), delivery.exported()), (2, 1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_still_being_sent_are_counted() {
    let (told, collector) = (Told::default(), Collector::start());
    let given = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint())];
    let guard = Telemetry::from_vars(variables(&given)).on_warning(told.tell()).build().unwrap().guard();
    let layer = ServerLayer::new().tracer_provider(guard.parts().tracer_provider().clone()).metrics(false);
    let endless = || async {
        let begun = futures_util::stream::once(async { Ok::<_, Infallible>(Bytes::from("begun")) });
        Body::from_stream(begun.chain(futures_util::stream::pending()))
    };
    let app =
        Router::new().route("/endless", get(endless)).route("/short", get(|| async { "short" })).layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut bodies = Vec::new();
    for path in ["endless", "short", "endless", "endless"] {
        let mut body = client.request(request(format!("http://{address}/{path}"))).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        bodies.push(body);
    }
    let delivery = guard.parts().span_delivery();
    until("the end of the short one", || delivery.recorded() == 1);
    guard.shutdown().unwrap();
    assert_eq!(told.all(), ["3 spans had not ended when telemetry did, and are lost"]);
    assert_eq!(collector.received.spans(1).len(), 1);
}

#[test]
fn nothing_to_export_with_is_no_trouble() {
    let told = Told::default();
    let telemetry = Telemetry::from_vars(|_| None).exporters(Signal::ALL, []).on_warning(told.tell());
    let guard = telemetry.build().unwrap().guard();
    record(&guard);
    guard.flush().unwrap();
    guard.shutdown().unwrap();
    assert!(told.all().is_empty(), "{:?}", told.all());
    // Nor is everything at once.
    let all = [Exporter::Otlp, Exporter::Otlp];
    let guard = Telemetry::from_vars(|_| None)
        .exporters(Signal::ALL, all)
        .on_warning(told.tell())
        .build()
        .unwrap()
        .guard();
    drop(guard);
    assert!(told.all().is_empty(), "{:?}", told.all());
}
