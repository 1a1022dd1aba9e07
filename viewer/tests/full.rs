//! A full body of the smallest things that programs send is taken in, by each door.

mod common;

use common::{Encoded, LONG, Page, serve, within};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint,
    exponential_histogram_data_point::Buckets, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use otelhttp_viewer::Viewer;
use prost::Message;
use serde::Serialize;

const BODY: usize = 16 << 20;
const TIME: u64 = 1_764_417_067_000_000_000;

/// What a signal is called, and its lists from the outermost inwards: their numbers and their names.
struct Signal {
    name: &'static str,
    service: &'static str,
    lists: &'static [(u8, &'static str)],
}

const TRACES: Signal = Signal {
    name: "traces",
    service: "trace.v1.TraceService",
    lists: &[(1, "resourceSpans"), (2, "scopeSpans"), (2, "spans")],
};
const LOGS: Signal = Signal {
    name: "logs",
    service: "logs.v1.LogsService",
    lists: &[(1, "resourceLogs"), (2, "scopeLogs"), (2, "logRecords")],
};

impl Signal {
    const fn metrics(lists: &'static [(u8, &'static str)]) -> Self {
        Self { name: "metrics", service: "metrics.v1.MetricsService", lists }
    }

    fn protobuf(&self, element: &impl Message) -> Vec<u8> {
        let (innermost, outer) = self.lists.split_last().unwrap();
        let element = within(innermost.0, &element.encode_to_vec());
        let full = element.repeat((BODY - 100) / element.len());
        outer.iter().rev().fold(full, |inner, (number, _)| within(*number, &inner))
    }

    /// A name that ends in a brace is of one, and not of a list.
    fn json(&self, element: &impl Serialize) -> Vec<u8> {
        let element = serde_json::to_string(element).unwrap() + ",";
        let full = element.repeat((BODY - 200) / element.len());
        let body =
            self.lists.iter().rev().fold(
                full.trim_end_matches(',').to_owned(),
                |inner, (_, name)| match name.strip_suffix('{') {
                    Some(name) => format!("{{\"{name}\":{inner}}}"),
                    None => format!("{{\"{name}\":[{inner}]}}"),
                },
            );
        body.into_bytes()
    }
}

fn by_http(page: &Page, signal: &Signal, kind: &str, body: Vec<u8>) {
    let url = page.url(&format!("/v1/{}", signal.name));
    let request = page.client.post(url).header("content-type", kind).timeout(LONG);
    let answer = request.body(body).send().unwrap();
    let (status, said) = (answer.status(), answer.text().unwrap());
    assert_eq!(status, 200, "{kind}: {said}");
}

fn by_grpc(page: &Page, signal: &Signal, body: Vec<u8>) {
    let address = format!("http://{}", page.viewer.otlp_grpc().unwrap());
    let path = format!("/opentelemetry.proto.collector.{}/Export", signal.service).parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let channel = tonic::transport::Channel::from_shared(address).unwrap().connect().await.unwrap();
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await.unwrap();
        client.unary(tonic::Request::new(body), path, Encoded).await.unwrap();
    });
}

/// Paused, it decodes what comes and leaves it: how much is kept is tested elsewhere.
fn paused() -> Page {
    let page = serve(Viewer::new().otlp_grpc("127.0.0.1:0"));
    assert_eq!(page.post("/api/v1/pause", r#"{"paused":true}"#).status(), 200);
    page
}

fn is_taken(signal: &Signal, element: &impl Message) {
    let (page, body) = (paused(), signal.protobuf(element));
    by_grpc(&page, signal, body.clone());
    by_http(&page, signal, "application/x-protobuf", body);
}

fn is_taken_as_json(signal: &Signal, element: &impl Serialize) {
    by_http(&paused(), signal, "application/json", signal.json(element));
}

fn text(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) })
}

fn attributes() -> Vec<KeyValue> {
    vec![KeyValue { key: "k".to_owned(), value: text("a"), ..KeyValue::default() }]
}

fn span() -> Span {
    let (trace_id, span_id) = (vec![1; 16], vec![1; 8]);
    let (start_time_unix_nano, end_time_unix_nano) = (TIME, TIME);
    Span {
        trace_id,
        span_id,
        name: "GET".to_owned(),
        start_time_unix_nano,
        end_time_unix_nano,
        ..Span::default()
    }
}

#[test]
fn a_full_body_of_spans_is_taken() {
    is_taken(&TRACES, &span());
}

#[test]
fn a_full_body_of_spans_is_taken_as_json() {
    is_taken_as_json(&TRACES, &span());
}

fn record() -> LogRecord {
    let (time_unix_nano, observed_time_unix_nano) = (TIME, TIME);
    LogRecord {
        time_unix_nano,
        observed_time_unix_nano,
        severity_number: 9,
        body: text("a"),
        ..LogRecord::default()
    }
}

#[test]
fn a_full_body_of_records_is_taken() {
    is_taken(&LOGS, &record());
}

#[test]
fn a_full_body_of_records_is_taken_as_json() {
    is_taken_as_json(&LOGS, &record());
}

const NUMBERS: Signal = Signal::metrics(&[
    (1, "resourceMetrics"),
    (2, "scopeMetrics"),
    (2, "metrics"),
    (5, "gauge{"),
    (1, "dataPoints"),
]);

fn number() -> NumberDataPoint {
    let value = Some(number_data_point::Value::AsInt(1));
    NumberDataPoint { attributes: attributes(), time_unix_nano: TIME, value, ..NumberDataPoint::default() }
}

#[test]
fn a_full_body_of_numbers_is_taken() {
    is_taken(&NUMBERS, &number());
}

#[test]
fn a_full_body_of_numbers_is_taken_as_json() {
    is_taken_as_json(&NUMBERS, &number());
}

const HISTOGRAMS: Signal = Signal::metrics(&[
    (1, "resourceMetrics"),
    (2, "scopeMetrics"),
    (2, "metrics"),
    (9, "histogram{"),
    (1, "dataPoints"),
]);

fn histogram() -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME,
        count: 1,
        bucket_counts: vec![1, 0],
        explicit_bounds: vec![1.0],
        ..HistogramDataPoint::default()
    }
}

#[test]
fn a_full_body_of_histograms_is_taken() {
    is_taken(&HISTOGRAMS, &histogram());
}

#[test]
fn a_full_body_of_histograms_is_taken_as_json() {
    is_taken_as_json(&HISTOGRAMS, &histogram());
}

const EXPONENTIALS: Signal = Signal::metrics(&[
    (1, "resourceMetrics"),
    (2, "scopeMetrics"),
    (2, "metrics"),
    (10, "exponentialHistogram{"),
    (1, "dataPoints"),
]);

fn exponential() -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME,
        count: 1,
        sum: Some(1.0),
        positive: Some(Buckets { offset: 0, bucket_counts: vec![1] }),
        ..ExponentialHistogramDataPoint::default()
    }
}

#[test]
fn a_full_body_of_exponential_histograms_is_taken() {
    is_taken(&EXPONENTIALS, &exponential());
}

#[test]
fn a_full_body_of_exponential_histograms_is_taken_as_json() {
    is_taken_as_json(&EXPONENTIALS, &exponential());
}
