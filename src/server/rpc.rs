//! A call of gRPC begins.

use std::sync::Arc;

use http::Method;
use http::request::Parts;
use opentelemetry::Context;
use opentelemetry::trace::SpanContext;

use super::service::route;
use crate::address::{Origin, PeerAddr};
use crate::config::{Config, Place};
use crate::exchange::{Owner, Rpc, Start};
use crate::metrics::Labels;
use crate::semconv::attributes::StartAttributes;
use crate::semconv::grpc::{self, Routed, RpcMethod};
use crate::semconv::{intern, rpc};
use crate::signals::Signals;

/// Not inlined: a request of HTTP would carry it along, which costs it some 100 instructions.
#[inline(never)]
pub(super) fn start(
    config: &Arc<Config>,
    parts: &Parts,
    signals: Signals<'_>,
    (parent, link): (Context, Option<SpanContext>),
    origin: Origin,
    peer: Option<PeerAddr>,
) -> Owner {
    let server = origin.server.map(|server| (server.host, server.port));
    let method = method(config, parts);
    let call = Rpc::new(method.clone(), &parts.headers);
    let start = Start {
        signals,
        parent,
        link,
        name: call.span_name(),
        method: &Method::POST,
        // "Opt-in": an attacker writes `:authority`.
        labels: Labels::default(),
        version: None,
        route: None,
        request_bytes: None,
        rpc: Some(call),
    };
    let sampling_relevant = |attributes: &mut StartAttributes| {
        rpc::sampling_relevant(attributes, &method, server);
        attributes.capture(config.request_headers.attributes(&parts.headers, Place::Rpc));
    };
    Owner::start(config, start, sampling_relevant, |detail| {
        rpc::detail(detail, parts, &method, peer.map(|peer| peer.peer));
    })
}

/// "When the method is not recognized, for example, when the server receives a request for a method
/// that is not predefined on the server, or when instrumentation is not able to reliably detect if the
/// method is predefined, the attribute MUST be set to `_OTHER`."
fn method(config: &Config, parts: &Parts) -> RpcMethod {
    let Some(method) = grpc::method(parts.uri.path()) else { return RpcMethod::Unknown };
    if let Some(listed) = config.rpc_methods.get(method) {
        return RpcMethod::Known(listed.clone());
    }
    match route(config, parts).and_then(|route| grpc::routed(method, &route)) {
        Some(Routed::Exactly) => RpcMethod::Known(intern::text(method)),
        Some(Routed::ByService) if !is_listed(config, method) => RpcMethod::Guessed(intern::text(method)),
        _ => RpcMethod::Unknown,
    }
}

/// A service of which methods are listed has those and no others.
fn is_listed(config: &Config, method: &str) -> bool {
    let service = method.split_once('/').map(|(service, _)| service);
    config.rpc_methods.iter().any(|listed| listed.split_once('/').map(|(service, _)| service) == service)
}
