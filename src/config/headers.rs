//! Headers that may be recorded.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{Array, Key, KeyValue, StringValue, Value};

use crate::guest::warn;

/// The headers that may be shown, by name, each with the key of its attribute.
#[derive(Clone, Debug, Default)]
pub(crate) struct CapturedHeaders(Vec<(HeaderName, Key)>);

impl CapturedHeaders {
    /// "`http.request.header.<key>`: [...] `<key>` being the normalized HTTP Header name
    /// (lowercase)". What is no name of a header is left out and said.
    pub(crate) fn new(prefix: &str, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let parse = |name: &str| match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Some((Key::from(Arc::<str>::from(format!("{prefix}{name}"))), name)),
            Err(_) => {
                warn(format_args!("{name:?} is no name of a header and is not captured"));
                None
            }
        };
        let mut headers: Vec<(HeaderName, Key)> = Vec::new();
        for (key, name) in names.into_iter().filter_map(|name| parse(name.as_ref())) {
            if headers.iter().all(|(known, _)| *known != name) {
                headers.push((name, key));
            }
        }
        Self(headers)
    }

    /// An absent header is an absent attribute.
    pub(crate) fn attributes(&self, headers: &HeaderMap) -> impl Iterator<Item = KeyValue> {
        self.0.iter().filter_map(|(name, key)| {
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
