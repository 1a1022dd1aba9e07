use std::fmt;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, Uri};
use pin_project_lite::pin_project;
use reqwest::{Request, Response};

use super::redirects::{self, LastRedirect};
use super::{request, response};
use crate::config::Config;
use crate::exchange;

pin_project! {
    /// The response of reqwest's client, or of a service around it.
    ///
    /// Dropped before it is ready, it ends the span.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: exchange::ResponseFuture<F>,
        asked: Uri,
        last_redirect: LastRedirect,
    }
}

impl<F> ResponseFuture<F> {
    /// Sends a request, with what stands beside it for us.
    pub(crate) fn send(
        config: &Arc<Config>,
        request: Request,
        beside: impl FnOnce(&mut Extensions),
        send: impl FnOnce(Request) -> F,
    ) -> Self {
        let (call, asked, request) = request::begin(config, request, beside);
        let inner = exchange::ResponseFuture::start(call, || send(request));
        Self { inner, asked, last_redirect: LastRedirect::default() }
    }
}

impl<F, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response, E>>,
    E: Display + 'static,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _watched = redirects::watch(this.last_redirect);
        this.inner.poll_answer(cx, |call, response| response::answer(call, response, this.asked))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
