//! How a call begins.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use http::{Method, Version};
use opentelemetry::global::BoxedSpan;
use opentelemetry::trace::{Link, Span, SpanBuilder, SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use super::{Exchange, Outcome, OwnSpan, Owner, Rpc};
use crate::config::{Config, Side};
use crate::guest::contain;
use crate::metrics::{Begun, Instruments, Labels};
use crate::request_body::RequestBytes;
use crate::semconv::attributes::{Detail, Given, StartAttributes};
use crate::semconv::intern::Text;
use crate::signals::{Found, Signals};

/// What is known when a call begins.
pub(crate) struct Start<'r> {
    pub(crate) signals: Signals<'r>,
    pub(crate) parent: Context,
    pub(crate) link: Option<SpanContext>,
    pub(crate) name: Cow<'static, str>,
    pub(crate) method: &'r Method,
    pub(crate) labels: Labels,
    /// A server is told with the request which version is spoken, a client with the response.
    pub(crate) version: Option<Version>,
    pub(crate) route: Option<Text>,
    pub(crate) request_bytes: Option<RequestBytes>,
    pub(crate) rpc: Option<Box<Rpc>>,
}

impl Owner {
    /// Starts the span and the gauge. `sampling_relevant` is asked for when there is to be a span,
    /// `detail` when it records.
    pub(crate) fn start(
        config: &Arc<Config>,
        start: Start<'_>,
        sampling_relevant: impl FnOnce() -> StartAttributes,
        detail: impl FnOnce(&mut Detail<'_>),
    ) -> Self {
        let Start { signals, parent, link, name, method, labels, version, route, request_bytes, rpc } = start;
        let start_time = SystemTime::now();
        let mut given = Given::default();
        let span = signals.tracer.and_then(|tracer| {
            let mut attributes = sampling_relevant();
            let builder = builder(config.side, name, link, start_time, attributes.take());
            let span = contain("a tracer", || {
                let mut span = tracer.start(builder, &parent)?;
                if span.is_recording() {
                    detail(&mut Detail::new(&mut span, &mut attributes));
                }
                Some(span)
            });
            given = attributes.given();
            span
        });
        let (cx, span) = OwnSpan::enter(parent, span.flatten());
        let measured = signals.instruments.and_then(|found| begin(&found, &labels, rpc.is_some()));
        let exchange = Exchange {
            cx,
            config: config.clone(),
            measured,
            start_time,
            started: signals.now,
            span,
            given,
            labels,
            is_head: method == Method::HEAD,
            is_connect: method == Method::CONNECT,
            rpc,
            request_bytes,
            route,
            peer: OnceLock::new(),
            said: Mutex::default(),
        };
        Self {
            exchange: Arc::new(exchange),
            version,
            status: None,
            received: Some(0),
            remaining: None,
            outcome: Outcome::Dropped,
        }
    }
}

impl OwnSpan {
    /// The context in which a call runs, and whose span is in it.
    pub(crate) fn enter(parent: Context, span: Option<BoxedSpan>) -> (Context, Self) {
        match span {
            Some(span) if span.is_recording() => (parent.with_span(span), Self::Recording),
            // A span that does not record is its ids, which cost less without it.
            Some(span) => (parent.with_remote_span_context(span.span_context().clone()), Self::Unsampled),
            None => (parent, Self::Absent),
        }
    }
}

fn begin(found: &Found<'_, Instruments>, labels: &Labels, is_rpc: bool) -> Option<(usize, Begun)> {
    // The conventions have no gauge for those.
    if is_rpc {
        return Some((found.number, Begun::default()));
    }
    let begun = contain("a meter", || found.instruments.begin(labels))?;
    Some((found.number, begun))
}

fn builder(
    side: Side,
    name: Cow<'static, str>,
    link: Option<SpanContext>,
    start_time: SystemTime,
    attributes: Vec<KeyValue>,
) -> SpanBuilder {
    let kind = match side {
        Side::Server => SpanKind::Server,
        Side::Client => SpanKind::Client,
    };
    SpanBuilder {
        name,
        span_kind: Some(kind),
        start_time: Some(start_time),
        attributes: Some(attributes),
        links: link.map(|link| vec![Link::with_context(link)]),
        ..SpanBuilder::default()
    }
}
