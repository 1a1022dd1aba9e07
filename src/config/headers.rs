//! Headers that may be recorded.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{Array, Key, KeyValue, StringValue, Value};

use crate::guest::warn;
use crate::semconv as keys;

/// Where a header stands, which decides the key of its attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Http,
    Rpc,
    /// Behind the messages of gRPC, or in a head that nothing follows.
    RpcTrailer,
}

/// The headers that may be shown, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct CapturedHeaders(Vec<Captured>);

#[derive(Clone, Debug)]
struct Captured {
    name: HeaderName,
    http: Key,
    rpc: Key,
    rpc_trailer: Key,
}

impl CapturedHeaders {
    pub(crate) fn of_requests(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        // A request of gRPC has no trailers.
        Self::new([keys::HTTP_REQUEST_HEADER, keys::RPC_REQUEST_HEADER, keys::RPC_REQUEST_HEADER], names)
    }

    pub(crate) fn of_responses(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self::new([keys::HTTP_RESPONSE_HEADER, keys::RPC_RESPONSE_HEADER, keys::RPC_RESPONSE_TRAILER], names)
    }

    /// "`http.request.header.<key>`: [...] `<key>` being the normalized HTTP Header name
    /// (lowercase)". What is no name of a header is left out and said.
    fn new(prefixes: [&str; 3], names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let parse = |name: &str| match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => {
                let [http, rpc, rpc_trailer] =
                    prefixes.map(|prefix| Key::from(Arc::<str>::from(format!("{prefix}{name}"))));
                Some(Captured { name, http, rpc, rpc_trailer })
            }
            Err(_) => {
                warn(format_args!("{name:?} is no name of a header and is not captured"));
                None
            }
        };
        let mut headers: Vec<Captured> = Vec::new();
        for header in names.into_iter().filter_map(|name| parse(name.as_ref())) {
            if headers.iter().all(|known| known.name != header.name) {
                headers.push(header);
            }
        }
        Self(headers)
    }

    /// An absent header is an absent attribute.
    pub(crate) fn attributes(&self, headers: &HeaderMap, place: Place) -> impl Iterator<Item = KeyValue> {
        self.0.iter().filter_map(move |Captured { name, http, rpc, rpc_trailer }| {
            let key = match place {
                Place::Http => http,
                Place::Rpc => rpc,
                Place::RpcTrailer => rpc_trailer,
            };
            let values: Vec<StringValue> = headers.get_all(name).iter().map(shown).collect();
            let value = Value::Array(Array::String(values));
            headers.contains_key(name).then(|| KeyValue::new(key.clone(), value))
        })
    }
}

fn shown(value: &HeaderValue) -> StringValue {
    if value.is_sensitive() {
        return StringValue::from("REDACTED");
    }
    StringValue::from(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
