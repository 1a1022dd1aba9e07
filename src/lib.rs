//! OpenTelemetry tracing and metrics for Tower HTTP.
// The gate for all the tests and examples too would only teach them to write `expect("")`.
#![warn(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
#[cfg(feature = "axum")]
mod axum;
pub mod client;
mod config;
mod exchange;
mod guest;
#[cfg(feature = "hyper-util")]
mod hyper_util;
mod metrics;
pub mod propagation;
mod recognise;
mod request_body;
pub mod semconv;
pub mod server;
mod signals;

pub use address::{Network, PeerAddr, TrustedProxies};
pub use client::{AttemptsLayer, ClientLayer, ClientService, UrlTemplate};
pub use config::Observe;
pub use exchange::{ResponseBody, ResponseFuture, ServerSpan, SpanWriter};
pub use request_body::{RequestBody, RequestBodyLayer, RequestBodyService};
pub use server::{ServerLayer, ServerService};
