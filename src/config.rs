//! What a layer was told. Server and client share it: most of it concerns both.

mod headers;
mod setters;

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use http::{Uri, request, response};

pub(crate) use headers::{CapturedHeaders, Place};
pub(crate) use setters::shared_setters;

use crate::address::TrustedProxies;
use crate::exchange::SpanWriter;
use crate::guest::contain;
use crate::head::HasHead;
use crate::metrics::Instruments;
use crate::propagation::Propagation;
use crate::semconv::method::KnownMethods;
use crate::semconv::url::{SENSITIVE_QUERY_KEYS, Scheme};
use crate::signals::{Looks, Meters, Tracer};

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

    /// The same for one that sees the head of the request.
    pub(crate) fn ask_of<T>(
        &self,
        request: &mut impl HasHead,
        call: impl FnOnce(&F, &request::Parts) -> T,
    ) -> Option<T> {
        let function = self.0.as_deref()?;
        request.show(|parts| contain("a hook", || call(function, parts)))
    }

    /// Whether there is somebody to ask.
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
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
    pub(crate) meters: Meters<Instruments>,
    pub(crate) propagation: Propagation,
    pub(crate) looks: Looks,
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
    pub(crate) bound_instruments: bool,
    pub(crate) error_descriptions: bool,
    pub(crate) rpc_status_messages: bool,
    // Only a server asks for these.
    pub(crate) route: OnHead<Option<String>>,
    pub(crate) rpc_methods: BTreeSet<Arc<str>>,
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
            looks: Looks::default(),
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
            bound_instruments: true,
            error_descriptions: false,
            rpc_status_messages: true,
            route: Hook::default(),
            rpc_methods: BTreeSet::new(),
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
