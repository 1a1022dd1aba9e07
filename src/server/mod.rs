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
//! # gRPC
//!
//! A POST with `content-type: application/grpc` is a call of gRPC, and its span ends with the status:
//!
//! | what happened | span status | `error.type` | `rpc.status_code` |
//! |---|---|---|---|
//! | a status, in trailers or in the head | error if it is `UNKNOWN`, `DEADLINE_EXCEEDED`, `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE` or `DATA_LOSS` | the status | the status |
//! | a number that is none, or no status | error | `UNKNOWN` | `UNKNOWN` |
//! | an answer that is not gRPC's | error, mostly | the status | what clients take it for: `UNIMPLEMENTED` for 404 |
//! | the client went away | unset | – | `CANCELLED` |
//! | the client went away when `grpc-timeout` was over | error | `DEADLINE_EXCEEDED` | `DEADLINE_EXCEEDED` |
//! | the service or the body failed | error | a class, or what `on_error` says | that of a `tonic::Status` (feature `tonic`), or `DEADLINE_EXCEEDED` for `timeout`, `UNAVAILABLE` for a connection, `UNKNOWN` |
//! | a panic | error | `panic` | `UNKNOWN` |
//!
//! A method is told by name if it is known to exist ([`ServerLayer::rpc_methods`], or the router).
//!
//! # Where to put it
//!
//! Outermost, so that it sees what the client sees. In axum the layer that is added last is the
//! outermost, and `Router::layer` runs behind the routing, so that the route is known at once. A
//! layer around the whole application (`NormalizePath`, a plain hyper service, `nest_service`) does
//! not know the route; put another one inside the router. The two make one span: the outer one owns
//! it, the inner one adds its route, hooks and captured headers.
//!
//! # Other layers
//!
//! | layer | inside of this one | outside |
//! |---|---|---|
//! | `HandleErrorLayer` | its response; the handler may take a [`ServerSpan`](crate::ServerSpan) | the error, and no status code |
//! | a timeout of tower | `timeout` | `cancelled`: the future is dropped |
//! | a timeout of tower-http | its response | `cancelled` |
//! | `CatchPanicLayer` | its response: 500 | `panic`, and no status code |
//! | load shedding | `overloaded` | no span: the request does not come here |
//! | retries | one span; each attempt has the handle | a span of each attempt; a response with a body that is thrown away is `cancelled` |
//! | a buffer | the error of the service behind it; `_OTHER` if its worker died | nothing changes |
//! | a limit | waiting is part of the span, except within one `ServiceBuilder` | waiting is not part of it |
//! | compression | the bytes on the wire | the handler's bytes |
//! | decompression of requests | the bytes on the wire | the handler's bytes, with a [`RequestBodyLayer`](crate::RequestBodyLayer) between, or else nothing |
//!
//! The last two rows are the sizes of bodies, where those are recorded
//! ([`ServerLayer::body_size_metrics`]). The conventions ask for the compressed size. Within one
//! `ServiceBuilder` a limit makes this layer wait before the request is there, and a buffer between two
//! of these layers makes two spans: its worker calls the inner one outside of the request.
//!
//! Errors are named as a [client's](crate::client) are.
//!
//! # The caller's context
//!
//! It is extracted and attached for every request, recorded or not, around `call`, every `poll` and
//! every `poll_frame`, so that whatever the handler does is part of the caller's trace.
//! [`ServerLayer::public_endpoint`] is for servers whose callers are strangers.

mod layer;
mod rpc;
mod service;

pub use layer::ServerLayer;
pub use service::ServerService;
