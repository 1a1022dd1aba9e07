//! Whatever is offered, memory stays at its bound: of the heap that is in use, counted by the allocator.

use std::time::{Duration, Instant};

use opentelemetry::logs::{LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::SdkTracerProvider;
use otelhttp_viewer::{Serving, Viewer};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;
const BOUND: usize = 64 * MIB;

fn stats(viewer: &Serving) -> serde_json::Value {
    let url = format!("http://{}/api/v1/stats", viewer.address());
    reqwest::blocking::get(url).unwrap().json().unwrap()
}

/// Traces of four spans, as a shop's are, until so many spans have been made.
fn offer(provider: &SdkTracerProvider, spans: usize, numbers: impl Fn(usize) -> usize) {
    let tracer = provider.tracer("shop");
    for number in (0..spans / 4).map(numbers) {
        let server = tracer.span_builder(["GET /home", "GET /users/{id}", "POST /orders"][number % 3]);
        let root = Context::new().with_span(start(
            &tracer,
            server.with_kind(SpanKind::Server),
            number,
            &Context::new(),
        ));
        for _ in 0..3 {
            let call = tracer.span_builder("GET").with_kind(SpanKind::Client);
            start(&tracer, call, number, &root).end();
        }
        if number.is_multiple_of(50) {
            root.span().set_status(Status::error("disk I/O error"));
        }
        root.span().add_event("ready", vec![KeyValue::new("number", number as i64)]);
        root.span().end();
    }
}

fn start<T: Tracer>(
    tracer: &T,
    span: opentelemetry::trace::SpanBuilder,
    number: usize,
    parent: &Context,
) -> T::Span {
    let attributes = [
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("http.route", "/users/{id}"),
        KeyValue::new("url.path", format!("/users/{number}")),
        KeyValue::new("url.scheme", "http"),
        KeyValue::new("server.address", "shop.example"),
        KeyValue::new("client.address", format!("10.0.{}.{}", number % 200, number % 99)),
        KeyValue::new("user_agent.original", "curl/8.0"),
        KeyValue::new("http.response.status_code", 200),
    ];
    tracer.build_with_context(span.with_attributes(attributes), parent)
}

/// The allocator counts for the whole process, so one comes after the other, and the one that lets go of everything first.
#[test]
fn memory_stays_at_its_bound() {
    a_million_spans_leave_memory_at_its_bound();
    what_never_repeats_leaves_memory_at_its_bound();
}

fn a_million_spans_leave_memory_at_its_bound() {
    let before = HEAP.current_usage();
    let viewer = Viewer::new().memory(BOUND).spans(usize::MAX).serve("127.0.0.1:0").unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(viewer.span_processor()).build();
    let idle = HEAP.current_usage() - before;
    HEAP.reset_peak_usage();
    offer(&provider, 1_000_000, |number| number);
    let peak = HEAP.peak_usage() - before;
    let stats = stats(&viewer);
    let used = HEAP.current_usage() - before;
    let (kept, counted) = (stats["spans"].as_u64().unwrap(), stats["bytes"].as_u64().unwrap() as usize);
    println!(
        "idle {idle} bytes; {kept} spans kept in {used}, counted as {counted}; at most {peak}, bound {BOUND}"
    );
    assert_eq!(stats["received"]["spans"], 1_000_000);
    assert_eq!(kept + stats["evicted"]["spans"].as_u64().unwrap(), 1_000_000);
    assert_eq!(stats["dropped"]["spans"], 0);
    assert!(peak <= BOUND, "{peak} bytes at one time");
    assert!(used > BOUND / 2, "only {used} bytes are used");
    // Counted honestly: what is counted is there, and what is there is counted, but for the server's own.
    assert!(used.abs_diff(counted) < 3 * MIB, "{used} bytes, counted as {counted}");
    drop((viewer, provider));
    assert_gone(before);
}

/// When a viewer is dropped and nothing is sent to it any more, its threads let go of everything, in their time.
fn assert_gone(before: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while HEAP.current_usage() > before + MIB {
        assert!(Instant::now() < deadline, "{} bytes are left", HEAP.current_usage() - before);
        std::thread::yield_now();
    }
}

/// Takes measurements, as the viewer does, and keeps none.
struct Forgets;

impl PushMetricExporter for Forgets {
    async fn export(&self, _metrics: &ResourceMetrics) -> OTelSdkResult {
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// Nothing of it comes twice, and a tenth of the spans never end.
fn odd(traces: &SdkTracerProvider, logs: &SdkLoggerProvider, metrics: &SdkMeterProvider) {
    let (tracer, logger, meter) = (traces.tracer("odd"), logs.logger("odd"), metrics.meter("odd"));
    (0..1_000).for_each(|n| meter.u64_counter("odd").build().add(1, &[KeyValue::new("n", n)]));
    metrics.force_flush().unwrap();
    for number in 0..50_000_usize {
        let text = |length: usize| format!("{number:08}{}", "x".repeat(number * 31 % length));
        let mut span = tracer.start(text(600));
        if number.is_multiple_of(10) {
            // Dropped, it would end.
            std::mem::forget(span);
            continue;
        }
        for _ in 0..4 {
            span.set_attribute(KeyValue::new(text(100), text(2_000)));
        }
        if number.is_multiple_of(3) {
            span.add_event(text(300), vec![KeyValue::new(text(50), text(5_000))]);
            let mut record = logger.create_log_record();
            record.set_severity_number(Severity::Error);
            record.set_body(text(4_000).into());
            logger.emit(record);
        }
    }
}

fn what_never_repeats_leaves_memory_at_its_bound() {
    const BOUND: usize = 16 * MIB;
    let before = HEAP.current_usage();
    // What the SDK keeps for itself, and what is forgotten.
    let metrics = SdkMeterProvider::builder().with_periodic_exporter(Forgets).build();
    odd(&SdkTracerProvider::default(), &SdkLoggerProvider::builder().build(), &metrics);
    let own = HEAP.current_usage() - before;
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let viewer = Viewer::new().memory(BOUND).spans(usize::MAX).serve("127.0.0.1:0").unwrap();
    let traces = SdkTracerProvider::builder().with_span_processor(viewer.span_processor()).build();
    let logs = SdkLoggerProvider::builder().with_log_processor(viewer.log_processor()).build();
    let metrics = SdkMeterProvider::builder().with_reader(viewer.metric_reader()).build();
    odd(&traces, &logs, &metrics);
    let peak = HEAP.peak_usage() - before - own;
    let stats = stats(&viewer);
    let (kept, running, counted) = (&stats["spans"], &stats["running"], &stats["bytes"]);
    println!("{kept} spans kept and {running} running, counted as {counted}; at most {peak}, bound {BOUND}");
    assert_eq!(stats["dropped"], serde_json::json!({ "spans": 0, "logs": 0, "points": 0 }));
    assert!(peak <= BOUND, "{peak} bytes at one time");
}
