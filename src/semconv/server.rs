//! The attributes of a server span and of the server's metrics.

use std::borrow::Cow;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, header};
use opentelemetry::KeyValue;

use super::attributes::{Detail, StartAttributes};
use super::intern;
use super::method::MethodLabel;
use super::url::{Scheme, redact_query};
use super::{
    CLIENT_ADDRESS, HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, NETWORK_LOCAL_ADDRESS,
    NETWORK_LOCAL_PORT, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS,
    SERVER_PORT, URL_PATH, URL_QUERY, URL_SCHEME, USER_AGENT_ORIGINAL, protocol_version,
};
use crate::address::{Origin, PeerAddr};

/// "The following attributes can be important for making sampling decisions and SHOULD be provided
/// at span creation time (if provided at all)": HTTP spans, server.
pub(crate) fn sampling_relevant(
    parts: &Parts,
    method: &MethodLabel,
    origin: Origin,
    scheme: Scheme,
    sensitive_keys: &[Cow<'static, str>],
) -> StartAttributes {
    // Eight of these at most, and room in the span for what comes later, so that it need not grow.
    let mut attributes = StartAttributes::with_capacity(16);
    attributes.push(HTTP_REQUEST_METHOD, method.value());
    attributes.push(URL_PATH, parts.uri.path().to_owned());
    attributes.push(URL_SCHEME, scheme.as_str());
    let query = parts.uri.query().filter(|query| !query.is_empty());
    attributes.push_some(URL_QUERY, query.map(|query| redact_query(query, sensitive_keys).into_owned()));
    if let Some(server) = origin.server {
        attributes.push(SERVER_ADDRESS, server.host);
        attributes.push_some(SERVER_PORT, server.port.map(i64::from));
    }
    attributes.push_some(CLIENT_ADDRESS, origin.client.map(|client| client.to_string()));
    attributes.push_some(USER_AGENT_ORIGINAL, user_agent(&parts.headers));
    attributes
}

/// What no sampler needs, so that it is asked for only when the span records.
pub(crate) fn detail(detail: &mut Detail<'_>, parts: &Parts, method: &MethodLabel, peer: Option<PeerAddr>) {
    detail.set(HTTP_REQUEST_METHOD_ORIGINAL, method.original(&parts.method));
    detail.set(NETWORK_PROTOCOL_VERSION, protocol_version(parts.version));
    if let Some(PeerAddr { peer, local }) = peer {
        detail.set(NETWORK_PEER_ADDRESS, Some(peer.ip().to_canonical().to_string()));
        detail.set(NETWORK_PEER_PORT, Some(i64::from(peer.port())));
        detail.set(NETWORK_LOCAL_ADDRESS, local.map(|local| local.ip().to_canonical().to_string()));
        detail.set(NETWORK_LOCAL_PORT, local.map(|local| i64::from(local.port())));
    }
}

/// `http.server.active_requests` has these, all other metrics have them too. `server.address` is
/// not among them: an attacker writes `Host`.
pub(crate) fn metric_base(method: &MethodLabel, scheme: Scheme) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(6);
    attributes.push(KeyValue::new(HTTP_REQUEST_METHOD, method.value()));
    attributes.push(KeyValue::new(URL_SCHEME, scheme.as_str()));
    attributes
}

fn user_agent(headers: &HeaderMap) -> Option<Arc<str>> {
    let value = headers.get(header::USER_AGENT).filter(|value| !value.is_sensitive())?;
    Some(intern::text(&String::from_utf8_lossy(value.as_bytes())))
}
