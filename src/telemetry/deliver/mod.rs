//! From a span's end to its exporters: a bounded queue, one thread, and books that are kept.
//!
//! The request's thread puts what ended into the queue and goes on; a full queue loses it. The thread at the
//! other end takes batches and shows each to all exporters side by side.

mod ledger;
mod logs;
mod outage;
mod queue;
mod sink;
mod spans;
mod striped;
mod wait;
mod watch;
mod worker;

use std::time::Duration;

pub use ledger::Delivery;
pub(crate) use logs::Logs;
pub(crate) use outage::Outage;
pub(crate) use queue::Means;
pub(crate) use sink::{Accepted, Exporting, LogSink, Outcome, Record, Sink, SpanSink, export_logs, name_of};
pub(crate) use spans::Spans;
pub use watch::SpanWatcher;

/// What became of an export.
pub(crate) const PANICKED: &str = "the exporter panicked";

/// How batches are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batches {
    /// How many may wait, those included that are just being exported.
    pub(crate) queue: usize,
    /// How many are exported at once.
    pub(crate) size: usize,
    /// How long a batch that is not full waits for more.
    pub(crate) delay: Duration,
    /// How long the export of a batch may take.
    pub(crate) timeout: Duration,
}
