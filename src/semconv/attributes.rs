//! Lists of attributes in which every key stands once.

use opentelemetry::global::BoxedSpan;
use opentelemetry::trace::Span;
use opentelemetry::{Key, KeyValue, Value};

use super::{
    CLIENT_ADDRESS, HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_REQUEST_RESEND_COUNT,
    NETWORK_LOCAL_ADDRESS, NETWORK_LOCAL_PORT, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT,
    NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT, URL_FULL, URL_PATH, URL_QUERY, URL_SCHEME,
    URL_TEMPLATE, USER_AGENT_ORIGINAL,
};

/// The keys that a span may get from us when it starts.
const START_KEYS: [&str; 17] = [
    HTTP_REQUEST_METHOD,
    URL_PATH,
    URL_SCHEME,
    URL_QUERY,
    URL_FULL,
    SERVER_ADDRESS,
    SERVER_PORT,
    CLIENT_ADDRESS,
    USER_AGENT_ORIGINAL,
    HTTP_REQUEST_METHOD_ORIGINAL,
    NETWORK_PROTOCOL_VERSION,
    NETWORK_PEER_ADDRESS,
    NETWORK_PEER_PORT,
    NETWORK_LOCAL_ADDRESS,
    NETWORK_LOCAL_PORT,
    HTTP_REQUEST_RESEND_COUNT,
    URL_TEMPLATE,
];

/// The attributes of a span that starts, and afterwards the memory of which keys those were: the
/// SDK appends, it never replaces, so a key given once must not be written again.
#[derive(Debug, Default)]
pub(crate) struct StartAttributes {
    list: Vec<KeyValue>,
    given: u32,
    captured: Vec<Key>,
}

impl StartAttributes {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { list: Vec::with_capacity(capacity), ..Self::default() }
    }

    pub(crate) fn push(&mut self, key: &'static str, value: impl Into<Value>) {
        self.note(key);
        self.list.push(KeyValue::new(key, value));
    }

    pub(crate) fn push_some(&mut self, key: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.push(key, value);
        }
    }

    /// Adds captured headers.
    pub(crate) fn capture(&mut self, headers: impl IntoIterator<Item = KeyValue>) {
        for header in headers {
            self.captured.push(header.key.clone());
            self.list.push(header);
        }
    }

    fn note(&mut self, key: &str) {
        self.given |= bit(key);
    }

    /// Hands the attributes out, and keeps the memory of their keys.
    pub(crate) fn take(&mut self) -> Vec<KeyValue> {
        std::mem::take(&mut self.list)
    }

    pub(crate) fn gave(&self, key: &Key) -> bool {
        self.given & bit(key.as_str()) != 0 || self.captured.contains(key)
    }
}

/// A span that records, to be told what no sampler needs.
pub(crate) struct Detail<'s> {
    span: &'s mut BoxedSpan,
    given: &'s mut StartAttributes,
}

impl<'s> Detail<'s> {
    pub(crate) fn new(span: &'s mut BoxedSpan, given: &'s mut StartAttributes) -> Self {
        Self { span, given }
    }

    pub(crate) fn set(&mut self, key: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.given.note(key);
            self.span.set_attribute(KeyValue::new(key, value));
        }
    }
}

fn bit(key: &str) -> u32 {
    START_KEYS.iter().position(|start| *start == key).map_or(0, |position| 1 << position)
}

/// Adds an attribute; the last word wins.
pub(crate) fn put(list: &mut Vec<KeyValue>, attribute: KeyValue) {
    match list.iter_mut().find(|present| present.key == attribute.key) {
        Some(present) => *present = attribute,
        None => list.push(attribute),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_what_was_given() {
        let mut start = StartAttributes::default();
        start.push(URL_PATH, "/");
        start.push_some(URL_QUERY, None::<&str>);
        assert_eq!(start.take(), [KeyValue::new(URL_PATH, "/")]);
        start.note(NETWORK_PEER_PORT);
        assert!(start.gave(&NETWORK_PEER_PORT.into()));
        assert!(start.gave(&URL_PATH.into()));
        assert!(!start.gave(&URL_QUERY.into()));
        assert!(!start.gave(&"app.user".into()));
    }

    #[test]
    fn every_key_stands_once() {
        let mut list = vec![KeyValue::new("a", 1)];
        put(&mut list, KeyValue::new("b", 1));
        put(&mut list, KeyValue::new("a", 2));
        assert_eq!(list, [KeyValue::new("a", 2), KeyValue::new("b", 1)]);
    }
}
