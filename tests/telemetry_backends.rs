//! The examples of backends, each as a program of its own: a variable or a line of `main` sends the same traces
//! to a terminal, to a pipe, to a collector, to Zipkin, to Azure, or to several of them.
#![cfg(all(feature = "axum", feature = "reqwest", feature = "telemetry"))]
#![allow(missing_docs)]

mod common;

use std::collections::BTreeSet;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use common::authority::Authority;
use common::collector::{Collector, accept};
use http::HeaderMap;
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

/// What a program has written.
struct Written {
    output: String,
    errors: String,
    success: bool,
}

/// Runs an example to its end, with these variables and no others of OpenTelemetry.
fn run(example: &str, variables: &[(&str, &str)]) -> Written {
    let mut command = Command::new(program(example));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    Written {
        output: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
        success: output.status.success(),
    }
}

/// Examples are built next to the tests: `target/debug/deps/<test>`, `target/debug/examples/<example>`.
fn program(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    let program = folder.join(example).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "{} is missing: `cargo build --example {example}`", program.display());
    program
}

fn lines(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[test]
fn a_pipe_gets_a_line_of_json_for_each_span() {
    let none = [("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    let written = run("backends", &[&none[..], &[("OTEL_TRACES_EXPORTER", "console")]].concat());
    assert!(written.success, "{}", written.errors);
    assert_eq!(written.errors, "The shop says: three are left.\n");
    let spans = lines(&written.output);
    let find = |kind: &str, name: &str| {
        let mut found = spans.iter().filter(|span| span["kind"] == kind && span["name"] == name);
        let span = found.next().unwrap_or_else(|| panic!("{kind} {name}: {}", written.output));
        assert!(found.next().is_none());
        span
    };
    assert_eq!(spans.len(), 3);
    let (page, call, stock) =
        (find("server", "GET /"), find("client", "GET"), find("server", "GET /stock/{item}"));
    assert_eq!((&call["parent_span_id"], &stock["parent_span_id"]), (&page["span_id"], &call["span_id"]));
    assert!(page.get("parent_span_id").is_none());
    for span in [page, call, stock] {
        assert_eq!(span["trace_id"], page["trace_id"]);
        assert_eq!(span["attributes"]["http.response.status_code"], 200);
        assert_eq!(span["scope"], "otelhttp");
        assert!(span["duration_ms"].as_f64().unwrap() > 0.0);
        assert_eq!(span["time"].as_str().unwrap().len(), "2026-11-29T13:24:43.000123Z".len());
    }
}

#[test]
fn metrics_and_logs_go_to_the_console_too() {
    let console = [
        ("OTEL_METRICS_EXPORTER", "console"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    let written = run("backends", &console);
    assert!(written.success, "{}", written.errors);
    let points = lines(&written.output);
    let served = points.iter().find(|point| {
        point["metric"] == "http.server.request.duration"
            && point["attributes"]["http.route"] == "/stock/{item}"
    });
    let served = served.unwrap_or_else(|| panic!("{}", written.output));
    assert_eq!((&served["unit"], &served["count"]), (&json!("s"), &json!(1)));
    assert!(served["sum"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_collector_and_the_console_get_the_same_spans_over_both_protocols() {
    for protocol in ["http/protobuf", "grpc"] {
        let collector = Collector::start();
        let written = run(
            "backends",
            &[
                ("OTEL_TRACES_EXPORTER", "otlp,console"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint()),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_SERVICE_NAME", "by the variable"),
            ],
        );
        assert!(written.success, "{}", written.errors);
        let told: BTreeSet<_> =
            lines(&written.output).iter().map(|span| span["span_id"].as_str().unwrap().to_owned()).collect();
        let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let spans = collector.received.now(|everything| {
            // What `main` says beats the variable.
            assert_eq!(everything.attribute("service.name").as_deref(), Some("shop"));
            assert!(everything.metrics.iter().any(|metric| metric.name == "http.client.request.duration"));
            everything.spans().map(|span| hex(&span.span_id)).collect::<BTreeSet<_>>()
        });
        assert_eq!((told.len(), told), (3, spans));
    }
}

#[test]
fn nothing_is_exported_where_telemetry_is_disabled() {
    let collector = Collector::start();
    let endpoint = collector.endpoint();
    let disabled = [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)];
    let written = run("backends", &disabled);
    assert!(written.success && written.output.is_empty(), "{}", written.errors);
    assert!(
        collector.received.now(|everything| everything.requests.is_empty() && everything.metrics.is_empty())
    );
}

#[test]
fn a_program_without_a_collector_works_and_says_so() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let written = run("backends", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}"))]);
    // `shutdown` has told it, and `main` with it.
    assert!(!written.success);
    assert!(written.errors.contains("The shop says: three are left."), "{}", written.errors);
    let told = format!(
        "otelhttp: spans cannot be exported to http://{address}/v1/traces: tcp connect error: Connection refused"
    );
    assert!(written.errors.contains(&told), "{}", written.errors);
    assert!(written.errors.contains("otelhttp: of 3 spans, 0 were exported"), "{}", written.errors);
    assert!(written.errors.contains(&format!("metrics cannot be exported to http://{address}/v1/metrics")));
}

/// What was posted to a server that answers the same to everything.
#[derive(Clone, Default)]
struct Posted(Arc<Mutex<Vec<(HeaderMap, Bytes)>>>);

impl Posted {
    async fn listen(&self, path: &str, answer: &'static str, tls: Option<TlsAcceptor>) -> SocketAddr {
        let note = move |State(posted): State<Self>, headers: HeaderMap, body: Bytes| async move {
            posted.0.lock().unwrap().push((headers, body));
            answer
        };
        let app = Router::new().route(path, post(note)).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(accept(listener, tls, app));
        address
    }

    /// All that was posted, as one list.
    fn items(&self) -> Vec<Value> {
        let posted = self.0.lock().unwrap();
        let json = posted.iter().map(|(headers, body)| {
            let mut text = String::new();
            match headers.get("content-encoding") {
                Some(_gzip) => flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap(),
                None => (&body[..]).read_to_string(&mut text).unwrap(),
            };
            serde_json::from_str::<Vec<Value>>(&text).unwrap()
        });
        json.flatten().collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn zipkin_gets_its_own_json() {
    let posted = Posted::default();
    let address = posted.listen("/api/v2/spans", "", None).await;
    let endpoint = format!("http://{address}/api/v2/spans");
    let written = tokio::task::spawn_blocking(move || {
        run("zipkin", &[("OTEL_EXPORTER_ZIPKIN_ENDPOINT", &endpoint), ("OTEL_METRICS_EXPORTER", "none")])
    });
    let written = written.await.unwrap();
    assert!(written.success, "{}", written.errors);
    let spans = posted.items();
    assert_eq!(spans.len(), 3, "{spans:#?}");
    let find =
        |name: &str| spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("{spans:#?}"));
    let (page, call, stock) = (find("GET /"), find("GET"), find("GET /stock/{item}"));
    assert_eq!([&page["kind"], &call["kind"], &stock["kind"]], ["SERVER", "CLIENT", "SERVER"]);
    assert_eq!((&call["parentId"], &stock["parentId"]), (&page["id"], &call["id"]));
    for span in [page, call, stock] {
        assert_eq!(span["traceId"], page["traceId"]);
        assert_eq!(span["tags"]["http.response.status_code"], "200");
        assert!(span["timestamp"].as_u64() > Some(0) && span["duration"].as_u64() > Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn azure_gets_requests_and_dependencies_of_one_operation() {
    let posted = Posted::default();
    let taken = r#"{"itemsReceived": 1, "itemsAccepted": 1, "errors": []}"#;
    // The exporter speaks TLS and nothing else.
    let authority = Authority::new("azure");
    let address = posted.listen("/v2/track", taken, Some(authority.acceptor(false))).await;
    let trusted = authority.trusted();
    let key = "00000000-0000-0000-0000-000000000001";
    let connection = format!("InstrumentationKey={key};IngestionEndpoint=https://{address}/");
    let written = tokio::task::spawn_blocking(move || {
        run("azure", &[("APPLICATIONINSIGHTS_CONNECTION_STRING", &connection), ("SSL_CERT_FILE", &trusted)])
    });
    let written = written.await.unwrap();
    assert!(written.success, "{}", written.errors);
    let items = posted.items();
    let of_type =
        |kind: &str| items.iter().filter(|item| item["data"]["baseType"] == kind).collect::<Vec<_>>();
    let (requests, dependencies) = (of_type("RequestData"), of_type("RemoteDependencyData"));
    assert_eq!((requests.len(), dependencies.len()), (2, 1), "{items:#?}");
    let data = |item: &Value| item["data"]["baseData"].clone();
    let page = requests.iter().find(|item| data(item)["name"] == "GET /").unwrap();
    let stock = requests.iter().find(|item| data(item)["name"] == "GET /stock/{item}").unwrap();
    let call = dependencies[0];
    for item in [page, stock, call] {
        assert_eq!(item["iKey"], key);
        assert_eq!(
            item["tags"]["ai.operation.id"], page["tags"]["ai.operation.id"],
            "the operation joins them"
        );
        assert_eq!(item["tags"]["ai.cloud.role"], "shop");
        // Of a dependency that did not fail it says nothing.
        assert_ne!(data(item)["success"], false);
    }
    assert_eq!(call["tags"]["ai.operation.parentId"], data(page)["id"]);
    assert_eq!(stock["tags"]["ai.operation.parentId"], data(call)["id"]);
    assert_eq!((&data(page)["responseCode"], &data(call)["resultCode"]), (&json!("200"), &json!("200")));
    assert!(!of_type("MetricData").is_empty(), "{items:#?}");
}
