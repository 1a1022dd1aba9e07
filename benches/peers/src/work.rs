//! The work that is the same for all.

use std::convert::Infallible;
use std::fmt::Debug;
use std::pin::pin;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};

use crate::Setting;

/// Enough to fill every cache and every vector, so that only steady work is counted.
pub(crate) const WARM_UP: u32 = 200;

pub(crate) fn router() -> Router {
    Router::new().route("/users/{id}", get(|Path(id): Path<String>| async move { id }))
}

/// What a client calls.
pub(crate) fn upstream()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone {
    tower::service_fn(|request: Request<Body>| async { Ok(Response::new(request.into_body())) })
}

/// A request to a server: five ordinary headers and the caller's context.
pub(crate) fn request(setting: Setting) -> Request<Body> {
    let mut request = plain_request("http://shop.example/users/7");
    let flags = if setting.mode.is_sampled() { "01" } else { "00" };
    let parent = ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-", flags].concat();
    request.headers_mut().insert("traceparent", parent.parse().expect("a header value"));
    request
}

/// A request as a client's caller makes it: five ordinary headers.
pub(crate) fn plain_request<B: Default>(uri: &str) -> Request<B> {
    Request::get(uri)
        .header("host", "shop.example")
        .header("accept", "*/*")
        .header("accept-encoding", "gzip")
        .header("accept-language", "en")
        .header("user-agent", "curl/8.0")
        .body(B::default())
        .expect("a request")
}

/// Counts the cost of so many requests.
pub(crate) struct Stopwatch<S> {
    pub(crate) start: S,
    pub(crate) requests: u32,
}

impl<S: FnOnce() -> F, F: FnOnce(u32) -> String> Stopwatch<S> {
    pub(crate) async fn run<T, A, B>(self, mut service: T, request: impl Fn() -> Request<A>) -> String
    where
        T: Service<Request<A>, Response = Response<B>, Error: Debug>,
        B: http_body::Body<Error: Debug>,
    {
        send(&mut service, &request, WARM_UP).await;
        let tell = (self.start)();
        send(&mut service, &request, self.requests).await;
        tell(self.requests)
    }
}

async fn send<T, A, B>(service: &mut T, request: impl Fn() -> Request<A>, requests: u32)
where
    T: Service<Request<A>, Response = Response<B>, Error: Debug>,
    B: http_body::Body<Error: Debug>,
{
    for _ in 0..requests {
        let response = service.ready().await.expect("ready").call(request()).await.expect("a response");
        assert!(response.status().is_success(), "{}", response.status());
        let mut body = pin!(response.into_body());
        while let Some(frame) = body.frame().await {
            frame.expect("a frame");
        }
    }
}
