//! The client's side: [`ClientLayer`] around a service that sends requests.
//!
//! Each request gets one span of kind client and one point in each metric, from the call to the end
//! of the response's body:
//!
//! | what happened | span status | `error.type` | `http.response.status_code` |
//! |---|---|---|---|
//! | 1xx to 3xx | unset | – | yes |
//! | 4xx, 5xx | error | the code | yes |
//! | no response | error | a class (below), or what `on_error` says | – |
//! | the body failed | error | a class (below), or what `on_error` says | yes |
//! | the future was dropped, or a deadline outside of the layer | unset | – | – |
//! | the body was not read, or not to its end | as the status says | – | yes |
//! | 101, or 2xx to a CONNECT | unset; the span ends with the head and has no duration metric | – | yes |
//! | a panic | error | `panic` | if there was one |
//!
//! # Classes of errors
//!
//! The list is closed:
//!
//! | `error.type` | what happened |
//! |---|---|
//! | `dns` | the name does not resolve |
//! | `connect` | no connection: refused, unreachable, or it cannot be told why |
//! | `connect_timeout` | no connection in time |
//! | `tls` | the handshake failed |
//! | `timeout` | a deadline inside of the layer passed |
//! | `reset` | the connection broke before the head of the response |
//! | `protocol` | what came was no HTTP |
//! | `body` | the body of the request or of the response broke off |
//! | `decode` | a body is not compressed as its head says (reqwest) |
//! | `redirect` | too many redirects, or one that was refused (reqwest) |
//! | `overloaded` | tower's `LoadShed` refused it |
//! | `_OTHER` | anything else |
//!
//! hyper's and hyper-util's errors are known with the feature `hyper-util`, reqwest's with `reqwest`, tonic's
//! with `tonic`; `std::io::Error` and boxed errors always are. `dns` and `tls` are read off the error's
//! sources, and `connect` is said where those tell nothing; with the wrappers of the feature `connect`
//! around the connectors the two are sure for calls that have spans.
//!
//! # gRPC
//!
//! A POST with `content-type: application/grpc` is a call of gRPC, and its span ends with the status:
//!
//! | what happened | span status | `error.type` | `rpc.status_code` |
//! |---|---|---|---|
//! | a status, in trailers or in the head | error unless it is `OK` | the status | the status |
//! | a number that is none, or no status | error | `UNKNOWN` | `UNKNOWN` |
//! | an answer that is not gRPC's | error | the status | by its code: 503 is `UNAVAILABLE`, 200 is `UNKNOWN` |
//! | no response, or the body failed | error | a class (above), or what `on_error` says | that of a `tonic::Status` (feature `tonic`), or `DEADLINE_EXCEEDED` for `timeout`, `UNAVAILABLE` for a connection, `UNKNOWN` |
//! | the call was dropped before its status | error | `CANCELLED` | `CANCELLED` |
//! | the same when `grpc-timeout` was over | error | `DEADLINE_EXCEEDED` | `DEADLINE_EXCEEDED` |
//! | a panic | error | `panic` | `UNKNOWN` |
//!
//! Around `tonic::transport::Channel` the layer sees only the path of a request, unless the generated
//! client is made by `with_origin`: without it `server.address` is not known.
//! [`ClientLayer::end_at_headers`] does not concern gRPC: the status comes last.
//!
//! # Where to put it
//!
//! Innermost, so that each attempt of a retry and each redirect is a span of its own, as the
//! conventions ask; [`AttemptsLayer`] outside counts them. A timeout belongs inside if it is to be
//! told from a caller that lost interest.
//!
//! # The context
//!
//! The span's context is sent with the request in place of what its headers said before. Where no
//! span is made the current one's is. [`ClientLayer::inject_if`] keeps it from strangers. While
//! telemetry is suppressed, as it is for exporters, nothing is recorded and nothing is sent.

pub(crate) mod attempts;
mod layer;
mod rpc;
pub(crate) mod service;
mod template;

pub use attempts::{AttemptsLayer, AttemptsService};
pub use layer::ClientLayer;
pub use service::ClientService;
pub use template::UrlTemplate;
