//! The head of a request, as hooks and propagators want to see it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::request::Parts;
use http::{Extensions, Uri};
use http_body::Body as _;
use reqwest::{Body, Request};

use crate::client::service;
use crate::config::Config;
use crate::exchange::Call;
use crate::request_body::Counted;

/// Begins a call, with what stands beside the request for us. Tells where the request goes, too.
pub(super) fn begin(
    config: &Arc<Config>,
    request: &mut Request,
    beside: impl FnOnce(&mut Extensions),
) -> (Call, Uri) {
    let mut parts = lend(request);
    beside(&mut parts.extensions);
    if config.body_size_metrics
        && let Some(bytes) = request.body().map_or(Some(0), |body| body.size_hint().exact())
    {
        parts.extensions.insert(Counted(Arc::new(AtomicU64::new(bytes))));
    }
    let call = service::begin(config, &mut parts);
    *request.headers_mut() = parts.headers;
    (call, parts.uri)
}

/// Takes the headers out of the request and copies the rest. reqwest shows its extensions only to
/// whoever takes a request apart, and one that is put together again is not the same any more: its URL
/// has lost its fragment, and has gained a body. So a copy without headers and body is taken apart.
fn lend(request: &mut Request) -> Parts {
    let headers = std::mem::take(request.headers_mut());
    let body = request.body_mut().take();
    let copy = request.try_clone();
    *request.body_mut() = body;
    let copy = copy.and_then(|copy| http::Request::<Body>::try_from(copy).ok());
    let mut parts = copy.map_or_else(|| refused(request), |copy| copy.into_parts().0);
    parts.headers = headers;
    parts
}

/// What can be told of a request whose URL is no URI, which reqwest refuses to send.
fn refused(request: &Request) -> Parts {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.version = request.version();
    parts.uri = Uri::try_from(request.url().origin().ascii_serialization()).unwrap_or_default();
    parts
}
