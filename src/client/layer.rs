use std::sync::Arc;

use http::Uri;
use tower_layer::Layer;

use super::ClientService;
use crate::config::{Config, Hook, Side, shared_setters};
use crate::semconv::url::Scheme;

/// Records a client span and the client's metrics of each outgoing request, and sends the context
/// with it. The [module](crate::client) tells more.
///
/// ```
/// use otelhttp::ClientLayer;
/// use tower::ServiceBuilder;
/// # use http_body_util::Empty;
/// # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
///
/// # let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
/// let client = ServiceBuilder::new().layer(ClientLayer::new()).service(client);
/// # let _ = client;
/// ```
///
/// Configured:
///
/// ```
/// use otelhttp::ClientLayer;
///
/// let layer = ClientLayer::new()
///     .inject_if(|uri| uri.host().is_some_and(|host| host.ends_with(".internal")))
///     .capture_response_headers(["x-cache"]);
/// # let _ = layer;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ClientLayer {
    pub(crate) config: Arc<Config>,
}

impl Default for ClientLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientLayer {
    /// A layer with the defaults, which uses the global providers and propagator.
    pub fn new() -> Self {
        Self { config: Arc::new(Config::new(Side::Client)) }
    }

    /// Says who may know the trace: where it answers no, the request goes out without a context.
    /// What its headers said of one before is taken out then. Default: everybody. Where it panics
    /// nobody. It is asked once for each call: redirects that a client further in follows by itself, as
    /// reqwest does, go out with the headers of the first request, whoever they lead to.
    pub fn inject_if(self, inject: impl Fn(&Uri) -> bool + Send + Sync + 'static) -> Self {
        self.with(|config| config.inject_if = Hook::new(Arc::new(inject)))
    }

    /// Ends the span with the head of the response. Default: with the end of its body.
    pub fn end_at_headers(self, end: bool) -> Self {
        self.with(|config| config.end_at_headers = end)
    }

    /// Folds the hosts in `server.address` of the metrics, for a crawler that calls any number of
    /// them. Where it answers nothing, the host is recorded. Spans have the host itself.
    pub fn metric_server_address(
        self,
        fold: impl Fn(&Uri) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.metric_server_address = Hook::new(Arc::new(fold)))
    }

    /// Says which scheme is used where the URI of a request has none: a client bound to one
    /// connection. Default: `http`. Schemes other than `http` and `https` are ignored.
    #[expect(clippy::needless_pass_by_value, reason = "`scheme(Scheme::HTTPS)` is how it is read")]
    pub fn scheme(self, scheme: http::uri::Scheme) -> Self {
        self.with(|config| config.scheme = Scheme::parse(scheme.as_str()))
    }

    shared_setters!();
}

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClientService::new(inner, self.config.clone())
    }
}
