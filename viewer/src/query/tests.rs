//! Every question is asked of whatever may come.

use opentelemetry::trace::TraceId;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Sent, Status, span};
use proptest::prelude::*;
use prost::Message;
use serde_json::Value;

use super::*;
use crate::shared::Shared;
use crate::store::Limits;

const SEARCHES: [&str; 6] =
    ["", "error", "duration>1s", "a=1 -b~x", "parent.service=* trace.duration<1h", "status>=500 level>=warn"];

/// All questions, with all that they may be told; nothing may panic.
fn ask(shared: &Shared, now: u64) {
    let ranges = [
        Range::ALL,
        Range { from: Some(0), to: Some(u64::MAX) },
        Range { from: Some(u64::MAX), to: Some(0) },
    ];
    for (search, range) in SEARCHES.iter().flat_map(|search| ranges.map(|range| (search, range))) {
        let query = Query::parse(search).unwrap();
        shared.read(|store, running| {
            let both = (&*store, running);
            for order in [Order::Newest, Order::Slowest, Order::Errors, Order::Spans] {
                let list = list(both, &query, range, (order, 3, None), now);
                json(&list);
                traces_text(&list);
                let next = list.next.and_then(|next| next.parse().ok());
                json(&super::list(both, &query, range, (order, 3, next), now));
            }
            json(&points(store, &query, range));
            for kinds in [Kinds::Entry, Kinds::Calls, Kinds::All] {
                let operations = operations(both, &query, range, kinds, now);
                operations_text(&operations);
                json(&operations);
                for operation in &operations.operations {
                    json(&detail(both, (&operation.service, &operation.name, None), &query, range, now));
                }
            }
            json(&map(store, range, now));
            json(&logs(store, &query, range, 5, None));
            let listed: Value = serde_json::from_str(&json(&instruments(store, None))).unwrap();
            for instrument in listed["instruments"].as_array().unwrap() {
                let [name, kind, unit] =
                    ["name", "type", "unit"].map(|key| instrument[key].as_str().unwrap());
                let wanted = Wanted { name, r#type: Some(kind), unit: Some(unit), service: None };
                let series: Value = serde_json::from_str(&json(&series(store, wanted, range, 5))).unwrap();
                assert_eq!(series["type"], instrument["type"]);
                series["series"].as_array().unwrap().iter().for_each(assert_columns);
            }
            json(&stats(store, running, now));
            json(&suggest(store, search, None, false));
            json(&suggest(store, search, Some(1), true));
        });
    }
    let ids: Vec<TraceId> = shared.read(|store, _| store.traces.iter().map(|trace| trace.id).collect());
    for id in ids {
        let document = shared.read(|store, running| document((store, running), id, now)).unwrap();
        tree(&document);
        json(&document);
        json(&crate::intake::otlp::back(id, &document.spans, &document.logs));
    }
    shared.read(|store, running| json(&history(store, running, now)));
}

/// They are of equal length, and there are those of numbers or those of distributions.
fn assert_columns(series: &Value) {
    let times = series["times"].as_array().unwrap().len();
    let column = |key: &str| series[key].as_array().map(Vec::len);
    let numbers = column("values").is_some();
    assert!(column("rate").is_none_or(|len| numbers && len == times), "{series}");
    for (key, is_there) in [
        ("values", numbers),
        ("count", !numbers),
        ("sum", !numbers),
        ("p50", !numbers),
        ("p95", !numbers),
        ("p99", !numbers),
    ] {
        assert_eq!(column(key), is_there.then_some(times), "{key} of {series}");
    }
}

fn json(of: &impl Serialize) -> String {
    serde_json::to_string(of).unwrap()
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX / 2),
        1_764_417_000_000_000_000u64..1_764_418_000_000_000_000
    ]
}

fn value() -> impl Strategy<Value = Option<AnyValue>> {
    use any_value::Value as Any;
    let value = prop_oneof![
        any::<i64>().prop_map(Any::IntValue),
        any::<f64>().prop_map(Any::DoubleValue),
        any::<bool>().prop_map(Any::BoolValue),
        ".{0,12}".prop_map(Any::StringValue),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Any::BytesValue),
    ];
    prop::option::of(value).prop_map(|value| Some(AnyValue { value }))
}

fn pairs() -> impl Strategy<Value = Vec<KeyValue>> {
    let keys = prop_oneof![
        Just("http.response.status_code".to_owned()),
        Just("db.system.name".to_owned()),
        Just("server.address".to_owned()),
        Just("error.type".to_owned()),
        Just("a".to_owned()),
        ".{0,5}",
    ];
    let pair = (keys, value()).prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() });
    prop::collection::vec(pair, 0..5)
}

fn id() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0u64..6).prop_map(|id| id.to_be_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let ids = (0u128..4, id(), id());
    let times = (time(), time());
    let event = (time(), pairs()).prop_map(|(time_unix_nano, attributes)| span::Event {
        time_unix_nano,
        attributes,
        name: "exception".to_owned(),
        ..span::Event::default()
    });
    let rest = (".{0,8}", -2i32..9, -2i32..5, pairs(), any::<u32>(), prop::collection::vec(event, 0..3));
    (ids, times, rest).prop_map(|((trace, span_id, parent_span_id), times, rest)| {
        let (name, kind, code, attributes, flags, events) = rest;
        Sent {
            trace_id: trace.to_be_bytes().to_vec(),
            links: vec![span::Link {
                trace_id: 1u128.to_be_bytes().to_vec(),
                span_id: span_id.clone(),
                ..Default::default()
            }],
            span_id,
            parent_span_id,
            start_time_unix_nano: times.0,
            end_time_unix_nano: times.1,
            status: Some(Status { message: name.clone(), code }),
            name,
            kind,
            attributes,
            flags,
            events,
            ..Sent::default()
        }
    })
}

fn group(spans: Vec<Sent>) -> ResourceSpans {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ResourceSpans { scope_spans, ..ResourceSpans::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Times at the ends of what there is, spans that are their own parents, ids and kinds that do not exist.
    #[test]
    fn no_trace_is_too_odd(spans in prop::collection::vec(sent(), 0..12), now in time()) {
        let shared = Shared::new(Limits::DEFAULT);
        shared.take_spans(&[group(spans)]);
        ask(&shared, now);
    }

    /// All of them have one name.
    #[test]
    fn no_measurement_is_too_odd(
        counts in prop::collection::vec(any::<u64>(), 0..5),
        bounds in prop::collection::vec(any::<f64>(), 0..5),
        (sum, scale, offset, start) in (any::<f64>(), any::<i32>(), any::<i32>(), time()),
        attributes in pairs(),
    ) {
        let shared = Shared::new(Limits::DEFAULT);
        let explicit = HistogramDataPoint {
            attributes: attributes.clone(),
            time_unix_nano: start,
            sum: Some(sum),
            count: counts.first().copied().unwrap_or(0),
            bucket_counts: counts.clone(),
            explicit_bounds: bounds,
            ..HistogramDataPoint::default()
        };
        let buckets = Some(Buckets { offset, bucket_counts: counts });
        let number = NumberDataPoint {
            attributes: attributes.clone(),
            time_unix_nano: start,
            value: Some(number_data_point::Value::AsDouble(sum)),
            ..NumberDataPoint::default()
        };
        let exponential = ExponentialHistogramDataPoint {
            attributes,
            time_unix_nano: start,
            scale,
            positive: buckets.clone(),
            negative: buckets,
            ..ExponentialHistogramDataPoint::default()
        };
        for temporality in 0..3 {
            let data = [
                metric::Data::Histogram(Histogram {
                    data_points: vec![explicit.clone(), explicit.clone()],
                    aggregation_temporality: temporality,
                }),
                metric::Data::ExponentialHistogram(ExponentialHistogram {
                    data_points: vec![exponential.clone(), exponential.clone()],
                    aggregation_temporality: temporality,
                }),
                metric::Data::Sum(Sum {
                    data_points: vec![number.clone(), number.clone()],
                    aggregation_temporality: temporality,
                    is_monotonic: temporality > 0,
                }),
            ];
            let metric = |data| Metric { name: "n".to_owned(), data: Some(data), ..Metric::default() };
            let metrics = data.into_iter().map(metric).collect();
            let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
            shared.take_metrics(&[ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }]);
        }
        ask(&shared, start);
    }

    #[test]
    fn no_log_record_is_too_odd((time, severity_number, body, attributes) in (time(), any::<i32>(), value(), pairs())) {
        let shared = Shared::new(Limits::DEFAULT);
        let record = LogRecord { time_unix_nano: time, severity_number, body, attributes, ..LogRecord::default() };
        let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
        shared.take_logs(&[ResourceLogs { scope_logs, ..ResourceLogs::default() }]);
        ask(&shared, time);
    }

    /// A message with a few bytes changed is refused or taken in, and never more than that.
    #[test]
    fn no_message_is_too_broken(
        spans in prop::collection::vec(sent(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let request = ExportTraceServiceRequest { resource_spans: vec![group(spans)] };
        let mut bytes = request.encode_to_vec();
        let mut text = serde_json::to_vec(&request).unwrap();
        for (place, byte) in changes {
            let (in_bytes, in_text) = (place.index(bytes.len()), place.index(text.len()));
            bytes[in_bytes] = byte;
            text[in_text] = byte;
        }
        let shared = Shared::new(Limits::DEFAULT);
        let _ = crate::intake::import(&shared, &bytes, true);
        let _ = crate::intake::import(&shared, &text, false);
        ask(&shared, 1);
    }

    #[test]
    fn no_file_is_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
        let shared = Shared::new(Limits::DEFAULT);
        let _ = crate::intake::import(&shared, &bytes, true);
        let _ = crate::intake::import(&shared, &bytes, false);
        let _ = crate::intake::import(&shared, text.as_bytes(), false);
        let _ = crate::intake::import(&shared, format!(r#"{{"data":{text}}}"#).as_bytes(), false);
        let _ = crate::intake::import(&shared, format!(r#"{{"format":"otelhttp-trace/1","spans":{text}}}"#).as_bytes(), false);
    }
}
