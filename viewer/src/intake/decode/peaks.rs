//! What is weighed is what is taken, counted by the allocator.

mod files;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Serialize;

use super::tests::{Lists, OF_LOGS, OF_METRICS, OF_TRACES, bomb, empty};
use super::*;

/// What is made, and what that took of the heap at most. Only this thread is counted.
fn made<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let mut made = None;
    let info = allocation_counter::measure(|| made = Some(make()));
    (made.expect("it has been made"), usize::try_from(info.bytes_max).expect("as much as there is"))
}

/// What a body weighs, and what it takes at most while it is decoded.
fn measured<T: Message + Default + DeserializeOwned + Shaped>(
    format: Format,
    bytes: &[u8],
) -> (usize, usize) {
    let weight = format.weigh::<T>(bytes).unwrap();
    (weight, made(|| format.decode::<T>(bytes).unwrap()).1)
}

fn pair(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// So many lists of one.
fn metrics(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope = Some(InstrumentationScope { name: "shop".to_owned(), ..InstrumentationScope::default() });
    let scope_metrics = vec![ScopeMetrics { scope, metrics, ..ScopeMetrics::default() }];
    let resource = Some(Resource { attributes: vec![pair("service.name", "shop")], ..Resource::default() });
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }],
    }
}

fn metric(data: Data) -> Metric {
    Metric { name: "shop.orders".to_owned(), unit: "1".to_owned(), data: Some(data), ..Metric::default() }
}

/// What an SDK or a collector sends much of, so much of it in a list.
fn honest(count: usize, check: &mut impl Check) {
    let time = 1_764_417_067_000_000_000_u64;
    let attributes = |of: usize| -> Vec<KeyValue> {
        (0..of).map(|n| pair(&format!("http.attribute.{n}"), "GET /a/b")).collect()
    };
    for of in [0, 1, 5, 12] {
        let span = Span {
            trace_id: vec![1; 16],
            span_id: vec![1; 8],
            parent_span_id: vec![2; 8],
            name: "GET /users/{id}".to_owned(),
            start_time_unix_nano: time,
            end_time_unix_nano: time,
            attributes: attributes(of),
            events: vec![
                Event { name: "exception".to_owned(), attributes: attributes(1), ..Event::default() };
                of / 5
            ],
            status: Some(Status::default()),
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: vec![span; count], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        check.check(&format!("{count} spans of {of}"), &ExportTraceServiceRequest { resource_spans });
        let record = LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: time,
            severity_text: "ERROR".to_owned(),
            body: pair("", "an order\nwas lost").value,
            attributes: attributes(of),
            trace_id: vec![1; 16],
            span_id: vec![1; 8],
            ..LogRecord::default()
        };
        let scope_logs = vec![ScopeLogs { log_records: vec![record; count], ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
        check.check(&format!("{count} records of {of}"), &ExportLogsServiceRequest { resource_logs });
        for data in points(time, count, &attributes(of.min(5))) {
            let name = format!("{count} points of {of}, {}", kind(&data));
            check.check(&name, &metrics(vec![metric(data)]));
        }
    }
    for data in points(time, 1, &attributes(1)) {
        let name = format!("{count} metrics of one, {}", kind(&data));
        check.check(&name, &metrics(vec![metric(data); count]));
    }
}

fn kind(data: &Data) -> &'static str {
    match data {
        Data::Gauge(_) => "gauge",
        Data::Sum(_) => "sum",
        Data::Histogram(_) => "histogram",
        Data::ExponentialHistogram(_) => "exponential histogram",
        Data::Summary(_) => "summary",
    }
}

/// As small as they come, and as long as they use to be.
fn points(time: u64, count: usize, attributes: &[KeyValue]) -> Vec<Data> {
    let attributes = || attributes.to_vec();
    let number = NumberDataPoint {
        attributes: attributes(),
        time_unix_nano: time,
        value: Some(number_data_point::Value::AsInt(1)),
        ..NumberDataPoint::default()
    };
    let small = HistogramDataPoint {
        attributes: attributes(),
        time_unix_nano: time,
        count: 1,
        ..HistogramDataPoint::default()
    };
    let long = HistogramDataPoint {
        start_time_unix_nano: time,
        sum: Some(1.5),
        bucket_counts: vec![1; 16],
        explicit_bounds: (0..15).map(f64::from).collect(),
        ..small.clone()
    };
    let exponential = ExponentialHistogramDataPoint {
        attributes: attributes(),
        time_unix_nano: time,
        count: 1,
        ..ExponentialHistogramDataPoint::default()
    };
    let buckets = |of: usize| Some(Buckets { offset: 1, bucket_counts: vec![1; of] });
    let exponentials = [(0, 0), (1, 1), (160, 0)].map(|(positive, negative)| ExponentialHistogramDataPoint {
        positive: buckets(positive),
        negative: buckets(negative),
        ..exponential.clone()
    });
    let quantile_values = vec![ValueAtQuantile { quantile: 0.5, value: 1.5 }; 3];
    let summary = SummaryDataPoint {
        attributes: attributes(),
        count: 1,
        quantile_values,
        ..SummaryDataPoint::default()
    };
    let mut all = vec![
        Data::Gauge(Gauge { data_points: vec![number.clone(); count] }),
        Data::Sum(Sum { data_points: vec![number; count], ..Sum::default() }),
        Data::Summary(Summary { data_points: vec![summary; count] }),
    ];
    for point in [small, long] {
        all.push(Data::Histogram(Histogram { data_points: vec![point; count], ..Histogram::default() }));
    }
    for point in [exponential].into_iter().chain(exponentials) {
        let data_points = vec![point; count];
        all.push(Data::ExponentialHistogram(ExponentialHistogram {
            data_points,
            ..ExponentialHistogram::default()
        }));
    }
    all
}

/// What is done with each of them.
trait Check {
    fn check<T: Message + Default + Serialize + DeserializeOwned + Shaped>(
        &mut self,
        name: &str,
        request: &T,
    );
}

/// Weighs what it takes, or more, but not much more.
#[derive(Default)]
struct Weighed {
    most: [f64; 2],
}

impl Check for Weighed {
    fn check<T: Message + Default + Serialize + DeserializeOwned + Shaped>(
        &mut self,
        name: &str,
        request: &T,
    ) {
        let (bytes, text) = (request.encode_to_vec(), serde_json::to_vec(request).unwrap());
        for (format, bytes) in [(Format::Protobuf, &bytes), (Format::Json, &text)] {
            let (weight, peak) = measured::<T>(format, bytes);
            assert!(weight >= peak, "{format:?}, {name}: weighs {weight} and takes {peak} bytes");
            assert!(
                weight <= 2 * peak + (64 << 10),
                "{format:?}, {name}: weighs {weight} and takes {peak} bytes only"
            );
            if peak > 100 << 10 {
                let most = &mut self.most[format as usize];
                *most = most.max(weight as f64 / peak as f64);
            }
        }
    }
}

#[test]
fn what_is_sent_weighs_what_it_takes() {
    let mut weighed = Weighed::default();
    for count in [1, 4, 5, 300] {
        honest(count, &mut weighed);
    }
    // Longer than serde makes room for before it reads.
    let data_points = vec![NumberDataPoint::default(); 12_000];
    weighed.check("a long list", &metrics(vec![metric(Data::Gauge(Gauge { data_points }))]));
    println!(
        "weighs at most {:.3} of what protobuf takes, and {:.3} of JSON",
        weighed.most[0], weighed.most[1]
    );
}

/// So many empty messages, at each place where there can be any.
#[test]
fn what_is_empty_weighs_what_it_takes() {
    fn check<T: Message + Default + DeserializeOwned + Shaped>(lists: Lists) {
        for (path, number) in lists {
            for count in [1, 2, 4, 5, 8, 9, 1_000] {
                let (weight, peak) = measured::<T>(Format::Protobuf, &bomb(path, &empty(*number), 2 * count));
                assert_eq!(weight, peak, "{count} in {path:?}");
            }
        }
    }
    check::<ExportTraceServiceRequest>(OF_TRACES);
    check::<ExportLogsServiceRequest>(OF_LOGS);
    check::<ExportMetricsServiceRequest>(OF_METRICS);
    // Packed numbers, of one byte and of two, and some that are not packed.
    for numbers in [&[1, 0x81, 1, 1, 0x81, 1][..], &[1; 1_000]] {
        let body = bomb(&[2, 8, 1, 10, 2, 2, 1], numbers, numbers.len());
        let (weight, peak) = measured::<ExportMetricsServiceRequest>(Format::Protobuf, &body);
        assert_eq!(weight, peak);
    }
}

/// The room of a text doubles too, when a longer one takes its place.
#[test]
fn a_text_that_comes_again_weighs_what_it_takes() {
    let names = |lengths: &[usize]| -> Vec<u8> {
        lengths.iter().flat_map(|length| bomb(&[5], b"a", *length)).collect()
    };
    for lengths in [&[8, 9][..], &[100, 101], &[1, 2, 9, 17, 33], &[1_000, 1_001, 2_001]] {
        let span = names(lengths);
        covers::<ExportTraceServiceRequest>(Format::Protobuf, &bomb(&[2, 2, 1], &span, span.len()));
    }
}

/// What has escapes is put together in a buffer first, and bytes are read from a text.
#[test]
fn a_long_text_weighs_its_copies() {
    const LONG: usize = 1 << 20;
    for value in [
        format!(r#""stringValue":"\n{}""#, "x".repeat(LONG)),
        format!(r#""bytesValue":"{}""#, "A".repeat(LONG)),
        format!(r#""{}":1"#, "x".repeat(LONG)),
    ] {
        let body =
            format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{{{value}}}}}]}}]}}]}}"#);
        covers::<ExportLogsServiceRequest>(Format::Json, body.as_bytes());
    }
}

/// Of what is nested there is a copy for each value around it.
#[test]
fn what_is_nested_weighs_its_copies() {
    for (before, after) in [
        (r#"{"arrayValue":{"values":["#, "]}}"),
        (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}"),
    ] {
        let numbers = [r#"{"intValue":"1"}"#; 1_000].join(",");
        let list = format!(r#"{{"arrayValue":{{"values":[{numbers}]}}}}"#);
        for depth in [1, 14, 15, 16, 20, 28] {
            let value = before.repeat(depth) + &list + &after.repeat(depth);
            let body =
                format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{value}}}]}}]}}]}}"#);
            covers::<ExportLogsServiceRequest>(Format::Json, body.as_bytes());
        }
    }
}

/// Builds whatever these bytes decide.
struct Dice<'a>(&'a [u8]);

impl Dice<'_> {
    fn below(&mut self, most: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % most
    }

    fn text(&mut self) -> String {
        ["", "a", "nine here", "\"two\"\nlines", "a text that is longer than what is short"][self.below(5)]
            .to_owned()
    }

    fn list<T>(&mut self, mut of: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let length = [0, 1, 2, 4, 5, 9, 17][self.below(7)];
        (0..length).map(|_| of(self)).collect()
    }

    fn value(&mut self, depth: usize) -> AnyValue {
        let value = match self.below(if depth < 4 { 7 } else { 5 }) {
            0 => None,
            1 => Some(any_value::Value::StringValue(self.text())),
            2 => Some(any_value::Value::IntValue(1)),
            3 => Some(any_value::Value::DoubleValue(1.5)),
            4 => Some(any_value::Value::BytesValue(self.text().into_bytes())),
            5 => Some(any_value::Value::ArrayValue(ArrayValue {
                values: self.list(|dice| dice.value(depth + 1)),
            })),
            _ => Some(any_value::Value::KvlistValue(KeyValueList {
                values: self.list(|dice| dice.pair(depth + 1)),
            })),
        };
        AnyValue { value }
    }

    fn pair(&mut self, depth: usize) -> KeyValue {
        KeyValue { key: self.text(), value: Some(self.value(depth)), ..KeyValue::default() }
    }

    fn attributes(&mut self) -> Vec<KeyValue> {
        self.list(|dice| dice.pair(0))
    }

    fn resource(&mut self) -> Option<Resource> {
        Some(Resource { attributes: self.attributes(), ..Resource::default() })
    }

    fn scope(&mut self) -> Option<InstrumentationScope> {
        let (name, attributes) = (self.text(), self.attributes());
        Some(InstrumentationScope { name, attributes, ..InstrumentationScope::default() })
    }

    fn span(&mut self) -> Span {
        Span {
            name: self.text(),
            attributes: self.attributes(),
            events: self.list(|dice| Event { attributes: dice.attributes(), ..Event::default() }),
            links: self.list(|dice| Link { trace_state: dice.text(), ..Link::default() }),
            status: Some(Status { message: self.text(), ..Status::default() }),
            ..Span::default()
        }
    }

    fn record(&mut self) -> LogRecord {
        LogRecord { body: Some(self.value(0)), attributes: self.attributes(), ..LogRecord::default() }
    }

    fn exemplar(&mut self) -> Exemplar {
        let value = Some(exemplar::Value::AsInt(1));
        Exemplar { value, filtered_attributes: self.attributes(), ..Exemplar::default() }
    }

    fn metric(&mut self) -> Metric {
        let points = points(1, 1, &[]);
        let chosen = self.below(points.len());
        let mut data = points.into_iter().nth(chosen).unwrap();
        match &mut data {
            Data::Gauge(Gauge { data_points }) | Data::Sum(Sum { data_points, .. }) => {
                let point = data_points[0].clone();
                *data_points = self.list(|dice| NumberDataPoint {
                    attributes: dice.attributes(),
                    exemplars: dice.list(Self::exemplar),
                    ..point.clone()
                });
            }
            Data::Histogram(Histogram { data_points, .. }) => {
                let point = data_points[0].clone();
                *data_points = self.list(|dice| HistogramDataPoint {
                    exemplars: dice.list(Self::exemplar),
                    ..point.clone()
                });
            }
            Data::ExponentialHistogram(ExponentialHistogram { data_points, .. }) => {
                let point = data_points[0].clone();
                *data_points = self.list(|dice| ExponentialHistogramDataPoint {
                    attributes: dice.attributes(),
                    ..point.clone()
                });
            }
            Data::Summary(Summary { data_points }) => {
                let point = data_points[0].clone();
                *data_points =
                    self.list(|dice| SummaryDataPoint { attributes: dice.attributes(), ..point.clone() });
            }
        }
        Metric { name: self.text(), metadata: self.attributes(), ..metric(data) }
    }

    fn traces(&mut self) -> ExportTraceServiceRequest {
        let scoped = |dice: &mut Self| ScopeSpans {
            scope: dice.scope(),
            spans: dice.list(Self::span),
            ..ScopeSpans::default()
        };
        let sent = |dice: &mut Self| ResourceSpans {
            resource: dice.resource(),
            scope_spans: dice.list(scoped),
            ..ResourceSpans::default()
        };
        ExportTraceServiceRequest { resource_spans: self.list(sent) }
    }

    fn logs(&mut self) -> ExportLogsServiceRequest {
        let scoped = |dice: &mut Self| ScopeLogs {
            scope: dice.scope(),
            log_records: dice.list(Self::record),
            ..ScopeLogs::default()
        };
        let sent = |dice: &mut Self| ResourceLogs {
            resource: dice.resource(),
            scope_logs: dice.list(scoped),
            ..ResourceLogs::default()
        };
        ExportLogsServiceRequest { resource_logs: self.list(sent) }
    }

    fn metrics(&mut self) -> ExportMetricsServiceRequest {
        metrics(self.list(Self::metric))
    }
}

#[track_caller]
fn covers<T: Message + Default + DeserializeOwned + Shaped>(format: Format, bytes: &[u8]) {
    let (weight, peak) = measured::<T>(format, bytes);
    assert!(
        weight >= peak,
        "{format:?}: weighs {weight} and takes {peak} bytes: {}",
        String::from_utf8_lossy(bytes)
    );
}

/// As it is, with escapes in what has names, and with what nobody knows.
fn covers_both<T: Message + Default + Serialize + DeserializeOwned + Shaped>(request: &T) {
    covers::<T>(Format::Protobuf, &request.encode_to_vec());
    let text = serde_json::to_string(request).unwrap();
    covers::<T>(Format::Json, text.as_bytes());
    let escaped =
        text.replace("\"gauge\"", "\"\\u0067auge\"").replace("\"stringValue\"", "\"string\\u0056alue\"");
    covers::<T>(Format::Json, escaped.as_bytes());
    let unknown = r#""un\nknown":[{"a\n":"b\n"},[1,2,3,4,5]],"#;
    for known in ["\"name\":", "\"timeUnixNano\":", "\"stringValue\":"] {
        covers::<T>(
            Format::Json,
            text.replace(known, &(unknown.replace("known", "").repeat(5) + known)).as_bytes(),
        );
    }
}

/// Of what comes twice, and is there once at most, the second is merged into the first.
fn covers_merged(dice: &mut Dice<'_>) {
    let whole = |path: &[u8], parts: &[Vec<u8>]| {
        let parts = parts.concat();
        bomb(path, &parts, parts.len())
    };
    let mut times =
        |of: &mut dyn FnMut(&mut Dice<'_>) -> Vec<u8>| -> Vec<Vec<u8>> { (0..4).map(|_| of(dice)).collect() };
    let resources = times(&mut |dice| whole(&[1], &[dice.resource().unwrap().encode_to_vec()]));
    covers::<ExportTraceServiceRequest>(Format::Protobuf, &whole(&[1], &resources));
    let scopes = times(&mut |dice| whole(&[1], &[dice.scope().unwrap().encode_to_vec()]));
    covers::<ExportTraceServiceRequest>(Format::Protobuf, &whole(&[2, 1], &scopes));
    let spans = times(&mut |dice| dice.span().encode_to_vec());
    covers::<ExportTraceServiceRequest>(Format::Protobuf, &whole(&[2, 2, 1], &spans));
    let pairs = times(&mut |dice| dice.pair(0).encode_to_vec());
    covers::<ExportTraceServiceRequest>(Format::Protobuf, &whole(&[9, 2, 2, 1], &pairs));
    let records = times(&mut |dice| dice.record().encode_to_vec());
    covers::<ExportLogsServiceRequest>(Format::Protobuf, &whole(&[2, 2, 1], &records));
    let metrics = times(&mut |dice| dice.metric().encode_to_vec());
    covers::<ExportMetricsServiceRequest>(Format::Protobuf, &whole(&[2, 2, 1], &metrics));
    let buckets = times(&mut |dice| {
        let bucket_counts = dice.list(|dice| dice.below(256) as u64);
        whole(&[8], &[Buckets { offset: 1, bucket_counts }.encode_to_vec()])
    });
    covers::<ExportMetricsServiceRequest>(Format::Protobuf, &whole(&[1, 10, 2, 2, 1], &buckets));
}

#[test]
fn nothing_takes_more_than_it_weighs() {
    let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let decided = proptest::collection::vec(any::<u8>(), 0..400);
    TestRunner::new_with_rng(config, rng)
        .run(&decided, |decided| {
            let dice = &mut Dice(&decided);
            match dice.below(4) {
                0 => covers_both(&dice.traces()),
                1 => covers_both(&dice.logs()),
                2 => covers_both(&dice.metrics()),
                _ => covers_merged(dice),
            }
            Ok(())
        })
        .unwrap();
}
