//! Counting request bodies, for `http.*.request.body.size` where no `Content-Length` tells it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::head::HasHead;
use crate::semconv::body::content_length;

/// Counts the bytes of request bodies that have no `Content-Length`.
///
/// It goes outside of the layer whose `body_size_metrics` it serves. It is a layer of its own since
/// counting changes the type of the body.
///
/// ```
/// use axum::Router;
/// use otelhttp::{RequestBodyLayer, ServerLayer};
///
/// let app: Router = Router::new()
///     .layer(ServerLayer::new().body_size_metrics(true))
///     .layer(RequestBodyLayer::new());
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestBodyLayer(());

impl RequestBodyLayer {
    /// The layer has nothing to be configured.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for RequestBodyLayer {
    type Service = RequestBodyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestBodyService { inner }
    }
}

/// What [`RequestBodyLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct RequestBodyService<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for RequestBodyService<S>
where
    S: Service<Request<RequestBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let count = Arc::new(AtomicU64::new(0));
        request.extensions_mut().insert(Counted(count.clone()));
        self.inner.call(request.map(|inner| RequestBody { inner, count }))
    }
}

pin_project! {
    /// A request body whose bytes are counted as they are read.
    pub struct RequestBody<B> {
        #[pin]
        inner: B,
        count: Arc<AtomicU64>,
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = ready!(this.inner.poll_frame(cx));
        if let Some(Ok(frame)) = &polled {
            let bytes = frame.data_ref().map_or(0, Buf::remaining);
            this.count.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("bytes", &self.count).finish_non_exhaustive()
    }
}

/// How a [`RequestBodyLayer`] tells the layer inside of it what it counts.
#[derive(Clone)]
pub(crate) struct Counted(pub(crate) Arc<AtomicU64>);

/// The size of a request's body, as far as it is known.
#[derive(Debug)]
pub(crate) enum RequestBytes {
    Announced(u64),
    Counted(Arc<AtomicU64>),
}

impl RequestBytes {
    /// Takes out what the layer has put in: calls further in have bodies of their own. Nothing unless it
    /// is wanted.
    pub(crate) fn take(request: &mut impl HasHead, wanted: bool) -> Option<Self> {
        let counted = request.extensions_mut().remove::<Counted>();
        if !wanted {
            return None;
        }
        let announced = content_length(request.head().headers).map(Self::Announced);
        announced.or(counted.map(|counted| Self::Counted(counted.0)))
    }

    pub(crate) fn total(&self) -> u64 {
        match self {
            Self::Announced(bytes) => *bytes,
            Self::Counted(count) => count.load(Ordering::Relaxed),
        }
    }
}
