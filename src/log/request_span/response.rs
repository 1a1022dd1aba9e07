use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span};

pin_project! {
    /// The response of a [`RequestSpanService`](super::RequestSpanService).
    ///
    /// The span is entered while it is polled and while it is dropped.
    pub struct RequestSpanFuture<F> {
        #[pin]
        inner: Instrumented<F>,
    }
}

impl<F> RequestSpanFuture<F> {
    pub(super) fn new(inner: F, span: Span) -> Self {
        Self { inner: inner.instrument(span) }
    }
}

impl<F, B, E> Future for RequestSpanFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<RequestSpanBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let response = ready!(this.inner.as_mut().poll(cx))?;
        let span = this.inner.span();
        span.record("http.response.status_code", response.status().as_u16());
        Poll::Ready(Ok(response.map(|body| RequestSpanBody::new(body, span.clone()))))
    }
}

impl<F> fmt::Debug for RequestSpanFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSpanFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of a response, in the span of its request.
    ///
    /// The span is entered while it is polled and while it is dropped.
    pub struct RequestSpanBody<B> {
        #[pin]
        inner: Instrumented<B>,
    }
}

impl<B> RequestSpanBody<B> {
    fn new(inner: B, span: Span) -> Self {
        Self { inner: inner.instrument(span) }
    }
}

impl<B: Body> Body for RequestSpanBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let inner = self.project().inner;
        // The body cannot be borrowed from what lends its span.
        let span = inner.span().clone();
        span.in_scope(|| inner.inner_pin_mut().poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.inner().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.inner().size_hint()
    }
}

/// A body that stands in for one that was never there, as `tower_http` asks of its bodies.
impl<B: Default> Default for RequestSpanBody<B> {
    fn default() -> Self {
        Self::new(B::default(), Span::none())
    }
}

impl<B> fmt::Debug for RequestSpanBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSpanBody").finish_non_exhaustive()
    }
}
