//! A trace as a tree: each span below the one that caused it.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanId, Status};
use opentelemetry_sdk::trace::SpanData;

use super::spans::kind;

/// The attributes that are shown; a span has more.
const SHOWN: [&str; 6] = [
    "http.response.status_code",
    "rpc.response.status_code",
    "url.full",
    "url.path",
    "db.query.text",
    "db.response.returned_rows",
];
/// So many of a span that has none of those.
const OTHERS: usize = 3;
/// What a deeper span is indented by no further.
const DEEPEST: usize = 30;

/// All spans of one trace.
pub(super) fn tree(mut spans: Vec<SpanData>) -> String {
    spans.sort_by_key(|span| span.start_time);
    let Some(first) = spans.first() else { return String::new() };
    let end = spans.iter().map(|span| span.end_time).max().unwrap_or(first.end_time);
    let (trace, count) = (first.span_context.trace_id(), spans.len());
    let all = milliseconds(between(first.start_time, end));
    let mut text = format!(
        "trace {trace}: {count} {} in {}\n",
        if count == 1 { "span" } else { "spans" },
        all.trim_start()
    );
    _ = writeln!(text, "{:36} {:>11} {:>11}", "", "starts at", "lasts");
    for (span, depth) in order(&spans) {
        branch(&mut text, span, depth, first.start_time);
    }
    text.push('\n');
    text
}

/// Each span after the one that caused it, with how deep it stands.
fn order(spans: &[SpanData]) -> Vec<(&SpanData, usize)> {
    let known: HashSet<_> = spans.iter().map(|span| span.span_context.span_id()).collect();
    let mut below: HashMap<SpanId, Vec<&SpanData>> = HashMap::new();
    let mut next = Vec::new();
    // From the back, since what was put there last is taken first. A root has no parent, or one in another
    // process.
    for span in spans.iter().rev() {
        if known.contains(&span.parent_span_id) {
            below.entry(span.parent_span_id).or_default().push(span);
        } else {
            next.push((span, 0));
        }
    }
    let mut order = Vec::with_capacity(spans.len());
    while let Some((span, depth)) = next.pop() {
        order.push((span, depth));
        let below = below.remove(&span.span_context.span_id()).unwrap_or_default();
        next.extend(below.into_iter().map(|span| (span, depth + 1)));
    }
    order
}

fn branch(text: &mut String, span: &SpanData, depth: usize, first: SystemTime) {
    let label =
        format!("{:1$}{2} {3}", "", depth.min(DEEPEST) * 2, kind(&span.span_kind), cleaned(&span.name));
    let starts = milliseconds(between(first, span.start_time));
    let lasts = milliseconds(between(span.start_time, span.end_time));
    _ = write!(text, "{label:36} {starts} {lasts}{}", problem(span));
    let shown = SHOWN.iter().filter_map(|key| Some((*key, attribute(span, key)?)));
    let mut shown: Vec<_> = shown.collect();
    if shown.is_empty() {
        let others = span.attributes.iter().filter(|attribute| attribute.key.as_str() != "error.type");
        shown.extend(others.take(OTHERS).map(|other| (other.key.as_str(), other.value.to_string())));
    }
    for (key, value) in shown {
        _ = write!(text, "  {key}={}", cleaned(&value));
    }
    text.push('\n');
}

/// `  ✗ 500`, for a span that failed.
fn problem(span: &SpanData) -> String {
    let Status::Error { description } = &span.status else { return String::new() };
    let class = attribute(span, "error.type").unwrap_or_default();
    let colon = if description.is_empty() { "" } else { ": " };
    format!("  ✗ {}{colon}{}", cleaned(&class), cleaned(description))
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key.as_str() == key)?;
    Some(attribute.value.to_string())
}

/// What came over the network does not move the cursor.
pub(super) fn cleaned(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

fn between(start: SystemTime, end: SystemTime) -> Duration {
    end.duration_since(start).unwrap_or_default()
}

fn milliseconds(duration: Duration) -> String {
    format!("{:8.1} ms", duration.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use opentelemetry::trace::{SpanContext, SpanKind, TraceFlags, TraceId, TraceState};
    use opentelemetry::{InstrumentationScope, KeyValue};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    /// From one millisecond to another.
    fn span(id: u64, parent: u64, name: &'static str, from: u64, to: u64) -> SpanData {
        let span_id = SpanId::from(id);
        let (trace_id, flags) = (TraceId::from(7), TraceFlags::SAMPLED);
        SpanData {
            span_context: SpanContext::new(trace_id, span_id, flags, false, TraceState::NONE),
            parent_span_id: SpanId::from(parent),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: UNIX_EPOCH + Duration::from_millis(from),
            end_time: UNIX_EPOCH + Duration::from_millis(to),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    #[test]
    fn children_stand_below_their_parents_in_the_order_of_their_starts() {
        let mut failed = span(3, 1, "later\u{1b}[31m", 20, 30);
        failed.status = Status::error("no\nluck");
        failed.attributes = vec![KeyValue::new("error.type", "timeout"), KeyValue::new("user", "me")];
        let mut page = span(1, 99, "page", 0, 100);
        page.span_kind = SpanKind::Server;
        page.attributes = vec![KeyValue::new("http.response.status_code", 200), KeyValue::new("user", "me")];
        let spans = vec![failed, span(4, 2, "deep", 11, 12), span(2, 1, "sooner", 10, 15), page];
        let expected = "\
trace 00000000000000000000000000000007: 4 spans in 100.0 ms
                                       starts at       lasts
server page                               0.0 ms    100.0 ms  http.response.status_code=200
  internal sooner                        10.0 ms      5.0 ms
    internal deep                        11.0 ms      1.0 ms
  internal later\u{fffd}[31m                    20.0 ms     10.0 ms  ✗ timeout: no\u{fffd}luck  user=me

";
        assert_eq!(tree(spans), expected);
    }

    #[test]
    fn spans_that_name_each_other_as_parents_are_left_out_and_end() {
        let text = tree(vec![span(1, 2, "a", 0, 1), span(2, 1, "b", 0, 1), span(3, 3, "c", 0, 1)]);
        assert!(text.contains("3 spans") && !text.contains("internal a"), "{text}");
        assert_eq!(tree(Vec::new()), "");
    }

    #[test]
    fn a_deep_trace_needs_no_deep_stack() {
        let spans = (1..100_000).map(|id| span(id, id - 1, "s", id, id + 1)).collect();
        assert_eq!(tree(spans).lines().count(), 100_002);
    }
}
