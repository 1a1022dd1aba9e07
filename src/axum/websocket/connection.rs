//! One connection: what has been seen of it, and the only place that ends its span.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use axum::Error;
use axum::extract::ws::{CloseCode, Message, Utf8Bytes};
use opentelemetry::baggage::{BaggageExt, KeyValueMetadata};
use opentelemetry::trace::{Link, SpanBuilder, SpanKind, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue, Value};

use crate::config::{Config, Observe};
use crate::exchange::{OwnSpan, ServerSpan};
use crate::guest::contain;
use crate::semconv::error::{CANCELLED, Failure, PANIC, Stage, classify};
use crate::semconv::intern::{self, Text};
use crate::semconv::{ERROR_TYPE, HTTP_ROUTE, NETWORK_PROTOCOL_NAME};
use crate::signals::Signals;

/// "1005 is a reserved value and MUST NOT be set as a status code in a Close control frame by an
/// endpoint. It is designated for use in applications expecting a status code to indicate that no status
/// code was actually present": RFC 6455, 7.4.1.
const NO_STATUS: CloseCode = 1005;

/// "1011 indicates that a server is terminating the connection because it encountered an unexpected
/// condition that prevented it from fulfilling the request", which is what HTTP says of its 500.
const UNEXPECTED_CONDITION: CloseCode = 1011;

/// The request that a connection grew out of, as it was when it was answered.
pub(super) struct Origin {
    cx: Context,
    /// Nothing if the request was to have no span.
    traced: Option<(Arc<Config>, Option<Text>)>,
    close_reason: bool,
}

impl Origin {
    pub(super) fn of(span: &ServerSpan, close_reason: bool) -> Self {
        let exchange = span.0.as_ref().filter(|exchange| exchange.span != OwnSpan::Absent);
        let traced = exchange.map(|exchange| (exchange.config.clone(), exchange.route()));
        Self { cx: span.context(), traced, close_reason }
    }

    /// Begins the connection. Gives the context that its handler runs in, and the connection if there is
    /// a span to be filled.
    pub(super) fn open(self) -> (Context, Option<Arc<Connection>>) {
        let Some((config, route)) = self.traced else { return (self.cx, None) };
        let (start, started) = (SystemTime::now(), Instant::now());
        let span = contain("a tracer", || {
            let tracer = Signals::of(&config, Observe::All)?.tracer?;
            tracer.start(builder(&self.cx, route, start), &without_span(&self.cx))
        });
        let (cx, span) = OwnSpan::enter(self.cx, span.flatten());
        let connection = (span == OwnSpan::Recording).then(|| {
            let (cx, seen, close_reason) = (cx.clone(), Mutex::default(), self.close_reason);
            Arc::new(Connection { cx, config, start, started, close_reason, seen })
        });
        (cx, connection)
    }
}

/// What the sampler and the processors are to see of the request: its baggage, but not its span.
fn without_span(request: &Context) -> Context {
    let mut root = Context::new();
    if request.is_telemetry_suppressed() {
        root = root.with_telemetry_suppressed();
    }
    let entries = request
        .baggage()
        .iter()
        .map(|(key, (value, metadata))| KeyValueMetadata::new(key.clone(), value.clone(), metadata.clone()));
    root.with_baggage(entries.collect::<Vec<_>>())
}

fn builder(request: &Context, route: Option<Text>, start: SystemTime) -> SpanBuilder {
    let mut attributes = vec![KeyValue::new(NETWORK_PROTOCOL_NAME, "websocket")];
    let mut name = Cow::Borrowed("websocket");
    if let Some(route) = route {
        name = intern::name("websocket", &route).0;
        attributes.push(KeyValue::new(HTTP_ROUTE, route));
    }
    let link = Link::with_context(request.span().span_context().clone());
    SpanBuilder::from_name(name)
        .with_kind(SpanKind::Internal)
        .with_start_time(start)
        .with_attributes(attributes)
        .with_links(vec![link])
}

/// Which side of the connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Client,
    Server,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// What a message is to the record.
#[derive(Debug)]
pub(super) enum Passed {
    Data(u64),
    Close(CloseCode, Utf8Bytes),
    /// Pings and pongs keep the connection alive, and carry nothing.
    Control,
}

impl Passed {
    pub(super) fn of(message: &Message) -> Self {
        match message {
            Message::Text(text) => Self::Data(text.len() as u64),
            Message::Binary(bytes) => Self::Data(bytes.len() as u64),
            Message::Ping(_) | Message::Pong(_) => Self::Control,
            Message::Close(Some(frame)) => Self::Close(frame.code, frame.reason.clone()),
            Message::Close(None) => Self::Close(NO_STATUS, Utf8Bytes::default()),
        }
    }
}

#[derive(Debug, Default)]
struct Traffic {
    messages: u64,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Seen {
    received: Traffic,
    sent: Traffic,
    close: Option<(End, CloseCode, Utf8Bytes)>,
    failure: Option<Failure>,
}

/// A connection with a span that records. Its handler and its socket share it, and the last of them ends
/// it by going: a handler may hand the socket to a task and return.
pub(super) struct Connection {
    cx: Context,
    config: Arc<Config>,
    start: SystemTime,
    started: Instant,
    close_reason: bool,
    seen: Mutex<Seen>,
}

impl Connection {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Nothing that runs under the lock leaves it half-written.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn passed(&self, from: End, passed: Passed) {
        let mut seen = self.seen();
        let traffic = match from {
            End::Client => &mut seen.received,
            End::Server => &mut seen.sent,
        };
        match passed {
            Passed::Data(bytes) => {
                traffic.messages += 1;
                traffic.bytes = traffic.bytes.saturating_add(bytes);
            }
            Passed::Close(code, reason) => {
                seen.close.get_or_insert((from, code, reason));
            }
            Passed::Control => {}
        }
    }

    /// Notes an error of the socket. After a close frame there are none: whoever still sends finds the
    /// connection closed, as was agreed.
    pub(super) fn failed(&self, error: &Error) {
        let describe = self.config.error_descriptions;
        // Foreign code: not under the lock.
        let failure = contain("an error's text", || classify(error, Stage::Head, describe));
        let mut seen = self.seen();
        if seen.close.is_none() {
            seen.failure = seen.failure.take().or(failure);
        }
    }

    /// The handler was dropped before it returned.
    pub(super) fn cancelled(&self) {
        if self.config.cancellation {
            self.seen().failure.get_or_insert_with(|| Failure::named(CANCELLED));
        }
    }

    pub(super) fn panicked(&self) {
        self.seen().failure = Some(Failure::named(PANIC));
    }

    fn end(&self, seen: Seen) {
        let span = self.cx.span();
        let put = |key: &'static str, value: Value| span.set_attribute(KeyValue::new(key, value));
        let count = |count: u64| Value::I64(i64::try_from(count).unwrap_or(i64::MAX));
        put("websocket.received.messages", count(seen.received.messages));
        put("websocket.received.bytes", count(seen.received.bytes));
        put("websocket.sent.messages", count(seen.sent.messages));
        put("websocket.sent.bytes", count(seen.sent.bytes));
        let mut failure = seen.failure;
        if let Some((from, code, reason)) = seen.close {
            put("websocket.close.code", i64::from(code).into());
            put("websocket.close.initiator", from.name().into());
            if self.close_reason && !reason.is_empty() {
                put("websocket.close.reason", reason.as_str().to_owned().into());
            }
            if let (End::Server, UNEXPECTED_CONDITION) = (from, code) {
                failure.get_or_insert(Failure::named("1011"));
            }
        }
        if let Some(Failure { error_type, description, .. }) = failure {
            put(ERROR_TYPE, error_type.into());
            span.set_status(Status::Error { description });
        }
        span.end_with_timestamp(self.start + self.started.elapsed());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let seen = std::mem::take(&mut *self.seen());
        // It may be dropped by a panic of the handler's.
        contain("a span processor", || self.end(seen));
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("seen", &self.seen).finish_non_exhaustive()
    }
}
