//! For terminals.

use std::fmt::Write;

use super::analysis::{Children, self_time};
use super::{Document, List, Operations};
use crate::model::Span;
use crate::store::RunningSpan;

/// How deep a tree is indented.
const DEEPEST: usize = 40;

/// One line for each trace.
pub(crate) fn traces(list: &List) -> String {
    let mut text = String::new();
    for trace in &list.traces {
        let services: Vec<&str> = trace.services.iter().map(|share| share.name.as_str()).collect();
        let _ = write!(
            text,
            "{}  {}  {:>9}  {:>5} {}  {}  {}",
            clock(trace.start),
            trace.id,
            duration(trace.duration),
            trace.spans,
            if trace.spans == 1 { "span " } else { "spans" },
            plain(&trace.service),
            plain(&trace.name),
        );
        if services.len() > 1 {
            let _ = write!(text, "  ({})", plain(&services.join(" ")));
        }
        if let Some(error) = &trace.error {
            let _ = write!(text, "  ! {}: {}", plain(&error.name), plain(&error.message));
        }
        text.push('\n');
    }
    text
}

/// A table, most total time first.
pub(crate) fn operations(operations: &Operations) -> String {
    let mut text = format!(
        "{:>7}  {:>9}  {:>6}  {:>9}  {:>9}  {:>9}  {:>6}  operation\n",
        "count", "per s", "errors", "p50", "p95", "p99", "time"
    );
    for operation in &operations.operations {
        let [p50, p95, p99] = operation.quantiles().map(duration);
        let _ = writeln!(
            text,
            "{:>7}  {:>9.3}  {:>6}  {p50:>9}  {p95:>9}  {p99:>9}  {:>5.1}%  {}  {}",
            operation.count,
            operation.rate(),
            operation.errors(),
            operation.share * 100.0,
            plain(&operation.service),
            plain(&operation.name),
        );
    }
    text
}

/// A trace as a tree.
pub(crate) fn tree(document: &Document) -> String {
    let children = Children::new(&document.spans);
    let mut text = format!("trace {}\n", document.id);
    // A stack, since a trace may be as deep as it has spans.
    let mut stack: Vec<(usize, usize)> = children.orphans.iter().rev().map(|place| (*place, 0)).collect();
    while let Some((place, depth)) = stack.pop() {
        let span = &document.spans[place];
        line(&mut text, span, depth, self_time(&document.spans, &children, place), document.spans[0].start);
        stack.extend(children.of(place).iter().rev().map(|child| (*child, depth + 1)));
    }
    for span in &document.running {
        running_line(&mut text, span, document.now);
    }
    text
}

fn line(text: &mut String, span: &Span, depth: usize, own: u64, start: u64) {
    let indent = "  ".repeat(depth.min(DEEPEST));
    let what = format!("{indent}{} {} {}", span.kind, plain(span.service()), plain(&span.name));
    let _ = write!(text, "{what:<64} +{:<9} {:>9}", duration(span.start - start), duration(span.duration()));
    if own < span.duration() {
        let _ = write!(text, " (self {})", duration(own));
    }
    if span.is_error() {
        let _ = write!(text, "  ! {}", plain(&span.failure()));
    }
    text.push('\n');
}

fn running_line(text: &mut String, span: &RunningSpan, now: u64) {
    let what = format!("{} {} {}", span.kind, plain(&span.resource.service), plain(&span.name));
    let _ = writeln!(text, "{what:<64} running for {}", duration(now.saturating_sub(span.start)));
}

/// Three digits that count, and a unit.
fn duration(nanos: u64) -> String {
    let (value, unit) = match nanos {
        0..1_000 => return format!("{nanos} ns"),
        // What would be rounded to a thousand is one of the next unit.
        1_000..999_500 => (nanos as f64 / 1e3, "µs"),
        999_500..999_500_000 => (nanos as f64 / 1e6, "ms"),
        _ => (nanos as f64 / 1e9, "s"),
    };
    let digits = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// The time of day, UTC.
fn clock(micros: u64) -> String {
    let (seconds, millis) = (micros / 1_000_000 % 86_400, micros / 1_000 % 1_000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Nothing that a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        for (nanos, expected) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (12_345, "12.3 µs"),
            (999_499, "999 µs"),
            (999_600, "1.00 ms"),
            (312_000_000, "312 ms"),
            (999_499_999, "999 ms"),
            (999_500_000, "1.00 s"),
            (9_996_000, "10.0 ms"),
            (1_500_000_000, "1.50 s"),
            (100_000_000_000, "100 s"),
        ] {
            assert_eq!(duration(nanos), expected);
        }
    }

    #[test]
    fn a_terminal_is_told_nothing() {
        assert_eq!(plain("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
    }

    #[test]
    fn the_time_of_day_is_utc() {
        assert_eq!(clock(1_764_417_067_482_000), "11:51:07.482");
    }
}
