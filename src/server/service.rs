use std::fmt::Display;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Method, Request, Response};
use http_body::Body;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use tower_service::Service;

use super::rpc;
use crate::address::{Origin, PeerAddr};
use crate::config::{Config, Place};
use crate::exchange::{
    Call, Exchange, Owner, Refinement, ResponseBody, ResponseFuture, ServerSpan, SpanWriter, Start,
};
use crate::head::{HasHead, Head};
use crate::headers::Found;
use crate::metrics::Labels;
use crate::recognise;
use crate::request_body::RequestBytes;
use crate::semconv::method::SpanName;
use crate::semconv::url::Scheme;
use crate::semconv::{grpc, intern, server};
use crate::signals::Signals;

/// What [`ServerLayer`](crate::ServerLayer) makes of a service.
#[derive(Clone, Debug)]
pub struct ServerService<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> ServerService<S> {
    pub(super) fn new(inner: S, config: Arc<Config>) -> Self {
        Self { inner, config }
    }
}

impl<S, B, R> Service<Request<B>> for ServerService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Display + 'static,
    R: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture::begin(&self.config, &mut self.inner, request, begin)
    }
}

fn begin(config: &Arc<Config>, request: &mut impl HasHead) -> Call {
    let request_bytes = RequestBytes::take(request, config.body_size_metrics);
    let outer = request.head().extensions.get::<ServerSpan>();
    if let Some(outer) = outer.and_then(ServerSpan::live).cloned() {
        refine(config, request, &outer);
        return Call::Refined(Refinement { config: config.clone(), exchange: outer });
    }
    let observe = config.observe.ask_of(request, |observe, parts| observe(parts)).unwrap_or_default();
    let is_public = is_public(config, request);
    let signals = Signals::of(config, observe);
    let told = signals.is_some().then(|| told_route(config, request)).flatten();
    let head = request.head();
    let found = Found::of(head.headers);
    let look = signals.as_ref().is_none_or(|signals| signals.look);
    let (parent, link) = parent(config, look, head, &found, is_public);
    let Some(signals) = signals else {
        // A handler that asks for the handle shall find it, whatever is configured.
        request.extensions_mut().insert(ServerSpan::default());
        return Call::Passed(parent);
    };
    let call = Begun { head, found, route: told.as_deref(), parent, link, signals, request_bytes };
    let owner = start(config, call);
    let exchange = owner.exchange();
    if exchange.is_recorded() {
        config.on_request.ask_of(request, |hook, parts| hook(parts, &SpanWriter::new(exchange)));
    }
    request.extensions_mut().insert(ServerSpan::new(exchange.clone()));
    Call::Recorded(owner)
}

/// What a layer inside of another one adds: its own route, captures and hook, nothing else.
fn refine(config: &Config, request: &mut impl HasHead, outer: &Exchange) {
    let told = told_route(config, request);
    // Not under the lock of what is said: a hook may use the handle.
    if let Some(route) = told.as_deref().or_else(|| recognise::route(request.head().extensions)) {
        outer.set_route(intern::text(route));
    }
    if !outer.is_recorded() {
        return;
    }
    for attribute in config.request_headers.attributes(request.head().headers, outer.request_place()) {
        outer.say(|late| late.set_attribute(attribute));
    }
    config.on_request.ask_of(request, |hook, parts| hook(parts, &SpanWriter::new(outer)));
}

/// A hook that panics is the cautious one: the caller is then not trusted.
fn is_public(config: &Config, request: &mut impl HasHead) -> bool {
    let asked = config.public_endpoint.ask_of(request, |public, parts| public(parts));
    asked.unwrap_or(config.public_endpoint.is_set())
}

/// What the user says is the route.
fn told_route(config: &Config, request: &mut impl HasHead) -> Option<String> {
    config.route.ask_of(request, |route, parts| route(parts)).flatten()
}

/// The context to run in, and for a public endpoint the caller's span, which is only linked.
fn parent(
    config: &Config,
    look: bool,
    head: Head<'_>,
    found: &Found<'_>,
    is_public: bool,
) -> (Context, Option<SpanContext>) {
    let current = Context::current();
    if !is_public {
        return (config.propagation.extract(look, current, head.headers, found), None);
    }
    let root = without_span(current);
    let caller = config.propagation.extract(look, root.clone(), head.headers, found);
    let caller = caller.span().span_context().clone();
    (root, caller.is_valid().then_some(caller))
}

/// A context to begin a trace in. A span context that is not valid would not do: samplers that follow
/// the parent take it for a parent that is not sampled. The API can only leave the span out by
/// leaving all out, which matters where something is current around the whole server.
fn without_span(current: Context) -> Context {
    if !current.has_active_span() {
        current
    } else if current.is_telemetry_suppressed() {
        Context::new().with_telemetry_suppressed()
    } else {
        Context::new()
    }
}

/// A request that is to be recorded.
pub(super) struct Begun<'r> {
    pub(super) head: Head<'r>,
    pub(super) found: Found<'r>,
    /// What the user says is the route.
    route: Option<&'r str>,
    pub(super) parent: Context,
    pub(super) link: Option<SpanContext>,
    pub(super) signals: Signals<'r>,
    request_bytes: Option<RequestBytes>,
}

impl Begun<'_> {
    /// The user knows better than the router.
    pub(super) fn route(&self) -> Option<&str> {
        self.route.or_else(|| recognise::route(self.head.extensions))
    }
}

fn start(config: &Arc<Config>, call: Begun<'_>) -> Owner {
    let (head, found) = (call.head, &call.found);
    let peer = PeerAddr::of(head.extensions);
    let client = peer.map(|peer| peer.peer.ip().to_canonical());
    let mut origin = Origin::of(head, found.host, client, &config.trusted_proxies);
    // "Method → `POST`".
    if *head.method == Method::POST && found.content_type.is_some_and(grpc::is_grpc) {
        return rpc::start(config, call, origin, peer);
    }
    let scheme = origin.scheme.take().or(config.scheme).unwrap_or(Scheme::Http);
    let method = config.known_methods.label(head.method);
    let SpanName { name, target: route } = method.span_name(call.route());
    let user_agent = found.user_agent;
    let start = Start {
        signals: call.signals,
        parent: call.parent,
        link: call.link,
        name,
        method: head.method,
        labels: Labels { method, scheme: Some(scheme), ..Labels::default() },
        version: Some(head.version),
        route,
        request_bytes: call.request_bytes,
        rpc: None,
    };
    let sampling_relevant = || {
        let keys = &config.sensitive_query_keys;
        let mut attributes = server::sampling_relevant(head, method, origin, scheme, user_agent, keys);
        attributes.capture(config.request_headers.attributes(head.headers, Place::Http));
        attributes
    };
    Owner::start(config, start, sampling_relevant, |detail| server::detail(detail, head, method, peer))
}
