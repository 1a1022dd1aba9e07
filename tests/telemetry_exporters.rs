//! Several exporters behind one queue: each gets everything, on a thread of its own and with a runtime to use, none
//! disturbs another, and a request pays for one.
#![cfg(all(feature = "axum", feature = "telemetry"))]
#![allow(missing_docs)]

mod common;

use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::collector::{Collector, Told, until, variables};
use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Span as _, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{InMemoryLogExporter, LogProcessor, SdkLogRecord};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, Temporality};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor};
use otelhttp::telemetry::{Guard, Signal, SpanWatcher};
use otelhttp::{ClientLayer, Telemetry};
use tower::{Layer, ServiceExt};

/// Keeps what it gets, and how it got it.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Got>>);

#[derive(Debug, Default)]
struct Got {
    spans: Vec<String>,
    threads: HashSet<String>,
    resource: Option<Resource>,
    shut_down: u32,
}

impl SpanExporter for Memory {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        // As reqwest's client that blocks does, which a thread of a runtime may not…
        drop(tokio::runtime::Builder::new_current_thread().build().unwrap());
        // … and as those that do not block do, which need one.
        tokio::time::sleep(Duration::from_millis(1)).await;
        // An exporter makes no telemetry.
        assert!(Context::current().is_telemetry_suppressed());
        // Nor does what it leaves to the runtime, such as its connections.
        let inside = tokio::spawn(async { Context::current().is_telemetry_suppressed() });
        assert!(inside.await.unwrap());
        let mut got = self.0.lock().unwrap();
        got.spans.extend(batch.into_iter().map(|span| span.name.into_owned()));
        got.threads.insert(std::thread::current().name().unwrap().to_owned());
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        self.0.lock().unwrap().shut_down += 1;
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.lock().unwrap().resource = Some(resource.clone());
    }
}

/// Does not export.
#[derive(Debug)]
enum Broken {
    Fails,
    Panics,
    Hangs,
}

impl SpanExporter for Broken {
    async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
        match self {
            Self::Fails => Err(OTelSdkError::InternalFailure("no luck".to_owned())),
            Self::Panics => panic!("on purpose"),
            Self::Hangs => std::future::pending().await,
        }
    }
}

fn built(telemetry: Telemetry) -> Guard {
    telemetry.exporters(Signal::ALL, []).build().unwrap().guard()
}

fn record(guard: &Guard, name: &'static str) {
    guard.parts().tracer_provider().tracer("test").in_span(name, |_| ());
}

#[test]
fn each_gets_all_spans_on_the_thread_of_the_queue() {
    let (one, two) = (Memory::default(), Memory::default());
    let telemetry = Telemetry::from_vars(|_| None).service_name("shop");
    let guard = built(telemetry.span_exporter(one.clone()).span_exporter(two.clone()));
    record(&guard, "a");
    record(&guard, "b");
    guard.flush().unwrap();
    record(&guard, "c");
    guard.shutdown().unwrap();
    for memory in [one, two] {
        let got = memory.0.lock().unwrap();
        assert_eq!(got.spans, ["a", "b", "c"]);
        assert_eq!(got.threads, HashSet::from(["otelhttp-spans".to_owned()]));
        let name = got.resource.as_ref().unwrap().get(&"service.name".into()).unwrap();
        assert_eq!((name.as_str().as_ref(), got.shut_down), ("shop", 1));
    }
}

/// As one would whose HTTP client is instrumented, with the very provider that it exports for.
#[test]
fn one_that_calls_through_our_layer_makes_no_spans_of_its_own() {
    #[derive(Clone, Debug, Default)]
    struct Through(Memory, Arc<std::sync::OnceLock<ClientLayer>>);
    impl SpanExporter for Through {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let transport = tower::service_fn(async |request: http::Request<String>| {
                assert!(request.headers().is_empty(), "an export is part of no trace: {request:?}");
                Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
            });
            let request = http::Request::post("http://collector.example/").body(String::new()).unwrap();
            self.1.get().unwrap().layer(transport).oneshot(request).await.unwrap();
            self.0.export(batch).await
        }
    }
    let through = Through::default();
    let guard = built(Telemetry::from_vars(|_| None).span_exporter(through.clone()));
    let provider = guard.parts().tracer_provider().clone();
    through.1.set(ClientLayer::new().tracer_provider(provider)).unwrap();
    for _ in 0..3 {
        record(&guard, "a");
        guard.flush().unwrap();
    }
    assert_eq!(guard.parts().span_delivery().recorded(), 3);
    guard.shutdown().unwrap();
    assert_eq!(through.0.0.lock().unwrap().spans, ["a"; 3]);
}

#[test]
fn one_that_does_not_export_disturbs_none() {
    let (memory, told) = (Memory::default(), Told::default());
    let vars = variables(&[("OTEL_BSP_EXPORT_TIMEOUT", "1000")]);
    let telemetry = Telemetry::from_vars(vars).on_warning(told.tell()).span_exporter(Broken::Hangs);
    let telemetry = telemetry.span_exporter(Broken::Fails).span_exporter(Broken::Panics);
    let guard = built(telemetry.span_exporter(memory.clone()));
    for name in ["a", "b"] {
        record(&guard, name);
        assert!(guard.flush().unwrap_err().is_export());
    }
    assert_eq!(memory.0.lock().unwrap().spans, ["a", "b"]);
    let told = told.all();
    assert_eq!(told.len(), 3, "{told:?}");
    for reason in [": no answer in time", ": no luck", ": the exporter panicked"] {
        let about = |message: &&String| message.ends_with(reason);
        let about = told.iter().find(about).unwrap_or_else(|| panic!("{reason}: {told:?}"));
        assert!(about.starts_with("spans cannot be exported to telemetry_exporters::Broken"), "{about}");
    }
    // The books are those of the worst.
    let delivery = guard.parts().span_delivery();
    assert_eq!((delivery.recorded(), delivery.exported(), delivery.lost()), (2, 0, 2));
}

#[test]
fn a_hook_that_panics_disturbs_none() {
    #[derive(Debug)]
    enum Panics {
        WithTheResource,
        AtTheEnd,
    }
    impl SpanExporter for Panics {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            Ok(())
        }
        fn set_resource(&mut self, _resource: &Resource) {
            assert!(matches!(self, Self::AtTheEnd), "on purpose");
        }
        fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
            assert!(matches!(self, Self::WithTheResource), "on purpose");
            Ok(())
        }
    }
    for panics in [Panics::WithTheResource, Panics::AtTheEnd] {
        let at_the_end = matches!(panics, Panics::AtTheEnd);
        let (memory, told) = (Memory::default(), Told::default());
        let telemetry = Telemetry::from_vars(|_| None).on_warning(told.tell()).span_exporter(panics);
        let guard = built(telemetry.span_exporter(memory.clone()).span_exporter(Broken::Fails));
        record(&guard, "a");
        let delivery = guard.parts().span_delivery();
        let error = guard.shutdown().unwrap_err();
        assert!(error.is_export() && error.to_string().contains("no luck"), "{at_the_end}: {error}");
        let got = memory.0.lock().unwrap();
        assert_eq!((&*got.spans, got.shut_down), (&["a".to_owned()][..], 1));
        assert!(got.resource.is_some());
        assert_eq!((delivery.exported(), delivery.lost()), (0, 1), "by the one that fails");
        told.one("of 1 spans, 0 were exported to ");
    }
}

#[test]
fn a_delay_that_no_clock_can_say_is_only_long() {
    let memory = Memory::default();
    let telemetry = Telemetry::from_vars(|_| None).batch_delay(Duration::MAX);
    let guard = built(telemetry.span_exporter(memory.clone()));
    record(&guard, "a");
    guard.flush().unwrap();
    assert_eq!(memory.0.lock().unwrap().spans, ["a"]);
    guard.shutdown().unwrap();
}

#[test]
fn an_exporter_of_metrics_that_panics_is_asked_again() {
    #[derive(Clone, Debug, Default)]
    struct PanicsOnce(Arc<Mutex<u32>>);
    impl PushMetricExporter for PanicsOnce {
        async fn export(&self, _metrics: &ResourceMetrics) -> OTelSdkResult {
            let times = {
                let mut times = self.0.lock().unwrap();
                *times += 1;
                *times
            };
            assert!(times > 1, "on purpose");
            Ok(())
        }
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
            panic!("on purpose");
        }
        fn temporality(&self) -> Temporality {
            Temporality::default()
        }
    }
    let (exporter, told) = (PanicsOnce::default(), Told::default());
    let telemetry = Telemetry::from_vars(|_| None).on_warning(told.tell()).metric_exporter(exporter.clone());
    let guard = built(telemetry.metric_interval(Duration::from_secs(3_600)));
    guard.parts().meter_provider().meter("test").u64_counter("a.counter").build().add(1, &[]);
    assert!(guard.flush().unwrap_err().is_export());
    assert!(told.one("metrics cannot be exported to ").ends_with(": the exporter panicked"));
    guard.flush().unwrap();
    told.one("metrics are exported to ");
    assert_eq!(*exporter.0.lock().unwrap(), 2);
    assert!(guard.shutdown().unwrap_err().is_export());
}

#[test]
fn nothing_counts_as_lost_that_is_on_its_way() {
    #[derive(Debug)]
    struct Takes;
    impl SpanExporter for Takes {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            Ok(())
        }
    }
    let vars = variables(&[("OTEL_BSP_SCHEDULE_DELAY", "1"), ("OTEL_BSP_MAX_QUEUE_SIZE", "1000000")]);
    let guard = built(Telemetry::from_vars(vars).span_exporter(Takes));
    let delivery = guard.parts().span_delivery();
    std::thread::scope(|scope| {
        let recording = scope.spawn(|| (0..100_000).for_each(|_| record(&guard, "a")));
        while !recording.is_finished() {
            assert_eq!(delivery.lost(), 0);
        }
    });
    guard.shutdown().unwrap();
    assert_eq!((delivery.recorded(), delivery.exported()), (100_000, 100_000));
}

#[test]
fn what_is_recorded_while_telemetry_ends_is_exported_or_does_not_count() {
    for _ in 0..100 {
        let (memory, told) = (Memory::default(), Told::default());
        let telemetry = Telemetry::from_vars(|_| None).on_warning(told.tell());
        let guard = built(telemetry.span_exporter(memory.clone()));
        let (delivery, over) = (guard.parts().span_delivery(), AtomicBool::new(false));
        let tracer = guard.parts().tracer_provider().tracer("test");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !over.load(Ordering::Acquire) {
                        tracer.in_span("a", |_| ());
                    }
                });
            }
            until("spans", || delivery.recorded() > 10);
            guard.shutdown().unwrap();
            let exported = memory.0.lock().unwrap().spans.len() as u64;
            assert_eq!(delivery.exported(), exported);
            over.store(true, Ordering::Release);
        });
        let lost = delivery.recorded() - delivery.exported();
        assert_eq!(delivery.lost(), lost);
        if lost > 0 {
            let lost = format!(" and {lost} lost");
            assert!(
                told.all().iter().any(|message| message.ends_with(&lost)),
                "{delivery:?}: {:?}",
                told.all()
            );
        }
    }
}

#[test]
fn one_in_code_and_one_by_variable_get_the_same() {
    let (collector, memory) = (Collector::start(), Memory::default());
    let vars = variables(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint())]);
    let guard = Telemetry::from_vars(vars).span_exporter(memory.clone()).build().unwrap().guard();
    record(&guard, "a");
    guard.shutdown().unwrap();
    assert_eq!(collector.received.spans(1)[0].name, "a");
    assert_eq!(memory.0.lock().unwrap().spans, ["a"]);
}

#[test]
fn one_in_code_alone_is_the_only_one() {
    let (memory, told) = (Memory::default(), Told::default());
    let telemetry = Telemetry::from_vars(|_| None).on_warning(told.tell()).span_exporter(memory.clone());
    let telemetry = telemetry.default_exporters([Signal::Metrics, Signal::Logs], []);
    let guard = telemetry.build().unwrap().guard();
    record(&guard, "a");
    guard.shutdown().unwrap();
    assert_eq!(memory.0.lock().unwrap().spans, ["a"]);
    assert!(told.all().is_empty(), "no collector was looked for: {:?}", told.all());
}

/// The SDK copies a span for every processor after the first. This is the proof that there is only one.
#[test]
fn a_span_costs_the_same_whatever_the_number_of_exporters() {
    let cost = |exporters: usize| {
        let vars = variables(&[("OTEL_BSP_SCHEDULE_DELAY", "3600000")]);
        let telemetry = Telemetry::from_vars(vars);
        let telemetry =
            (0..exporters).fold(telemetry, |telemetry, _| telemetry.span_exporter(Memory::default()));
        let guard = built(telemetry.span_watcher(Watcher::default()));
        let tracer = guard.parts().tracer_provider().tracer("test");
        let span = || {
            let attributes = [KeyValue::new("key", "a value".to_owned()), KeyValue::new("number", 7_i64)];
            tracer.span_builder("a span").with_attributes(attributes).start(&tracer).end();
        };
        // The queue takes memory for many at once, now and then: the fewest are what each costs.
        let cost = || allocation_counter::measure(span).count_total;
        (0..64).map(|_| cost()).min().unwrap()
    };
    let alone = {
        let provider = SdkTracerProvider::builder().with_span_processor(Nothing).build();
        let tracer = provider.tracer("test");
        let span = || {
            let attributes = [KeyValue::new("key", "a value".to_owned()), KeyValue::new("number", 7_i64)];
            tracer.span_builder("a span").with_attributes(attributes).start(&tracer).end();
        };
        (0..64).map(|_| allocation_counter::measure(span).count_total).min().unwrap()
    };
    assert_eq!([cost(1), cost(2), cost(4)], [alone; 3], "as many as with a processor that drops everything");
}

#[derive(Debug)]
struct Nothing;

impl SpanProcessor for Nothing {
    fn on_start(&self, _span: &mut Span, _cx: &Context) {}
    fn on_end(&self, _span: SpanData) {}
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Notes what it sees.
#[derive(Clone, Debug, Default)]
struct Watcher(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    started: usize,
    ended: usize,
    below: usize,
}

impl SpanWatcher for Watcher {
    fn started(&self, span: &mut Span, parent: &Context) {
        assert!(span.span_context().is_sampled());
        let mut seen = self.0.lock().unwrap();
        seen.started += 1;
        seen.below += usize::from(parent.span().span_context().is_valid());
    }

    fn ended(&self, span: &SpanData) {
        assert!(span.span_context.is_sampled());
        self.0.lock().unwrap().ended += 1;
    }
}

#[test]
fn a_watcher_sees_sampled_spans_and_nothing_else() {
    let watcher = Watcher::default();
    let guard = built(Telemetry::from_vars(|_| None).span_watcher(watcher.clone()));
    let tracer = guard.parts().tracer_provider().tracer("test");
    let root = Context::new().with_span(tracer.start("root"));
    let child = tracer.start_with_context("child", &root);
    {
        let seen = watcher.0.lock().unwrap();
        assert_eq!((seen.started, seen.ended, seen.below), (2, 0, 1));
    }
    drop((child, root));
    assert_eq!(watcher.0.lock().unwrap().ended, 2);
    // Without an exporter, that is all that can be done with them.
    guard.flush().unwrap();
    let delivery = guard.parts().span_delivery();
    let books = (delivery.recorded(), delivery.exported(), delivery.lost(), delivery.waiting());
    assert_eq!(books, (2, 2, 0, 0));
    guard.shutdown().unwrap();
    assert_eq!((delivery.exported(), delivery.lost()), (2, 0));

    let unsampled = Watcher::default();
    let telemetry =
        Telemetry::from_vars(|_| None).sampler(Sampler::AlwaysOff).span_watcher(unsampled.clone());
    let guard = built(telemetry);
    record(&guard, "not sampled");
    assert_eq!(guard.parts().span_delivery().recorded(), 0);
    assert_eq!(unsampled.0.lock().unwrap().started, 0);
}

#[test]
fn a_watcher_that_panics_takes_no_request_down() {
    #[derive(Debug)]
    struct Panics;
    impl SpanWatcher for Panics {
        fn started(&self, _span: &mut Span, _parent: &Context) {
            panic!("on purpose");
        }
        fn ended(&self, _span: &SpanData) {
            panic!("on purpose");
        }
    }
    let (watcher, memory) = (Watcher::default(), Memory::default());
    let telemetry = Telemetry::from_vars(|_| None).span_watcher(Panics).span_watcher(watcher.clone());
    let guard = built(telemetry.span_exporter(memory.clone()));
    record(&guard, "a");
    guard.shutdown().unwrap();
    let seen = watcher.0.lock().unwrap();
    assert_eq!((seen.started, seen.ended), (1, 1));
    assert_eq!(memory.0.lock().unwrap().spans, ["a"]);
}

/// "RecordOnly" spans are for processors, not for exporters.
#[test]
fn spans_that_are_recorded_and_not_sampled_are_not_exported() {
    #[derive(Clone, Debug)]
    struct RecordOnly;
    impl opentelemetry_sdk::trace::ShouldSample for RecordOnly {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: opentelemetry::TraceId,
            _: &str,
            _: &opentelemetry::trace::SpanKind,
            _: &[KeyValue],
            _: &[opentelemetry::trace::Link],
        ) -> opentelemetry_sdk::trace::SamplingResult {
            opentelemetry_sdk::trace::SamplingResult {
                decision: opentelemetry_sdk::trace::SamplingDecision::RecordOnly,
                attributes: Vec::new(),
                trace_state: Default::default(),
            }
        }
    }
    let memory = Memory::default();
    let guard = built(Telemetry::from_vars(|_| None).sampler(RecordOnly).span_exporter(memory.clone()));
    record(&guard, "a");
    let delivery = guard.parts().span_delivery();
    assert_eq!((delivery.recorded(), delivery.running()), (0, 0));
    guard.shutdown().unwrap();
    assert!(memory.0.lock().unwrap().spans.is_empty());
}

/// What changes a builder is no exporter. A variable that only the exporter over OTLP reads shows whether there is
/// one.
#[test]
fn a_hook_or_a_processor_does_not_turn_exporting_off() {
    let read_by = |telemetry: fn(Telemetry) -> Telemetry| {
        let told = Told::default();
        let mut given = vec![("OTEL_EXPORTER_OTLP_TIMEOUT", "100")];
        given.extend(TIMEOUTS.map(|variable| (variable, "?")));
        let telemetry = telemetry(Telemetry::from_vars(variables(&given)).on_warning(told.tell()));
        drop(telemetry.build().unwrap().guard());
        TIMEOUTS.map(|variable| told.all().iter().any(|message| message.starts_with(variable)))
    };
    let hooks = |telemetry: Telemetry| {
        telemetry
            .tracer_provider(|builder| builder.with_max_events_per_span(7))
            .meter_provider(|builder| builder)
            .logger_provider(|builder| builder)
            .log_processor(Stamp)
    };
    assert_eq!(read_by(hooks), [true; 3]);
    let own = |telemetry: Telemetry| {
        let reader = PeriodicReader::builder(InMemoryMetricExporter::default()).build();
        let telemetry = telemetry.span_exporter(Memory::default()).metric_reader(reader);
        telemetry.log_exporter(InMemoryLogExporter::default())
    };
    assert_eq!(read_by(own), [false; 3]);
}

const TIMEOUTS: [&str; 3] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
];

#[test]
fn metrics_and_logs_have_their_exporters_and_processors_too() {
    let (metrics, read, logs) = (
        InMemoryMetricExporter::default(),
        InMemoryMetricExporter::default(),
        InMemoryLogExporter::default(),
    );
    let reader = PeriodicReader::builder(read.clone()).with_interval(Duration::from_secs(3_600)).build();
    let telemetry = Telemetry::from_vars(|_| None)
        .metric_exporter(metrics.clone())
        .metric_interval(Duration::from_secs(3_600))
        .metric_reader(reader)
        .log_exporter(logs.clone())
        .log_processor(Stamp);
    let guard = built(telemetry);
    guard.parts().meter_provider().meter("test").u64_counter("a.counter").build().add(1, &[]);
    let logger = guard.parts().logger_provider().logger("test");
    logger.emit(logger.create_log_record());
    guard.flush().unwrap();
    for exporter in [metrics, read] {
        assert_eq!(exporter.get_finished_metrics().unwrap().len(), 1);
    }
    let logs = logs.get_emitted_logs().unwrap();
    assert_eq!(logs.len(), 1);
    assert_eq!(logs[0].record.attributes_iter().next().unwrap().0.as_str(), "stamped");
    let delivery = guard.parts().log_delivery();
    assert_eq!((delivery.recorded(), delivery.exported(), delivery.lost(), delivery.running()), (1, 1, 0, 0));
}

#[derive(Debug)]
struct Stamp;

impl LogProcessor for Stamp {
    fn emit(&self, record: &mut SdkLogRecord, _scope: &opentelemetry::InstrumentationScope) {
        record.add_attribute("stamped", true);
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
}

#[test]
fn what_finds_no_room_is_told_once_and_counted() {
    /// Exports when it is told to.
    #[derive(Clone, Debug, Default)]
    struct Gate(Arc<(Mutex<bool>, std::sync::Condvar)>);
    impl SpanExporter for Gate {
        fn export(&self, _batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
            let (open, opened) = &*self.0;
            drop(opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
            std::future::ready(Ok(()))
        }
    }
    let (gate, told) = (Gate::default(), Told::default());
    let vars = variables(&[("OTEL_BSP_MAX_QUEUE_SIZE", "4"), ("OTEL_BSP_SCHEDULE_DELAY", "10")]);
    let telemetry = Telemetry::from_vars(vars).on_warning(told.tell()).span_exporter(gate.clone());
    let guard = built(telemetry);
    let delivery = guard.parts().span_delivery();
    (0..10).for_each(|_| record(&guard, "a"));
    assert_eq!((delivery.recorded(), delivery.waiting(), delivery.lost()), (10, 4, 6));
    *gate.0.0.lock().unwrap() = true;
    gate.0.1.notify_all();
    until("an empty queue", || delivery.waiting() == 0);
    assert_eq!((delivery.exported(), delivery.lost()), (4, 6));
    let crowded = told.one("spans are lost: more are recorded than exported");
    assert!(crowded.ends_with("room for 4 (OTEL_BSP_MAX_QUEUE_SIZE)"), "{crowded}");
    // It is over when nothing was lost for a while.
    told.one("spans find room again, after ");
    assert!(told.one("find room").ends_with("; 6 were lost meanwhile"));
    guard.shutdown().unwrap();
    told.one("of 10 spans, 4 were exported to ");
}
