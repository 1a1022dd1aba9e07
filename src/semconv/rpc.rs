//! The attributes of the spans of gRPC calls.

use std::net::SocketAddr;

use opentelemetry::StringValue;

use super::attributes::{Detail, StartAttributes, StartKey};
use super::grpc::RpcMethod;
use super::intern::Text;
use super::{OTHER, grpc};

/// "The following attributes can be important for making sampling decisions and SHOULD be provided
/// at span creation time (if provided at all)": RPC spans.
pub(crate) fn sampling_relevant(method: &RpcMethod, server: Option<(Text, Option<u16>)>) -> StartAttributes {
    let mut attributes = StartAttributes::with_capacity(8);
    attributes.push(StartKey::RpcSystem, grpc::SYSTEM);
    let method = method.name().map_or(StringValue::from(OTHER), |method| StringValue::from(method.clone()));
    attributes.push(StartKey::RpcMethod, method);
    if let Some((host, port)) = server {
        attributes.push(StartKey::ServerAddress, host);
        attributes.push_some(StartKey::ServerPort, port.map(i64::from));
    }
    attributes
}

/// What no sampler needs.
pub(crate) fn detail(detail: &mut Detail<'_>, path: &str, method: &RpcMethod, peer: Option<SocketAddr>) {
    // "If and only if it's different than `rpc.method`."
    detail.set(StartKey::RpcMethodOriginal, (*method == RpcMethod::Unknown).then(|| original(path)));
    if let Some(peer) = peer {
        detail.set(StartKey::PeerAddress, Some(peer.ip().to_canonical().to_string()));
        detail.set(StartKey::PeerPort, Some(i64::from(peer.port())));
    }
}

fn original(path: &str) -> Text {
    Text::new(grpc::method(path).unwrap_or_else(|| path.trim_start_matches('/')))
}
