use super::{Attribute, Value, find};

/// What OpenTelemetry calls an attribute now, and what older instrumentation calls it.
const RENAMED: [(&str, &str); 7] = [
    ("db.namespace", "db.name"),
    ("db.system.name", "db.system"),
    ("http.response.status_code", "http.status_code"),
    ("messaging.destination.name", "messaging.destination"),
    ("server.address", "net.peer.name"),
    ("server.port", "net.peer.port"),
    ("service.peer.name", "peer.service"),
];

/// The value of a key, whichever of its names it has.
pub(crate) fn find_renamed<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a Value> {
    let older = || RENAMED.iter().find(|(now, _)| *now == key).and_then(|(_, older)| find(attributes, older));
    find(attributes, key).or_else(older)
}
