//! Questions about a few spans, whose answers are known.

use std::sync::Arc;

use opentelemetry::trace::TraceId;
use serde_json::{Value, json};

use super::*;
use crate::model::{Attribute, Kind, Resource, tests};
use crate::store::{Limits, Running, RunningSpan, Store};

const SECOND: u64 = 1_000_000_000;

/// A span of this service, from then until then, in seconds.
fn span(
    (id, parent, kind): (u64, u64, Kind),
    (service, name): (&str, &str),
    (start, end): (u64, u64),
) -> Span {
    let resource = Arc::new(Resource { service: service.into(), attributes: [].into() });
    let (start, end) = (start * SECOND, end * SECOND);
    Span { name: name.into(), resource, start, end, ..tests::span(id, parent, kind) }
}

/// A request that was served then and took no time.
fn request(second: u64) -> Span {
    span((1, 0, Kind::Server), ("shop", "GET /"), (second, second))
}

fn insert(store: &mut Store, trace: u64, span: Span) {
    let now = span.end;
    assert!(store.insert(TraceId::from(u128::from(trace)), span, now));
}

fn store(limits: Limits, began: u64, requests: impl Iterator<Item = u64>) -> Store {
    let mut store = Store::new(limits).since(began * SECOND);
    requests.for_each(|second| insert(&mut store, second, request(second)));
    store
}

fn written(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap()
}

fn nobody_runs() -> Running {
    Limits::DEFAULT.new_running()
}

/// Of the requests, as all who tell it do.
#[track_caller]
fn rate(store: &Store, (from, to): (Option<u64>, Option<u64>), now: u64) -> f64 {
    let (running, query, now) = (nobody_runs(), Query::default(), now * SECOND);
    let range = Range { from: from.map(|from| from * SECOND), to: to.map(|to| to * SECOND) };
    let operations = written(&operations((store, &running), &query, range, Kinds::Entry, now));
    let detail = written(&detail((store, &running), ("shop", "GET /", None), &query, range, now).unwrap());
    let map = written(&map(store, range, now));
    let node = map["nodes"].as_array().unwrap().iter().find(|node| node["id"] == "service:shop").unwrap();
    let rates = [&operations["operations"][0]["rate"], &detail["operation"]["rate"], &node["rate"]];
    assert!(rates.iter().all(|rate| *rate == rates[0]), "{rates:?}");
    assert_eq!(
        node["calls"].as_f64().unwrap() / map["seconds"].as_f64().unwrap(),
        rates[0].as_f64().unwrap()
    );
    rates[0].as_f64().unwrap()
}

#[test]
fn a_rate_is_over_what_is_known_of_the_time_asked_for() {
    // Asked for a quarter of an hour, it has been there for a minute.
    let young = store(Limits::DEFAULT, 1_000, 1_000..1_060);
    assert_eq!(rate(&young, (Some(160), None), 1_060), 1.0);
    // What is yet to come is not known either.
    assert_eq!(rate(&young, (Some(160), Some(5_000)), 1_060), 1.0);
    // That nothing came for a long time is known.
    let quiet = store(Limits::DEFAULT, 1_000, std::iter::once(1_500));
    assert_eq!(rate(&quiet, (Some(1_400), None), 1_900), 1.0 / 500.0);
    assert_eq!(rate(&quiet, (Some(100), None), 1_900), 1.0 / 900.0);
    // All that is kept begins with the first.
    assert_eq!(rate(&quiet, (None, None), 1_900), 1.0 / 400.0);
    // A file is older than the store.
    let file = store(Limits::DEFAULT, 9_000, 1_000..1_061);
    assert_eq!(rate(&file, (Some(1_000), Some(1_060)), 9_000), 61.0 / 60.0);
    let newest_first = store(Limits::DEFAULT, 9_000, (1_000..1_061).rev());
    assert_eq!(rate(&newest_first, (Some(1_000), Some(1_060)), 9_000), 61.0 / 60.0);
}

#[test]
fn what_had_to_go_is_not_known_any_more() {
    let mut store = store(Limits { spans: 100, ..Limits::DEFAULT }, 1_000, 1_000..1_300);
    let is_about_one = |rate: f64| (0.95..1.05).contains(&rate);
    for range in [(Some(400), None), (None, None), (Some(1_290), None)] {
        let rate = rate(&store, range, 1_300);
        assert!(is_about_one(rate), "{range:?}: {rate}");
    }
    // One that began long ago and ends only now says nothing about the time between.
    insert(&mut store, 1, span((1, 9, Kind::Internal), ("shop", "websocket"), (1_010, 1_300)));
    for range in [(Some(400), None), (None, None)] {
        let rate = rate(&store, range, 1_300);
        assert!(is_about_one(rate), "{range:?}: {rate}");
    }
}

/// One that does not say when it was, or whose clock was not set, says nothing about the time in which it came.
#[test]
fn a_span_of_long_ago_spoils_no_rate() {
    for (start, end) in [(0, 0), (0, 1_310), (5, 6), (5, 1_310)] {
        let mut store = store(Limits::DEFAULT, 1_000, 1_010..1_310);
        let past = span((1, 9, Kind::Internal), ("shop", "past"), (start, end));
        assert!(store.insert(TraceId::from(1), past, 1_310 * SECOND));
        for range in [(None, None), (Some(0), None)] {
            let rate = rate(&store, range, 1_310);
            assert!((0.9..1.1).contains(&rate), "{start} to {end}, {range:?}: {rate}");
        }
        let all =
            operations((&store, &nobody_runs()), &Query::default(), Range::ALL, Kinds::All, 1_310 * SECOND);
        let from = if start == 0 { 1_010 } else { start };
        assert_eq!(written(&all)["from"], from * 1_000_000);
    }
}

/// Nobody knows what was between a file's last span and the store's beginning.
#[test]
fn what_came_from_a_file_and_what_came_since_are_rated_together() {
    let mut store = store(Limits::DEFAULT, 9_000, 1_000..1_061);
    (9_000..9_040).for_each(|second| insert(&mut store, second, request(second)));
    // One that says nothing of when it was is of no time.
    insert(&mut store, 1, span((1, 9, Kind::Internal), ("shop", "unset"), (0, 0)));
    for (range, expected) in [
        ((None, None), 1.01),
        ((Some(0), Some(1_500)), 61.0 / 60.0),
        ((Some(8_000), None), 1.0),
        ((Some(1_030), None), 71.0 / 70.0),
    ] {
        assert_eq!(rate(&store, range, 9_040), expected, "{range:?}");
    }
}

/// It is the oldest that go, by when they came.
#[test]
fn what_had_to_go_of_a_file_is_not_known_and_the_rest_is() {
    let mut old = store(Limits { spans: 100, ..Limits::DEFAULT }, 9_000, 1_000..1_300);
    insert(&mut old, 1, span((1, 9, Kind::Internal), ("shop", "job"), (1_010, 1_300)));
    let of_most = rate(&old, (Some(900), Some(1_500)), 9_000);
    assert!((0.95..1.05).contains(&of_most), "{of_most}");
    let mut late = store(Limits { spans: 100, ..Limits::DEFAULT }, 9_000, 9_000..9_300);
    (1_000..1_051).for_each(|second| insert(&mut late, second, request(second)));
    assert_eq!(rate(&late, (Some(900), Some(1_500)), 9_300), 51.0 / 50.0);
}

/// One whose clock is ahead, and that went, says nothing about what came after it.
#[test]
fn a_clock_that_is_ahead_spoils_no_rate() {
    let mut store = store(Limits { spans: 100, ..Limits::DEFAULT }, 1_000, 1_000..1_100);
    let ahead = span((1, 0, Kind::Internal), ("shop", "ahead"), (9_000, 9_000));
    assert!(store.insert(TraceId::from(1), ahead, 1_100 * SECOND));
    (1_100..1_300).for_each(|second| insert(&mut store, second, request(second)));
    // Samples of its operation take its place.
    (1_300..1_310).for_each(|second| {
        insert(&mut store, second, span((1, 0, Kind::Internal), ("shop", "ahead"), (second, second)));
    });
    let rate = rate(&store, (Some(400), None), 1_310);
    assert!((0.8..1.05).contains(&rate), "{rate}");
}

/// An old tracer's trace: a call and what served it have one id, and both the request's as their parent.
fn of_an_old_tracer(is_backwards: bool) -> (Store, TraceId) {
    let mut spans = vec![
        span((1, 0, Kind::Client), ("shop", "get"), (100, 200)),
        span((1, 0, Kind::Server), ("stock", "get"), (110, 180)),
        span((2, 1, Kind::Client), ("stock", "get"), (120, 170)),
        span((2, 1, Kind::Server), ("depot", "get"), (130, 160)),
    ];
    // Where a call says whom it asks, that is still the same call.
    for call in spans.iter_mut().filter(|span| span.kind == Kind::Client) {
        let key = "server.address".into();
        call.attributes =
            [Attribute { key, value: crate::model::Value::Text("stock.example".into()) }].into();
    }
    if is_backwards {
        spans.reverse();
    }
    let mut store = Store::new(Limits::DEFAULT);
    spans.into_iter().for_each(|span| insert(&mut store, 1, span));
    (store, TraceId::from(1))
}

#[test]
fn the_map_pairs_spans_that_share_their_id() {
    for (store, _) in [of_an_old_tracer(false), of_an_old_tracer(true)] {
        let map = written(&map(&store, Range::ALL, 300 * SECOND));
        let edges: Vec<Value> = map["edges"].as_array().unwrap().clone();
        let told =
            edges.iter().map(|edge| json!([edge["from"], edge["to"], edge["paired"], edge["network"]]));
        let expected = [
            json!(["service:shop", "service:stock", 1, 30 * SECOND]),
            json!(["service:stock", "service:depot", 1, 20 * SECOND]),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        // The search of an edge finds what is behind it, and only that.
        for (edge, service) in edges.iter().zip(["stock", "depot"]) {
            let query = Query::parse(edge["search"].as_str().unwrap()).unwrap();
            let trace = store.traces.recent().next().unwrap();
            let found: Vec<&Span> = matching(&query, trace).collect();
            assert!(found.len() == 1 && &**found[0].service() == service, "{edge}: {found:?}");
        }
    }
}

fn attributes<const N: usize>(pairs: [(&str, crate::model::Value); N]) -> crate::model::Attributes {
    pairs.map(|(key, value)| Attribute { key: key.into(), value }).into()
}

fn text(text: &str) -> crate::model::Value {
    crate::model::Value::Text(text.into())
}

/// How many spans a search finds.
fn count(store: &Store, search: &Value) -> u64 {
    let query = Query::parse(search.as_str().unwrap()).unwrap();
    store.traces.recent().map(|trace| matching(&query, trace).count() as u64).sum()
}

/// Nodes and edges whose searches find as many spans as were counted, by their ids.
#[track_caller]
fn mapped(store: &Store) -> Vec<(String, u64)> {
    let map = written(&map(store, Range::ALL, 300 * SECOND));
    let calls = |of: &Value, id: String| {
        assert_eq!(of["calls"], count(store, &of["search"]), "{of}");
        (id, of["calls"].as_u64().unwrap())
    };
    let nodes = map["nodes"].as_array().unwrap().iter().filter(|node| node["kind"] != "service");
    let nodes = nodes.map(|node| calls(node, node["id"].as_str().unwrap().to_owned()));
    let edges = map["edges"].as_array().unwrap().iter();
    let edges = edges.map(|edge| calls(edge, format!("{} {}", edge["from"], edge["to"]).replace('"', "")));
    nodes.chain(edges).collect()
}

#[test]
fn who_is_called_is_one_node_in_the_words_of_old_and_new_instrumentation() {
    let database = |system, name| {
        ["db.system.name", "db.system"]
            .into_iter()
            .zip(["db.namespace", "db.name"])
            .map(move |(first, second)| attributes([(first, text(system)), (second, text(name))]))
    };
    let destinations = ["messaging.destination.name", "messaging.destination"];
    let queues =
        destinations.map(|key| attributes([("messaging.system", text("kafka")), (key, text("orders"))]));
    let port = |key: &'static str| [(key, crate::model::Value::Int(80)), (key, text("80"))];
    let hosts = [("server.address", "server.port"), ("net.peer.name", "net.peer.port")];
    let hosts =
        hosts.into_iter().flat_map(|(key, of)| port(of).map(|port| attributes([(key, text("stock")), port])));
    let services = ["service.peer.name", "peer.service"].map(|key| attributes([(key, text("stock:80"))]));
    let system = ["db.system.name", "db.system"].map(|key| attributes([(key, text("redis"))]));
    let calls = database("sqlite", "main")
        .chain(database("main", "main"))
        .chain(system)
        .chain(queues)
        .chain(hosts)
        .chain(services);
    let mut store = Store::new(Limits::DEFAULT);
    for (id, attributes) in (1..).zip(calls) {
        insert(
            &mut store,
            id,
            Span { attributes, ..span((id, 9, Kind::Client), ("shop", "call"), (100, 101)) },
        );
    }
    let mut all = mapped(&store);
    let nodes = [
        ("database:db.system.name=main db.namespace=main", 2),
        ("database:db.system.name=redis", 2),
        ("database:db.system.name=sqlite db.namespace=main", 2),
        ("messaging:messaging.system=kafka messaging.destination.name=orders", 2),
        ("peer:server.address=stock server.port=80", 4),
        ("peer:service.peer.name=stock:80", 2),
    ];
    let edges = all.split_off(nodes.len());
    assert_eq!(all, nodes.map(|(id, calls)| (id.to_owned(), calls)));
    assert_eq!(edges, nodes.map(|(id, calls)| (format!("service:shop {id}"), calls)));
}

#[test]
fn callers_are_found_by_all_that_was_counted() {
    for kinds in [[Kind::Server, Kind::Consumer], [Kind::Consumer, Kind::Server]] {
        let mut store = Store::new(Limits::DEFAULT);
        for (id, kind) in (1..).zip(kinds) {
            insert(&mut store, id, span((1, 0, kind), ("shop", "GET"), (100, 103)));
            insert(&mut store, id, span((2, 1, kind), ("stock", "GET"), (101, 102)));
            insert(&mut store, id, span((3, 0, Kind::Internal), ("shop", "start"), (100, 101)));
        }
        // An old tracer's: what has the id of its call is called by it.
        insert(&mut store, 3, span((1, 0, Kind::Client), ("web", "GET"), (100, 103)));
        insert(&mut store, 3, span((1, 0, kinds[0]), ("shop", "GET"), (101, 102)));
        let counted = [
            ("user:callers", 2),
            ("service:shop service:stock", 2),
            ("service:web service:shop", 1),
            ("user:callers service:shop", 2),
        ];
        assert_eq!(mapped(&store), counted.map(|(id, calls)| (id.to_owned(), calls)));
    }
}

/// That it is served later makes it no call to somebody who sends no spans.
#[test]
fn a_call_that_is_served_after_the_time_asked_for_is_answered() {
    let mut store = Store::new(Limits::DEFAULT);
    let attributes = attributes([("server.address", text("stock.example"))]);
    insert(&mut store, 1, Span { attributes, ..span((1, 9, Kind::Client), ("shop", "GET"), (100, 106)) });
    insert(&mut store, 1, span((2, 1, Kind::Server), ("stock", "GET"), (103, 105)));
    let nodes = |to: u64| {
        let range = Range { from: None, to: Some(to * SECOND) };
        let map = written(&map(&store, range, 300 * SECOND));
        let names =
            map["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), map["edges"].as_array().unwrap().len())
    };
    assert_eq!(nodes(102), (vec!["shop".to_owned()], 0));
    assert_eq!(nodes(103), (vec!["shop".to_owned(), "stock".to_owned()], 1));
}

/// As exporters and instrumentation write them.
#[test]
fn a_code_is_the_same_as_a_number_and_as_text() {
    let mut store = Store::new(Limits::DEFAULT);
    let values =
        [crate::model::Value::Int(200), text("200"), text("0200"), text("+200"), text("OK"), text("-0")];
    for (id, value) in (1..).zip(values) {
        let attributes = attributes([("http.response.status_code", value)]);
        insert(&mut store, id, Span { attributes, ..request(100) });
    }
    let of = ("shop", "GET /", None);
    let detail = detail((&store, &nobody_runs()), of, &Query::default(), Range::ALL, 300 * SECOND);
    let codes = written(&detail.unwrap())["statusCodes"].as_array().unwrap().clone();
    let codes = codes.iter().map(|code| json!([code["value"], code["count"]]));
    let expected = [("200", 2), ("+200", 1), ("-0", 1), ("0200", 1), ("OK", 1)];
    assert_eq!(codes.collect::<Vec<_>>(), expected.map(|(code, count)| json!([code, count])));
}

#[test]
fn spans_that_share_their_id_are_all_shown() {
    for (store, id) in [of_an_old_tracer(false), of_an_old_tracer(true)] {
        let document = document((&store, &nobody_runs()), id, 300 * SECOND).unwrap();
        let shown = written(&document);
        let ids = shown["spans"].as_array().unwrap().iter().map(|span| json!([span["id"], span["kind"]]));
        let (one, two) = (format!("{:016x}", 1), format!("{:016x}", 2));
        let all =
            [json!([one, "client"]), json!([one, "server"]), json!([two, "client"]), json!([two, "server"])];
        assert_eq!(ids.collect::<Vec<_>>(), all);
        let services = ["shop", "stock", "stock", "depot"];
        let tree = tree(&document);
        let rows: Vec<&str> = tree.lines().skip(1).collect();
        let is_row = |(depth, (row, service)): (usize, (&&str, &str))| {
            let text = row.trim_start();
            row.len() - text.len() == 2 * depth && text.contains(service)
        };
        assert!(rows.len() == 4 && rows.iter().zip(services).enumerate().all(is_row), "{tree}");
        assert!(rows[0].contains("(self 30.0 s)"), "{tree}");
        let list = list((&store, &nobody_runs()), &Query::default(), Range::ALL, (Order::Newest, 1, None), 0);
        assert_eq!((&*list.traces[0].service, list.traces[0].spans), ("shop", 4));
    }
}

/// Only its kind tells a call from what served it.
#[test]
fn whoever_names_a_span_says_its_kind() {
    for (store, _) in [of_an_old_tracer(false), of_an_old_tracer(true)] {
        for kind in ["client", "server"] {
            let query = Query::parse(&format!("kind={kind} duration>=70s")).unwrap();
            let all = (&store, &nobody_runs());
            let list = written(&list(all, &query, Range::ALL, (Order::Newest, 1, None), 0));
            assert_eq!(
                list["traces"][0]["matches"],
                json!([{ "span": format!("{:016x}", 1), "kind": kind }])
            );
        }
    }
    let mut store = Store::new(Limits::DEFAULT);
    let status = crate::model::Status::Error;
    insert(&mut store, 1, Span { status, ..span((1, 0, Kind::Client), ("shop", "get"), (100, 200)) });
    let history = written(&history(&mut store, &nobody_runs(), 201 * SECOND));
    assert_eq!(history["failures"][0]["kind"], "client");
    let list = list((&store, &nobody_runs()), &Query::default(), Range::ALL, (Order::Errors, 1, None), 0);
    assert_eq!(written(&list)["traces"][0]["error"]["kind"], "client");
}

#[test]
fn a_sample_is_of_its_operation_where_ids_are_shared() {
    for (store, _) in [of_an_old_tracer(false), of_an_old_tracer(true)] {
        let durations = [("shop", 100), ("stock", 70), ("depot", 30)];
        for (service, duration) in durations {
            let kind = if service == "shop" { Kind::Client } else { Kind::Server };
            let of = (service, "get", Some(kind));
            let detail = detail((&store, &nobody_runs()), of, &Query::default(), Range::ALL, 300 * SECOND);
            let detail = written(&detail.unwrap());
            let slowest = detail["slowest"].as_array().unwrap();
            assert!(slowest.iter().all(|sample| sample["duration"] == duration * SECOND), "{detail}");
            let bucket = if duration == 100 { 8 } else { 7 };
            assert_eq!(detail["buckets"][bucket]["samples"][0]["duration"], duration * SECOND);
        }
    }
}

/// A name may be that of a call and of what serves it, as "GET" is.
#[test]
fn a_detail_is_of_one_kind() {
    let mut store = Store::new(Limits::DEFAULT);
    let of = |kind, trace: u64, end| {
        let code = Attribute {
            key: "http.response.status_code".into(),
            value: crate::model::Value::Int(end as i64),
        };
        Span { attributes: [code].into(), ..span((trace, 0, kind), ("shop", "GET"), (100, end)) }
    };
    [(Kind::Client, 101), (Kind::Server, 102), (Kind::Server, 103), (Kind::Client, 104), (Kind::Server, 105)]
        .into_iter()
        .zip(1..)
        .for_each(|((kind, end), trace)| insert(&mut store, trace, of(kind, trace, end)));
    let mut running = nobody_runs();
    let runs = |id, kind| {
        let resource = Arc::new(Resource { service: "shop".into(), attributes: [].into() });
        let parent = opentelemetry::trace::SpanId::INVALID;
        RunningSpan { id, parent, remote: None, kind, start: 0, name: "GET".into(), resource }
    };
    for (id, kind) in [(21, Kind::Client), (22, Kind::Client), (23, Kind::Producer)] {
        running.begin(TraceId::from(u128::from(id)), runs(id.into(), kind));
    }
    let ask = |store: &Store, kind, range| {
        let detail = detail((store, &running), ("shop", "GET", kind), &Query::default(), range, 300 * SECOND);
        let detail = written(&detail?);
        let sum =
            |counts: &Value| counts.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
        let codes = detail["statusCodes"].as_array().unwrap().len() as u64;
        let counts = [&detail["operation"]["count"], &json!(sum(&detail["histogram"]["counts"]))];
        assert!(counts.iter().all(|count| **count == json!(codes)), "{detail}");
        assert_eq!(sum(&detail["series"]["count"]), codes);
        let runs = detail["runningNow"].as_array().unwrap().len() as u64;
        assert_eq!(detail["operation"]["running"], runs);
        let slowest = detail["slowest"].as_array().unwrap().len();
        Some((detail["operation"]["kind"].as_str().unwrap().to_owned(), codes, runs, slowest))
    };
    let told = |kind: &str, codes, runs, slowest| Some((kind.to_owned(), codes, runs, slowest));
    assert_eq!(ask(&store, Some(Kind::Client), Range::ALL), told("client", 2, 2, 2));
    assert_eq!(ask(&store, Some(Kind::Server), Range::ALL), told("server", 3, 0, 3));
    assert_eq!(ask(&store, Some(Kind::Producer), Range::ALL), told("producer", 0, 1, 0));
    assert_eq!(ask(&store, Some(Kind::Consumer), Range::ALL), None);
    // Not said, it is the one of which there is most: of what ended then, or else of what runs, or else of what is kept.
    assert_eq!(ask(&store, None, Range::ALL), told("server", 3, 0, 3));
    let nothing = Range { from: Some(200 * SECOND), to: None };
    assert_eq!(ask(&store, None, nothing), told("client", 0, 2, 2));
    running = nobody_runs();
    let ask =
        |range| detail((&store, &running), ("shop", "GET", None), &Query::default(), range, 300 * SECOND);
    assert_eq!(written(&ask(nothing).unwrap())["operation"]["kind"], "server");
}

#[test]
fn operations_of_one_name_stand_in_one_order() {
    let kinds = [Kind::Client, Kind::Consumer, Kind::Internal, Kind::Producer, Kind::Server];
    for turn in 0..kinds.len() {
        let mut store = Store::new(Limits::DEFAULT);
        let mut turned = kinds;
        turned.rotate_left(turn);
        for (trace, kind) in (1..).zip(turned) {
            insert(&mut store, trace, span((1, 0, kind), ("shop", "GET"), (100, 101)));
        }
        let all = (&store, &nobody_runs());
        let operations = operations(all, &Query::default(), Range::ALL, Kinds::All, 300 * SECOND);
        let told: Vec<&str> = operations.operations.iter().map(|operation| operation.kind).collect();
        assert_eq!(told, ["client", "consumer", "internal", "producer", "server"]);
    }
}

#[test]
fn what_is_only_kept_as_a_sample_is_listed_last_and_said_so() {
    let mut store = Store::new(Limits { spans: 100, ..Limits::DEFAULT });
    insert(&mut store, 1, span((1, 0, Kind::Server), ("shop", "slow"), (1, 9)));
    (10..300).for_each(|second| insert(&mut store, second, request(second)));
    let both = (&store, &nobody_runs());
    let list = written(&list(both, &Query::default(), Range::ALL, (Order::Newest, 1_000, None), 0));
    let kept: Vec<bool> = list["traces"].as_array().unwrap().iter().map(|it| it["kept"] == true).collect();
    let last = list["traces"].as_array().unwrap().last().unwrap();
    assert!(kept.is_sorted() && !kept[0] && last["name"] == "slow" && last["kept"] == true, "{kept:?}");
    let operations = operations(both, &Query::default(), Range::ALL, Kinds::All, 300 * SECOND);
    assert!(operations.operations.iter().all(|operation| operation.name != "slow"));
}

#[test]
fn each_failure_is_told_once() {
    let mut store = Store::new(Limits::DEFAULT);
    for trace in 1..=3 {
        let status = crate::model::Status::Error;
        insert(&mut store, trace, Span { status, ..request(trace) });
    }
    let told = |after| {
        let (failures, last) = failures(&store, after);
        (failures.iter().map(|failure| written(failure)["time"].clone()).collect::<Vec<_>>(), last)
    };
    assert_eq!(told(0), ([1, 2, 3].map(|second| json!(second * 1_000_000)).to_vec(), 3));
    assert_eq!(told(2), (vec![json!(3_000_000)], 3));
    assert_eq!(told(3), (vec![], 3));
}

#[test]
fn a_second_counts_requests_and_calls_and_how_many_of_each_failed() {
    let mut store = Store::new(Limits::DEFAULT);
    let kinds = [Kind::Server, Kind::Consumer, Kind::Client, Kind::Producer, Kind::Internal];
    for (trace, (kind, is_error)) in
        (1..).zip(kinds.into_iter().flat_map(|kind| [(kind, true), (kind, false)]))
    {
        let status = if is_error { crate::model::Status::Error } else { crate::model::Status::Unset };
        insert(&mut store, trace, Span { status, kind, ..request(100) });
    }
    let history = written(&history(&mut store, &nobody_runs(), 101 * SECOND));
    let tick = history["ticks"].as_array().unwrap().iter().find(|tick| tick["spans"] == 10).unwrap();
    let counts = ["requests", "failures", "calls", "callFailures"].map(|key| tick[key].as_u64().unwrap());
    assert_eq!((counts, &tick["time"]), ([4, 2, 4, 2], &json!(100_000_000)));
    // The second that is not over is not told.
    assert_eq!(history["ticks"].as_array().unwrap().last(), Some(tick));
}

#[test]
fn a_trace_says_how_many_of_its_spans_were_refused() {
    let mut store = Store::new(Limits { spans_per_trace: 2, ..Limits::DEFAULT });
    for id in 1..=5 {
        let span = span((id, 0, Kind::Server), ("shop", "GET /"), (1, 2));
        assert_eq!(store.insert(TraceId::from(1), span, 0), id <= 2);
    }
    let document = document((&store, &nobody_runs()), TraceId::from(1), 0).unwrap();
    assert_eq!(written(&document)["truncated"], 3);
}
