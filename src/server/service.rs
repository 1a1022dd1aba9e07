use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::request::Parts;
use http::{Request, Response};
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
use crate::headers::Found;
use crate::metrics::Labels;
use crate::recognise;
use crate::request_body::RequestBytes;
use crate::semconv::attributes::StartAttributes;
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

fn begin(config: &Arc<Config>, parts: &mut Parts) -> Call {
    let request_bytes = RequestBytes::take(parts, config.body_size_metrics);
    if let Some(outer) = parts.extensions.get::<ServerSpan>().and_then(ServerSpan::live).cloned() {
        refine(config, parts, &outer);
        return Call::Refined(Refinement { config: config.clone(), exchange: outer });
    }
    let observe = config.observe.ask(|observe| observe(parts)).unwrap_or_default();
    let found = Found::of(&parts.headers);
    let (parent, link) = parent(config, parts, &found);
    let Some(signals) = Signals::of(config, observe) else {
        // A handler that asks for the handle shall find it, whatever is configured.
        parts.extensions.insert(ServerSpan::default());
        return Call::Passed(parent);
    };
    let owner = start(config, parts, &found, signals, (parent, link), request_bytes);
    let exchange = owner.exchange();
    if exchange.is_recorded() {
        config.on_request.ask(|hook| hook(parts, &SpanWriter::new(exchange)));
    }
    parts.extensions.insert(ServerSpan::new(exchange.clone()));
    Call::Recorded(owner)
}

/// What a layer inside of another one adds: its own route, captures and hook, nothing else.
fn refine(config: &Config, parts: &Parts, outer: &Exchange) {
    // Not under the lock of what is said: a hook may use the handle.
    if let Some(route) = route(config, parts) {
        let route = intern::text(&route);
        outer.say(|late| late.set_route(route));
    }
    if !outer.is_recorded() {
        return;
    }
    for attribute in config.request_headers.attributes(&parts.headers, outer.request_place()) {
        outer.say(|late| late.set_attribute(attribute));
    }
    config.on_request.ask(|hook| hook(parts, &SpanWriter::new(outer)));
}

/// The context to run in, and for a public endpoint the caller's span, which is only linked.
fn parent(config: &Config, parts: &Parts, found: &Found<'_>) -> (Context, Option<SpanContext>) {
    let current = Context::current();
    if !config.public_endpoint.decide(false, true, |public| public(parts)) {
        return (config.propagation.extract(&current, &parts.headers, found), None);
    }
    let root = without_span(current);
    let caller = config.propagation.extract(&root, &parts.headers, found).span().span_context().clone();
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

fn start(
    config: &Arc<Config>,
    parts: &Parts,
    found: &Found<'_>,
    signals: Signals<'_>,
    (parent, link): (Context, Option<SpanContext>),
    request_bytes: Option<RequestBytes>,
) -> Owner {
    let peer = PeerAddr::of(&parts.extensions);
    let client = peer.map(|peer| peer.peer.ip().to_canonical());
    let mut origin = Origin::of(parts, found.host, client, &config.trusted_proxies);
    // "Method → `POST`".
    if parts.method == http::Method::POST && found.content_type.is_some_and(grpc::is_grpc) {
        return rpc::start(config, parts, signals, (parent, link), origin, peer);
    }
    let scheme = origin.scheme.take().or(config.scheme).unwrap_or(Scheme::Http);
    let method = config.known_methods.label(&parts.method);
    let SpanName { name, target: route } = method.span_name(route(config, parts).as_deref());
    let start = Start {
        signals,
        parent,
        link,
        name,
        method: &parts.method,
        labels: Labels { method: method.clone(), scheme: Some(scheme), ..Labels::default() },
        version: Some(parts.version),
        route,
        request_bytes,
        rpc: None,
    };
    let sampling_relevant = |attributes: &mut StartAttributes| {
        let keys = &config.sensitive_query_keys;
        server::sampling_relevant(attributes, parts, &method, origin, scheme, found.user_agent, keys);
        attributes.capture(config.request_headers.attributes(&parts.headers, Place::Http));
    };
    Owner::start(config, start, sampling_relevant, |detail| {
        server::detail(detail, parts, &method, peer);
    })
}

pub(super) fn route<'p>(config: &Config, parts: &'p Parts) -> Option<Cow<'p, str>> {
    let told = config.route.ask(|route| route(parts)).flatten().map(Cow::Owned);
    told.or_else(|| recognise::route(&parts.extensions).map(Cow::Borrowed))
}
