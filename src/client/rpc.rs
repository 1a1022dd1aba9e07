//! A call of gRPC begins.

use std::sync::Arc;

use http::Method;
use opentelemetry::Context;

use crate::config::{Config, Place};
use crate::exchange::{Owner, Rpc, Start};
use crate::head::Head;
use crate::metrics::Labels;
use crate::semconv::client::Target;
use crate::semconv::grpc::{self, RpcMethod};
use crate::semconv::intern::{self, Text};
use crate::semconv::rpc;
use crate::signals::Signals;

/// Not inlined, for the sake of HTTP.
#[inline(never)]
pub(super) fn start(
    config: &Arc<Config>,
    head: Head<'_>,
    signals: Signals<'_>,
    parent: Context,
    target: Target,
    address: Option<Text>,
) -> Owner {
    let method = method(head.uri.path());
    let call = Rpc::new(method.clone(), head.headers);
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
    let sampling_relevant = || {
        let server = target.host.map(|host| (host, Some(target.port)));
        let mut attributes = rpc::sampling_relevant(&method, server);
        attributes.capture(config.request_headers.attributes(head.headers, Place::Rpc));
        attributes
    };
    Owner::start(config, start, sampling_relevant, |detail| {
        rpc::detail(detail, head.uri.path(), &method, None);
    })
}

/// A client calls what it knows.
fn method(path: &str) -> RpcMethod {
    grpc::method(path).map_or(RpcMethod::Unknown, |method| RpcMethod::Known(intern::text(method).into()))
}
