//! How a call begins.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::Version;
use opentelemetry::global::BoxedSpan;
use opentelemetry::trace::{Link, Span, SpanBuilder, SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use super::{Exchange, Outcome, Shared};
use crate::config::{Config, Observe, Side};
use crate::guest::contain;
use crate::metrics::Instruments;
use crate::request_body::RequestBytes;
use crate::semconv::attributes::{Detail, StartAttributes};
use crate::semconv::method::MethodLabel;

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
                detail(&mut Detail::new(&mut span, &mut start_attributes));
            }
            Some(span)
        });
        let (cx, records) = enter(start.parent, span.flatten());
        let instruments = contain("a meter", || begin(config, started, &start.metric_attributes));
        let instruments = instruments.flatten();
        let recorded = records || instruments.is_some();
        let route = start.target.filter(|_| config.side == Side::Server);
        Self {
            config: config.clone(),
            shared: Arc::new(Shared::new(cx, recorded, route)),
            instruments,
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
            received: Some(0),
            remaining: None,
            outcome: Outcome::Dropped,
        }
    }
}

/// The context in which the call runs, and whether its span is ours and records.
fn enter(parent: Context, span: Option<BoxedSpan>) -> (Context, bool) {
    match span {
        Some(span) if span.is_recording() => (parent.with_span(span), true),
        // A span that does not record is its ids, which cost less without it.
        Some(span) => (parent.with_remote_span_context(span.span_context().clone()), false),
        None => (parent, false),
    }
}

fn begin(config: &Config, now: Instant, attributes: &[KeyValue]) -> Option<Arc<Instruments>> {
    let instruments = config.metrics.then(|| config.meters.instruments(config, now))?;
    instruments.begin(attributes);
    Some(instruments)
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
