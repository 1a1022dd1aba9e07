//! Seeing spans start and end without having them.

use std::fmt::Debug;

use opentelemetry::Context;
use opentelemetry_sdk::trace::{Span, SpanData};

/// Sees each sampled span as it starts and as it ends, on the thread where that happens.
///
/// Unlike a further [`SpanProcessor`](opentelemetry_sdk::trace::SpanProcessor), for which the SDK copies
/// each span, it costs what it does. Its panics are its own. What it sees end, an exporter gets a little later.
pub trait SpanWatcher: Debug + Send + Sync {
    /// A span has started.
    fn started(&self, span: &mut Span, parent: &Context);

    /// A span has ended.
    fn ended(&self, span: &SpanData);
}
