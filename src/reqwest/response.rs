//! The response of reqwest, seen and put together again around a body that is watched.

use http::Uri;
use http::response::{Builder, Parts};
use reqwest::{Body, Response, ResponseBuilderExt};

use super::redirects;
use crate::exchange::{Call, ResponseBody};
use crate::recognise::Lease;

pub(super) fn answer(mut call: Call, mut response: Response, asked: &Uri) -> Response {
    if let Call::Recorded(owner) = &call {
        redirects::note(owner.exchange(), asked, &response);
    } else {
        return response;
    }
    let length = call.run(|| response.content_length());
    lend(&mut response, |parts| call.answered(parts, length, length == Some(0)));
    // Without a body to be watched the response stays as it is.
    if matches!(call, Call::Ended) { response } else { rebuild(response, call) }
}

fn lend(response: &mut Response, see: impl FnOnce(&mut Parts)) {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = response.status();
    parts.version = response.version();
    parts.headers = std::mem::take(response.headers_mut());
    parts.extensions = std::mem::take(response.extensions_mut());
    see(&mut parts);
    *response.headers_mut() = parts.headers;
    *response.extensions_mut() = parts.extensions;
}

fn rebuild(response: Response, call: Call) -> Response {
    let url = response.url().clone();
    let (mut parts, body) = http::Response::<Body>::from(response).into_parts();
    let body = Body::wrap(ResponseBody::new(body, call, Lease::default()));
    // The URL travels as an extension whose type is private.
    let mut builder = Builder::new();
    if let Some(extensions) = builder.extensions_mut() {
        *extensions = std::mem::take(&mut parts.extensions);
    }
    if let Some(extensions) = builder.url(url).extensions_mut() {
        parts.extensions = std::mem::take(extensions);
    }
    http::Response::from_parts(parts, body).into()
}
