use std::sync::Arc;

use http::request::Parts;
use tower_layer::Layer;

use super::ServerService;
use crate::address::TrustedProxies;
use crate::config::{Config, Hook, Side, shared_setters};
use crate::semconv::url::Scheme;

/// Records a server span and the server's metrics of each request. The [module](crate::server) tells more.
///
/// ```
/// use axum::{Router, routing::get};
/// use otelhttp::ServerLayer;
///
/// let app: Router = Router::new()
///     .route("/users/{id}", get(|| async { "hello" }))
///     .layer(ServerLayer::new());
/// ```
///
/// Configured:
///
/// ```
/// use opentelemetry::KeyValue;
/// use otelhttp::{Observe, ServerLayer, TrustedProxies};
///
/// let layer = ServerLayer::new()
///     .observe(|head| if head.uri.path() == "/healthz" { Observe::MetricsOnly } else { Observe::All })
///     .capture_request_headers(["x-request-id"])
///     .trusted_proxies(TrustedProxies::Hops(1))
///     .on_request(|head, span| {
///         let tenant = head.headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok());
///         span.set_attribute(KeyValue::new("app.tenant", tenant.unwrap_or("none").to_owned()));
///     });
/// # let _ = layer;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ServerLayer {
    config: Arc<Config>,
}

impl Default for ServerLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl ServerLayer {
    /// A layer with the defaults, which uses the global providers and propagator.
    pub fn new() -> Self {
        Self { config: Arc::new(Config::new(Side::Server)) }
    }

    /// Tells the route of a request: a template with few values, or nothing.
    ///
    /// Without it, and where it answers nothing, the route is axum's `MatchedPath` (feature `axum`),
    /// what a layer further in says, or what the handler sets with
    /// [`ServerSpan::set_route`](crate::ServerSpan::set_route).
    pub fn route(self, route: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.with(|config| config.route = Hook::new(Arc::new(route)))
    }

    /// Tells which methods of gRPC exist, as `pkg.Service/Method`; calls of others are `_OTHER`.
    ///
    /// Without it, and for services of which no method is listed, a method exists if the router has a
    /// route for its service (`/pkg.Service/{*rest}`, as tonic makes them) or for itself, and the layer
    /// is inside of that router. Around it, as `tonic::transport::Server::layer` puts it, this list is
    /// all there is.
    pub fn rpc_methods(self, methods: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let methods = methods.into_iter();
        let methods = methods.map(|method| Arc::from(method.as_ref().trim_start_matches('/'))).collect();
        self.with(|config| config.rpc_methods = methods)
    }

    /// Trusts no caller's trace: each request begins a new one, linked to the caller's. The caller's
    /// baggage is dropped. Default: off.
    pub fn public_endpoint(self, public: bool) -> Self {
        self.public_endpoint_if(move |_| public)
    }

    /// Like [`public_endpoint`](Self::public_endpoint), for those requests of which it says so. Where
    /// it panics the caller is not trusted.
    pub fn public_endpoint_if(self, public: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.with(|config| config.public_endpoint = Hook::new(Arc::new(public)))
    }

    /// Says which entries of `Forwarded` and `X-Forwarded-*` are believed. Default: none.
    ///
    /// They tell `client.address`, `server.address`, `server.port` and `url.scheme`.
    pub fn trusted_proxies(self, trusted: TrustedProxies) -> Self {
        self.with(|config| config.trusted_proxies = trusted)
    }

    /// Says which scheme callers use, where the request does not tell: a server behind TLS sees
    /// `https` only in HTTP/2. Default: `http`. Schemes other than `http` and `https` are ignored.
    #[expect(clippy::needless_pass_by_value, reason = "`scheme(Scheme::HTTPS)` is how it is read")]
    pub fn scheme(self, scheme: http::uri::Scheme) -> Self {
        self.with(|config| config.scheme = Scheme::parse(scheme.as_str()))
    }

    /// Tells the caller the span's ids in a `Server-Timing` header of the response
    /// (`traceparent;desc="00-…"`), by which a browser finds the trace of its page. Default: off.
    pub fn server_timing(self, tell: bool) -> Self {
        self.with(|config| config.server_timing = tell)
    }

    /// Says whether a client that goes away is an error (`error.type` is `cancelled`). Default: yes.
    ///
    /// A call of gRPC then ends as `CANCELLED`, which for a server is no error, whatever is said here.
    pub fn cancellation(self, is_error: bool) -> Self {
        self.with(|config| config.cancellation = is_error)
    }

    shared_setters!();
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServerService::new(inner, self.config.clone())
    }
}
