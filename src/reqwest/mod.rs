//! reqwest 0.13: [`ClientLayer`](crate::ClientLayer) around its client, and on its requests.
//!
//! Everything that [`client`](crate::client) says is true here too: one span and one point in each
//! metric for each call, from the call to the end of the response's body, with the context sent
//! along.
//!
//! # With reqwest's own builders
//!
//! ```no_run
//! use otelhttp::reqwest::RequestBuilderExt;
//!
//! # async fn call() -> Result<(), reqwest::Error> {
//! let client = reqwest::Client::new();
//! let text = client.get("http://shop.example/users/7").traced().send().await?.text().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`traced_with`](RequestBuilderExt::traced_with) takes a layer that was configured, and
//! [`url_template`](TracedRequest::url_template) names the span.
//!
//! # As a Tower service
//!
//! ```
//! use otelhttp::ClientLayer;
//! use tower::ServiceBuilder;
//!
//! let client = ServiceBuilder::new().layer(ClientLayer::new()).service(reqwest::Client::new());
//! # let _ = client;
//! ```
//!
//! It is a `Service<reqwest::Request>`, and the response stays a `reqwest::Response`.
//! [`AttemptsLayer`](crate::AttemptsLayer) is one too. A `reqwest::Request` that was made from an
//! `http::Request` has its extensions, so a [`UrlTemplate`](crate::UrlTemplate) goes with it.
//!
//! # As a middleware
//!
//! With the feature `reqwest-middleware` both layers are middlewares of the crate of that name, and
//! read `UrlTemplate` from its extensions. The `ClientLayer` goes last, so that each retry is a span
//! of its own, and an `AttemptsLayer` before the retries counts them:
//!
#![cfg_attr(feature = "reqwest-middleware", doc = "```")]
#![cfg_attr(not(feature = "reqwest-middleware"), doc = "```ignore")]
//! use otelhttp::ClientLayer;
//! use reqwest_middleware::ClientBuilder;
//!
//! let client = ClientBuilder::new(reqwest::Client::new()).with(ClientLayer::new()).build();
//! # let _ = client;
//! ```
//!
//! # Redirects
//!
//! reqwest follows redirects inside of its client, so one call is one span, whatever the number of
//! requests that it took. `url.full`, `server.address` and the name are those of the first request,
//! status, version and peer those of the last response. Where they differ the span tells the URL that
//! answered as `otelhttp.redirect.url`, its secrets redacted. How many redirects it took is seen by
//! the client's policy alone: one that [`count_redirects`] has made tells it as
//! `otelhttp.redirect.count`. For a span of each request let the client follow none, and put
//! `tower_http`'s `FollowRedirectLayer` outside. That is also how
//! [`inject_if`](crate::ClientLayer::inject_if) sees each URL: reqwest sends the first request's headers
//! on to wherever it is redirected.
//!
//! # Errors
//!
//! Those of the call are reqwest's own, untouched. To the [classes](crate::client) it adds
//!
//! | `error.type` | what happened |
//! |---|---|
//! | `redirect` | too many redirects, or one that the policy refused |
//! | `decode` | the body is not compressed as its head says |
//!
//! reqwest's texts hold the whole URL, so none of them is recorded. What fails after the body has come
//! (`json`, `error_for_status`) is between the caller and reqwest: the span has ended as the response
//! was.
//!
//! # What changes
//!
//! The response of a recorded call is put together anew, around a body that is watched. `status`,
//! `version`, `headers`, `url`, `remote_addr`, `content_length`, `extensions` and `upgrade` are what
//! they were. An error of `bytes`, `text`, `json` or `chunk` answers `is_decode`, `is_body`,
//! `is_timeout`, `is_connect`, `status` and `url` as it did; but on the way to its innermost source
//! there are two more errors "request or response body error", which reqwest puts around the errors
//! of every body that it did not make itself. Putting it together takes six allocations, which are
//! reqwest's.
//!
//! With reqwest's compression the body is seen as reqwest hands it out, so its size is that of what
//! was decoded. The size of a request's body is known unless it is a stream of unknown length.

mod attempts;
mod error;
mod extension;
mod future;
mod redirects;
mod request;
mod response;
mod service;

pub(crate) use error::{clue, known_error};
pub use extension::{RequestBuilderExt, TracedRequest};
pub use future::ResponseFuture;
pub use redirects::count_redirects;
