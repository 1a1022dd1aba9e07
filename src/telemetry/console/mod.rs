//! The standard output: for people a tree of each trace, for pipes a line of JSON for each span.

mod json;
mod logs;
mod metrics;
mod spans;
mod time;
mod traces;
mod tree;

use std::io::{IsTerminal as _, Write as _};

use opentelemetry_sdk::trace::SpanData;

pub(crate) use logs::ConsoleLogs;
pub(crate) use metrics::ConsoleMetrics;
use spans::ConsoleLines;
use traces::WholeTraces;

use super::deliver::{Sink, SpanWatcher};

/// What the console shows.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsoleFormat {
    /// A tree if the standard output is a terminal, and otherwise JSON.
    #[default]
    Detect,
    /// Each trace as a tree, once none of its spans is running in this process any more; in several pieces if there
    /// are more than 1,000 of those traces, or 10,000 spans in them. Metrics and logs as text.
    Tree,
    /// One line of JSON for each span, point of a metric and log.
    JsonLines,
}

impl ConsoleFormat {
    fn is_tree(self) -> bool {
        match self {
            Self::Detect => std::io::stdout().is_terminal(),
            Self::Tree => true,
            Self::JsonLines => false,
        }
    }
}

/// The exporter of spans, and what it must see of them before.
pub(crate) fn spans(format: ConsoleFormat) -> (Box<dyn Sink<SpanData>>, Option<Box<dyn SpanWatcher>>) {
    if !format.is_tree() {
        return (Box::new(ConsoleLines), None);
    }
    let traces = WholeTraces::new(|spans| print(&tree::tree(spans)));
    (Box::new(traces.clone()), Some(Box::new(traces)))
}

pub(crate) fn metrics(format: ConsoleFormat) -> ConsoleMetrics {
    ConsoleMetrics { json: !format.is_tree() }
}

pub(crate) fn logs(format: ConsoleFormat) -> ConsoleLogs {
    ConsoleLogs { json: !format.is_tree() }
}

/// In one piece, so that what is written at the same time does not mix. `print!` would panic where nobody
/// reads any more (`| head`).
fn print(text: &str) {
    _ = std::io::stdout().write_all(text.as_bytes());
}
