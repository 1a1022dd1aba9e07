//! What five thousand spans a second leave, while somebody looks. Times are printed; what is asserted is counted.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Page, SOON, serve};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use otelhttp_viewer::Viewer;
use prost::Message;

const A_SECOND: usize = 5_000;
/// As large as the SDK's batches.
const BATCH: usize = 500;

/// Enough to tell whether it keeps up. `THROUGHPUT_SECONDS` asks for more.
fn seconds() -> usize {
    std::env::var("THROUGHPUT_SECONDS").map_or(4, |seconds| seconds.parse().expect("a number of seconds"))
}

fn pair(key: &str, text: String) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(text)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64
}

/// Traces of ten spans, in one message.
fn batch(first: usize) -> Vec<u8> {
    let end = now();
    let span = |number: usize| {
        let (trace, place) = (number / 10 + 1, number % 10);
        Span {
            trace_id: (trace as u128).to_be_bytes().to_vec(),
            span_id: (number as u64 + 1).to_be_bytes().to_vec(),
            parent_span_id: if place == 0 { Vec::new() } else { (number as u64).to_be_bytes().to_vec() },
            name: ["GET /home", "GET", "GET /stock", "SELECT items"][place % 4].to_owned(),
            kind: [2, 3, 2, 3][place % 4],
            start_time_unix_nano: end - (1 + trace as u64 % 97) * 1_000_000,
            end_time_unix_nano: end,
            attributes: vec![
                pair("http.request.method", "GET".to_owned()),
                pair("http.route", "/home".to_owned()),
                pair("url.path", format!("/users/{number}")),
                pair("server.address", "shop.example".to_owned()),
                pair("user_agent.original", "curl/8.0".to_owned()),
                pair("client.address", format!("10.0.0.{}", number % 200)),
            ],
            status: Some(Status { code: if trace % 50 == 0 { 2 } else { 0 }, ..Status::default() }),
            ..Span::default()
        }
    };
    let spans = (first..first + BATCH).map(span).collect();
    let resource =
        Some(Resource { attributes: vec![pair("service.name", "shop".to_owned())], ..Resource::default() });
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
    .encode_to_vec()
}

fn send(page: &Page, first: usize) {
    let request = page.client.post(page.url("/v1/traces")).header("content-type", "application/x-protobuf");
    let response = request.body(batch(first)).send().unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().unwrap().is_empty(), "something was refused");
}

/// The seconds, for as long as they come: a client of reqwest would want to know how long that is.
fn live(page: &Page) -> impl Iterator<Item = String> {
    let mut stream = TcpStream::connect(page.viewer.address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"GET /api/v1/live HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    BufReader::new(stream).lines().map(Result::unwrap)
}

/// Looks as a page does: at the list, the scatter and the seconds.
fn look(page: &Page, until: &AtomicBool) -> usize {
    let mut lines = live(page);
    let mut looks = 0;
    while !until.load(Ordering::Relaxed) {
        page.json("/traces?q=error");
        page.json("/traces/points");
        page.json("/operations");
        looks += 1;
        // A tick, and so a second, lies between two looks.
        assert!(lines.any(|line| line == "event: tick"), "the seconds end");
    }
    looks
}

#[test]
fn five_thousand_spans_a_second_are_taken_in_while_somebody_looks() {
    let (seconds, spans) = (seconds(), seconds() * A_SECOND);
    // What is kept by default is enough for twenty seconds.
    let page = serve(Viewer::new().memory((64 << 20).max(spans << 10)).spans(spans.max(200_000)));
    let is_over = AtomicBool::new(false);
    let (looks, late) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| look(&page, &is_over));
        let start = Instant::now();
        let mut late = Duration::ZERO;
        for number in 0..spans / BATCH {
            let due = Duration::from_secs_f64((number * BATCH) as f64 / A_SECOND as f64);
            // The load is a given one: this is a pace, and waits for nothing.
            std::thread::sleep(due.saturating_sub(start.elapsed()));
            send(&page, number * BATCH);
            late = late.max(start.elapsed().saturating_sub(due));
        }
        is_over.store(true, Ordering::Relaxed);
        (looking.join().unwrap(), late)
    });
    let stats = page.json("/stats");
    println!(
        "{} spans in {seconds} s and {looks} looks; the latest batch was taken in {late:?} after it was due",
        stats["spans"]
    );
    assert_eq!(stats["spans"], spans);
    assert_eq!((&stats["evicted"]["spans"], &stats["dropped"]["spans"]), (&0.into(), &0.into()));
    assert!(looks > 0);
}

/// Points of one instrument that the seconds show, in so many series.
fn measured(series: usize, points: usize) -> Vec<u8> {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric,
    };
    let now = now();
    let point = |number: usize| NumberDataPoint {
        attributes: vec![pair("number", (number % series).to_string())],
        time_unix_nano: now - 1_000_000_000 * (points - number / series) as u64,
        value: Some(Value::AsDouble(1.0)),
        ..NumberDataPoint::default()
    };
    let gauge = Gauge { data_points: (0..series * points).map(point).collect() };
    let data = Some(metric::Data::Gauge(gauge));
    let metrics = vec![Metric { name: "process.memory.usage".to_owned(), data, ..Metric::default() }];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

/// Each point once, and not for each second.
#[test]
fn the_seconds_look_at_no_point_twice() {
    const SERIES: usize = 500;
    const POINTS: usize = 20;
    let page = serve(Viewer::new());
    let request = page.client.post(page.url("/v1/metrics")).header("content-type", "application/x-protobuf");
    assert_eq!(request.body(measured(SERIES, POINTS)).send().unwrap().status(), 200);
    let stats = page.json("/stats");
    assert_eq!(stats["points"], SERIES * POINTS, "{stats}");
    let response = page.get("/api/v1/live/history");
    let scanned: usize = response.headers()["x-rows-scanned"].to_str().unwrap().parse().unwrap();
    assert!((SERIES * POINTS..=SERIES * POINTS + 350).contains(&scanned), "{scanned} rows");
    let ticks: serde_json::Value = response.json().unwrap();
    assert_eq!(ticks["ticks"].as_array().unwrap().last().unwrap()["memory"], SERIES as f64, "{ticks}");
}

/// The questions of a page to a full store.
#[test]
fn a_question_looks_at_no_row_twice() {
    let page = serve(Viewer::new());
    let mut sent = 0;
    while page.json("/stats")["evicted"]["spans"] == 0 {
        (0..20).for_each(|number| send(&page, sent + number * BATCH));
        sent += 20 * BATCH;
    }
    let stats = page.json("/stats");
    let (spans, traces) = (stats["spans"].as_u64().unwrap(), stats["traces"].as_u64().unwrap());
    println!("{spans} spans in {traces} traces, {} bytes", stats["bytes"]);
    let newest = page.json("/traces?limit=1")["traces"][0]["id"].as_str().unwrap().to_owned();
    let detail = "/operations/detail?service=shop&name=GET%20/home".to_owned();
    for (path, most) in [
        ("/traces".to_owned(), 100),
        ("/traces?q=error".to_owned(), 60_000),
        ("/traces?q=url.path=/none".to_owned(), spans),
        ("/traces?order=slowest".to_owned(), traces),
        ("/traces/points".to_owned(), traces),
        ("/operations".to_owned(), spans),
        (detail, spans),
        ("/map".to_owned(), spans),
        ("/suggest?q=http".to_owned(), 2_000),
        (format!("/traces/{newest}"), spans + 10),
        ("/logs?q=a".to_owned(), 0),
    ] {
        let mut times = Vec::new();
        for _ in 0..7 {
            let response = page.get(&format!("/api/v1{path}"));
            let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
            let scanned: u64 = header("x-rows-scanned").parse().unwrap();
            assert!(scanned <= most, "{path} looks at {scanned} rows, of {spans} spans in {traces} traces");
            times.push(header("server-timing").rsplit('=').next().unwrap().parse::<f64>().unwrap());
        }
        times.sort_by(f64::total_cmp);
        println!("{path}: {:.1} ms ({:.1} to {:.1})", times[3], times[0], times[6]);
    }
}
