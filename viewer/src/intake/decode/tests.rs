use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use super::*;

/// A list, in protobuf, within messages of these numbers.
pub(super) fn bomb(path: &[u8], element: &[u8], bytes: usize) -> Vec<u8> {
    let mut message = element.repeat(bytes / element.len().max(1));
    for number in path {
        let mut outer = Vec::new();
        prost::encoding::encode_key(
            u32::from(*number),
            prost::encoding::WireType::LengthDelimited,
            &mut outer,
        );
        prost::encoding::encode_varint(message.len() as u64, &mut outer);
        outer.append(&mut message);
        message = outer;
    }
    message
}

const MIB: usize = 1 << 20;
/// A body and what it may become, as those that are: debug builds are slow.
const BODY: usize = MIB / 2;
const MAY_BECOME: usize = 5 * BODY;

fn protobuf<T: Message + Default + Shaped>(bytes: &[u8]) -> Result<T, Unsound> {
    protobuf_as(T::SHAPE, bytes, &mut Budget::new(MOST))
}

fn json<T: DeserializeOwned + Shaped>(bytes: &[u8]) -> Result<T, Unsound> {
    json_as(T::SHAPE, bytes, &mut Budget::new(MOST))
}

#[track_caller]
fn refuses<T: Message + Default + Shaped + fmt::Debug>(path: &[u8], element: &[u8]) {
    let bomb = bomb(path, element, BODY);
    let error = protobuf_as::<T>(T::SHAPE, &bomb, &mut Budget::new(MAY_BECOME)).unwrap_err();
    assert_eq!(error, Unsound::TooMuch(MAY_BECOME), "{path:?}");
}

/// Every list that there is, within messages of these numbers, from the innermost outwards.
pub(super) type Lists = &'static [(&'static [u8], u8)];

pub(super) const OF_TRACES: Lists = &[
    (&[], 1),
    (&[1], 2),
    (&[2, 1], 2),
    (&[2, 2, 1], 9),
    (&[2, 2, 1], 11),
    (&[2, 2, 1], 13),
    (&[11, 2, 2, 1], 3),
    (&[13, 2, 2, 1], 4),
    (&[1, 1], 1),
    (&[1, 1], 3),
    (&[3, 1, 1], 3),
    (&[3, 1, 1], 4),
    (&[1, 2, 1], 3),
    (&[5, 2, 9, 2, 2, 1], 1),
    (&[6, 2, 9, 2, 2, 1], 1),
];
pub(super) const OF_LOGS: Lists =
    &[(&[], 1), (&[2, 1], 2), (&[2, 2, 1], 6), (&[5, 5, 2, 2, 1], 1), (&[6, 5, 2, 2, 1], 1)];
pub(super) const OF_METRICS: Lists = &[
    (&[], 1),
    (&[2, 1], 2),
    (&[2, 2, 1], 12),
    (&[5, 2, 2, 1], 1),
    (&[7, 2, 2, 1], 1),
    (&[9, 2, 2, 1], 1),
    (&[10, 2, 2, 1], 1),
    (&[11, 2, 2, 1], 1),
    (&[1, 5, 2, 2, 1], 7),
    (&[1, 7, 2, 2, 1], 5),
    (&[5, 1, 7, 2, 2, 1], 7),
    (&[1, 9, 2, 2, 1], 9),
    (&[1, 9, 2, 2, 1], 8),
    (&[1, 10, 2, 2, 1], 1),
    (&[1, 10, 2, 2, 1], 11),
    (&[1, 11, 2, 2, 1], 6),
    (&[1, 11, 2, 2, 1], 7),
];

pub(super) fn empty(number: u8) -> [u8; 2] {
    [number << 3 | 2, 0]
}

#[test]
fn each_list_of_protobuf_is_weighed() {
    OF_TRACES.iter().for_each(|(path, number)| refuses::<ExportTraceServiceRequest>(path, &empty(*number)));
    OF_LOGS.iter().for_each(|(path, number)| refuses::<ExportLogsServiceRequest>(path, &empty(*number)));
    OF_METRICS
        .iter()
        .for_each(|(path, number)| refuses::<ExportMetricsServiceRequest>(path, &empty(*number)));
    // Packed numbers of a byte each, and numbers that are not packed.
    refuses::<ExportMetricsServiceRequest>(&[2, 8, 1, 10, 2, 2, 1], &[0]);
    refuses::<ExportMetricsServiceRequest>(&[8, 1, 10, 2, 2, 1], &[2 << 3, 0]);
}

/// And each of JSON, as deep as it is.
#[test]
fn each_list_of_json_is_weighed() {
    fn json_of<T: DeserializeOwned + Shaped + fmt::Debug>(begin: &str, element: &str) {
        let end: String =
            begin.chars().rev().filter_map(|open| ['}', ']'].get("{[".find(open)?).copied()).collect();
        let count = BODY / (element.len() + 1);
        let bomb = format!("{begin}{element}{}{end}", format!(",{element}").repeat(count));
        let error = json_as::<T>(T::SHAPE, bomb.as_bytes(), &mut Budget::new(MAY_BECOME)).unwrap_err();
        assert_eq!(error, Unsound::TooMuch(MAY_BECOME), "{begin}");
    }
    let scope = r#"{"resourceSpans":[{"scopeSpans":["#;
    let span = &format!(r#"{scope}{{"spans":[{{"#);
    for begin in [
        r#"{"resourceSpans":["#,
        scope,
        &format!(r#"{scope}{{"spans":["#),
        &format!(r#"{span}"attributes":["#),
        &format!(r#"{span}"events":["#),
        &format!(r#"{span}"links":["#),
        &format!(r#"{span}"attributes":[{{"key":"k","value":{{"arrayValue":{{"values":["#),
        &format!(r#"{span}"attributes":[{{"key":"k","value":{{"kvlistValue":{{"values":["#),
        // Of what nobody knows serde keeps what stands beside a value.
        &format!(r#"{span}"attributes":[{{"key":"k","value":{{"unknown":["#),
        r#"{"resourceSpans":[{"resource":{"entityRefs":["#,
    ] {
        json_of::<ExportTraceServiceRequest>(begin, "{}");
    }
    let metric = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"#;
    for begin in [
        &format!(r#"{metric}"gauge":{{"dataPoints":["#),
        &format!(r#"{metric}"summary":{{"dataPoints":[{{"quantileValues":["#),
        &format!(r#"{metric}"unknown":["#),
    ] {
        json_of::<ExportMetricsServiceRequest>(begin, "{}");
    }
    let buckets = format!(r#"{metric}"histogram":{{"dataPoints":[{{"bucketCounts":["#);
    json_of::<ExportMetricsServiceRequest>(&buckets, "1");
    json_of::<ExportLogsServiceRequest>(r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":["#, "{}");
    // Entries beside a value.
    let entries = format!("{metric}\"gauge\":{{}}{}}}]}}]}}]}}", r#","a":1"#.repeat(BODY / 6));
    let budget = &mut Budget::new(MAY_BECOME);
    let error = json_as::<ExportMetricsServiceRequest>(&METRICS, entries.as_bytes(), budget).unwrap_err();
    assert_eq!(error, Unsound::TooMuch(MAY_BECOME));
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    let deep = (0..200).fold(vec![8, 1], |inner, level| bomb(&[[1, 5][level % 2]], &inner, inner.len()));
    for deep in [bomb(&[2, 9, 2, 2, 1], &deep, deep.len()), bomb(&[5, 2, 9, 2, 2, 1], &[1 << 3 | 3], BODY)] {
        let error = protobuf::<ExportTraceServiceRequest>(&deep).unwrap_err();
        assert!(matches!(error, Unsound::Malformed(_)), "{error}");
    }
    let deep = format!(r#"{{"resourceSpans":{}"#, "[{\"scopeSpans\":".repeat(100_000));
    let error = json::<ExportTraceServiceRequest>(deep.as_bytes()).unwrap_err();
    assert!(matches!(&error, Unsound::Malformed(_)), "{error}");
}

/// Serde would take these for messages.
#[test]
fn a_list_is_no_message() {
    for list in ["[[]]", r#"{"resourceSpans":[[]]}"#, r#"{"resourceSpans":[{"scopeSpans":[[]]}]}"#] {
        let error = json::<ExportTraceServiceRequest>(list.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("an object was expected"), "{list}: {error}");
    }
}

/// Serde reads what is in a value once more at each value around it, and keeps what it has read before.
#[test]
fn values_in_values_count_at_each_level() {
    let weighed = |depth: usize, leaf: &str| {
        let value = (0..depth)
            .fold(leaf.to_owned(), |inner, _| format!(r#"{{"arrayValue":{{"values":[{inner}]}}}}"#));
        let span = format!(r#"{{"attributes":[{{"key":"k","value":{value}}}]}}"#);
        let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
        json::weigh(ExportTraceServiceRequest::SHAPE, body.as_bytes(), &mut Budget::new(8 * MIB))
    };
    let text = format!(r#"{{"stringValue":"\n{}"}}"#, "x".repeat(MIB));
    let list = format!(r#"{{"arrayValue":{{"values":[{{}}{}]}}}}"#, ",{}".repeat(20_000));
    for leaf in [&text, &list] {
        assert_eq!(weighed(1, leaf), Ok(()));
        assert_eq!(weighed(30, leaf), Err(Unsound::TooMuch(8 * MIB)));
    }
}

/// A metric is kept until all of it is there, also what came before values of its metadata.
#[test]
fn a_metric_weighs_the_same_in_any_order() {
    let points = format!(r#""gauge":{{"dataPoints":[{}{{}}]}}"#, "{},".repeat(1_000));
    let unknown = format!(r#""unknown":[{}0]"#, "0,".repeat(10_000));
    let metadata = r#""metadata":[{"key":"a","value":{"stringValue":"b"}}]"#;
    let weight = |members: [&str; 3]| {
        let body = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{{}}}]}}]}}]}}"#,
            members.join(",")
        );
        let is_taken = |most: &usize| {
            json_as::<ExportMetricsServiceRequest>(&METRICS, body.as_bytes(), &mut Budget::new(*most)).is_ok()
        };
        let all: Vec<usize> = (0..4_096).map(|step| step << 10).collect();
        all.partition_point(|most| !is_taken(most))
    };
    let first = weight([metadata, &points, &unknown]);
    assert!((1..4_096).contains(&first), "{first}");
    assert_eq!(weight([&points, metadata, &unknown]), first);
    assert!(weight([&points, &unknown, metadata]) >= first);
}
