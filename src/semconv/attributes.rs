//! Lists of attributes in which every key stands once.

use opentelemetry::global::BoxedSpan;
use opentelemetry::trace::Span;
use opentelemetry::{Key, KeyValue, Value};

use super as keys;

macro_rules! start_keys {
    ($($name:ident = $key:expr,)+) => {
        /// The keys that a span may get from us when it starts, by number: to find each of them by its
        /// text takes a request 1,000 instructions more.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum StartKey {
            $($name,)+
        }

        const START_KEYS: &[&str] = &[$($key,)+];
    };
}

start_keys! {
    Method = keys::HTTP_REQUEST_METHOD,
    MethodOriginal = keys::HTTP_REQUEST_METHOD_ORIGINAL,
    ResendCount = keys::HTTP_REQUEST_RESEND_COUNT,
    UrlFull = keys::URL_FULL,
    UrlPath = keys::URL_PATH,
    UrlQuery = keys::URL_QUERY,
    UrlScheme = keys::URL_SCHEME,
    UrlTemplate = keys::URL_TEMPLATE,
    ServerAddress = keys::SERVER_ADDRESS,
    ServerPort = keys::SERVER_PORT,
    ClientAddress = keys::CLIENT_ADDRESS,
    UserAgent = keys::USER_AGENT_ORIGINAL,
    ProtocolVersion = keys::NETWORK_PROTOCOL_VERSION,
    PeerAddress = keys::NETWORK_PEER_ADDRESS,
    PeerPort = keys::NETWORK_PEER_PORT,
    LocalAddress = keys::NETWORK_LOCAL_ADDRESS,
    LocalPort = keys::NETWORK_LOCAL_PORT,
    RpcSystem = keys::RPC_SYSTEM_NAME,
    RpcMethod = keys::RPC_METHOD,
    RpcMethodOriginal = keys::RPC_METHOD_ORIGINAL,
}

/// Which keys a span was given when it started: the SDK appends, it never replaces, so a key given once
/// must not be written again.
#[derive(Debug, Default)]
pub(crate) struct Given {
    ours: u32,
    captured: Vec<Key>,
}

impl Given {
    fn note(&mut self, key: StartKey) {
        self.ours |= 1 << key as u32;
    }

    pub(crate) fn contains(&self, key: &Key) -> bool {
        let position = START_KEYS.iter().position(|start| *start == key.as_str());
        position.is_some_and(|position| self.ours >> position & 1 == 1) || self.captured.contains(key)
    }
}

impl StartKey {
    fn with(self, value: impl Into<Value>) -> KeyValue {
        KeyValue::new(START_KEYS[self as usize], value)
    }
}

/// The attributes of a span that starts.
#[derive(Debug, Default)]
pub(crate) struct StartAttributes {
    list: Vec<KeyValue>,
    given: Given,
}

impl StartAttributes {
    /// Room for what is to come, and for what the span gets later, so that it need not grow.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { list: Vec::with_capacity(capacity), given: Given::default() }
    }

    pub(crate) fn push(&mut self, key: StartKey, value: impl Into<Value>) {
        self.given.note(key);
        self.list.push(key.with(value));
    }

    pub(crate) fn push_some(&mut self, key: StartKey, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.push(key, value);
        }
    }

    /// Adds captured headers.
    pub(crate) fn capture(&mut self, headers: impl IntoIterator<Item = KeyValue>) {
        for header in headers {
            self.given.captured.push(header.key.clone());
            self.list.push(header);
        }
    }

    /// Hands the attributes out, and keeps the memory of their keys.
    pub(crate) fn take(&mut self) -> Vec<KeyValue> {
        std::mem::take(&mut self.list)
    }

    pub(crate) fn given(self) -> Given {
        self.given
    }
}

/// A span that records, to be told what no sampler needs.
pub(crate) struct Detail<'s> {
    span: &'s mut BoxedSpan,
    given: &'s mut Given,
}

impl<'s> Detail<'s> {
    pub(crate) fn new(span: &'s mut BoxedSpan, start: &'s mut StartAttributes) -> Self {
        Self { span, given: &mut start.given }
    }

    pub(crate) fn set(&mut self, key: StartKey, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.given.note(key);
            self.span.set_attribute(key.with(value));
        }
    }
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
        start.push(StartKey::UrlPath, "/");
        start.push_some(StartKey::UrlQuery, None::<&str>);
        assert_eq!(start.take(), [KeyValue::new(keys::URL_PATH, "/")]);
        let mut given = start.given();
        given.note(StartKey::LocalPort);
        assert!(given.contains(&keys::NETWORK_LOCAL_PORT.into()));
        assert!(given.contains(&keys::URL_PATH.into()));
        assert!(!given.contains(&keys::URL_QUERY.into()));
        assert!(!given.contains(&"app.user".into()));
    }

    #[test]
    fn every_key_stands_once() {
        let mut list = vec![KeyValue::new("a", 1)];
        put(&mut list, KeyValue::new("b", 1));
        put(&mut list, KeyValue::new("a", 2));
        assert_eq!(list, [KeyValue::new("a", 2), KeyValue::new("b", 1)]);
    }
}
