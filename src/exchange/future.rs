use std::fmt;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::ResponseBody;
use super::call::Call;
use crate::config::Config;

pin_project! {
    /// The response of a [`ServerService`](crate::ServerService) or a
    /// [`ClientService`](crate::ClientService).
    ///
    /// Dropped before it is ready, it ends the span as cancelled.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        call: Call,
    }
}

impl<F> ResponseFuture<F> {
    /// Calls the service, once `begin` has looked at the head of the request and said what is to be
    /// done with the call.
    pub(crate) fn begin<S, B>(
        config: &Arc<Config>,
        service: &mut S,
        mut request: Request<B>,
        begin: impl FnOnce(&Arc<Config>, &mut Request<B>) -> Call,
    ) -> Self
    where
        S: Service<Request<B>, Future = F>,
    {
        let call = begin(config, &mut request);
        Self::start(call, || service.call(request))
    }

    /// Starts the service's work, as a part of the call.
    pub(crate) fn start(mut call: Call, service: impl FnOnce() -> F) -> Self {
        let inner = call.run(service);
        Self { inner, call }
    }

    /// Polls the service's work, and lets `answer` go on with the call once there is a response.
    pub(crate) fn poll_answer<R, E, W>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        answer: impl FnOnce(Call, R) -> W,
    ) -> Poll<Result<W, E>>
    where
        F: Future<Output = Result<R, E>>,
        E: Display + 'static,
    {
        let this = self.project();
        let result = ready!(this.call.run(|| this.inner.poll(cx)));
        Poll::Ready(match result {
            Ok(response) => Ok(answer(std::mem::replace(this.call, Call::Ended), response)),
            Err(error) => {
                this.call.fail(&error);
                Err(error)
            }
        })
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: Display + 'static,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_answer(cx, Call::answer)
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
