use std::fmt;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, request};
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
        request: Request<B>,
        begin: fn(&Arc<Config>, &mut request::Parts) -> Call,
    ) -> Self
    where
        S: Service<Request<B>, Future = F>,
    {
        let (mut parts, body) = request.into_parts();
        let mut call = begin(config, &mut parts);
        let request = Request::from_parts(parts, body);
        let inner = call.run(|| service.call(request));
        Self { inner, call }
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
        let this = self.project();
        let result = ready!(this.call.run(|| this.inner.poll(cx)));
        Poll::Ready(match result {
            Ok(response) => Ok(std::mem::replace(this.call, Call::Ended).answer(response)),
            Err(error) => {
                this.call.fail(&error);
                Err(error)
            }
        })
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
