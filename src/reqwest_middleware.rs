//! reqwest-middleware: both of the client's layers as middlewares. The story is told in
//! [`reqwest`](crate::reqwest).

use std::any::Any;
use std::error::Error as StdError;

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use crate::client::attempts::Attempts;
use crate::client::{AttemptsLayer, ClientLayer, UrlTemplate};
use crate::reqwest::ResponseFuture;

/// As a middleware it goes last, so that each retry is a span of its own.
#[async_trait::async_trait]
impl Middleware for ClientLayer {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        // A retry sends the request again with the same extensions: nothing is taken out of them.
        let (attempts, template) = (extensions.get::<Attempts>().cloned(), extensions.get().cloned());
        let beside = |beside: &mut Extensions| {
            attempts.map(|attempts| beside.insert(attempts));
            template.map(|template: UrlTemplate| beside.insert(template));
        };
        ResponseFuture::send(&self.config, request, beside, |request| next.run(request, extensions)).await
    }
}

/// As a middleware it goes before the retries that it counts.
#[async_trait::async_trait]
impl Middleware for AttemptsLayer {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        extensions.insert(Attempts::default());
        next.run(request, extensions).await
    }
}

/// Its text is that of the error within.
pub(crate) fn error(error: &dyn Any) -> Option<&(dyn StdError + 'static)> {
    Some(match error.downcast_ref::<Error>()? {
        Error::Reqwest(error) => error,
        Error::Middleware(error) => error.as_ref(),
    })
}
