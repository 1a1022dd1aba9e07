//! What the SDK's exporters send arrives whole, whichever way they send it, and compressed too.

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Page, attribute, serve, span};
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    Link, Span, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer, TracerProvider,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use otelhttp_viewer::Viewer;
use serde_json::json;

#[derive(Clone, Copy, Debug)]
enum Way {
    Embedded,
    Protobuf,
    Json,
    Grpc,
}

fn start() -> Page {
    serve(Viewer::new().otlp_http("127.0.0.1:0").otlp_grpc("127.0.0.1:0"))
}

fn resource() -> Resource {
    Resource::builder_empty()
        .with_service_name("shop")
        .with_attribute(KeyValue::new("host.name", "blue"))
        .build()
}

/// gRPC's exporters need a runtime where they are built and used.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn traces(page: &Page, way: Way) -> SdkTracerProvider {
    let http = |path: &str| format!("http://{}{path}", page.viewer.otlp_http().unwrap());
    let builder = SdkTracerProvider::builder().with_resource(resource());
    match way {
        Way::Embedded => return builder.with_span_processor(page.viewer.span_processor()).build(),
        Way::Grpc => builder.with_batch_exporter(
            SpanExporter::builder()
                .with_tonic()
                .with_endpoint(format!("http://{}", page.viewer.otlp_grpc().unwrap()))
                .with_compression(opentelemetry_otlp::Compression::Gzip)
                .build()
                .unwrap(),
        ),
        Way::Protobuf | Way::Json => builder.with_batch_exporter(
            SpanExporter::builder()
                .with_http()
                .with_endpoint(http("/v1/traces"))
                .with_protocol(if matches!(way, Way::Json) {
                    Protocol::HttpJson
                } else {
                    Protocol::HttpBinary
                })
                .with_compression(opentelemetry_otlp::Compression::Gzip)
                .build()
                .unwrap(),
        ),
    }
    .build()
}

fn at(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(1_764_417_067_000_000_000 + nanos)
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn record(provider: &SdkTracerProvider) {
    let scope = InstrumentationScope::builder("otelhttp")
        .with_version("0.1.0")
        .with_schema_url("https://x.example/1");
    let tracer = provider.tracer_with_scope(scope.build());
    let state = TraceState::from_key_value([("a", "1"), ("b", "2")]).unwrap();
    let caller = SpanContext::new(
        TraceId::from_hex(TRACE).unwrap(),
        SpanId::from(7),
        TraceFlags::SAMPLED,
        true,
        state.clone(),
    );
    let texts: Vec<StringValue> = vec!["a".into(), "\u{1f600} <b>".into()];
    let attributes = vec![
        KeyValue::new("text", "\"quoted\" <script>\n\u{e4}"),
        KeyValue::new("true", true),
        KeyValue::new("int", i64::MAX),
        KeyValue::new("small", -3),
        KeyValue::new("double", 0.25),
        KeyValue::new("texts", Value::Array(Array::String(texts))),
        KeyValue::new("ints", Value::Array(Array::I64(vec![1, 2]))),
    ];
    let other = SpanContext::new(TraceId::from(9), SpanId::from(10), TraceFlags::SAMPLED, false, state);
    let link = Link::new(other, vec![KeyValue::new("why", "before")], 0);
    let builder = tracer.span_builder("GET /home").with_kind(SpanKind::Server).with_start_time(at(123));
    let builder = builder.with_attributes(attributes).with_links(vec![link]);
    let parent = Context::new().with_remote_span_context(caller);
    let mut root = tracer.build_with_context(builder, &parent);
    root.add_event_with_timestamp("exception", at(456), vec![KeyValue::new("exception.message", "boom")]);
    root.set_status(Status::error("it broke"));
    let context = Context::new().with_span(root);
    let child = tracer.span_builder("SELECT").with_kind(SpanKind::Client).with_start_time(at(200));
    let mut child = tracer.build_with_context(child, &context);
    child.set_status(Status::Ok);
    child.end_with_timestamp(at(300));
    context.span().end_with_timestamp(at(1_000));
    provider.force_flush().unwrap();
}

fn assert_whole(page: &Page, way: Way) {
    let trace = page.json(&format!("/traces/{TRACE}"));
    let root = span(&trace, "GET /home");
    println!("{way:?}: {root}");
    assert_eq!(trace["epoch"], "1764417067000000123");
    assert_eq!((&root["start"], &root["end"]), (&json!(0), &json!(877)));
    assert_eq!(
        (&root["kind"], &root["parent"], &root["remote"]),
        (&json!("server"), &json!("0000000000000007"), &json!(true))
    );
    assert_eq!((&root["status"], &root["message"]), (&json!("error"), &json!("it broke")));
    assert_eq!(root["state"], "a=1,b=2");
    assert_eq!(
        root["attributes"],
        json!([
            ["text", "\"quoted\" <script>\n\u{e4}"],
            ["true", true],
            ["int", { "int": "9223372036854775807" }],
            ["small", -3],
            ["double", 0.25],
            ["texts", ["a", "\u{1f600} <b>"]],
            ["ints", [1, 2]],
        ])
    );
    let event = json!([{ "name": "exception", "time": 333, "attributes": [["exception.message", "boom"]], "droppedAttributes": 0 }]);
    assert_eq!(root["events"], event);
    let (trace_id, span_id) = (format!("{:032x}", 9), format!("{:016x}", 10));
    let link = json!({ "trace": trace_id, "span": span_id, "state": "a=1,b=2", "attributes": [["why", "before"]], "droppedAttributes": 0 });
    assert_eq!(root["links"], json!([link]));
    let child = span(&trace, "SELECT");
    assert_eq!(
        (&child["parent"], &child["status"], &child["kind"]),
        (&root["id"], &json!("ok"), &json!("client"))
    );
    let resource = &trace["resources"][root["resource"].as_u64().unwrap() as usize];
    assert_eq!((&resource["service"], attribute(resource, "host.name")), (&json!("shop"), &json!("blue")));
    let scope = &trace["scopes"][root["scope"].as_u64().unwrap() as usize];
    assert_eq!((&scope["name"], &scope["version"]), (&json!("otelhttp"), &json!("0.1.0")));
    assert_eq!(scope["schemaUrl"], "https://x.example/1");
}

#[test]
fn spans_arrive_whole_whichever_way_they_come() {
    let runtime = runtime();
    for way in [Way::Embedded, Way::Protobuf, Way::Json, Way::Grpc] {
        let page = start();
        let provider = {
            let _entered = runtime.enter();
            traces(&page, way)
        };
        record(&provider);
        assert_whole(&page, way);
        provider.shutdown().unwrap();
    }
}

#[test]
fn metrics_arrive_whichever_way_they_come() {
    let runtime = runtime();
    for way in [Way::Embedded, Way::Protobuf, Way::Json, Way::Grpc] {
        let page = start();
        let _entered = runtime.enter();
        let builder = SdkMeterProvider::builder().with_resource(resource());
        let http = |page: &Page| format!("http://{}/v1/metrics", page.viewer.otlp_http().unwrap());
        let provider = match way {
            Way::Embedded => builder.with_reader(page.viewer.metric_reader()),
            Way::Grpc => {
                let endpoint = format!("http://{}", page.viewer.otlp_grpc().unwrap());
                builder.with_periodic_exporter(
                    MetricExporter::builder().with_tonic().with_endpoint(endpoint).build().unwrap(),
                )
            }
            Way::Protobuf | Way::Json => {
                let protocol =
                    if matches!(way, Way::Json) { Protocol::HttpJson } else { Protocol::HttpBinary };
                let exporter =
                    MetricExporter::builder().with_http().with_endpoint(http(&page)).with_protocol(protocol);
                builder.with_periodic_exporter(exporter.build().unwrap())
            }
        }
        .build();
        let meter = provider.meter("shop");
        let requests = meter.u64_counter("requests").with_unit("{request}").build();
        let durations =
            meter.f64_histogram("durations").with_unit("s").with_boundaries(vec![0.1, 1.0]).build();
        let route = [KeyValue::new("http.route", "/home")];
        requests.add(3, &route);
        durations.record(0.5, &route);
        provider.force_flush().unwrap();
        requests.add(4, &route);
        durations.record(0.05, &route);
        provider.force_flush().unwrap();
        let instruments = page.json("/metrics");
        let names: Vec<_> =
            instruments["instruments"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
        assert_eq!(names, ["durations", "requests"], "{way:?}");
        let series = page.json("/metrics/series?name=requests");
        let one = &series["series"][0];
        assert_eq!((&one["monotonic"], &series["unit"]), (&json!(true), &json!("{request}")), "{way:?}");
        assert_eq!((&one["scope"], &one["temporality"]), (&json!("shop"), &json!("cumulative")), "{way:?}");
        assert_eq!(attribute(one, "http.route"), "/home");
        assert!(one["values"].as_array().unwrap().ends_with(&[json!(3.0), json!(7.0)]), "{one}");
        let series = page.json("/metrics/series?name=durations");
        let one = &series["series"][0];
        assert_eq!((&one["bounds"], &one["buckets"]), (&json!([0.1, 1.0]), &json!([1, 1, 0])), "{way:?}");
        // Of the time since the point before there is one value, below a tenth.
        assert_eq!(one["p50"].as_array().unwrap().last(), Some(&json!(0.1)), "{one}");
        provider.shutdown().unwrap();
    }
}

#[test]
fn logs_arrive_whichever_way_they_come() {
    let runtime = runtime();
    for way in [Way::Embedded, Way::Protobuf, Way::Json, Way::Grpc] {
        let page = start();
        let _entered = runtime.enter();
        let builder = SdkLoggerProvider::builder().with_resource(resource());
        let provider = match way {
            Way::Embedded => builder.with_log_processor(page.viewer.log_processor()),
            Way::Grpc => {
                let endpoint = format!("http://{}", page.viewer.otlp_grpc().unwrap());
                builder.with_batch_exporter(
                    LogExporter::builder().with_tonic().with_endpoint(endpoint).build().unwrap(),
                )
            }
            Way::Protobuf | Way::Json => {
                let protocol =
                    if matches!(way, Way::Json) { Protocol::HttpJson } else { Protocol::HttpBinary };
                let endpoint = format!("http://{}/v1/logs", page.viewer.otlp_http().unwrap());
                let exporter =
                    LogExporter::builder().with_http().with_endpoint(endpoint).with_protocol(protocol);
                builder.with_batch_exporter(exporter.build().unwrap())
            }
        }
        .build();
        let logger = provider.logger("shop");
        let mut record = logger.create_log_record();
        record.set_timestamp(at(5_000));
        record.set_severity_number(Severity::Warn);
        record.set_body(AnyValue::ListAny(Box::new(vec!["low".into(), AnyValue::Int(3)])));
        record.add_attribute("item", "apples");
        record.set_trace_context(TraceId::from_hex(TRACE).unwrap(), SpanId::from(5), None);
        logger.emit(record);
        provider.force_flush().unwrap();
        let logs = page.json("/logs?q=level>=warn item=apples");
        let log = &logs["logs"][0];
        println!("{way:?}: {log}");
        assert_eq!((&log["level"], &log["severity"]), (&json!("WARN"), &json!(13)));
        assert_eq!(log["time"], 1_764_417_067_000_005_u64);
        assert_eq!((&log["body"], &log["service"]), (&json!(["low", 3]), &json!("shop")));
        assert_eq!((&log["trace"], &log["span"]), (&json!(TRACE), &json!("0000000000000005")));
        provider.shutdown().unwrap();
    }
}

/// `SpanFlags` may say whether the parent is of another process, and a clock may be set back while a span runs.
#[test]
fn what_is_not_said_is_not_known() {
    let page = start();
    let spans: Vec<serde_json::Value> = [(0, "a"), (0x101, "b"), (0x301, "c")]
        .into_iter()
        .enumerate()
        .map(|(place, (flags, name))| {
            let (id, parent) = (format!("{:016x}", place + 1), "00000000000000ff");
            let times = ("1764417067000000500", "1764417067000000400");
            json!({ "traceId": TRACE, "spanId": id, "parentSpanId": parent, "name": name, "flags": flags,
                "startTimeUnixNano": times.0, "endTimeUnixNano": times.1 })
        })
        .collect();
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    assert_eq!(page.post("/v1/traces", body.to_string()).status(), 200);
    let trace = page.json(&format!("/traces/{TRACE}"));
    for (name, remote) in [("a", json!(null)), ("b", json!(false)), ("c", json!(true))] {
        let span = span(&trace, name);
        assert_eq!((&span["remote"], &span["end"]), (&remote, &span["start"]), "{name}");
    }
}

/// "If the request is only partially accepted".
#[test]
fn what_is_not_taken_in_is_said_to_its_sender() {
    let page = start();
    let span = |trace: &str| json!({ "traceId": trace, "spanId": "00000000000000ff", "name": "n", "startTimeUnixNano": "1", "endTimeUnixNano": "2" });
    let deep =
        (0..34).fold(json!({ "intValue": "1" }), |value, _| json!({ "arrayValue": { "values": [value] } }));
    let mut odd = span(TRACE);
    odd["attributes"] = json!([{ "key": "deep", "value": deep }]);
    let mut nameless = span(TRACE);
    nameless["spanId"] = json!("");
    let spans = json!([span(TRACE), span("00000000000000000000000000000000"), span("abcd"), odd, nameless]);
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    let answer: serde_json::Value = page.post("/v1/traces", body.to_string()).json().unwrap();
    assert_eq!(answer["partialSuccess"]["rejectedSpans"].to_string().trim_matches('"'), "4", "{answer}");
    assert!(answer["partialSuccess"]["errorMessage"].as_str().unwrap().contains("trace id"), "{answer}");
    let stats = page.json("/stats");
    assert_eq!((&stats["spans"], &stats["dropped"]["spans"]), (&json!(1), &json!(4)));
}
