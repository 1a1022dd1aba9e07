//! A request of reqwest, taken apart for hooks and propagators, and put together again.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::request::Parts;
use http::{Extensions, Uri};
use http_body::Body as _;
use reqwest::{Body, Request, Url};

use crate::client::service;
use crate::config::Config;
use crate::exchange::Call;
use crate::request_body::Counted;

/// Begins a call, with what stands beside the request for us. Tells where the request goes, too.
pub(super) fn begin(
    config: &Arc<Config>,
    request: Request,
    beside: impl FnOnce(&mut Extensions),
) -> (Call, Uri, Request) {
    let mut apart = Apart::of(request);
    beside(&mut apart.parts.extensions);
    if config.body_size_metrics
        && let Some(bytes) = apart.body.as_ref().map_or(Some(0), |body| body.size_hint().exact())
    {
        apart.parts.extensions.insert(Counted(Arc::new(AtomicU64::new(bytes))));
    }
    let call = service::begin(config, &mut apart.parts);
    let asked = apart.parts.uri.clone();
    (call, asked, apart.together())
}

/// Its head as `http` has it, the only way to its extensions; and beside it what would not come back as
/// it was: a URL loses its fragment, and a body appears where there was none.
pub(super) struct Apart {
    pub(super) parts: Parts,
    url: Url,
    body: Option<Body>,
    timeout: Option<Duration>,
}

impl Apart {
    pub(super) fn of(mut request: Request) -> Self {
        let (url, timeout) = (request.url().clone(), request.timeout().copied());
        let (method, version) = (request.method().clone(), request.version());
        let headers = std::mem::take(request.headers_mut());
        let body = request.body_mut().take();
        let taken = http::Request::<Body>::try_from(request);
        let (mut parts, _) = taken.unwrap_or_else(|_| refused(&url)).into_parts();
        parts.method = method;
        parts.version = version;
        parts.headers = headers;
        Self { parts, url, body, timeout }
    }

    pub(super) fn together(self) -> Request {
        let Self { parts, url, body, timeout } = self;
        let mut request = match carry(parts.extensions) {
            Some(mut request) => {
                *request.method_mut() = parts.method;
                *request.url_mut() = url;
                request
            }
            None => Request::new(parts.method, url),
        };
        *request.headers_mut() = parts.headers;
        *request.version_mut() = parts.version;
        *request.body_mut() = body;
        if request.timeout() != timeout.as_ref() {
            *request.timeout_mut() = timeout;
        }
        request
    }
}

/// A request with these extensions, if there are any: most have none, and are cheaper made anew.
fn carry(extensions: Extensions) -> Option<Request> {
    if extensions.is_empty() {
        return None;
    }
    let mut request = http::Request::new(Body::default());
    *request.extensions_mut() = extensions;
    // The shortest that is both URI and URL.
    *request.uri_mut() = Uri::from_static("a:1");
    Request::try_from(request).ok()
}

/// What can be told of a request whose URL is no URI, which reqwest refuses to send.
fn refused(url: &Url) -> http::Request<Body> {
    let mut request = http::Request::new(Body::default());
    let origin = url.origin();
    if origin.is_tuple() {
        *request.uri_mut() = Uri::try_from(origin.ascii_serialization()).unwrap_or_default();
    }
    request
}
