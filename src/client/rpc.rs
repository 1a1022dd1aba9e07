//! A call of gRPC begins.

use std::sync::Arc;

use http::Method;
use http::request::Parts;
use opentelemetry::Context;

use crate::config::{Config, Place};
use crate::exchange::{Owner, Rpc, Start};
use crate::metrics::Labels;
use crate::semconv::attributes::StartAttributes;
use crate::semconv::client::Target;
use crate::semconv::grpc::{self, RpcMethod};
use crate::semconv::{intern, rpc};
use crate::signals::Signals;

/// Not inlined, for the sake of HTTP.
#[inline(never)]
pub(super) fn start(
    config: &Arc<Config>,
    parts: &Parts,
    signals: Signals<'_>,
    parent: Context,
    target: Target,
    address: Option<Arc<str>>,
) -> Owner {
    let method = method(parts);
    let call = Rpc::new(method.clone(), &parts.headers);
    let start = Start {
        signals,
        parent,
        link: None,
        name: call.span_name(),
        method: &Method::POST,
        // "If applicable and if `server.address` is set."
        labels: Labels { port: address.as_ref().map(|_| target.port), address, ..Labels::default() },
        version: None,
        route: None,
        request_bytes: None,
        rpc: Some(call),
    };
    let sampling_relevant = |attributes: &mut StartAttributes| {
        rpc::sampling_relevant(attributes, &method, target.host.map(|host| (host, Some(target.port))));
        attributes.capture(config.request_headers.attributes(&parts.headers, Place::Rpc));
    };
    Owner::start(config, start, sampling_relevant, |detail| rpc::detail(detail, parts, &method, None))
}

/// A client calls what it knows.
fn method(parts: &Parts) -> RpcMethod {
    grpc::method(parts.uri.path()).map_or(RpcMethod::Unknown, |method| RpcMethod::Known(intern::text(method)))
}
