//! The request whose cost is counted, and what it is sent through.

#[path = "forget.rs"]
mod forget;

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use http::{Request, Response};
use http_body_util::BodyExt;
use opentelemetry::global;
use tower::Service;

/// Sets both providers.
pub(crate) fn configure() {
    global::set_tracer_provider(forget::tracer_provider());
    global::set_meter_provider(forget::meter_provider());
}

/// What a server's layer goes around.
pub(crate) fn router() -> Router {
    Router::new().route("/users/{id}", get(|Path(id): Path<String>| async move { id }))
}

/// What a client's layer goes around.
pub(crate) fn upstream()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone {
    tower::service_fn(|request: Request<Body>| async { Ok(Response::new(request.into_body())) })
}

/// A parent, and five ordinary headers.
pub(crate) fn request(is_sampled: bool) -> Request<Body> {
    let flags = if is_sampled { "01" } else { "00" };
    Request::get("http://shop.example/users/7")
        .header("traceparent", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-", flags].concat())
        .header("host", "shop.example")
        .header("accept", "*/*")
        .header("accept-encoding", "gzip")
        .header("accept-language", "en")
        .header("user-agent", "curl/8.0")
        .body(Body::empty())
        .expect("a request")
}

/// From the call to the end of the body.
pub(crate) async fn finish<S, B>(service: &mut S, request: Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body,
{
    std::future::poll_fn(|cx| service.poll_ready(cx)).await.expect("infallible");
    let response = service.call(request).await.expect("infallible");
    let mut body = std::pin::pin!(response.into_body());
    while body.frame().await.is_some() {}
}
