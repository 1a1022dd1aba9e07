//! Lines of `tracing` that know their request (feature `tracing`).
//!
//! While a request is handled its span is current ([`opentelemetry::Context`]), in the handler, in what the
//! handler awaits and in the body. So a line that is written there can name it, without a span of
//! `tracing`:
//!
//! ```
//! use otelhttp::log::TraceFormat;
//!
//! tracing_subscriber::fmt().compact().map_event_format(TraceFormat::text).init();
//! ```
//!
//! ```text
//! 2026-11-29T13:18:59.123456Z  INFO shop: sold item=7 trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 trace_flags=01
//! ```
//!
//! With JSON ([`TraceFormat::json`]) the ids are members of the object. The names are those of the
//! [specification](https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/).
//!
//! | where | ids |
//! |---|---|
//! | in a request, and in the body of its response | those of the server's span |
//! | in an `#[instrument]` span, with `tracing-opentelemetry` | those of that span |
//! | in a task that was spawned with the context, as by `future.with_context(Context::current())` | the same as where the context was taken |
//! | in a task that was spawned without it | none; `in_current_span()` is enough only where the span is one of `tracing-opentelemetry` |
//! | in a request whose trace is not sampled | those that go on to the next service, with `trace_flags=00`: the lines of a request belong together, though no backend has its trace |
//! | where nothing is traced, but the caller sent a context | the caller's |
//! | in a destructor, when a request is cancelled and its future is dropped | none |
//! | in a destructor at the end of a thread | none |
//! | outside of requests | none |
//!
//! # As OpenTelemetry's logs
//!
//! [`LogLayer`] hands the lines to a logger provider, and the context with them:
//!
//! ```
//! use opentelemetry_sdk::logs::SdkLoggerProvider;
//! use otelhttp::log::LogLayer;
//! use tracing_subscriber::layer::SubscriberExt;
//!
//! let provider = SdkLoggerProvider::builder().build();
//! let subscriber = tracing_subscriber::registry().with(LogLayer::new(&provider));
//! # let _ = subscriber;
//! ```
//!
//! Where [`Telemetry`](crate::Telemetry) sets the provider up, its parts have that
//! [layer](crate::telemetry::Parts::log_layer).
//!
//! # A span of `tracing` for each request
//!
//! [`RequestSpanLayer`] makes one, for those who want fields of the request on each of its lines, or
//! `Span::current().record(..)`. It is for the logs alone: where `tracing-opentelemetry` turns spans into
//! spans of OpenTelemetry, [`BridgeFilter`] keeps this one out, since the request has its span already.
//! Spans of `#[instrument]` are below the server's span either way, and a client's are below them.

mod bridge_filter;
mod contained;
mod format;
mod ids;
mod json;
mod log_layer;
mod request_span;

pub use bridge_filter::BridgeFilter;
pub use format::TraceFormat;
pub use ids::TraceIds;
pub use log_layer::LogLayer;
pub use request_span::{RequestSpanBody, RequestSpanFuture, RequestSpanLayer, RequestSpanService};
