//! One line of set-up, and spans, metrics and logs arrive at a collector: over HTTP and gRPC, in clear and in
//! TLS, compressed or not, from programs with any runtime and with none.
#![cfg(all(feature = "axum", feature = "telemetry"))]
#![allow(missing_docs)]

mod common;

use common::authority::Authority;
use common::collector::{Collector, Told, until, variables};
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use otelhttp::Telemetry;
use otelhttp::telemetry::{Guard, Parts};

const PROTOCOLS: [&str; 2] = ["http/protobuf", "grpc"];

fn telemetry(given: &[(&str, &str)]) -> (Guard, Told) {
    let told = Told::default();
    let telemetry = Telemetry::from_vars(variables(given)).service_name("shop").on_warning(told.tell());
    (telemetry.build().unwrap().guard(), told)
}

/// One of each.
fn record(parts: &Parts) {
    parts.tracer_provider().tracer("test").in_span("a span", |_| ());
    parts.meter_provider().meter("test").u64_counter("a.counter").build().add(7, &[]);
    let logger = parts.logger_provider().logger("test");
    let mut log = logger.create_log_record();
    log.set_severity_number(Severity::Info);
    log.set_body(AnyValue::from("a log"));
    logger.emit(log);
}

#[track_caller]
fn assert_one_of_each(collector: &Collector) {
    let received = &collector.received;
    assert_eq!(received.spans(1).iter().map(|span| &*span.name).collect::<Vec<_>>(), ["a span"]);
    received.now(|everything| {
        assert_eq!(everything.metrics.iter().map(|metric| &*metric.name).collect::<Vec<_>>(), ["a.counter"]);
        let body = everything.logs[0].body.clone().unwrap().value.unwrap();
        assert_eq!(format!("{body:?}"), "StringValue(\"a log\")");
        assert_eq!(everything.attribute("service.name").as_deref(), Some("shop"));
        assert!(everything.attribute("process.pid").is_some());
    });
}

/// In a program without a runtime, and with nothing but one line.
#[test]
fn spans_metrics_and_logs_arrive() {
    for protocol in PROTOCOLS {
        for compression in ["none", "gzip"] {
            let collector = Collector::start();
            let (guard, told) = telemetry(&[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint()),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
                ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s%20ecret,x=y"),
                ("OTEL_RESOURCE_ATTRIBUTES", "team=blue"),
            ]);
            record(guard.parts());
            guard.shutdown().unwrap();
            assert_one_of_each(&collector);
            collector.received.now(|everything| {
                assert_eq!(everything.headers["api-key"], "s ecret");
                assert_eq!(everything.headers["x"], "y");
                let agent = everything.headers["user-agent"].to_str().unwrap();
                assert!(agent.starts_with("OTel-OTLP-Exporter-Rust/"), "{agent}");
                let encoding = if protocol == "grpc" { "grpc-encoding" } else { "content-encoding" };
                let encoding = everything.headers.get(encoding).map(|encoding| encoding.to_str().unwrap());
                assert_eq!(encoding, (compression == "gzip").then_some("gzip"), "{protocol}");
                assert_eq!(everything.attribute("team").as_deref(), Some("blue"));
            });
            assert!(told.all().is_empty(), "{:?}", told.all());
        }
    }
}

#[tokio::test]
async fn a_runtime_of_one_thread_may_wait_for_telemetry_to_end() {
    in_this_runtime();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_runtime_of_many_threads_may_wait_for_telemetry_to_end() {
    in_this_runtime();
}

fn in_this_runtime() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        let endpoint = collector.endpoint();
        let (guard, _) = telemetry(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ]);
        record(guard.parts());
        guard.flush().unwrap();
        assert_one_of_each(&collector);
        drop(guard);
    }
}

/// Nobody has to wait for the end of the program to see something.
#[test]
fn spans_arrive_while_the_program_runs() {
    let collector = Collector::start();
    let given = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint()), ("OTEL_BSP_SCHEDULE_DELAY", "10")];
    let (guard, _) = telemetry(&given);
    record(guard.parts());
    assert_eq!(collector.received.spans(1).len(), 1);
    until("the books", || guard.parts().span_delivery().exported() == 1);
}

#[test]
fn a_signal_can_have_an_endpoint_of_its_own() {
    let (collector, own) = (Collector::start(), Collector::start());
    let (guard, _) = telemetry(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint()),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{}/own/traces", own.endpoint())),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc"),
    ]);
    record(guard.parts());
    guard.shutdown().unwrap();
    own.received.now(|everything| assert_eq!(everything.path, "/own/traces"));
    assert_eq!(own.received.now(|everything| everything.spans().count()), 1);
    collector.received.now(|everything| {
        assert_eq!((everything.spans().count(), everything.metrics.len(), everything.logs.len()), (0, 1, 1));
    });
}

#[test]
fn a_signal_without_an_exporter_is_not_exported() {
    let collector = Collector::start();
    let (guard, told) = telemetry(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint()),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "None"),
    ]);
    record(guard.parts());
    guard.shutdown().unwrap();
    collector.received.now(|everything| {
        assert_eq!((everything.spans().count(), everything.metrics.len(), everything.logs.len()), (1, 0, 0));
    });
    assert!(told.all().is_empty(), "{:?}", told.all());
}

/// A collector that shows a certificate, and wants to see one.
#[test]
fn tls_trusts_the_file_that_is_named_and_shows_the_certificate_that_is() {
    let authority = Authority::new("otlp");
    let trusted = authority.trusted();
    let (certificate, key) = authority.client();
    for protocol in PROTOCOLS {
        let collector = Collector::start_tls(authority.acceptor(true));
        let endpoint = format!("https://{}", collector.address);
        let mut given = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", trusted.as_str()),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate.as_str()),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", key.as_str()),
        ];
        let (guard, told) = telemetry(&given);
        record(guard.parts());
        guard.shutdown().unwrap_or_else(|error| panic!("{error}: {:?}", told.all()));
        assert_one_of_each(&collector);

        // Without the certificate that it wants to see.
        given.truncate(3);
        let (guard, _) = telemetry(&given);
        record(guard.parts());
        assert!(guard.shutdown().unwrap_err().is_export());
        assert_eq!(collector.received.now(|everything| everything.spans().count()), 1);
    }
}
