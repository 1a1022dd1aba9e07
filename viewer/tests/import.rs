//! Files: what was saved here or elsewhere is seen again as it was.

mod common;

use common::{attribute, page, span};
use serde_json::{Value, json};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// One that has everything.
fn otlp() -> Value {
    let pairs = json!([
        { "key": "text", "value": { "stringValue": "a" } },
        { "key": "int", "value": { "intValue": "9223372036854775807" } },
        { "key": "double", "value": { "doubleValue": 0.5 } },
        { "key": "bytes", "value": { "bytesValue": "AQL/" } },
        { "key": "list", "value": { "arrayValue": { "values": [{ "boolValue": true }, { "intValue": 7 }] } } },
        { "key": "map", "value": { "kvlistValue": { "values": [{ "key": "k", "value": { "stringValue": "v" } }] } } },
        { "key": "empty", "value": {} },
    ]);
    let span = json!({
        "traceId": TRACE, "spanId": "00000000000000a1", "parentSpanId": "00000000000000a0", "traceState": "a=1", "flags": 769,
        "name": "GET /home", "kind": 2, "startTimeUnixNano": "1764417067000000123", "endTimeUnixNano": "1764417067000001000",
        "attributes": pairs, "droppedAttributesCount": 2, "status": { "code": 2, "message": "it broke" },
        "events": [{ "name": "e", "timeUnixNano": "1764417067000000200", "attributes": pairs, "droppedAttributesCount": 1 }],
        "droppedEventsCount": 3, "droppedLinksCount": 4,
        "links": [{ "traceId": TRACE, "spanId": "00000000000000a2", "traceState": "b=2", "attributes": pairs }],
    });
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "shop" } }] });
    let scope = json!({ "name": "otelhttp", "version": "0.1.0", "attributes": pairs });
    let log = json!({
        "timeUnixNano": "1764417067000000300", "severityNumber": 17, "severityText": "ERROR", "body": { "stringValue": "lost" },
        "traceId": TRACE, "spanId": "00000000000000a1", "attributes": pairs, "eventName": "ev",
    });
    json!({
        "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "scope": scope, "schemaUrl": "https://x.example/1", "spans": [span] }] }],
        "resourceLogs": [{ "resource": resource, "scopeLogs": [{ "scope": scope, "schemaUrl": "https://x.example/1", "logRecords": [log] }] }],
    })
}

/// The same trace, but for when it was asked for.
fn seen(page: &common::Page) -> Value {
    let mut trace = page.json(&format!("/traces/{TRACE}"));
    trace["now"] = Value::Null;
    trace
}

#[test]
fn what_is_saved_as_otlp_is_the_same_when_it_comes_back() {
    let page = page();
    let imported = page.import(otlp().to_string());
    assert_eq!(imported, json!({ "spans": 1, "logs": 1, "points": 0, "traces": [TRACE] }));
    let first = seen(&page);
    let file = page.get(&format!("/api/v1/traces/{TRACE}/otlp.json"));
    assert!(file.headers()["content-disposition"].to_str().unwrap().contains(TRACE));
    let file = file.text().unwrap();
    page.post("/api/v1/clear", "");
    assert_eq!(page.get(&format!("/api/v1/traces/{TRACE}")).status(), 404);
    page.import(file);
    assert_eq!(seen(&page), first);
    assert_eq!(attribute(span(&first, "GET /home"), "map"), &json!({ "map": [["k", "v"]] }));
    assert_eq!(attribute(span(&first, "GET /home"), "bytes"), &json!({ "bytes": "AQL/" }));
}

#[test]
fn a_trace_as_the_page_has_it_is_the_same_when_it_comes_back() {
    let page = page();
    page.import(otlp().to_string());
    let first = page.get(&format!("/api/v1/traces/{TRACE}")).text().unwrap();
    page.post("/api/v1/clear", "");
    page.import(first.clone());
    let mut first: Value = serde_json::from_str(&first).unwrap();
    first["now"] = Value::Null;
    assert_eq!(seen(&page), first);
}

#[test]
fn what_two_services_sent_is_theirs_when_it_comes_back() {
    let page = page();
    let answer: Value = page.post("/api/v1/test-trace", "").json().unwrap();
    let path = format!("/traces/{}", answer["id"].as_str().unwrap());
    let file = page.get(&format!("/api/v1{path}/otlp.json")).text().unwrap();
    let first = page.json(&path);
    page.post("/api/v1/clear", "");
    page.import(file);
    let second = page.json(&path);
    assert!(first["resources"].as_array().unwrap().len() > 1);
    for part in ["spans", "resources", "scopes", "logs"] {
        assert_eq!(first[part], second[part]);
    }
}

/// Nobody would ever end it.
#[test]
fn what_ran_when_it_was_saved_is_left_out() {
    let page = page();
    page.import(otlp().to_string());
    let mut saved = page.json(&format!("/traces/{TRACE}"));
    let mut runs = saved["spans"][0].clone();
    (runs["id"], runs["end"]) = (json!("00000000000000a2"), Value::Null);
    saved["spans"].as_array_mut().unwrap().push(runs);
    page.post("/api/v1/clear", "");
    assert_eq!(page.import(saved.to_string())["spans"], 1);
    assert_eq!(page.json(&format!("/traces/{TRACE}"))["spans"].as_array().unwrap().len(), 1);
}

#[test]
fn the_collectors_file_has_an_object_in_each_line() {
    let page = page();
    let line = |trace: u32| otlp().to_string().replace(TRACE, &format!("{trace:032x}"));
    let imported = page.import(format!("{}\n{}\n", line(1), line(2)));
    assert_eq!((&imported["spans"], &imported["traces"].as_array().unwrap().len()), (&json!(2), &2));
}

#[test]
fn jaegers_file_is_read() {
    let page = page();
    let span = |id: &str, name: &str, references: Value, tags: Value| {
        json!({
            "traceID": "8448eb211c80319c", "spanID": id, "operationName": name, "references": references, "startTime": 1_764_417_067_000_000u64,
            "duration": 1_500, "tags": tags, "processID": "p1",
            "logs": [{ "timestamp": 1_764_417_067_000_100u64, "fields": [{ "key": "event", "type": "string", "value": "retry" },
                { "key": "n", "type": "int64", "value": 2 }] }],
        })
    };
    let root = span(
        "a1",
        "GET /home",
        json!([]),
        json!([
            { "key": "span.kind", "type": "string", "value": "server" },
            { "key": "error", "type": "bool", "value": true },
            { "key": "http.status_code", "type": "int64", "value": 500 },
            { "key": "ratio", "type": "float64", "value": 1 },
            { "key": "otel.scope.name", "type": "string", "value": "lib" },
        ]),
    );
    // Only one of them is its parent.
    let parent = json!([
        { "refType": "FOLLOWS_FROM", "traceID": "8448eb211c80319c", "spanID": "3" },
        { "refType": "CHILD_OF", "traceID": "1", "spanID": "2" },
        { "refType": "CHILD_OF", "traceID": "8448eb211c80319c", "spanID": "a1" },
    ]);
    let child =
        span("b2", "SELECT", parent, json!([{ "key": "otel.status_code", "type": "string", "value": "OK" }]));
    let process =
        json!({ "serviceName": "shop", "tags": [{ "key": "host", "type": "string", "value": "blue" }] });
    let file = json!({ "data": [{ "traceID": "8448eb211c80319c", "spans": [root, child], "processes": { "p1": process } }] });
    let imported = page.import(file.to_string());
    let id = format!("{:0>32}", "8448eb211c80319c");
    assert_eq!(imported["traces"], json!([id]));
    let trace = page.json(&format!("/traces/{id}"));
    let root = common::span(&trace, "GET /home");
    assert_eq!(
        (&root["kind"], &root["status"], &root["end"]),
        (&json!("server"), &json!("error"), &json!(1_500_000))
    );
    assert_eq!(attribute(root, "http.status_code"), &json!(500));
    assert_eq!(
        root["events"][0],
        json!({ "name": "retry", "time": 100_000, "attributes": [["n", 2]], "droppedAttributes": 0 })
    );
    let child = common::span(&trace, "SELECT");
    assert_eq!((&child["parent"], &child["status"]), (&root["id"], &json!("ok")));
    let links = child["links"].as_array().unwrap().iter().map(|link| link["span"].as_str().unwrap());
    assert_eq!(links.collect::<Vec<_>>(), [3, 2].map(|id| format!("{id:016x}")));
    assert_eq!(attribute(&trace["resources"][0], "host"), "blue");
    assert_eq!(trace["scopes"][0]["name"], "lib");
}

#[test]
fn a_file_that_is_none_is_told_why() {
    let page = page();
    for (file, why) in [
        ("", "nothing was found"),
        ("{}", "neither OTLP JSON"),
        ("[1]", "neither OTLP JSON"),
        ("{\"resourceSpans\":1}", "no OTLP in `resourceSpans`"),
        ("{\"data\":1}", "no traces of Jaeger"),
        ("{\"format\":\"otelhttp-trace/1\"}", "no trace of this viewer"),
        ("{\"resourceSpans\":[]}", "nothing was found"),
        ("nonsense", "no JSON"),
    ] {
        let answer = page.post("/api/v1/import", file);
        assert_eq!(answer.status(), 400, "{file}");
        let answer: Value = answer.json().unwrap();
        assert!(answer["error"]["message"].as_str().unwrap().contains(why), "{file}: {answer}");
    }
}

#[test]
fn files_are_read_by_their_names() {
    let page = page();
    let folder = std::env::temp_dir().join(format!("otelhttp-viewer-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("trace.json");
    std::fs::write(&file, otlp().to_string()).unwrap();
    assert_eq!(page.viewer.import(&file).unwrap(), 1);
    let missing = page.viewer.import(folder.join("missing.json")).unwrap_err();
    assert!(missing.is_file() && missing.to_string().contains("missing.json"), "{missing}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// The same as above in protobuf, each signal by itself and all one after the other.
#[test]
fn protobuf_is_told_by_what_is_in_it() {
    use opentelemetry_proto::tonic::logs::v1::LogsData;
    use opentelemetry_proto::tonic::metrics::v1::MetricsData;
    use opentelemetry_proto::tonic::trace::v1::TracesData;
    use prost::Message;
    let point = json!({ "timeUnixNano": "1764417067000000000", "asDouble": 0.5 });
    let gauge = json!({ "name": "gauge", "gauge": { "dataPoints": [point] } });
    let sum = json!({ "name": "sum", "sum": { "dataPoints": [point], "aggregationTemporality": 2 } });
    // A name and a description as long as ids are.
    let odd =
        json!({ "name": "sixteen letters.", "description": "eight...", "gauge": { "dataPoints": [point] } });
    let metrics = json!({ "resourceMetrics": [
        { "scopeMetrics": [{ "metrics": [gauge, sum] }] },
        { "scopeMetrics": [{ "metrics": [odd] }] },
    ] });
    let metrics = serde_json::from_value::<MetricsData>(metrics).unwrap().encode_to_vec();
    let traces = serde_json::from_value::<TracesData>(otlp()).unwrap().encode_to_vec();
    let logs = serde_json::from_value::<LogsData>(otlp()).unwrap().encode_to_vec();
    let bare = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{ "traceId": "41".repeat(16), "spanId": "41".repeat(8) }] }] }] });
    let bare = serde_json::from_value::<TracesData>(bare).unwrap().encode_to_vec();
    let record = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [{ "body": { "stringValue": "x" } }] }] }] });
    let record = serde_json::from_value::<LogsData>(record).unwrap().encode_to_vec();
    let all = [&*logs, &traces, &metrics].concat();
    for (name, file, expected) in [
        ("traces", traces, [1, 0, 0]),
        ("metrics", metrics, [0, 0, 3]),
        ("logs", logs, [0, 1, 0]),
        ("all", all, [1, 1, 3]),
        ("a span with letters for ids and no times", bare, [1, 0, 0]),
        ("a record without a time", record, [0, 1, 0]),
    ] {
        let page = page();
        let request =
            page.client.post(page.url("/api/v1/import")).header("content-type", "application/x-protobuf");
        let answer: Value = request.body(file).send().unwrap().json().unwrap();
        let counts = ["spans", "logs", "points"].map(|signal| answer[signal].as_u64().unwrap_or_default());
        assert_eq!(counts, expected, "{name}: {answer}");
        let stats = page.json("/stats");
        assert_eq!(
            ["spans", "logs", "points"].map(|signal| stats[signal].as_u64().unwrap()),
            expected,
            "{name}"
        );
    }
    let page = page();
    for (file, why) in
        [(&b"\x0a\x04none"[..], "no protobuf of OTLP's traces, logs or metrics"), (b"", "nothing was found")]
    {
        let request =
            page.client.post(page.url("/api/v1/import")).header("content-type", "application/x-protobuf");
        let answer = request.body(file).send().unwrap();
        assert_eq!(answer.status(), 400);
        assert!(answer.text().unwrap().contains(why), "{why}");
    }
}

#[test]
fn ids_are_hexadecimal_digits() {
    let page = page();
    let span = |id: &str| {
        json!({ "id": id, "name": "n", "kind": "server", "start": 0, "end": 1, "status": "ok", "message": "",
        "resource": 0, "scope": 0, "attributes": [] })
    };
    let scope = json!({ "name": "", "version": "", "schemaUrl": "", "attributes": [] });
    for (id, expected) in [("00000000000000fF", 200), ("+f+f+f+f+f+f+f+f", 400), ("000000000000000", 400)] {
        let saved = json!({ "format": "otelhttp-trace/1", "id": TRACE, "epoch": "1", "spans": [span(id)], "scopes": [scope],
            "resources": [{ "attributes": [] }] });
        assert_eq!(page.post("/api/v1/import", saved.to_string()).status(), expected, "{id}");
    }
}

/// As a number in JSON may be larger than whatever holds a time.
#[test]
fn times_may_be_as_odd_as_numbers_can_be() {
    let page = page();
    for (number, time) in [1e39, -1e39, f64::MAX, f64::MIN].into_iter().enumerate() {
        let span = json!({
            "id": format!("{:016x}", number + 1), "parent": null, "remote": null, "name": "n", "kind": "server", "start": time,
            "end": time, "status": "ok", "message": "", "resource": 0, "scope": 0, "attributes": [],
        });
        let scope = json!({ "name": "", "version": "", "schemaUrl": "", "attributes": [] });
        let saved = json!({
            "format": "otelhttp-trace/1", "id": TRACE, "epoch": "1764417067000000000", "spans": [span], "scopes": [scope],
            "resources": [{ "service": "shop", "attributes": [] }],
        });
        assert_eq!(page.import(saved.to_string())["spans"], 1, "{time}");
    }
}
