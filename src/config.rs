//! What a layer was told. Server and client share it: most of it concerns both.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, request, response};
use opentelemetry::{Array, Key, KeyValue, StringValue, Value};

use crate::address::TrustedProxies;
use crate::exchange::SpanWriter;
use crate::guest::{contain, warn};
use crate::propagation::Propagation;
use crate::semconv::method::KnownMethods;
use crate::semconv::url::{SENSITIVE_QUERY_KEYS, Scheme};
use crate::signals::{Meters, Tracer};

/// Which end of the wire we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
}

/// How much of a call is recorded. Whatever the answer, the context is passed on, so that the trace
/// does not end here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observe {
    /// A span and metrics.
    #[default]
    All,
    /// Metrics, but no span.
    MetricsOnly,
    /// Nothing.
    Nothing,
}

impl From<bool> for Observe {
    /// All or nothing.
    fn from(all: bool) -> Self {
        if all { Self::All } else { Self::Nothing }
    }
}

/// A function of the user's. It is only called through `ask`, where a panic of it ends.
pub(crate) struct Hook<F: ?Sized>(Option<Arc<F>>);

impl<F: ?Sized> Hook<F> {
    pub(crate) fn new(function: Arc<F>) -> Self {
        Self(Some(function))
    }

    pub(crate) fn ask<T>(&self, call: impl FnOnce(&F) -> T) -> Option<T> {
        let function = self.0.as_deref()?;
        contain("a hook", || call(function))
    }
}

impl<F: ?Sized> Clone for Hook<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: ?Sized> Default for Hook<F> {
    fn default() -> Self {
        Self(None)
    }
}

pub(crate) type OnRequest = Hook<dyn Fn(&request::Parts, &SpanWriter<'_>) + Send + Sync>;
pub(crate) type OnResponse = Hook<dyn Fn(&response::Parts, &SpanWriter<'_>) + Send + Sync>;
pub(crate) type OnError = Hook<dyn Fn(&dyn Any, &SpanWriter<'_>) + Send + Sync>;
pub(crate) type OnUri<T> = Hook<dyn Fn(&Uri) -> T + Send + Sync>;
pub(crate) type OnHead<T> = Hook<dyn Fn(&request::Parts) -> T + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) side: Side,
    pub(crate) tracer: Tracer,
    pub(crate) meters: Meters,
    pub(crate) propagation: Propagation,
    pub(crate) observe: OnHead<Observe>,
    pub(crate) on_request: OnRequest,
    pub(crate) on_response: OnResponse,
    pub(crate) on_error: OnError,
    pub(crate) request_headers: CapturedHeaders,
    pub(crate) response_headers: CapturedHeaders,
    pub(crate) known_methods: KnownMethods,
    pub(crate) sensitive_query_keys: Vec<Cow<'static, str>>,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) metrics: bool,
    pub(crate) body_size_metrics: bool,
    pub(crate) error_descriptions: bool,
    // Only a server asks for these.
    pub(crate) route: OnHead<Option<String>>,
    pub(crate) public_endpoint: OnHead<bool>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) server_timing: bool,
    pub(crate) cancellation: bool,
    // Only a client asks for these.
    pub(crate) inject_if: OnUri<bool>,
    pub(crate) metric_server_address: OnUri<Option<String>>,
    pub(crate) end_at_headers: bool,
}

impl Config {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            tracer: Tracer::default(),
            meters: Meters::default(),
            propagation: Propagation::default(),
            observe: Hook::default(),
            on_request: Hook::default(),
            on_response: Hook::default(),
            on_error: Hook::default(),
            request_headers: CapturedHeaders::default(),
            response_headers: CapturedHeaders::default(),
            known_methods: KnownMethods::from_env(|name| std::env::var(name).ok()),
            sensitive_query_keys: SENSITIVE_QUERY_KEYS.map(Cow::Borrowed).to_vec(),
            scheme: None,
            metrics: true,
            body_size_metrics: false,
            error_descriptions: false,
            route: Hook::default(),
            public_endpoint: Hook::default(),
            trusted_proxies: TrustedProxies::default(),
            server_timing: false,
            cancellation: true,
            inject_if: Hook::default(),
            metric_server_address: Hook::default(),
            end_at_headers: false,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("side", &self.side)
            .field("propagation", &self.propagation)
            .field("trusted_proxies", &self.trusted_proxies)
            .field("metrics", &self.metrics)
            .field("body_size_metrics", &self.body_size_metrics)
            .finish_non_exhaustive()
    }
}

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
        let headers = names.into_iter().filter_map(|name| parse(name.as_ref()));
        Self(headers.map(|(key, name)| (name, key)).collect())
    }

    /// An absent header is an absent attribute.
    pub(crate) fn attributes(&self, headers: &HeaderMap) -> impl Iterator<Item = KeyValue> {
        self.0.iter().filter_map(|(name, key)| {
            let values: Vec<StringValue> = headers.get_all(name).iter().map(shown).collect();
            let value = Value::Array(Array::String(values));
            headers.contains_key(name).then(|| KeyValue::new(key.clone(), value))
        })
    }

    pub(crate) fn contains(&self, key: &Key) -> bool {
        self.0.iter().any(|(_, captured)| captured == key)
    }
}

fn shown(value: &HeaderValue) -> StringValue {
    if value.is_sensitive() {
        return StringValue::from("REDACTED");
    }
    StringValue::from(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The setters that both layers have. Each layer is an `Arc<Config>` in a field of that name.
macro_rules! shared_setters {
    () => {
        /// Makes spans with this provider instead of the global one.
        pub fn tracer_provider<P, T, S>(self, provider: P) -> Self
        where
            P: opentelemetry::trace::TracerProvider<Tracer = T>,
            T: opentelemetry::trace::Tracer<Span = S> + Send + Sync + 'static,
            S: opentelemetry::trace::Span + Send + Sync + 'static,
        {
            let tracer = provider.tracer_with_scope($crate::signals::scope());
            let tracer = opentelemetry::global::BoxedTracer::new(Box::new(tracer));
            self.with(|config| config.tracer = $crate::signals::Tracer::Given(tracer.into()))
        }

        /// Records metrics with this provider instead of the global one.
        pub fn meter_provider(self, provider: impl opentelemetry::metrics::MeterProvider) -> Self {
            let meter = provider.meter_with_scope($crate::signals::scope());
            let instruments = std::sync::OnceLock::new();
            self.with(|config| config.meters = $crate::signals::Meters::Given { meter, instruments })
        }

        /// Reads and writes the context with this propagator instead of the global one.
        pub fn propagator(
            self,
            propagator: impl opentelemetry::propagation::TextMapPropagator + Send + Sync + 'static,
        ) -> Self {
            let given = $crate::propagation::Propagation::Given(std::sync::Arc::new(propagator));
            self.with(|config| config.propagation = given)
        }

        /// Decides how much of a call is recorded: `true`, `false`, or an [`Observe`](crate::Observe). Default:
        /// everything of every call.
        ///
        /// The context is passed on in every case.
        pub fn observe<O: Into<$crate::Observe>>(
            self,
            observe: impl Fn(&http::request::Parts) -> O + Send + Sync + 'static,
        ) -> Self {
            let observe: std::sync::Arc<dyn Fn(&http::request::Parts) -> $crate::Observe + Send + Sync> =
                std::sync::Arc::new(move |parts| observe(parts).into());
            self.with(|config| config.observe = $crate::config::Hook::new(observe))
        }

        /// Is called with the head of each recorded request, after the span has started.
        pub fn on_request(
            self,
            hook: impl Fn(&http::request::Parts, &$crate::SpanWriter<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.with(|config| config.on_request = $crate::config::Hook::new(std::sync::Arc::new(hook)))
        }

        /// Is called with the head of each response to a recorded request.
        pub fn on_response(
            self,
            hook: impl Fn(&http::response::Parts, &$crate::SpanWriter<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.with(|config| config.on_response = $crate::config::Hook::new(std::sync::Arc::new(hook)))
        }

        /// Is called with each error of the service or of a response's body, to name it with
        /// [`SpanWriter::error`](crate::SpanWriter::error).
        ///
        /// The error comes as the type that the service or the body has for it, to be downcast. That
        /// may be `Box<dyn Error + Send + Sync>`.
        pub fn on_error(
            self,
            hook: impl Fn(&dyn std::any::Any, &$crate::SpanWriter<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.with(|config| config.on_error = $crate::config::Hook::new(std::sync::Arc::new(hook)))
        }

        /// Records these request headers as `http.request.header.<name>`. Default: none.
        ///
        /// A value that is marked sensitive is recorded as `REDACTED`.
        pub fn capture_request_headers(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
            let headers = $crate::config::CapturedHeaders::new($crate::semconv::HTTP_REQUEST_HEADER, names);
            self.with(|config| config.request_headers = headers)
        }

        /// Records these response headers as `http.response.header.<name>`. Default: none.
        ///
        /// A value that is marked sensitive is recorded as `REDACTED`.
        pub fn capture_response_headers(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
            let headers = $crate::config::CapturedHeaders::new($crate::semconv::HTTP_RESPONSE_HEADER, names);
            self.with(|config| config.response_headers = headers)
        }

        /// Replaces the methods that are recorded under their own name; all others are `_OTHER`.
        ///
        /// Default: the list in `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`, or else the methods of
        /// RFC 9110, PATCH and QUERY.
        pub fn known_methods(self, methods: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
            let methods = $crate::semconv::method::KnownMethods::new(methods);
            self.with(|config| config.known_methods = methods)
        }

        /// Replaces the query parameters whose values are recorded as `REDACTED`.
        ///
        /// Default: `AWSAccessKeyId`, `Signature`, `sig`, `X-Goog-Signature`, `X-Amz-Signature`,
        /// `X-Amz-Credential` and `X-Amz-Security-Token`. The case counts.
        pub fn sensitive_query_keys(self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
            let keys = keys.into_iter().map(|key| std::borrow::Cow::Owned(key.into())).collect();
            self.with(|config| config.sensitive_query_keys = keys)
        }

        /// Switches metrics on or off. Default: on.
        pub fn metrics(self, record: bool) -> Self {
            self.with(|config| config.metrics = record)
        }

        /// Records the sizes of bodies too. Default: off.
        ///
        /// A response's is counted. A request's is its `Content-Length`, or counted by a
        /// [`RequestBodyLayer`](crate::RequestBodyLayer) outside of this layer, or else not recorded.
        pub fn body_size_metrics(self, record: bool) -> Self {
            self.with(|config| config.body_size_metrics = record)
        }

        /// Records the texts of unknown errors as descriptions of the span's status. Default: off,
        /// since they may hold what is secret.
        pub fn error_descriptions(self, record: bool) -> Self {
            self.with(|config| config.error_descriptions = record)
        }

        fn with(mut self, set: impl FnOnce(&mut $crate::config::Config)) -> Self {
            set(std::sync::Arc::make_mut(&mut self.config));
            self
        }
    };
}

pub(crate) use shared_setters;
