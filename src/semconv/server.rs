//! The attributes of a server span and of the server's metrics.

use std::borrow::Cow;

use http::HeaderValue;

use super::attributes::{Detail, StartAttributes, StartKey};
use super::intern;
use super::method::MethodLabel;
use super::protocol_version;
use super::url::{Scheme, redact_query};
use crate::address::{Origin, PeerAddr};
use crate::head::Head;

/// "The following attributes can be important for making sampling decisions and SHOULD be provided
/// at span creation time (if provided at all)": HTTP spans, server.
pub(crate) fn sampling_relevant(
    head: Head<'_>,
    method: MethodLabel,
    origin: Origin,
    scheme: Scheme,
    user_agent: Option<&HeaderValue>,
    sensitive_keys: &[Cow<'static, str>],
) -> StartAttributes {
    // Nine of these at most.
    let mut attributes = StartAttributes::with_capacity(16);
    attributes.push(StartKey::Method, method.value());
    attributes.push(StartKey::UrlPath, intern::path(head.uri.path()));
    attributes.push(StartKey::UrlScheme, scheme.as_str());
    let query = head.uri.query().filter(|query| !query.is_empty());
    attributes
        .push_some(StartKey::UrlQuery, query.map(|query| redact_query(query, sensitive_keys).into_owned()));
    if let Some(server) = origin.server {
        attributes.push(StartKey::ServerAddress, server.host);
        attributes.push_some(StartKey::ServerPort, server.port.map(i64::from));
    }
    attributes.push_some(StartKey::ClientAddress, origin.client.map(|client| client.to_string()));
    // No sampler needs it, but it costs less here than later.
    attributes.push_some(StartKey::ProtocolVersion, protocol_version(head.version));
    let user_agent = user_agent.filter(|value| !value.is_sensitive());
    attributes.push_some(StartKey::UserAgent, user_agent.map(|value| intern::lossy(value.as_bytes())));
    attributes
}

/// What no sampler needs, so that it is asked for only when the span records.
pub(crate) fn detail(detail: &mut Detail<'_>, head: Head<'_>, method: MethodLabel, peer: Option<PeerAddr>) {
    detail.set(StartKey::MethodOriginal, method.original(head.method));
    if let Some(PeerAddr { peer, local }) = peer {
        detail.set(StartKey::PeerAddress, Some(peer.ip().to_canonical().to_string()));
        detail.set(StartKey::PeerPort, Some(i64::from(peer.port())));
        detail.set(StartKey::LocalAddress, local.map(|local| local.ip().to_canonical().to_string()));
        detail.set(StartKey::LocalPort, local.map(|local| i64::from(local.port())));
    }
}
