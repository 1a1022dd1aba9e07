//! The life of one call, from its head to the end of its body.
//!
//! An [`Exchange`] owns a call in flight and moves with it: service, future, body. Its `Drop` is the
//! only place that sets the status, records the metrics and ends the span, so that success, error,
//! cancellation, a body read in part and a panic are one path. Everything before only notes what
//! has been seen.

mod body;
mod call;
mod finish;
mod future;
mod late;
mod server_span;
mod start;
mod verdict;

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode, Version, response};
use opentelemetry::KeyValue;
use opentelemetry::trace::TraceContextExt;

pub use body::ResponseBody;
pub(crate) use call::{Call, Refinement};
pub use future::ResponseFuture;
pub(crate) use late::Shared;
pub use server_span::{ServerSpan, SpanWriter};
pub(crate) use start::Start;

use crate::config::{Config, Side};
use crate::guest::contain;
use crate::metrics::Instruments;
use crate::propagation::TraceParent;
use crate::recognise;
use crate::request_body::RequestBytes;
use crate::semconv::attributes::StartAttributes;
use crate::semconv::body::{content_length, has_no_body, is_upgrade};
use crate::semconv::error::{Failure, Stage, classify};
use crate::semconv::method::MethodLabel;
use crate::semconv::{NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT};

/// How a call ended, or what it means if it is dropped now.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// There was nothing more to come.
    Complete,
    /// The connection speaks another protocol now.
    Upgraded,
    /// The service, or the body, yielded an error.
    Failed(Failure),
    /// Somebody lost interest: the caller of a server, or the user of a client.
    Dropped,
    /// The service, or the body, unwound.
    Panicked,
}

/// One call in flight.
pub(crate) struct Exchange {
    config: Arc<Config>,
    shared: Arc<Shared>,
    instruments: Option<Arc<Instruments>>,
    start_time: SystemTime,
    started: Instant,
    /// Whether there is a span of ours that is to be filled. Without one the context's span is the
    /// caller's, which is not ours to end.
    records: bool,
    start_attributes: StartAttributes,
    method: http::Method,
    method_label: MethodLabel,
    metric_attributes: Vec<KeyValue>,
    request_bytes: Option<RequestBytes>,
    version: Option<Version>,
    status: Option<StatusCode>,
    /// The bytes of the body so far, unless it is not looked at.
    received: Option<u64>,
    /// What is still to come of a body whose length is known.
    remaining: Option<u64>,
    outcome: Outcome,
}

impl Exchange {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn writer(&self) -> SpanWriter<'_> {
        SpanWriter::new(&self.shared)
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.shared.is_recorded()
    }

    /// Notes the head of the response. Says whether there is a body to be seen.
    pub(crate) fn answered(&mut self, parts: &mut response::Parts, exact: Option<u64>, ended: bool) -> bool {
        self.status = Some(parts.status);
        if self.config.side == Side::Client {
            self.version = Some(parts.version);
            self.note_peer(parts);
        }
        observe_response(&self.config, &self.shared, parts);
        if self.config.server_timing {
            self.write_server_timing(&mut parts.headers);
        }
        self.remaining = exact.or_else(|| content_length(&parts.headers));
        if self.remaining == Some(0) {
            self.outcome = Outcome::Complete;
        }
        if is_upgrade(self.method == http::Method::CONNECT, parts.status) {
            self.outcome = Outcome::Upgraded;
            return false;
        }
        let no_body = ended || has_no_body(self.method == http::Method::HEAD, parts.status);
        if no_body || self.config.end_at_headers {
            self.received = self.received.filter(|_| no_body);
            self.outcome = Outcome::Complete;
            return false;
        }
        true
    }

    /// Notes a piece of the body. The consumer may not poll again once the known length is met, so
    /// from then on being dropped is the end and not an abort.
    pub(crate) fn received(&mut self, bytes: u64) {
        self.received = self.received.map(|received| received.saturating_add(bytes));
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(bytes));
        if self.remaining == Some(0) {
            self.outcome = Outcome::Complete;
        }
    }

    /// Notes how it ends; it is about to be dropped.
    pub(crate) fn ends(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Ends with an error of the service (before a head) or of the body (after it).
    pub(crate) fn fail<E: Display + 'static>(&mut self, error: &E) {
        let stage = if self.status.is_none() { Stage::Head } else { Stage::Body };
        if self.is_recorded() {
            self.config.on_error.ask(|hook| hook(error, &self.writer()));
        }
        let describe = self.config.error_descriptions;
        let failure = contain("an error's text", || classify(error, stage, describe));
        self.ends(Outcome::Failed(failure.unwrap_or_else(|| Failure::named(crate::semconv::OTHER))));
    }

    fn note_peer(&self, parts: &response::Parts) {
        if let Some(peer) = recognise::response_peer(&parts.extensions) {
            self.shared.say(|late| {
                late.set_attribute(KeyValue::new(NETWORK_PEER_ADDRESS, peer.ip().to_canonical().to_string()));
                late.set_attribute(KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port())));
            });
        }
    }

    /// The `traceparent` metric of `Server-Timing`, by which a browser finds the trace of its page.
    fn write_server_timing(&self, headers: &mut HeaderMap) {
        let span = self.shared.cx.span();
        let context = span.span_context();
        if !context.is_valid() || context.is_remote() {
            return;
        }
        let (trace_id, span_id, flags) = (context.trace_id(), context.span_id(), context.trace_flags());
        let parent = TraceParent { trace_id, span_id, flags }.format();
        if let Ok(value) = HeaderValue::try_from(format!("traceparent;desc=\"{parent}\"")) {
            // A full map must not take the response down.
            let _ = headers.try_append("server-timing", value);
        }
    }
}

/// Runs the hooks and captures of one layer on a response.
fn observe_response(config: &Config, shared: &Shared, parts: &response::Parts) {
    if !shared.is_recorded() {
        return;
    }
    for attribute in config.response_headers.attributes(&parts.headers) {
        shared.say(|late| late.set_attribute(attribute));
    }
    config.on_response.ask(|hook| hook(parts, &SpanWriter::new(shared)));
}
