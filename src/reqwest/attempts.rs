use std::task::{Context, Poll};

use http::{Extensions, Uri};
use reqwest::{Body, Request, Url};
use tower_service::Service;

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
        self.inner.call(extend(request, |extensions| drop(extensions.insert(Attempts::default()))))
    }
}

/// reqwest lets nobody at the extensions of a request but who takes it apart. What would not come
/// back as it was stays outside.
fn extend(mut request: Request, extend: impl FnOnce(&mut Extensions)) -> Request {
    // Short, and sure to be a URL and a URI.
    const SOMEWHERE: &str = "http://a/";
    let Ok(somewhere) = Url::parse(SOMEWHERE) else { return request };
    let body = request.body_mut().take();
    let url = std::mem::replace(request.url_mut(), somewhere);
    let (method, version) = (request.method().clone(), request.version());
    let extended = http::Request::<Body>::try_from(request).and_then(|mut request| {
        extend(request.extensions_mut());
        *request.uri_mut() = Uri::from_static(SOMEWHERE);
        Request::try_from(request)
    });
    let mut request = extended.unwrap_or_else(|_| Request::new(method, url.clone()));
    *request.version_mut() = version;
    *request.url_mut() = url;
    *request.body_mut() = body;
    request
}
