//! OpenTelemetry tracing and metrics for Tower HTTP and gRPC: one layer for servers, one for clients,
//! correct to the end of the body.
//!
//! # From nothing to traces
//!
//! With the feature `telemetry` three lines are enough, and OpenTelemetry's variables say where the traces go:
//! [`telemetry`].
//!
//! ```no_run
//! # #[cfg(feature = "telemetry")]
//! # mod newcomer {
//! use axum::{Router, routing::get};
//! use otelhttp::{ServerLayer, Telemetry};
//!
//! #[tokio::main]
//! # pub
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let _telemetry = Telemetry::from_env().service_name("shop").install()?;
//!     let app = Router::new().route("/", get(|| async { "hello" })).layer(ServerLayer::new());
//!     axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app).await?;
//!     Ok(())
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! # A server in thirty seconds
//!
//! ```
//! use axum::{Router, routing::get};
//! use otelhttp::ServerLayer;
//!
//! let app: Router = Router::new()
//!     .route("/users/{id}", get(|| async { "hello" }))
//!     .layer(ServerLayer::new());
//! ```
//!
//! # A client in thirty seconds
//!
//! ```
//! use http_body_util::Empty;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use otelhttp::ClientLayer;
//! use tower::ServiceBuilder;
//!
//! let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
//! let client = ServiceBuilder::new().layer(ClientLayer::new()).service(client);
//! # let _ = client;
//! ```
//!
//! Both use the global providers, whenever they are set, and work without any: the caller's context
//! flows on.
//!
//! # Where to read on
//!
//! - [`server`] and [`client`]: what a span tells of each ending, and where a layer goes.
//! - [`ServerLayer`] and [`ClientLayer`]: everything that can be chosen.
//! - [`ServerSpan`]: adding to the span from a handler.
//! - [`recorded`]: the attributes and metrics.
//! - [`telemetry`]: where everything goes.
//! - [`propagation`]: context headers.
//! - [`coming_from`]: OpenTracing, OpenCensus and Go's `otelhttp`, call by call.
//! - [`design`]: why things are as they are.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `axum` | yes | recognises `MatchedPath` and `ConnectInfo`; [`ServerSpan`] as an extractor |
//! | `internal-logs` | yes | the crate's few warnings, through the `log` facade |
//! | `bound-instruments` | no | cheaper metrics, with what OpenTelemetry's SDK calls experimental |
//! | `hyper-util` | no | recognises hyper's and hyper-util's errors, and `HttpInfo` |
//! | `connect` | no | the phases of a new connection (DNS, TCP, TLS) and the connections that are open, for hyper-util's connectors |
//! | `reqwest` | no | [`ClientLayer`] around reqwest's client, and `traced` on its requests; with `hyper-util` |
//! | `reqwest-middleware` | no | [`ClientLayer`] and [`AttemptsLayer`] as middlewares; with `reqwest` |
//! | `tonic` | no | recognises tonic's `Status` and its channel's errors; brings `hyper-util` |
//! | `ws` | no | records the life of axum's WebSockets: [`websocket`] |
//! | `telemetry` | no | sets OpenTelemetry up in one line: [`Telemetry`]; the only feature that brings the SDK, with `bound-instruments` |
//! | `telemetry` | no | [`sampling`] by route and by rate |
//! | `b3` | no | [`propagation::B3`], Zipkin's context headers |
//! | `xray` | no | [`propagation::XRay`], those of AWS |
//! | `tracing` | no | trace and span ids on the lines of `tracing`, and those lines as OpenTelemetry's logs: [`log`] |
//!
//! Without default features the crate depends on OpenTelemetry's API and on the traits of Tower and
//! HTTP alone.
// Tests may: there a panic is the message.
#![warn(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
#[cfg(feature = "axum")]
mod axum;
pub mod client;
mod config;
#[cfg(feature = "connect")]
pub mod connect;
mod exchange;
mod guest;
mod head;
mod headers;
#[cfg(feature = "hyper-util")]
mod hyper_util;
#[cfg(feature = "tracing")]
pub mod log;
mod metrics;
pub mod propagation;
mod recognise;
mod request_body;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
#[cfg(feature = "telemetry")]
pub mod sampling;
pub mod semconv;
pub mod server;
mod signals;
#[cfg(feature = "telemetry")]
pub mod telemetry;
#[cfg(feature = "tonic")]
mod tonic;

#[doc = include_str!("docs/coming_from.md")]
pub mod coming_from {
    #[doc = include_str!("docs/coming_from/go_otelhttp.md")]
    pub mod go_otelhttp {}

    #[doc = include_str!("docs/coming_from/opencensus.md")]
    pub mod opencensus {}

    #[doc = include_str!("docs/coming_from/opentracing.md")]
    pub mod opentracing {}
}

#[doc = include_str!("docs/design.md")]
pub mod design {
    #[doc = include_str!("docs/design/speed.md")]
    pub mod speed {}

    #[doc = include_str!("docs/design/telemetry.md")]
    pub mod telemetry {}
}

#[doc = include_str!("docs/recorded.md")]
pub mod recorded {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(feature = "ws")]
pub use self::axum::websocket;
pub use address::{Network, PeerAddr, TrustedProxies};
pub use client::{AttemptsLayer, ClientLayer, ClientService, UrlTemplate};
pub use config::Observe;
pub use exchange::{ResponseBody, ResponseFuture, ServerSpan, SpanWriter};
pub use request_body::{RequestBody, RequestBodyLayer, RequestBodyService};
pub use server::{ServerLayer, ServerService};
#[cfg(feature = "telemetry")]
pub use telemetry::Telemetry;
