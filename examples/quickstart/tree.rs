//! Prints a trace as a tree: each span below the one that caused it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

/// The attributes that are shown; a span has more.
const SHOWN: [&str; 5] =
    ["http.response.status_code", "url.full", "url.path", "db.query.text", "db.response.returned_rows"];

/// Prints all spans of one trace.
pub(crate) fn print(mut spans: Vec<SpanData>) {
    spans.sort_by_key(|span| span.start_time);
    // In one piece, so that two traces that end together do not mix. `print!` would panic where
    // nobody reads any more (`| head`).
    _ = std::io::stdout().write_all(Tree { spans: &spans }.render().as_bytes());
}

struct Tree<'s> {
    spans: &'s [SpanData],
}

impl Tree<'_> {
    fn render(&self) -> String {
        let Some(first) = self.spans.first() else { return String::new() };
        let end = self.spans.iter().map(|span| span.end_time).max().unwrap_or(first.end_time);
        let (trace, count) = (first.span_context.trace_id(), self.spans.len());
        let spans = if count == 1 { "span" } else { "spans" };
        let all = milliseconds(between(first.start_time, end));
        let mut text = format!("trace {trace}: {count} {spans} in {}\n", all.trim_start());
        _ = writeln!(text, "{:36} {:>11} {:>11}", "", "starts at", "lasts");
        let known: HashSet<_> = self.spans.iter().map(|span| span.span_context.span_id()).collect();
        // A root has no parent, or one in another process.
        for root in self.spans.iter().filter(|span| !known.contains(&span.parent_span_id)) {
            self.branch(&mut text, root, 0);
        }
        text.push('\n');
        text
    }

    fn branch(&self, text: &mut String, span: &SpanData, depth: usize) {
        let label = format!("{:1$}{2} {3}", "", depth * 2, kind(span), span.name);
        let starts = milliseconds(between(self.spans[0].start_time, span.start_time));
        let lasts = milliseconds(between(span.start_time, span.end_time));
        _ = write!(text, "{label:36} {starts} {lasts}{}", problem(span));
        for (key, value) in SHOWN.iter().filter_map(|key| Some((key, attribute(span, key)?))) {
            _ = write!(text, "  {key}={value}");
        }
        text.push('\n');
        let id = span.span_context.span_id();
        for child in self.spans.iter().filter(|child| child.parent_span_id == id) {
            self.branch(text, child, depth + 1);
        }
    }
}

fn kind(span: &SpanData) -> &'static str {
    match span.span_kind {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

/// `  ✗ 500`, for a span that failed.
fn problem(span: &SpanData) -> String {
    let Status::Error { description } = &span.status else { return String::new() };
    let class = attribute(span, "error.type").unwrap_or_default();
    let colon = if description.is_empty() { "" } else { ": " };
    format!("  ✗ {class}{colon}{description}")
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key.as_str() == key)?;
    Some(attribute.value.to_string())
}

fn between(start: SystemTime, end: SystemTime) -> Duration {
    end.duration_since(start).unwrap_or_default()
}

fn milliseconds(duration: Duration) -> String {
    format!("{:8.1} ms", duration.as_secs_f64() * 1_000.0)
}
