mod response;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;
use tracing::field::Empty;
use tracing::{Span, info_span};

pub use response::{RequestSpanBody, RequestSpanFuture};

use super::bridge_filter::keep_out;
use crate::guest::contain;
use crate::recognise;

/// Makes a span of `tracing` for each request, around its handler and the body of its response.
///
/// It goes inside of the [`ServerLayer`](crate::ServerLayer), and is for the logs alone: see
/// [`BridgeFilter`](super::BridgeFilter).
///
/// ```
/// use axum::{Router, routing::get};
/// use otelhttp::ServerLayer;
/// use otelhttp::log::RequestSpanLayer;
///
/// let app: Router = Router::new()
///     .route("/users/{id}", get(|| async { "hello" }))
///     .layer(RequestSpanLayer::new())
///     .layer(ServerLayer::new());
/// ```
///
/// The span is `request`, of level info, with the fields `http.request.method`, `http.route` if there is
/// one, and, once there is a response, `http.response.status_code`. For others, make it yourself:
///
/// ```
/// use otelhttp::log::RequestSpanLayer;
/// use tracing::{Span, field::Empty, info_span};
///
/// let layer = RequestSpanLayer::new().span(|request| info_span!("request", path = request.uri.path(), user = Empty));
///
/// async fn handler() {
///     Span::current().record("user", "alice");
/// }
/// # let _ = (layer, handler);
/// ```
#[derive(Clone)]
pub struct RequestSpanLayer {
    make: Arc<dyn Fn(&Parts) -> Span + Send + Sync>,
}

impl RequestSpanLayer {
    /// A layer that makes the span described above.
    #[must_use]
    pub fn new() -> Self {
        Self { make: Arc::new(request) }
    }

    /// Makes the span. If it has a field `http.response.status_code`, that is recorded.
    #[must_use]
    pub fn span(self, make: impl Fn(&Parts) -> Span + Send + Sync + 'static) -> Self {
        Self { make: Arc::new(make) }
    }
}

impl Default for RequestSpanLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for RequestSpanLayer {
    type Service = RequestSpanService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestSpanService { inner, layer: self.clone() }
    }
}

impl fmt::Debug for RequestSpanLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSpanLayer").finish_non_exhaustive()
    }
}

/// What [`RequestSpanLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct RequestSpanService<S> {
    inner: S,
    layer: RequestSpanLayer,
}

impl<S, B, R> Service<Request<B>> for RequestSpanService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<RequestSpanBody<R>>;
    type Error = S::Error;
    type Future = RequestSpanFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let make = || keep_out(|| (self.layer.make)(&parts));
        let span = contain("the closure for a request's span", make).unwrap_or_else(Span::none);
        let request = Request::from_parts(parts, body);
        let inner = span.in_scope(|| self.inner.call(request));
        RequestSpanFuture::new(inner, span)
    }
}

fn request(parts: &Parts) -> Span {
    let span = info_span!(
        "request",
        http.request.method = parts.method.as_str(),
        http.route = Empty,
        http.response.status_code = Empty,
    );
    if let Some(route) = recognise::route(&parts.extensions) {
        span.record("http.route", route);
    }
    span
}
