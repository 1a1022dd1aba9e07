//! `http.request.method`, `http.request.method_original` and the names of spans.

use std::borrow::Cow;

use http::Method;

use super::OTHER;
use super::intern::{self, Text};

/// RFC 9110, RFC 5789 (PATCH) and QUERY, as the conventions list them.
const STANDARD: [&str; 10] =
    ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "QUERY", "CONNECT", "TRACE"];

/// The variable that replaces the list of known methods.
pub(crate) const ENV: &str = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";

/// The methods that may become a value of an attribute.
#[derive(Clone, Debug)]
pub(crate) struct KnownMethods(Vec<&'static str>);

impl KnownMethods {
    pub(crate) fn new(methods: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let known = |method: &str| standard(method).unwrap_or_else(|| intern::for_ever(method));
        Self(methods.into_iter().map(|method| known(method.as_ref().trim())).collect())
    }

    /// "This environment variable MUST be named `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` and
    /// support a comma-separated list of case-sensitive known HTTP methods (this list MUST be a
    /// full override of the default known methods)." An empty value counts as unset.
    pub(crate) fn from_env(read: impl Fn(&str) -> Option<String>) -> Self {
        let value = read(ENV).unwrap_or_default();
        let mut methods = value.split(',').map(str::trim).filter(|method| !method.is_empty()).peekable();
        if methods.peek().is_none() {
            return Self(STANDARD.to_vec());
        }
        Self::new(methods)
    }

    /// "HTTP method names are case-sensitive [...] If the HTTP request method is not known to
    /// instrumentation, it MUST set the `http.request.method` attribute to `_OTHER`."
    pub(crate) fn label(&self, method: &Method) -> MethodLabel {
        let method = method.as_str();
        MethodLabel(self.0.iter().copied().find(|known| *known == method))
    }
}

fn standard(method: &str) -> Option<&'static str> {
    STANDARD.iter().copied().find(|standard| *standard == method)
}

/// A method as it may be shown: itself when it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MethodLabel(Option<&'static str>);

impl MethodLabel {
    /// The value of `http.request.method`.
    pub(crate) fn value(self) -> &'static str {
        self.0.unwrap_or(OTHER)
    }

    /// "If and only if it's different than `http.request.method`."
    pub(crate) fn original(self, method: &Method) -> Option<String> {
        self.0.is_none().then(|| method.as_str().to_owned())
    }

    /// "HTTP span names SHOULD be `{method} {target}` if there is a (low-cardinality) `target`
    /// available. If there is no (low-cardinality) `{target}` available, HTTP span names SHOULD be
    /// `{method}`. [...] `{method}` MUST be `{http.request.method}` if the method represents the
    /// original method known to the instrumentation. In other cases [...] `{method}` MUST be
    /// `HTTP`."
    pub(crate) fn span_name(self, target: Option<&str>) -> SpanName {
        let method = self.0.unwrap_or("HTTP");
        let Some(target) = target else { return SpanName { name: Cow::Borrowed(method), target: None } };
        let (name, target) = intern::name(method, target);
        SpanName { name, target: Some(target) }
    }
}

/// The name of a span, and the route or template that is in it.
#[derive(Debug)]
pub(crate) struct SpanName {
    pub(crate) name: Cow<'static, str>,
    pub(crate) target: Option<Text>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unset(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn only_known_methods_are_values_and_case_counts() {
        let known = KnownMethods::from_env(unset);
        for (method, value, original, name) in [
            ("GET", "GET", None, "GET /x"),
            ("QUERY", "QUERY", None, "QUERY /x"),
            ("FOO", "_OTHER", Some("FOO"), "HTTP /x"),
            ("get", "_OTHER", Some("get"), "HTTP /x"),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let label = known.label(&method);
            assert_eq!(label.value(), value);
            assert_eq!(label.original(&method).as_deref(), original);
            assert_eq!(label.span_name(Some("/x")).name, name);
        }
    }

    #[test]
    fn without_a_target_the_name_is_the_method() {
        let known = KnownMethods::new(["FOO", "GET"]);
        assert_eq!(known.label(&Method::GET).span_name(None).name, "GET");
        assert_eq!(known.label(&Method::from_bytes(b"FOO").unwrap()).span_name(None).name, "FOO");
        assert_eq!(known.label(&Method::PUT).span_name(None).name, "HTTP");
    }

    #[test]
    fn the_environment_replaces_the_list_whole() {
        let read = |name: &str| (name == ENV).then(|| " GET, FOO ,,".to_owned());
        let known = KnownMethods::from_env(read);
        assert_eq!(known.label(&Method::GET).value(), "GET");
        assert_eq!(known.label(&Method::from_bytes(b"FOO").unwrap()).value(), "FOO");
        assert_eq!(known.label(&Method::POST).value(), OTHER);
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let known = KnownMethods::from_env(|_| Some(" , ".to_owned()));
        assert_eq!(known.label(&Method::POST).value(), "POST");
    }
}
