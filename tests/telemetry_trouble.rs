//! Whatever a collector answers, and whatever stands in a variable: one clear message, which names the one or
//! the other and no secret; and the books are right.
#![cfg(all(feature = "axum", feature = "telemetry"))]
#![allow(missing_docs)]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use common::collector::{Answer, Collector, Told, until, variables};
use common::tls::Identity;
use opentelemetry::logs::{Logger as _, LoggerProvider as _};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use otelhttp::Telemetry;
use otelhttp::telemetry::{Error, Guard};

const SECRET: &str = "s3cr3t-token";

struct Setting {
    guard: Guard,
    told: Told,
    recorded: AtomicU64,
}

impl Setting {
    /// Spans alone, with a header that must not be told.
    fn new(endpoint: &str, more: &[(&str, &str)]) -> Self {
        let mut given = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cr3t-token"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
        ];
        given.extend(more);
        let told = Told::default();
        let telemetry = Telemetry::from_vars(variables(&given)).on_warning(told.tell());
        Self { guard: telemetry.build().unwrap().guard(), told, recorded: AtomicU64::new(0) }
    }

    fn record(&self, count: usize) {
        let tracer = self.guard.parts().tracer_provider().tracer("test");
        (0..count).for_each(|_| tracer.in_span("a span", |_| ()));
        self.recorded.fetch_add(count as u64, Ordering::AcqRel);
    }

    fn export(&self, count: usize) -> Result<(), Error> {
        self.record(count);
        self.guard.flush()
    }

    /// What was exported and what was lost.
    fn books(&self) -> (u64, u64) {
        let delivery = self.guard.parts().span_delivery();
        let (exported, lost) = (delivery.exported(), delivery.lost());
        assert_eq!(exported + lost + delivery.waiting(), self.recorded.load(Ordering::Acquire));
        (exported, lost)
    }

    #[track_caller]
    fn told_once(&self) -> String {
        let told = self.told.all();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(!told[0].contains(SECRET), "{told:?}");
        told[0].clone()
    }
}

#[test]
fn what_is_refused_is_told_once_as_is_that_it_is_not_any_more() {
    let refusals = [
        (
            "http/protobuf",
            Answer::Status(400, vec![("content-type", "text/plain")], "Bearer s3cr3t-token is\nunknown"),
            "/v1/traces: it answers 400 Bad Request: Bearer REDACTED is unknown",
        ),
        ("http/protobuf", Answer::Status(401, vec![], ""), "/v1/traces: it answers 401 Unauthorized"),
        (
            "http/protobuf",
            Answer::Status(301, vec![("location", "/x")], ""),
            "it answers 301 Moved Permanently",
        ),
        (
            "grpc",
            Answer::Code(tonic::Code::PermissionDenied, "s3cr3t-token is not allowed to"),
            ": it answers PERMISSION_DENIED: REDACTED is not allowed to",
        ),
    ];
    for (protocol, answer, expected) in refusals {
        let collector = Collector::start();
        let setting = Setting::new(&collector.endpoint(), &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
        collector.answers(answer);
        for _ in 0..3 {
            let error = setting.export(2).unwrap_err();
            assert!(error.is_export() && !error.to_string().contains(SECRET), "{error}");
        }
        let told = setting.told_once();
        assert!(told.starts_with(&format!("spans cannot be exported to {}", collector.endpoint())), "{told}");
        assert!(told.ends_with(expected), "{told}");
        assert_eq!(collector.received.now(|everything| everything.requests.len()), 3, "none is tried again");
        assert_eq!(setting.books(), (0, 6));

        collector.answers(Answer::Take);
        setting.export(1).unwrap();
        assert_eq!(setting.books(), (1, 6));
        assert!(setting.told.one(" again, after ").ends_with(" s; 6 were lost meanwhile"));
        setting.guard.shutdown().unwrap();
        let summary = setting.told.all().pop().unwrap();
        assert!(
            summary.starts_with("of 7 spans, 1 were exported to ") && summary.ends_with(" and 6 lost"),
            "{summary}"
        );
    }
}

#[test]
fn what_is_rejected_in_part_is_lost_in_part() {
    for protocol in ["http/protobuf", "grpc"] {
        let collector = Collector::start();
        let setting = Setting::new(&collector.endpoint(), &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
        collector.answers(Answer::Partly(2, "too old for s3cr3t-token"));
        setting.export(5).unwrap();
        let told = setting.told_once();
        assert!(told.ends_with(": 2 of 5 were rejected: too old for REDACTED"), "{told}");
        assert_eq!(setting.books(), (3, 2));
        // A server that rejects nothing may still have something to say.
        collector.answers(Answer::Partly(0, "use another endpoint"));
        setting.export(1).unwrap();
        setting.export(1).unwrap();
        assert!(setting.told.one("use another").contains("took all, and says: use another endpoint"));
        assert_eq!(setting.books(), (5, 2));
    }
}

#[test]
fn metrics_and_logs_have_outages_and_rejections_too() {
    let cases = [
        ("http/protobuf", Answer::Status(500, vec![], ""), ["it answers 500 Internal Server Error"; 2]),
        ("grpc", Answer::Code(tonic::Code::Internal, ""), ["it answers INTERNAL"; 2]),
        ("http/protobuf", Answer::Partly(1, ""), ["1 point was rejected", "1 of 1 were rejected"]),
        (
            "grpc",
            Answer::Partly(1, "too old"),
            ["1 point was rejected: too old", "1 of 1 were rejected: too old"],
        ),
    ];
    for (protocol, answer, reasons) in cases {
        let (collector, told) = (Collector::start(), Told::default());
        let given = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ];
        let telemetry = Telemetry::from_vars(variables(&given)).on_warning(told.tell());
        let guard = telemetry.metric_interval(Duration::from_secs(3_600)).build().unwrap().guard();
        let counter = guard.parts().meter_provider().meter("test").u64_counter("a.counter").build();
        let logger = guard.parts().logger_provider().logger("test");
        let export = |answer| {
            collector.answers_others(answer);
            counter.add(1, &[]);
            logger.emit(logger.create_log_record());
            guard.flush()
        };
        for _ in 0..2 {
            // Logs that are rejected in part are exported in part.
            let _ = export(answer.clone());
        }
        for (what, why) in ["metrics", "logs"].into_iter().zip(reasons) {
            let began = told.one(&format!("{what} cannot be exported to {}", collector.endpoint()));
            assert!(began.ends_with(&format!(": {why}")), "{began}");
        }
        assert_eq!(told.all().len(), 2, "{:?}", told.all());

        export(Answer::Partly(0, "use another endpoint")).unwrap();
        told.one("metrics are exported to");
        assert!(told.one("logs are exported to").ends_with("; 2 were lost meanwhile"));
        // Over gRPC both go to the same address.
        let all = told.all();
        let hints =
            all.iter().filter(|message| message.ends_with("took all, and says: use another endpoint"));
        assert_eq!(hints.count(), if protocol == "grpc" { 1 } else { 2 }, "{all:?}");
        let metrics = collector.received.now(|everything| everything.metrics.len());
        assert!(metrics > 0);
        guard.shutdown().unwrap();
    }
}

#[test]
fn a_server_that_is_too_busy_gets_it_again_and_not_before_it_says() {
    let collector = Collector::start();
    let setting = Setting::new(&collector.endpoint(), &[]);
    collector.answers(Answer::Status(429, vec![("retry-after", "1")], ""));
    setting.record(1);
    std::thread::scope(|scope| {
        scope.spawn(|| setting.guard.flush().unwrap());
        collector.received.wait("a request", |everything| (!everything.requests.is_empty()).then_some(()));
        collector.answers(Answer::Take);
        collector.received.spans(1);
    });
    let requests = collector.received.now(|everything| everything.requests.clone());
    assert_eq!(requests.len(), 2);
    assert!(requests[1] - requests[0] >= Duration::from_secs(1), "{requests:?}");
    assert_eq!(setting.books(), (1, 0));
    assert!(setting.told.all().is_empty(), "{:?}", setting.told.all());
}

#[test]
fn a_server_that_wants_to_be_left_alone_for_long_is() {
    let collector = Collector::start();
    let setting = Setting::new(&collector.endpoint(), &[("OTEL_EXPORTER_OTLP_TIMEOUT", "300")]);
    collector.answers(Answer::Status(503, vec![("retry-after", "30")], ""));
    for _ in 0..2 {
        setting.export(1).unwrap_err();
    }
    assert_eq!(collector.received.now(|everything| everything.requests.len()), 1);
    assert!(setting.told_once().ends_with(": it answers 503 Service Unavailable"));
    assert_eq!(setting.books(), (0, 2));
}

#[test]
fn what_fails_for_a_moment_is_sent_again() {
    let moments = [
        ("http/protobuf", Answer::Status(503, vec![], "")),
        ("http/protobuf", Answer::Status(502, vec![], "")),
        ("grpc", Answer::Code(tonic::Code::Unavailable, "one moment")),
    ];
    for (protocol, answer) in moments {
        let collector = Collector::start();
        let setting = Setting::new(&collector.endpoint(), &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
        collector.answers(answer);
        setting.record(3);
        std::thread::scope(|scope| {
            scope.spawn(|| setting.guard.flush().unwrap());
            let twice =
                |everything: &common::collector::Everything| (everything.requests.len() > 1).then_some(());
            collector.received.wait("a second request", twice);
            collector.answers(Answer::Take);
        });
        assert_eq!(collector.received.spans(3).len(), 3);
        assert_eq!(setting.books(), (3, 0));
        assert!(setting.told.all().is_empty(), "{:?}", setting.told.all());
    }
}

#[test]
fn a_server_that_asks_for_no_pause_is_not_hammered() {
    for seconds in ["0", "00"] {
        let collector = Collector::start();
        let setting = Setting::new(&collector.endpoint(), &[("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")]);
        collector.answers(Answer::Status(429, vec![("retry-after", seconds)], ""));
        setting.export(1).unwrap_err();
        // After at least 0, 75, 225, 525 and 1,125 ms.
        let requests = collector.received.now(|everything| everything.requests.len());
        assert!((2..=4).contains(&requests), "{requests}");
    }
}

#[test]
fn a_status_counts_whatever_becomes_of_the_body() {
    let bodies: [(usize, usize); 2] = [(5 << 20, 5 << 20), (50, 3)];
    for (status, expected) in [("200 OK", (1, 0)), ("400 Bad Request", (0, 1))] {
        for (length, written) in bodies {
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
            let answer: &'static str = format!("{head}{}", "x".repeat(written)).leak();
            let (address, asked) = counting(answer.as_bytes());
            let setting = Setting::new(&format!("http://{address}"), &[]);
            assert_eq!(setting.export(1).is_ok(), expected == (1, 0), "{status}");
            assert_eq!((setting.books(), asked.load(Ordering::Acquire)), (expected, 1), "{status}");
        }
    }
}

#[test]
fn a_query_that_is_repeated_is_not_told() {
    let collector = Collector::start();
    let endpoint = format!("{}/v1/traces?key=s3cr3t%2Dtoken", collector.endpoint());
    for text in ["no /v1/traces?key=s3cr3t%2Dtoken", "no key s3cr3t-token"] {
        let setting = Setting::new(
            &collector.endpoint(),
            &[
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint),
                ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x=y"),
            ],
        );
        collector.answers(Answer::Status(404, vec![("content-type", "text/plain")], text));
        setting.export(1).unwrap_err();
        let told = setting.told_once();
        assert!(told.contains("REDACTED") && !told.contains("s3cr3t"), "{told}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    for protocol in ["http/protobuf", "grpc"] {
        let collector = Collector::start();
        let more = [("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), ("OTEL_EXPORTER_OTLP_TIMEOUT", "500")];
        let setting = Setting::new(&collector.endpoint(), &more);
        collector.answers(Answer::Never);
        setting.export(1).unwrap_err();
        assert!(setting.told_once().ends_with(": no answer within 500ms"), "{}", setting.told_once());
        assert_eq!(setting.books(), (0, 1));
    }
}

#[test]
fn an_endpoint_where_nobody_listens_is_named_without_credentials() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for protocol in ["http/protobuf", "grpc"] {
        let endpoint = format!("http://user:s3cr3t-token@{address}");
        let more = [("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), ("OTEL_EXPORTER_OTLP_TIMEOUT", "200")];
        let setting = Setting::new(&endpoint, &more);
        for _ in 0..2 {
            setting.export(1).unwrap_err();
        }
        let told = setting.told.all();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].starts_with("OTEL_EXPORTER_OTLP_ENDPOINT is ignored: its user and password"),
            "{told:?}"
        );
        assert!(told[1].starts_with(&format!("spans cannot be exported to http://{address}")), "{told:?}");
        assert!(told[1].contains("onnection refused"), "{told:?}");
        assert!(!told.concat().contains(SECRET), "{told:?}");
    }
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    let setting = Setting::new("http://collector.invalid:4318", &[("OTEL_EXPORTER_OTLP_TIMEOUT", "500")]);
    setting.export(1).unwrap_err();
    let told = setting.told_once();
    assert!(told.contains("http://collector.invalid:4318/v1/traces: dns error"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tls_endpoint_spoken_to_in_clear_is_told() {
    for (protocol, alpn) in [("http/protobuf", "http/1.1"), ("grpc", "h2")] {
        let address = Identity::new().serve(alpn).await;
        let told = misunderstood(&format!("http://{address}"), protocol);
        assert!(told.contains("TLS begins with https://"), "{told}");
    }
}

#[test]
fn an_endpoint_in_clear_spoken_to_in_tls_is_told() {
    for protocol in ["http/protobuf", "grpc"] {
        let address = answering(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        let told = misunderstood(&format!("https://{address}"), protocol);
        assert!(told.contains("does it speak TLS?"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_certificate_that_nobody_vouches_for_is_told() {
    let address = Identity::new().serve("http/1.1").await;
    let told = misunderstood(&format!("https://{address}"), "http/protobuf");
    assert!(told.contains("OTEL_EXPORTER_OTLP_CERTIFICATE"), "{told}");
}

#[test]
fn the_other_protocol_is_told() {
    let http1 = answering(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    // The settings with which a server of HTTP/2 begins.
    let http2 = answering(b"\0\0\0\x04\0\0\0\0\0");
    for (address, protocol) in [(http1, "grpc"), (http2, "http/protobuf")] {
        let told = misunderstood(&format!("http://{address}"), protocol);
        assert!(told.contains("OTEL_EXPORTER_OTLP_PROTOCOL is grpc or http/protobuf"), "{told}");
    }
}

/// What is told of an endpoint that speaks something else.
#[track_caller]
fn misunderstood(endpoint: &str, protocol: &str) -> String {
    let more = [("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), ("OTEL_EXPORTER_OTLP_TIMEOUT", "500")];
    let setting = Setting::new(endpoint, &more);
    setting.export(1).unwrap_err();
    let told = setting.told_once();
    assert!(told.starts_with(&format!("spans cannot be exported to {endpoint}")), "{told}");
    assert_eq!(setting.books(), (0, 1));
    told
}

/// A server that says the same whatever it is asked, and hangs up.
fn answering(answer: &'static [u8]) -> SocketAddr {
    counting(answer).0
}

/// The same, and how often it was asked.
fn counting(answer: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Who hangs up early is part of the tests.
            let _ = stream.read(&mut [0; 4_096]);
            count.fetch_add(1, Ordering::AcqRel);
            let _ = stream.write_all(answer);
        }
    });
    (address, asked)
}

#[test]
fn variables_that_make_no_sense_are_told_once_and_ignored() {
    let told = Told::default();
    let given = [
        ("OTEL_TRACES_EXPORTER", "jaeger"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-5"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cr3t-token"),
        ("OTEL_RESOURCE_ATTRIBUTES", "s3cr3t-token"),
        ("OTEL_PROPAGATORS", "jaeger"),
        ("OTEL_SDK_DISABLED", "1"),
    ];
    let telemetry = Telemetry::from_vars(variables(&given)).on_warning(told.tell());
    let parts = telemetry.build().unwrap();
    let told = told.all();
    for (name, _) in given.iter().filter(|(_, value)| *value != "none") {
        let about: Vec<_> = told.iter().filter(|message| message.starts_with(name)).collect();
        assert_eq!(about.len(), 1, "{name}: {told:?}");
    }
    assert_eq!(told.len(), given.len() - 2, "{told:?}");
    assert!(!told.concat().contains(SECRET), "{told:?}");
    parts.guard().shutdown().unwrap();
}

#[test]
fn variables_without_a_substitute_are_errors_that_name_them() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:1");
    let missing = "/does/not/exist.pem";
    let cases: [&[(&str, &str)]; 5] = [
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")],
        &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "user:s3cr3t-token@x")],
        &[("OTEL_EXPORTER_OTLP_CERTIFICATE", missing), endpoint],
        &[("OTEL_EXPORTER_OTLP_CERTIFICATE", "Cargo.toml"), endpoint],
        &[("OTEL_EXPORTER_OTLP_CLIENT_KEY", missing), endpoint],
    ];
    for given in cases {
        let error = Telemetry::from_vars(variables(given)).build().unwrap_err();
        assert!(error.is_configuration() && !error.is_export() && !error.is_timeout());
        let message = error.to_string();
        assert!(message.contains(given[0].0) && !message.contains(SECRET), "{message}");
    }
}

#[test]
fn a_receiver_of_warnings_that_panics_loses_nothing_else() {
    let collector = Collector::start();
    let given =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint()), ("OTEL_EXPORTER_OTLP_TIMEOUT", "?")];
    let telemetry = Telemetry::from_vars(variables(&given)).on_warning(|_| panic!("on purpose"));
    let guard = telemetry.build().unwrap().guard();
    guard.parts().tracer_provider().tracer("test").in_span("a span", |_| ());
    guard.shutdown().unwrap();
    until("a span", || collector.received.now(|everything| everything.spans().count()) == 1);
}
