//! The pages' answers are right.

mod common;

use common::{Page, SOON, page, span};
use opentelemetry::trace::{Span, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const MILLI: u64 = 1_000_000;

/// A shop that asks its stock, which asks a database, so long ago.
struct Shop {
    shop: SdkTracerProvider,
    stock: SdkTracerProvider,
}

impl Shop {
    fn new(page: &Page) -> Self {
        Self { shop: page.provider("shop"), stock: page.provider("stock") }
    }

    fn order(&self, ago: Duration, millis: u64, fails: bool) -> String {
        let (shop, stock) = (self.shop.tracer("t"), self.stock.tracer("t"));
        let start = SystemTime::now() - ago;
        let at = |part: u64| start + Duration::from_millis(millis * part / 100);
        let code = if fails { 500 } else { 200 };
        let http = |builder: SpanBuilder, kind, from| {
            let attributes =
                vec![KeyValue::new("http.response.status_code", code), KeyValue::new("http.route", "/stock")];
            builder.with_kind(kind).with_start_time(at(from)).with_attributes(attributes)
        };
        let root = http(shop.span_builder("POST /orders"), SpanKind::Server, 0);
        let root = Context::new().with_span(shop.build_with_context(root, &Context::new()));
        let call = root.with_span(
            shop.build_with_context(http(shop.span_builder("GET /stock"), SpanKind::Client, 10), &root),
        );
        let served = http(stock.span_builder("GET /stock"), SpanKind::Server, 20);
        let served = call.with_span(stock.build_with_context(served, &call));
        let query = stock.span_builder("SELECT items").with_kind(SpanKind::Client).with_start_time(at(30));
        let query = query.with_attributes(vec![
            KeyValue::new("db.system.name", "sqlite"),
            KeyValue::new("db.namespace", "main"),
        ]);
        let mut query = stock.build_with_context(query, &served);
        if fails {
            query.set_status(Status::error("disk I/O error"));
            [&served, &call, &root].into_iter().for_each(|context| {
                context.span().set_attribute(KeyValue::new("error.type", "500"));
                context.span().set_status(Status::error(""));
            });
        }
        query.end_with_timestamp(at(70));
        for (context, part) in [(&served, 80), (&call, 90), (&root, 100)] {
            context.span().end_with_timestamp(at(part));
        }
        root.span().span_context().trace_id().to_string()
    }
}

/// Ten orders, of which one failed and one was slow.
fn orders(page: &Page) -> (Shop, Vec<String>) {
    let shop = Shop::new(page);
    let ago = |number: u64| Duration::from_secs(60 - number);
    let ids = (0..10).map(|n| shop.order(ago(n), if n == 7 { 1_000 } else { 100 }, n == 3)).collect();
    (shop, ids)
}

#[test]
fn the_list_is_newest_first_in_pages() {
    let page = page();
    let (_shop, mut ids) = orders(&page);
    ids.reverse();
    let of = |answer: &Value| -> Vec<String> {
        answer["traces"]
            .as_array()
            .unwrap()
            .iter()
            .map(|trace| trace["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = page.json("/traces?limit=4");
    assert_eq!(of(&first), ids[..4]);
    let second = page.json(&format!("/traces?limit=4&before={}", first["next"].as_str().unwrap()));
    assert_eq!(of(&second), ids[4..8]);
    let third = page.json(&format!("/traces?limit=4&before={}", second["next"].as_str().unwrap()));
    assert_eq!((of(&third), &third["next"]), (ids[8..].to_vec(), &Value::Null));
    assert_eq!(of(&page.json("/traces?order=slowest&limit=1")), [ids[2].clone()]);
    assert_eq!(of(&page.json("/traces?order=errors&limit=1")), [ids[6].clone()]);
    assert_eq!(of(&page.json("/traces?last=55")).len(), 4);
    // Only what is looked at is counted: a page of four rows looks at no more than those.
    assert_eq!(page.json("/traces?limit=4")["scanned"], 4);
}

#[test]
fn a_line_says_what_went_wrong_and_where_the_time_went() {
    let page = page();
    let (_shop, ids) = orders(&page);
    let failed = &page.json("/traces?q=error")["traces"];
    assert_eq!(failed.as_array().unwrap().len(), 1);
    let failed = &failed[0];
    assert_eq!(
        (&failed["id"], &failed["name"], &failed["service"]),
        (&json!(ids[3]), &json!("POST /orders"), &json!("shop"))
    );
    assert_eq!(
        (&failed["duration"], &failed["errors"], &failed["spans"]),
        (&json!(100 * MILLI), &json!(4), &json!(4))
    );
    assert_eq!(
        (&failed["error"]["message"], &failed["error"]["offset"]),
        (&json!("disk I/O error"), &json!(70 * MILLI))
    );
    assert_eq!(
        failed["services"],
        json!([{ "name": "shop", "spans": 2, "self": 40 * MILLI }, { "name": "stock", "spans": 2, "self": 60 * MILLI }])
    );
    assert_eq!(failed["matches"].as_array().unwrap().len(), 4);
}

#[test]
fn searches_are_about_one_span_each() {
    let page = page();
    let (_shop, ids) = orders(&page);
    let found = |search: &str| {
        let url = page.url("/api/v1/traces");
        let answer: Value = page.client.get(url).query(&[("q", search)]).send().unwrap().json().unwrap();
        answer["traces"].as_array().map(Vec::len)
    };
    assert_eq!(found("service=stock SELECT db.system.name=sqlite duration>30ms"), Some(10));
    assert_eq!(found("service=shop db.system.name=sqlite"), Some(0));
    assert_eq!(found("duration>=1s"), Some(1));
    assert_eq!(found("status=500 parent.service=shop kind=server"), Some(1));
    assert_eq!(found(&format!("trace={}", &ids[5][..12])), Some(1));
    assert_eq!(found("trace.services=2"), Some(10));
    assert_eq!(found("a="), None);
    let answer = page.get("/api/v1/traces?q=%C3%A4%20a%3D");
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json::<Value>().unwrap()["error"]["at"], 4);
}

#[test]
fn operations_are_counted_and_measured() {
    let page = page();
    let (_shop, ids) = orders(&page);
    let operations = page.json("/operations");
    let all = operations["operations"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    let order = &all[0];
    assert_eq!(
        (&order["service"], &order["name"], &order["kind"]),
        (&json!("shop"), &json!("POST /orders"), &json!("server"))
    );
    assert_eq!(
        (&order["count"], &order["errors"], &order["errorShare"]),
        (&json!(10), &json!(1), &json!(0.1))
    );
    assert_eq!(
        (&order["p50"], &order["p95"], &order["max"]),
        (&json!(100 * MILLI), &json!(1_000 * MILLI), &json!(1_000 * MILLI))
    );
    assert_eq!((&order["mean"], &order["total"]), (&json!(190 * MILLI), &json!(1_900 * MILLI)));
    assert_eq!(order["spark"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>(), 10);
    let detail = page.json("/operations/detail?service=shop&name=POST%20/orders");
    assert_eq!(
        detail["histogram"]["counts"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>(),
        10
    );
    assert_eq!(
        (&detail["operation"]["total"], &detail["operation"]["share"]),
        (&json!(1_900 * MILLI), &json!(1.0))
    );
    let bounds = detail["histogram"]["bounds"].as_array().unwrap();
    assert_eq!(bounds.len(), detail["histogram"]["counts"].as_array().unwrap().len() + 1);
    assert!(
        bounds[0].as_u64().unwrap() <= 100 * MILLI
            && bounds.last().unwrap().as_u64().unwrap() > 1_000 * MILLI
    );
    assert_eq!(detail["slowest"][0]["trace"], json!(ids[7]));
    assert_eq!(detail["failed"].as_array().unwrap().len(), 1);
    assert_eq!(detail["failed"][0]["trace"], json!(ids[3]));
    assert_eq!(
        (&detail["statusCodes"][0]["value"], &detail["statusCodes"][0]["count"]),
        (&json!("200"), &json!(9))
    );
    assert_eq!(detail["errorTypes"][0]["value"], "500");
    assert_eq!((&detail["buckets"][5]["count"], &detail["buckets"][6]["count"]), (&json!(9), &json!(1)));
    assert_eq!(detail["buckets"][6]["samples"][0]["trace"], json!(ids[7]));
    assert_eq!(page.get("/api/v1/operations/detail?service=shop&name=nothing").status(), 404);
    let brushed = page.json("/traces?q=service=shop name=\"POST /orders\" duration>=500ms");
    assert_eq!(brushed["traces"].as_array().unwrap().len(), 1);
}

#[test]
fn the_map_has_pairs_databases_and_callers() {
    let page = page();
    let _orders = orders(&page);
    let map = page.json("/map");
    let edge = |from: &str, to: &str| {
        let edges = map["edges"].as_array().unwrap();
        edges
            .iter()
            .find(|edge| edge["from"] == from && edge["to"] == to)
            .unwrap_or_else(|| panic!("{from} {to}: {map}"))
            .clone()
    };
    let pair = edge("service:shop", "service:stock");
    assert_eq!((&pair["calls"], &pair["paired"], &pair["errors"]), (&json!(10), &json!(10), &json!(1)));
    // Of a call of 80 hundredths the server explains 60.
    assert_eq!((&pair["p50"], &pair["network"]), (&json!(80 * MILLI), &json!(20 * MILLI)));
    let query = edge("service:stock", "database:db.system.name=sqlite db.namespace=main");
    assert_eq!((&query["calls"], &query["paired"], &query["network"]), (&json!(10), &json!(0), &Value::Null));
    assert_eq!(edge("user:callers", "service:shop")["calls"], 10);
    assert_eq!(map["edges"].as_array().unwrap().len(), 3);
    // What is behind an edge or a node is found by the search that comes with it, and nothing else. A service's is all of it.
    for of in map["edges"].as_array().unwrap().iter().chain(map["nodes"].as_array().unwrap()) {
        let search = of["search"].as_str().unwrap();
        let answer = page.client.get(page.url("/api/v1/traces")).query(&[("q", search)]).send().unwrap();
        let answer: Value = answer.json().unwrap();
        let traces = answer["traces"].as_array().unwrap();
        let found: usize = traces.iter().map(|trace| trace["matches"].as_array().unwrap().len()).sum();
        let all = if of["kind"] == "service" { 20 } else { 10 };
        assert_eq!((traces.len(), found, &of["calls"]), (10, all, &json!(10)), "{search}");
    }
}

#[test]
fn suggestions_come_from_what_was_seen() {
    let page = page();
    let _orders = orders(&page);
    let texts = |search: &str| -> Vec<String> {
        let answer = page.client.get(page.url("/api/v1/suggest")).query(&[("q", search)]).send().unwrap();
        let answer: Value = answer.json().unwrap();
        answer["suggestions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(texts("error http.ro").contains(&"http.route=".to_owned()));
    assert_eq!(texts("http.route=/s"), ["http.route=/stock"]);
    assert_eq!(texts("name=POS"), ["name=\"POST /orders\""]);
    assert!(texts("sel").contains(&"name=\"SELECT items\"".to_owned()));
    assert_eq!(texts("service=st"), ["service=stock"]);
}

#[test]
fn running_spans_are_shown_until_they_end() {
    let page = page();
    let provider = page.provider("shop");
    let tracer = provider.tracer("t");
    let mut root = tracer.span_builder("GET /slow").with_kind(SpanKind::Server).start(&tracer);
    let id = root.span_context().trace_id().to_string();
    let line = page.json("/traces")["traces"][0].clone();
    assert_eq!((&line["id"], &line["running"], &line["name"]), (&json!(id), &json!(1), &json!("GET /slow")));
    let trace = page.json(&format!("/traces/{id}"));
    let shown = span(&trace, "GET /slow");
    assert_eq!((&shown["end"], &shown["start"]), (&Value::Null, &json!(0)));
    assert!(trace["now"].as_u64().unwrap() > 0);
    assert_eq!(page.json("/traces?q=running")["traces"].as_array().unwrap().len(), 1);
    assert_eq!(page.json("/operations")["operations"][0]["running"], 1);
    let detail = page.json("/operations/detail?service=shop&name=GET /slow");
    assert_eq!(detail["runningNow"][0]["trace"], json!(id));
    assert!(page.get(&format!("/trace/{id}.txt")).text().unwrap().contains("GET /slow"));
    root.end();
    let trace = page.json(&format!("/traces/{id}"));
    assert!(span(&trace, "GET /slow")["end"].is_u64());
    assert_eq!(page.json("/stats")["running"], 0);
}

/// Around a batch processor, as beside an exporter.
#[test]
fn a_watched_processor_shows_what_runs() {
    use opentelemetry_sdk::trace::BatchSpanProcessor;
    let page = page();
    let batch = BatchSpanProcessor::builder(page.viewer.span_exporter()).build();
    let provider = SdkTracerProvider::builder().with_span_processor(page.viewer.watch(batch)).build();
    let mut span = provider.tracer("t").start("work");
    assert_eq!(page.json("/stats")["running"], 1);
    span.end();
    assert_eq!(page.json("/stats")["running"], 0);
    provider.force_flush().unwrap();
    let stats = page.json("/stats");
    assert_eq!((&stats["running"], &stats["spans"]), (&json!(0), &json!(1)));
}

/// What is asked again may have changed, but for files whose names say what is in them.
#[test]
fn only_files_with_a_hash_are_kept_by_browsers() {
    let page = page();
    let caching = |path: &str| {
        let answer = page.get(path);
        assert_eq!(answer.status(), 200, "{path}");
        answer.headers()["cache-control"].to_str().unwrap().to_owned()
    };
    for path in ["/api/v1/stats", "/traces.txt", "/api/v1/live/history"] {
        assert_eq!(caching(path), "no-store", "{path}");
    }
    assert_eq!(caching("/"), "no-cache");
    let html = page.get("/").text().unwrap();
    let script = html.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(caching(script).contains("immutable"), "{script}");
}

#[test]
fn links_are_seen_from_both_ends() {
    use opentelemetry::trace::Link;
    let page = page();
    let provider = page.provider("shop");
    let tracer = provider.tracer("t");
    let mut request = tracer.start("GET /chat");
    let context = request.span_context().clone();
    request.end();
    let socket = tracer.span_builder("websocket").with_links(vec![Link::with_context(context.clone())]);
    let mut socket = socket.start_with_context(&tracer, &Context::new());
    let other = socket.span_context().clone();
    socket.end();
    // One of the same trace is seen where it is.
    let own = tracer.span_builder("retry").with_links(vec![Link::with_context(context.clone())]);
    let parent = Context::new().with_remote_span_context(context.clone());
    own.start_with_context(&tracer, &parent).end();
    let trace = page.json(&format!("/traces/{}", context.trace_id()));
    assert_eq!(trace["linkedFrom"].as_array().unwrap().len(), 1);
    let from = &trace["linkedFrom"][0];
    assert_eq!(
        (&from["trace"], &from["span"]),
        (&json!(other.trace_id().to_string()), &json!(other.span_id().to_string()))
    );
    assert_eq!(
        (&from["name"], &from["kind"], &from["to"]),
        (&json!("websocket"), &json!("internal"), &json!(context.span_id().to_string()))
    );
}

#[test]
fn what_comes_while_it_is_paused_is_counted_and_left() {
    let page = page();
    let (shop, _) = orders(&page);
    assert_eq!(page.post("/api/v1/pause", r#"{"paused":true}"#).json::<Value>().unwrap()["paused"], true);
    shop.order(Duration::ZERO, 100, false);
    let stats = page.json("/stats");
    assert_eq!(
        (&stats["spans"], &stats["received"]["spans"], &stats["dropped"]["spans"]),
        (&json!(40), &json!(44), &json!(4))
    );
    assert_eq!(stats["running"], 0);
    let sent = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{}, {}] }] }] });
    assert_eq!(
        page.post("/v1/traces", sent.to_string()).json::<Value>().unwrap()["partialSuccess"],
        Value::Null
    );
    let logs = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [{}, {}, {}] }] }] });
    assert_eq!(page.post("/v1/logs", logs.to_string()).status(), 200);
    let stats = page.json("/stats");
    assert_eq!((&stats["spans"], &stats["logs"]), (&json!(40), &json!(0)));
    assert_eq!(stats["dropped"], json!({ "spans": 6, "logs": 3, "points": 0 }));
    page.post("/api/v1/pause", r#"{"paused":false}"#);
    shop.order(Duration::ZERO, 100, false);
    assert_eq!(page.json("/stats")["spans"], 44);
    assert_eq!(page.post("/api/v1/clear", "").status(), 204);
    assert_eq!(page.json("/stats")["spans"], 0);
    assert_eq!(page.post("/api/v1/pause", "maybe").status(), 400);
}

#[test]
fn terminals_get_text() {
    let page = page();
    let (_shop, ids) = orders(&page);
    let lines = page.get("/traces.txt?q=error").text().unwrap();
    assert!(
        lines.contains(&ids[3]) && lines.contains("disk I/O error") && lines.lines().count() == 1,
        "{lines}"
    );
    let tree = page.get(&format!("/trace/{}.txt", ids[3])).text().unwrap();
    let names = ["POST /orders", "GET /stock", "GET /stock", "SELECT items"];
    let rows: Vec<&str> = tree.lines().skip(1).collect();
    assert!(rows.len() == 4 && rows.iter().zip(names).all(|(row, name)| row.contains(name)), "{tree}");
    assert!(tree.contains("100 ms (self 20.0 ms)"), "{tree}");
    let table = page.get("/operations.txt").text().unwrap();
    assert!(table.contains("POST /orders") && table.contains("1.00 s"), "{table}");
    assert_eq!(page.get(&format!("/trace/{:032}.txt", 1)).status(), 404);
}

#[test]
fn live_tells_each_second_and_each_failure() {
    use std::io::{BufRead, BufReader};
    let page = page();
    let shop = Shop::new(&page);
    shop.order(Duration::from_secs(3), 100, true);
    let response = page.client.get(page.url("/api/v1/live")).timeout(SOON).send().unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut lines = BufReader::new(response).lines().map(Result::unwrap).filter(|line| !line.is_empty());
    let mut next = || -> (String, Value) {
        let event = lines.by_ref().find_map(|line| line.strip_prefix("event: ").map(str::to_owned)).unwrap();
        let data = lines.by_ref().find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
        (event, serde_json::from_str(&data).unwrap())
    };
    let (event, history) = next();
    assert_eq!(event, "history");
    let requests: u64 =
        history["ticks"].as_array().unwrap().iter().map(|tick| tick["requests"].as_u64().unwrap()).sum();
    assert_eq!((requests, history["failures"].as_array().unwrap().len()), (2, 2));
    let id = shop.order(Duration::ZERO, 100, true);
    let (mut requests, mut failures) = (0, Vec::new());
    while requests < 2 || failures.len() < 2 {
        match next() {
            (event, tick) if event == "tick" => {
                let is_new = tick["time"].as_u64()
                    > history["ticks"].as_array().unwrap().last().unwrap()["time"].as_u64();
                requests += if is_new { tick["requests"].as_u64().unwrap() } else { 0 };
            }
            // What came while the past was written is told twice.
            (_, failure) if history["failures"].as_array().unwrap().contains(&failure) => {}
            (event, failure) => {
                let told = (event.as_str(), &failure["trace"], &failure["why"]);
                assert_eq!(told, ("failure", &json!(id), &json!("error")));
                failures.push(failure);
            }
        }
    }
}
