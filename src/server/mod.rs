//! The server's side: [`ServerLayer`] around a service that answers requests.
//!
//! Each request gets one span of kind server and one point in each metric, from the head of the
//! request to the end of the response's body, however that comes about:
//!
//! | what happened | span status | `error.type` | `http.response.status_code` |
//! |---|---|---|---|
//! | 1xx to 4xx, body sent | unset | – | yes |
//! | 5xx | error | the code | yes |
//! | the service failed | error | a class, or what `on_error` says | – |
//! | the body failed | error | a class, or what `on_error` says | yes |
//! | the client went away before a response | error | `cancelled` | – |
//! | the client went away before the end of the body | error | `cancelled` | yes |
//! | HEAD, 204, 304, an empty body, a known length sent whole | as the status says | – | yes |
//! | 101, or 2xx to a CONNECT | unset; the span ends with the head and has no duration metric | – | yes |
//! | a panic | error | `panic` | if there was one |
//!
//! # Where to put it
//!
//! Outermost, so that it sees what the client sees. In axum the layer that is added last is the
//! outermost, and `Router::layer` runs behind the routing, so that the route is known at once. A
//! layer around the whole application (`NormalizePath`, a plain hyper service, `nest_service`) does
//! not know the route; put another one inside the router. The two make one span: the outer one owns
//! it, the inner one adds its route, hooks and captured headers.
//!
//! # The caller's context
//!
//! It is extracted and attached for every request, recorded or not, around `call`, every `poll` and
//! every `poll_frame`, so that whatever the handler does is part of the caller's trace.
//! [`ServerLayer::public_endpoint`] is for servers whose callers are strangers.

mod layer;
mod service;

pub use layer::ServerLayer;
pub use service::ServerService;
