use std::fmt::Display;
use std::task::{Context, Poll};

use reqwest::{Request, Response};
use tower_service::Service;

use super::ResponseFuture;
use crate::client::ClientService;

impl<S> Service<Request> for ClientService<S>
where
    S: Service<Request, Response = Response>,
    S::Error: Display + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        ResponseFuture::send(&self.config, request, |_| {}, |request| self.inner.call(request))
    }
}
