use std::task::{Context, Poll};

use reqwest::Request;
use tower_service::Service;

use super::request::Apart;
use crate::client::AttemptsService;
use crate::client::attempts::Attempts;

impl<S: Service<Request>> Service<Request> for AttemptsService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        let mut apart = Apart::of(request);
        apart.parts.extensions.insert(Attempts::default());
        self.inner.call(apart.together())
    }
}
