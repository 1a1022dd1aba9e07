//! A phase, from the call of the service that does it to its end.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::Uri;
use opentelemetry::trace::{Link, Span, SpanBuilder, SpanKind, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use super::attempt::{Attempt, Kind};
use super::{Phases, failed};
use crate::address::HostPort;
use crate::guest::contain;
use crate::semconv::error::{DNS, Failure, TLS, classify_connecting};
use crate::semconv::url::Scheme;
use crate::semconv::{
    ERROR_TYPE, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, NETWORK_TRANSPORT, OTHER, SERVER_ADDRESS,
    SERVER_PORT, intern,
};

/// What is connected to.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) host: Option<Arc<str>>,
    pub(super) port: Option<u16>,
    pub(super) scheme: Option<Scheme>,
}

impl Target {
    pub(super) fn of(uri: &Uri) -> Self {
        let scheme = uri.scheme_str().and_then(Scheme::parse);
        let written = uri.authority().and_then(|authority| HostPort::parse(authority.as_str()));
        let port = written.as_ref().and_then(|written| written.port);
        Self {
            host: written.map(|written| written.host.into()),
            port: port.or_else(|| scheme.map(Scheme::default_port)),
            scheme,
        }
    }

    pub(super) fn named(name: &str) -> Self {
        Self { host: Some(intern::text(name).into()), ..Self::default() }
    }

    pub(super) fn attributes(&self) -> Vec<KeyValue> {
        let host = self.host.clone().map(|host| KeyValue::new(SERVER_ADDRESS, host));
        let port = self.port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port)));
        host.into_iter().chain(port).collect()
    }
}

/// How a phase ended.
enum End {
    Done(Option<SocketAddr>),
    Failed(Failure),
    /// Nobody wants the connection any more.
    Dropped,
}

/// It is written down when it is over, since only then is it known whether it outlived its request.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) phases: Phases,
    pub(super) target: Target,
    kind: Kind,
    /// The context of the request, taken when the service was called: hyper-util may finish in a task
    /// of its own.
    request: Context,
    inner: Context,
    called: Instant,
    /// Nothing once it is over, and where nobody may know of it.
    attempt: Option<Arc<Attempt>>,
}

impl Phase {
    pub(super) fn begin(phases: &Phases, kind: Kind, target: impl FnOnce() -> Target) -> Self {
        let (phases, request, called) = (phases.clone(), Context::current(), Instant::now());
        // An exporter must never trace itself.
        if request.is_telemetry_suppressed() {
            let (inner, target) = (request.clone(), Target::default());
            return Self { phases, target, kind, request, inner, called, attempt: None };
        }
        let attempt = Attempt::of(&request);
        let inner = attempt.enter(kind, &request);
        Self { phases, target: target(), kind, request, inner, called, attempt: Some(attempt) }
    }

    /// Runs the service that does it.
    pub(super) fn run<T>(&self, inner: impl FnOnce() -> T) -> T {
        let _attached = self.inner.clone().attach();
        inner()
    }

    /// Whether anything may be known of it.
    pub(super) fn is_told(&self) -> bool {
        self.attempt.is_some()
    }

    /// Whether the connection is one for HTTP only after a handshake whose end we shall see.
    pub(super) fn handshake_follows(&self) -> bool {
        let follows = self.attempt.as_ref().is_some_and(|attempt| attempt.handshake_follows());
        follows && self.target.scheme == Some(Scheme::Https)
    }

    pub(super) fn done(&mut self, peer: Option<SocketAddr>) {
        self.end(true, |_| End::Done(peer));
    }

    pub(super) fn fail<E: Display + 'static>(&mut self, error: &E) {
        let request = self.request.clone();
        self.end(false, |kind| {
            let sure = match kind {
                Kind::Dns => Some(DNS),
                Kind::Tls => Some(TLS),
                Kind::Tcp | Kind::Connect => None,
            };
            failed::note(&request, sure);
            let failure = contain("an error's text", || classify_connecting(error, sure));
            End::Failed(failure.unwrap_or_else(|| Failure::named(OTHER)))
        });
    }

    fn end(&mut self, good: bool, end: impl FnOnce(Kind) -> End) {
        let Some(attempt) = self.attempt.take() else { return };
        let now = Instant::now();
        let Some((kind, began)) = attempt.pass(self.kind, self.called, now, good) else { return };
        // A connector for both schemes has nothing more to do for this one.
        if kind == Kind::Tls && self.target.scheme == Some(Scheme::Http) {
            return;
        }
        let (began, ended) = (attempt.time_of(began), attempt.time_of(now));
        let end = end(kind);
        contain("a span processor", || self.write(kind, (began, ended), end));
    }

    fn write(&self, kind: Kind, times: (SystemTime, SystemTime), end: End) {
        let mut attributes = self.target.attributes();
        if kind == Kind::Tcp {
            attributes.push(KeyValue::new(NETWORK_TRANSPORT, "tcp"));
        }
        let mut status = Status::Unset;
        match end {
            End::Done(peer) => attributes.extend(peer.into_iter().flat_map(peer_attributes)),
            End::Failed(Failure { error_type, description, .. }) => {
                attributes.push(KeyValue::new(ERROR_TYPE, error_type));
                status = Status::Error { description };
            }
            End::Dropped => {}
        }
        if self.phases.settings.events {
            self.write_events(kind, times, attributes);
        } else {
            self.write_span(kind, times, attributes, status);
        }
    }

    fn write_events(&self, kind: Kind, (began, ended): (SystemTime, SystemTime), attributes: Vec<KeyValue>) {
        let span = self.request.span();
        if span.is_recording() {
            let name = kind.name();
            span.add_event_with_timestamp(format!("{name}.start"), began, Vec::new());
            span.add_event_with_timestamp(format!("{name}.end"), ended, attributes);
        }
    }

    fn write_span(
        &self,
        kind: Kind,
        (began, ended): (SystemTime, SystemTime),
        attributes: Vec<KeyValue>,
        status: Status,
    ) {
        let mut builder = SpanBuilder::from_name(kind.name())
            .with_kind(SpanKind::Internal)
            .with_start_time(began)
            .with_attributes(attributes);
        let tracer = self.phases.settings.tracer.of_call();
        let span = if has_ended(&self.request) {
            let request = self.request.span().span_context().clone();
            builder.links = Some(vec![Link::with_context(request)]);
            tracer.and_then(|tracer| tracer.start(builder, &Context::new()))
        } else {
            tracer.and_then(|tracer| tracer.start(builder, &self.request))
        };
        if let Some(mut span) = span {
            span.set_status(status);
            span.end_with_timestamp(ended);
        }
    }
}

/// A span that is sampled and of this process records until it ends.
fn has_ended(cx: &Context) -> bool {
    let span = cx.span();
    let context = span.span_context();
    context.is_sampled() && !context.is_remote() && !span.is_recording()
}

fn peer_attributes(peer: SocketAddr) -> [KeyValue; 2] {
    let address = peer.ip().to_canonical().to_string();
    [KeyValue::new(NETWORK_PEER_ADDRESS, address), KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port()))]
}

impl Drop for Phase {
    fn drop(&mut self) {
        self.end(false, |_| End::Dropped);
    }
}
