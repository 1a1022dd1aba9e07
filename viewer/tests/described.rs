//! Each route of the API answers what `openapi.yaml` describes: no key more, and none less.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::time::SystemTime;

use common::{Page, SOON, page};
use serde_json::{Value, json};

const DESCRIPTION: &str = include_str!("../openapi.yaml");
const ROUTES: &str = include_str!("../src/http/mod.rs");
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const OTHER: &str = "1af7651916cd43dd8448eb211c80319c";

type Keys = BTreeSet<String>;

/// What is below a line of the description, with the rest of that line.
fn section(indent: usize, name: &str) -> &'static str {
    let line = format!("\n{}{name}:", " ".repeat(indent));
    let start = DESCRIPTION.find(&line).unwrap_or_else(|| panic!("{name} is not described")) + line.len();
    let rest = &DESCRIPTION[start..];
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        let depth = line.len() - line.trim_start().len();
        if end > 0 && depth <= indent && !line.trim().is_empty() {
            break;
        }
        end += line.len();
    }
    &rest[..end]
}

/// Without comments and quoted texts.
fn bare(text: &str) -> String {
    let bare = |line: &str| {
        let unquoted: String = line.split('"').step_by(2).collect::<Vec<_>>().join("''");
        unquoted.split(" #").next().unwrap_or_default().to_owned() + "\n"
    };
    text.lines().map(bare).collect()
}

/// A flow mapping up to its end, or else all there is.
fn flow(text: &str) -> &str {
    let mut depth = 0;
    for (place, char) in text.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 1 => return &text[..place],
            '}' => depth -= 1,
            '\n' if depth == 0 => return text,
            _ => {}
        }
    }
    text
}

/// The keys of an example, and those of the schemas that are named beside it.
fn described(text: &str) -> Keys {
    let bare = bare(text);
    let example = bare.split_once("example:").map_or("", |(_, example)| flow(example));
    let mut keys: Keys = example
        .match_indices(':')
        .filter_map(|(colon, _)| example[..colon].rsplit(|c: char| !c.is_alphanumeric()).next())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let is_named = |schema: &&str| text.split(|c: char| !c.is_alphanumeric()).any(|word| word == *schema);
    for schema in names(section(2, "schemas"), 4).filter(is_named) {
        let section = section(4, schema);
        // Some name themselves.
        keys.extend(described(&section.replace(&format!("{schema} "), "")));
    }
    keys
}

/// The names of what is below at this depth.
fn names(text: &'static str, indent: usize) -> impl Iterator<Item = &'static str> {
    let is_name = move |line: &&str| line.len() - line.trim_start().len() == indent;
    text.lines().filter(is_name).filter_map(|line| line.trim().split(':').next())
}

fn keys(value: &Value, into: &mut Keys) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| {
            into.insert(key.clone());
            keys(value, into);
        }),
        Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

#[track_caller]
fn assert_described(what: &str, described: &Keys, answer: &Value) {
    let mut answered = Keys::new();
    keys(answer, &mut answered);
    let (more, less): (Vec<_>, Vec<_>) =
        (answered.difference(described).collect(), described.difference(&answered).collect());
    assert!(!answered.is_empty(), "{what}: {answer}");
    assert!(more.is_empty(), "{what} answers {more:?}, of which nothing is said: {answer}");
    assert!(less.is_empty(), "{what} does not answer {less:?}, as is said: {answer}");
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64
}

fn pair(key: &str, text: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": text } })
}

fn resource() -> Value {
    json!({ "attributes": [pair("service.name", "shop")] })
}

/// A request that failed, with a query below.
fn failing(trace: &str, link: &str) -> String {
    let at = |millis: u64| (now() - 1_000_000_000 + millis * 1_000_000).to_string();
    let link = json!({ "traceId": link, "spanId": "00000000000000a1" });
    let event = json!({ "name": "exception", "timeUnixNano": at(5), "attributes": [pair("exception.message", "boom")] });
    let code = json!({ "key": "http.response.status_code", "value": { "intValue": "500" } });
    let served = json!({
        "traceId": trace, "spanId": "00000000000000a1", "name": "GET /home", "kind": 2, "startTimeUnixNano": at(0),
        "endTimeUnixNano": at(10), "status": { "code": 2 }, "attributes": [code, pair("error.type", "500")], "events": [event],
        "links": [link],
    });
    let query = json!({
        "traceId": trace, "spanId": "00000000000000a2", "parentSpanId": "00000000000000a1", "name": "SELECT", "kind": 3,
        "startTimeUnixNano": at(1), "endTimeUnixNano": at(9), "attributes": [pair("db.system.name", "sqlite")],
    });
    let spans = json!([{ "scope": { "name": "t" }, "spans": [served, query] }]);
    json!({ "resourceSpans": [{ "resource": resource(), "scopeSpans": spans }] }).to_string()
}

fn log() -> String {
    let record = json!({
        "timeUnixNano": now().to_string(), "severityNumber": 17, "body": { "stringValue": "lost" }, "traceId": TRACE,
        "spanId": "00000000000000a1",
    });
    let logs = json!([{ "scope": { "name": "t" }, "logRecords": [record] }]);
    json!({ "resourceLogs": [{ "resource": resource(), "scopeLogs": logs }] }).to_string()
}

fn measurement() -> String {
    let exemplar =
        json!({ "timeUnixNano": "1", "asDouble": 0.5, "traceId": TRACE, "spanId": "00000000000000a1" });
    let point = json!({
        "timeUnixNano": now().to_string(), "count": "1", "sum": 0.5, "bucketCounts": ["0", "1"], "explicitBounds": [0.1],
        "exemplars": [exemplar],
    });
    let metric =
        json!({ "name": "durations", "histogram": { "aggregationTemporality": 2, "dataPoints": [point] } });
    let metrics = json!([{ "scope": { "name": "t" }, "metrics": [metric] }]);
    json!({ "resourceMetrics": [{ "resource": resource(), "scopeMetrics": metrics }] }).to_string()
}

/// A viewer that has something to say at each route.
fn filled() -> Page {
    let page = page();
    for (path, body) in [
        ("/v1/traces", failing(TRACE, OTHER)),
        ("/v1/traces", failing(OTHER, TRACE)),
        ("/v1/logs", log()),
        ("/v1/metrics", measurement()),
    ] {
        assert_eq!(page.post(path, body).status(), 200, "{path}");
    }
    page
}

fn asked(page: &Page, path: &str) -> Value {
    let posted = |body: &str| -> Value {
        let answer = page.post(&format!("/api/v1{path}"), body);
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().unwrap()
    };
    match path {
        "/traces" => page.json("/traces?q=error"),
        "/traces/points" | "/operations" | "/map" | "/metrics" | "/logs" | "/stats" | "/live/history" => {
            page.json(path)
        }
        "/traces/{id}" => page.json(&format!("/traces/{TRACE}")),
        "/suggest" => page.json("/suggest?q=http"),
        "/operations/detail" => page.json("/operations/detail?service=shop&name=GET%20/home"),
        "/metrics/series" => page.json("/metrics/series?name=durations"),
        "/pause" => posted(r#"{"paused":false}"#),
        "/test-trace" => posted(""),
        "/import" => posted(&failing("2af7651916cd43dd8448eb211c80319c", TRACE)),
        other => panic!("it is not checked what {other} answers"),
    }
}

#[test]
fn every_route_answers_what_is_described() {
    let api = ROUTES.split("let api = ").nth(1).unwrap().split(".fallback(").next().unwrap();
    let routes = api.split(".route(\"").skip(1).map(|route| route.split('"').next().unwrap());
    let routes: BTreeSet<&str> = routes.collect();
    let paths: BTreeSet<&str> = names(DESCRIPTION.split("\npaths:\n").nth(1).unwrap(), 2).collect();
    assert_eq!(routes, paths, "the routes, and those that are described");
    let page = filled();
    for path in routes {
        let responses = section(2, path).split_once("responses:").unwrap().1;
        match path {
            "/clear" => {
                let other = filled();
                let answer = other.post("/api/v1/clear", "");
                assert!(responses.contains("\"204\"") && answer.status() == 204, "{path}");
                assert_eq!(answer.bytes().unwrap().len(), 0);
            }
            // What is in it is OTLP's to say.
            "/traces/{id}/otlp.json" => {
                let file = page.json(&format!("/traces/{TRACE}/otlp.json"));
                let keys: Keys = file.as_object().unwrap().keys().cloned().collect();
                assert_eq!(keys, described(responses), "{path}");
            }
            "/live" => assert_stream(&page),
            _ => assert_described(path, &described(responses), &asked(&page, path)),
        }
    }
}

/// It says what `/live/history` says, and then ticks and failures.
fn assert_stream(page: &Page) {
    let example = section(2, "/live");
    let response = page.client.get(page.url("/api/v1/live")).timeout(SOON).send().unwrap();
    let mut lines = BufReader::new(response).lines().map(Result::unwrap);
    let mut next = || -> (String, Value) {
        let event = lines.by_ref().find_map(|line| line.strip_prefix("event: ").map(str::to_owned)).unwrap();
        let data = lines.by_ref().find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
        assert!(example.contains(&format!("event: {event}\n")), "{event} is not described");
        (event, serde_json::from_str(&data).unwrap())
    };
    let (event, history) = next();
    assert_eq!(event, "history");
    assert_described("/live", &described(section(2, "/live/history")), &history);
    page.post("/v1/traces", failing("3af7651916cd43dd8448eb211c80319c", TRACE));
    let mut missing = BTreeSet::from(["tick", "failure"]);
    while !missing.is_empty() {
        let (event, data) = next();
        let schema = if event == "tick" { "Tick" } else { "Failure" };
        assert_described(&event, &described(&format!(" {schema} ")), &data);
        missing.remove(&*event);
    }
}
