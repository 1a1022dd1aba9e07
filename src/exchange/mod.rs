//! The life of one call, from its head to the end of its body.
//!
//! An [`Exchange`] owns a call in flight and moves with it: service, future, body. Its `Drop` is the
//! only place that sets the status, records the metrics and ends the span, so that success, error,
//! cancellation, a body read in part and a panic are one path. Everything before only notes what
//! has been seen.

mod body;
mod call;
mod future;
mod late;
mod server_span;
mod verdict;

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode, Version, header, response};
use opentelemetry::global::BoxedSpan;
use opentelemetry::trace::{Link, Span, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue, Value};

pub use body::ResponseBody;
pub(crate) use call::{Call, Refinement};
pub use future::ResponseFuture;
pub(crate) use late::Shared;
pub use server_span::{ServerSpan, SpanWriter};

use crate::config::{Config, Observe, Side};
use crate::guest::contain;
use crate::metrics::{BodySizes, Instruments};
use crate::propagation::TraceParent;
use crate::recognise;
use crate::request_body::RequestBytes;
use crate::semconv::attributes::{StartAttributes, put};
use crate::semconv::error::{Failure, Stage, classify};
use crate::semconv::method::MethodLabel;
use crate::semconv::status::{has_no_body, is_upgrade};
use crate::semconv::{
    ERROR_TYPE, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT,
    NETWORK_PROTOCOL_VERSION, protocol_version,
};
use late::Late;
use verdict::Verdict;

/// What is known when a call begins.
pub(crate) struct Start {
    pub(crate) observe: Observe,
    pub(crate) parent: Context,
    pub(crate) link: Option<SpanContext>,
    pub(crate) method: http::Method,
    pub(crate) method_label: MethodLabel,
    /// What makes the name of the span, behind the method: the route, or the template of the URL.
    pub(crate) target: Option<Arc<str>>,
    pub(crate) metric_attributes: Vec<KeyValue>,
    pub(crate) request_bytes: Option<RequestBytes>,
    /// A server is told with the request which version is spoken, a client with the response.
    pub(crate) version: Option<Version>,
}

/// A span that records, to be told what no sampler needs.
pub(crate) struct Detail<'s> {
    span: &'s mut BoxedSpan,
    given: &'s mut StartAttributes,
}

impl Detail<'_> {
    pub(crate) fn set(&mut self, key: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.given.note(key);
            self.span.set_attribute(KeyValue::new(key, value));
        }
    }
}

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
    received: u64,
    /// What is still to come of a body whose length is known.
    remaining: Option<u64>,
    outcome: Outcome,
}

impl Exchange {
    /// Starts the span and the gauge. `sampling_relevant` is asked for when there is to be a span,
    /// `detail` when it records.
    pub(crate) fn start(
        config: &Arc<Config>,
        start: Start,
        sampling_relevant: impl FnOnce() -> StartAttributes,
        detail: impl FnOnce(&mut Detail<'_>),
    ) -> Self {
        let (start_time, started) = (SystemTime::now(), Instant::now());
        let mut start_attributes = StartAttributes::default();
        let span = contain("a tracer", || {
            if start.observe != Observe::All {
                return None;
            }
            start_attributes = sampling_relevant();
            let builder = builder(config.side, &start, start_time, start_attributes.take());
            let mut span = config.tracer.start(builder, &start.parent)?;
            if span.is_recording() {
                detail(&mut Detail { span: &mut span, given: &mut start_attributes });
            }
            Some(span)
        });
        let span = span.flatten();
        let records = span.as_ref().is_some_and(Span::is_recording);
        let cx = match span {
            Some(span) if records => start.parent.with_span(span),
            // A span that does not record is its ids, which cost less without it.
            Some(span) => start.parent.with_remote_span_context(span.span_context().clone()),
            None => start.parent,
        };
        let instruments = contain("a meter", || {
            let instruments =
                config.metrics.then(|| config.meters.instruments(config.side, &config.tracer, started));
            instruments.inspect(|instruments| instruments.begin(&start.metric_attributes))
        });
        let route = start.target.filter(|_| config.side == Side::Server);
        Self {
            config: config.clone(),
            shared: Arc::new(Shared::new(cx, route)),
            instruments: instruments.flatten(),
            start_time,
            started,
            records,
            start_attributes,
            method: start.method,
            method_label: start.method_label,
            metric_attributes: start.metric_attributes,
            request_bytes: start.request_bytes,
            version: start.version,
            status: None,
            received: 0,
            remaining: None,
            outcome: Outcome::Dropped,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn writer(&self) -> SpanWriter<'_> {
        SpanWriter::new(&self.shared)
    }

    /// Hooks and captures cost nothing when nobody would see what they say.
    pub(crate) fn is_recorded(&self) -> bool {
        self.instruments.is_some() || self.records
    }

    /// Notes the head of the response. Says whether there is a body to be seen.
    pub(crate) fn answered(&mut self, parts: &mut response::Parts, exact: Option<u64>, ended: bool) -> bool {
        self.status = Some(parts.status);
        if self.config.side == Side::Client {
            self.version = Some(parts.version);
            self.note_peer(parts);
        }
        if self.is_recorded() {
            observe_response(&self.config, &self.shared, parts);
        }
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
        let ends_here = no_body || self.config.end_at_headers;
        if ends_here {
            self.outcome = Outcome::Complete;
        }
        !ends_here
    }

    /// Notes a piece of the body. The consumer may not poll again once the known length is met, so
    /// from then on being dropped is the end and not an abort.
    pub(crate) fn received(&mut self, bytes: u64) {
        self.received += bytes;
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(bytes));
        if self.remaining == Some(0) {
            self.outcome = Outcome::Complete;
        }
    }

    pub(crate) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Ends with an error of the service (before a head) or of the body (after it).
    pub(crate) fn fail<E: Display + 'static>(self, error: &E) {
        let stage = if self.status.is_none() { Stage::Head } else { Stage::Body };
        if self.is_recorded() {
            self.config.on_error.ask(|hook| hook(error, &self.writer()));
        }
        let describe = self.config.error_descriptions;
        let failure = contain("an error's text", || classify(error, stage, describe));
        self.end(Outcome::Failed(failure.unwrap_or_else(|| Failure::named(crate::semconv::OTHER))));
    }

    fn note_peer(&self, parts: &response::Parts) {
        if let Some(peer) = recognise::response_peer(&parts.extensions) {
            self.shared.say(|late| {
                late.set_attribute(KeyValue::new(NETWORK_PEER_ADDRESS, peer.ip().to_string()));
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
            headers.append("server-timing", value);
        }
    }

    fn finish(&mut self) {
        let Some(late) = self.shared.take() else { return };
        let elapsed = self.started.elapsed();
        let verdict = verdict::of(&self.config, &self.outcome, self.status, late.error.as_ref());
        if let Some(instruments) = self.instruments.take() {
            contain("a meter", || {
                instruments.finish(&self.metric_attributes);
                if !matches!(self.outcome, Outcome::Upgraded) {
                    let sizes = self.body_sizes();
                    let attributes = self.final_metric_attributes(&late, verdict.as_ref());
                    // For exemplars.
                    let _current = self.shared.cx.clone().attach();
                    instruments.record(elapsed, sizes, &attributes);
                }
            });
        }
        if self.records {
            contain("a span processor", || {
                self.write_span(late, verdict);
                self.shared.cx.span().end_with_timestamp(self.start_time + elapsed);
            });
        }
    }

    fn write_span(&self, mut late: Late, verdict: Option<Verdict>) {
        let span = self.shared.cx.span();
        if let Some(name) = self.final_name(&mut late) {
            span.update_name(name);
        }
        let findings = self.findings(&late, verdict.as_ref());
        let unsaid = |finding: &KeyValue| late.attributes.iter().all(|said| said.key != finding.key);
        span.set_attributes(findings.filter(unsaid).filter(|finding| !self.was_given(finding)));
        span.set_attributes(late.attributes.into_iter().filter(|said| !self.was_given(said)));
        if let Some(verdict) = verdict {
            span.set_status(Status::Error { description: verdict.description });
        }
    }

    /// The SDK appends, it never replaces.
    fn was_given(&self, attribute: &KeyValue) -> bool {
        self.start_attributes.gave(attribute.key.as_str())
            || self.config.request_headers.contains(&attribute.key)
    }

    /// Nothing if it is still the one that the span started with.
    fn final_name(&self, late: &mut Late) -> Option<Cow<'static, str>> {
        let routed = || self.method_label.span_name(late.route.as_deref());
        late.name.take().or_else(|| late.route_changed.then(routed))
    }

    fn final_metric_attributes(&mut self, late: &Late, verdict: Option<&Verdict>) -> Vec<KeyValue> {
        let mut attributes = std::mem::take(&mut self.metric_attributes);
        attributes.extend(self.findings(late, verdict));
        for attribute in &late.metric_attributes {
            put(&mut attributes, attribute.clone());
        }
        attributes
    }

    /// What spans and metrics both tell of the end.
    fn findings(&self, late: &Late, verdict: Option<&Verdict>) -> impl Iterator<Item = KeyValue> + use<> {
        let status = self.status.map(|status| i64::from(status.as_u16()));
        let findings = [
            status.map(|status| KeyValue::new(HTTP_RESPONSE_STATUS_CODE, status)),
            verdict.map(|verdict| KeyValue::new(ERROR_TYPE, verdict.error_type.clone())),
            late.route.clone().map(|route| KeyValue::new(HTTP_ROUTE, route)),
            self.version
                .and_then(protocol_version)
                .map(|version| KeyValue::new(NETWORK_PROTOCOL_VERSION, version)),
        ];
        findings.into_iter().flatten()
    }

    fn body_sizes(&self) -> BodySizes {
        if !self.config.body_size_metrics {
            return BodySizes::default();
        }
        BodySizes {
            request: self.request_bytes.as_ref().map(RequestBytes::total),
            response: self.status.map(|_| self.received),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // A panic in here while the service's own panic unwinds would abort the program.
        contain("a telemetry pipeline", || self.finish());
    }
}

/// Runs the hooks and captures of one layer on a response.
fn observe_response(config: &Config, shared: &Shared, parts: &response::Parts) {
    for attribute in config.response_headers.attributes(&parts.headers) {
        shared.say(|late| late.set_attribute(attribute));
    }
    config.on_response.ask(|hook| hook(parts, &SpanWriter::new(shared)));
}

fn builder(side: Side, start: &Start, start_time: SystemTime, attributes: Vec<KeyValue>) -> SpanBuilder {
    let mut builder = SpanBuilder::from_name(start.method_label.span_name(start.target.as_deref()))
        .with_kind(match side {
            Side::Server => SpanKind::Server,
            Side::Client => SpanKind::Client,
        })
        .with_start_time(start_time);
    builder.attributes = Some(attributes);
    builder.links = start.link.clone().map(|link| vec![Link::with_context(link)]);
    builder
}

/// The value of `Content-Length`, if it is one.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}
