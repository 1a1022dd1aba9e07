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
//! | `overloaded` | tower's `LoadShed` refused it |
//! | `_OTHER` | anything else |
//!
//! hyper's and hyper-util's errors are known with the feature `hyper-util`; `std::io::Error` and
//! boxed errors always are.
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

mod attempts;
mod layer;
mod service;
mod template;

pub use attempts::{AttemptsLayer, AttemptsService};
pub use layer::ClientLayer;
pub use service::ClientService;
pub use template::UrlTemplate;
