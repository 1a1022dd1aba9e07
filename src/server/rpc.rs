//! A call of gRPC begins.

use std::sync::Arc;

use http::Method;

use super::service::Begun;
use crate::address::{Origin, PeerAddr};
use crate::config::{Config, Place};
use crate::exchange::{Owner, Rpc, Start};
use crate::metrics::Labels;
use crate::semconv::grpc::{self, Routed, RpcMethod};
use crate::semconv::{intern, rpc};

/// Not inlined: a request of HTTP would carry it along, which costs it some 100 instructions.
#[inline(never)]
pub(super) fn start(config: &Arc<Config>, call: Begun<'_>, origin: Origin, peer: Option<PeerAddr>) -> Owner {
    let head = call.head;
    let server = origin.server.map(|server| (server.host, server.port));
    let method = method(config, &call);
    let rpc = Rpc::new(method.clone(), head.headers);
    let start = Start {
        signals: call.signals,
        parent: call.parent,
        link: call.link,
        name: rpc.span_name(),
        method: &Method::POST,
        // "Opt-in": an attacker writes `:authority`.
        labels: Labels::default(),
        version: None,
        route: None,
        request_bytes: None,
        rpc: Some(rpc),
    };
    let sampling_relevant = || {
        let mut attributes = rpc::sampling_relevant(&method, server);
        attributes.capture(config.request_headers.attributes(head.headers, Place::Rpc));
        attributes
    };
    Owner::start(config, start, sampling_relevant, |detail| {
        rpc::detail(detail, head.uri.path(), &method, peer.map(|peer| peer.peer));
    })
}

/// "When the method is not recognized, for example, when the server receives a request for a method
/// that is not predefined on the server, or when instrumentation is not able to reliably detect if the
/// method is predefined, the attribute MUST be set to `_OTHER`."
fn method(config: &Config, call: &Begun<'_>) -> RpcMethod {
    let Some(method) = grpc::method(call.head.uri.path()) else { return RpcMethod::Unknown };
    if let Some(listed) = config.rpc_methods.get(method) {
        return RpcMethod::Known(listed.clone());
    }
    match call.route().and_then(|route| grpc::routed(method, route)) {
        Some(Routed::Exactly) => RpcMethod::Known(intern::text(method).into()),
        Some(Routed::ByService) if !is_listed(config, method) => {
            RpcMethod::Guessed(intern::text(method).into())
        }
        _ => RpcMethod::Unknown,
    }
}

/// A service of which methods are listed has those and no others.
fn is_listed(config: &Config, method: &str) -> bool {
    let service = method.split_once('/').map(|(service, _)| service);
    config.rpc_methods.iter().any(|listed| listed.split_once('/').map(|(service, _)| service) == service)
}
