//! The life of one call, from its head to the end of its body.
//!
//! An [`Exchange`] is a call in flight. Its [`Owner`] moves with the call: service, future, body. The
//! owner's `Drop` is the only place that sets the status, records the metrics and ends the span, so that
//! success, error, cancellation, a body read in part and a panic are one path. Everything before only
//! notes what has been seen.

mod body;
mod call;
mod finish;
mod future;
mod late;
mod rpc;
mod server_span;
mod start;
mod verdict;

use std::fmt;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode, Version, response};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

pub use body::ResponseBody;
pub(crate) use call::{Call, Refinement};
pub use future::ResponseFuture;
pub(crate) use late::Late;
use late::Said;
pub(crate) use rpc::Rpc;
pub use server_span::{ServerSpan, SpanWriter};
pub(crate) use start::Start;

use crate::config::{Config, Side};
use crate::guest::contain;
use crate::metrics::{Begun, Instruments, Labels};
use crate::propagation::TraceParent;
use crate::recognise;
use crate::request_body::RequestBytes;
use crate::semconv::attributes::Given;
use crate::semconv::body::{content_length, has_no_body, is_upgrade};
use crate::semconv::error::{Failure, Stage, classify};
use crate::semconv::intern::Text;

/// How a call ended, or what it means if it is dropped now.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// There was nothing more to come.
    Complete,
    /// The connection speaks another protocol now.
    Upgraded,
    /// The service, or the body, yielded an error.
    Failed(Box<Failure>),
    /// Somebody lost interest: the caller of a server, or the user of a client.
    Dropped,
    /// The service, or the body, unwound.
    Panicked,
}

/// Whether the span in the call's context is the call's own. If not it is the caller's, which is not ours
/// to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnSpan {
    Absent,
    /// No sampler wanted it: it is its ids.
    Unsampled,
    Recording,
}

/// One call in flight. Handles and inner layers share it with its owner.
pub(crate) struct Exchange {
    /// The context in which the inner service runs.
    pub(crate) cx: Context,
    pub(crate) config: Arc<Config>,
    /// The number of its instruments among the meter's, and how the gauge was counted up.
    measured: Option<(usize, Begun)>,
    start_time: SystemTime,
    started: Instant,
    pub(crate) span: OwnSpan,
    given: Given,
    labels: Labels,
    is_head: bool,
    is_connect: bool,
    rpc: Option<Box<Rpc>>,
    request_bytes: Option<RequestBytes>,
    /// The route that was known when the call began.
    route: Option<Text>,
    /// The other end of a client's connection.
    peer: OnceLock<SocketAddr>,
    said: Mutex<Said>,
}

impl Exchange {
    /// Whether there is a span of ours that is to be filled.
    fn records(&self) -> bool {
        self.span == OwnSpan::Recording
    }

    /// Whether somebody would see what hooks and captures say.
    pub(crate) fn is_recorded(&self) -> bool {
        self.records() || self.measured.is_some()
    }

    fn instruments(&self) -> Option<(&Instruments, Begun)> {
        let (number, begun) = self.measured?;
        Some((self.config.meters.numbered(number)?, begun))
    }

    pub(crate) fn is_live(&self) -> bool {
        !self.lock().is_over()
    }

    /// No foreign code may run in here: it could use the handle, and wait for itself.
    pub(crate) fn say(&self, what: impl FnOnce(&mut Late)) {
        self.lock().say(what);
    }

    /// The best route until now.
    #[cfg(feature = "ws")]
    pub(crate) fn route(&self) -> Option<Text> {
        self.lock().route().or(self.route.as_ref()).cloned()
    }

    /// A route that is better than the one known before.
    pub(crate) fn set_route(&self, route: Text) {
        let mut said = self.lock();
        // To say again what is known must not rename a span that was renamed otherwise.
        if said.route().or(self.route.as_ref()) != Some(&route) {
            said.say(|late| late.route = Some(route));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        // Nothing that runs under the lock leaves the list half-written.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the hooks and captures of one layer on a response.
    fn observe_response(&self, config: &Config, parts: &response::Parts) {
        if !self.is_recorded() {
            return;
        }
        let place = self.response_place(&parts.headers);
        for attribute in config.response_headers.attributes(&parts.headers, place) {
            self.say(|late| late.set_attribute(attribute));
        }
        config.on_response.ask(|hook| hook(parts, &SpanWriter::new(self)));
    }

    /// Runs the hook of one layer on an error.
    fn observe_error<E: 'static>(&self, config: &Config, error: &E) {
        if self.is_recorded() {
            config.on_error.ask(|hook| hook(error, &SpanWriter::new(self)));
        }
    }

    fn note_peer(&self, parts: &response::Parts) {
        if let Some(peer) = recognise::response_peer(&parts.extensions) {
            let _ = self.peer.set(peer);
        }
    }

    /// The `traceparent` metric of `Server-Timing`, by which a browser finds the trace of its page.
    fn write_server_timing(&self, headers: &mut HeaderMap) {
        let span = self.cx.span();
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

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("cx", &self.cx).finish_non_exhaustive()
    }
}

/// Who ends the exchange by going, with what it has seen of the response until then.
///
/// It is small, since futures and bodies are moved from layer to layer: with the whole exchange in each
/// of them a request takes 580 instructions more.
#[derive(Debug)]
pub(crate) struct Owner {
    exchange: Arc<Exchange>,
    version: Option<Version>,
    status: Option<StatusCode>,
    /// The bytes of the body so far, unless it is not looked at.
    received: Option<u64>,
    /// What is still to come of a body whose length is known.
    remaining: Option<u64>,
    outcome: Outcome,
}

impl Owner {
    pub(crate) fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// Notes the head of the response. Says whether there is a body to be seen.
    fn answered(&mut self, parts: &mut response::Parts, exact: Option<u64>, ended: bool) -> bool {
        let exchange = &*self.exchange;
        let config = &*exchange.config;
        self.status = Some(parts.status);
        if config.side == Side::Client {
            self.version = Some(parts.version);
            exchange.note_peer(parts);
        }
        exchange.observe_response(config, parts);
        if config.server_timing {
            exchange.write_server_timing(&mut parts.headers);
        }
        if let Some(rpc) = &exchange.rpc {
            rpc.answered(parts);
            // The end of its body is that of the call, whatever length it claims to have: the status is
            // behind it.
            if ended {
                self.outcome = Outcome::Complete;
            }
            return !ended;
        }
        self.remaining = exact.or_else(|| content_length(&parts.headers));
        if self.remaining == Some(0) {
            self.outcome = Outcome::Complete;
        }
        if is_upgrade(exchange.is_connect, parts.status) {
            self.outcome = Outcome::Upgraded;
            return false;
        }
        let no_body = ended || has_no_body(exchange.is_head, parts.status);
        if no_body || config.end_at_headers {
            self.received = self.received.filter(|_| no_body);
            self.outcome = Outcome::Complete;
            return false;
        }
        true
    }

    /// Notes a piece of the body. The consumer may not poll again once the known length is met, so
    /// from then on being dropped is the end and not an abort.
    fn received(&mut self, bytes: u64) {
        self.received = self.received.map(|received| received.saturating_add(bytes));
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(bytes));
        if self.remaining == Some(0) {
            self.outcome = Outcome::Complete;
        }
    }

    /// Notes the trailers. Nothing can follow them, so the consumer may not poll again.
    fn trailed(&mut self, trailers: &HeaderMap) {
        // What an inner layer saw may have been changed on the way out.
        if let Some(rpc) = &self.exchange.rpc {
            rpc.note(trailers);
        }
        self.exchange.observe_trailers(&self.exchange.config, trailers);
        self.outcome = Outcome::Complete;
    }

    /// Ends with an error of the service (before a head) or of the body (after it).
    fn fail<E: Display + 'static>(&mut self, error: &E) {
        let stage = if self.status.is_none() { Stage::Head } else { Stage::Body };
        let config = &self.exchange.config;
        self.exchange.observe_error(config, error);
        let describe = config.error_descriptions;
        let failure = contain("an error's text", || classify(error, stage, describe));
        let mut failure = failure.unwrap_or_else(|| Failure::named(crate::semconv::OTHER));
        // It is known by the span, so that a call without one of its own would take another's.
        let phase = recognise::failed_phase(&self.exchange.cx);
        if let Some(phase) = phase.filter(|_| stage == Stage::Head && self.exchange.span != OwnSpan::Absent) {
            failure = failure.in_phase(phase);
        }
        self.outcome = Outcome::Failed(Box::new(failure));
    }
}
