//! What is weighed is what is taken, counted by the allocator.

use std::process::Command;

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
use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde::Serialize;

use super::tests::bomb;
use super::*;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The allocator counts for the whole process, so this is done in one of its own.
fn alone(test: &str, measure: impl FnOnce()) {
    const ALONE: &str = "OTELHTTP_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return measure();
    }
    let mut program = Command::new(std::env::current_exe().unwrap());
    let test = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
    let output = program.args(["--exact", &test, "--nocapture"]).env(ALONE, "").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What a body weighs, and what it takes at most while it is decoded.
fn measured<T: Message + Default + DeserializeOwned + Shaped>(format: Format, bytes: &[u8]) -> (usize, usize) {
    let weight = format.weigh::<T>(bytes).unwrap();
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let decoded: T = format.decode(bytes).unwrap();
    let peak = HEAP.peak_usage() - before;
    drop(decoded);
    (weight, peak)
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
    let small = HistogramDataPoint { attributes: attributes(), time_unix_nano: time, count: 1, ..HistogramDataPoint::default() };
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
    let summary = SummaryDataPoint { attributes: attributes(), count: 1, quantile_values, ..SummaryDataPoint::default() };
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
        all.push(Data::ExponentialHistogram(ExponentialHistogram { data_points, ..ExponentialHistogram::default() }));
    }
    all
}

/// What is done with each of them.
trait Check {
    fn check<T: Message + Default + Serialize + DeserializeOwned + Shaped>(&mut self, name: &str, request: &T);
}

/// Weighs what it takes, or more, but not much more.
#[derive(Default)]
struct Weighed {
    most: [f64; 2],
}

impl Check for Weighed {
    fn check<T: Message + Default + Serialize + DeserializeOwned + Shaped>(&mut self, name: &str, request: &T) {
        let (bytes, text) = (request.encode_to_vec(), serde_json::to_vec(request).unwrap());
        for (format, bytes) in [(Format::Protobuf, &bytes), (Format::Json, &text)] {
            let (weight, peak) = measured::<T>(format, bytes);
            assert!(weight >= peak, "{format:?}, {name}: weighs {weight} and takes {peak} bytes");
            assert!(
                weight <= 2 * peak + (64 << 10),
                "{format:?}, {name}: weighs {weight} and takes {peak} bytes only"
            );
            if peak > 1 << 20 {
                let most = &mut self.most[format as usize];
                *most = most.max(weight as f64 / peak as f64);
            }
        }
    }
}

#[test]
fn what_is_sent_weighs_what_it_takes() {
    alone("what_is_sent_weighs_what_it_takes", || {
        let mut weighed = Weighed::default();
        for count in [1, 2, 4, 5, 9, 64, 300, 2_000, 9_000] {
            honest(count, &mut weighed);
        }
        println!("weighs at most {:.3} of what protobuf takes, and {:.3} of JSON", weighed.most[0], weighed.most[1]);
    });
}
