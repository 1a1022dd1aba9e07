//! See the traces, metrics and logs of your programs, with nothing installed.
//!
//! # In your program
//!
//! ```
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! use otelhttp_viewer::Viewer;
//!
//! # fn main() -> Result<(), otelhttp_viewer::Error> {
//! let viewer = Viewer::new().serve("127.0.0.1:0")?; // 127.0.0.1:8700, say
//! let provider = SdkTracerProvider::builder().with_span_processor(viewer.span_processor()).build();
//! println!("Open {}", viewer.url());
//! # drop(provider);
//! # Ok(())
//! # }
//! ```
//!
//! Metrics and logs go the same way: [`Serving::metric_reader`], [`Serving::log_processor`]. Beside an exporter, the viewer is one
//! more exporter behind the same batch processor: [`Serving::span_exporter`], with [`Serving::watch`] around that processor to see
//! what still runs.
//!
//! # Beside your programs
//!
//! The binary of this crate takes OTLP on the usual ports, so that several programs in any language are seen together:
//!
//! ```sh
//! otelhttp-viewer &
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 your-program
//! ```
//!
//! # What is kept
//!
//! What fits into 64 MiB, or into what [`Viewer::memory`] says. The oldest traces go first, but those with samples (of each operation
//! the ten slowest spans, the ten that failed last, and the four newest of each decade of latency) stay, as long as they take no more
//! than a quarter. Nothing is written to disk.
//!
//! # Who may look
//!
//! Whoever is on this machine, where the address is loopback, as it is unless said otherwise. On any other address a token is asked for
//! ([`Serving::token`]). Requests for hosts that are not the viewer's, and questions and changes that other pages ask for, are refused.
// Tests may: there a panic is the message.
#![warn(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod error;
mod http;
mod intake;
mod model;
mod query;
mod search;
mod serving;
mod shared;
mod store;
mod viewer;

#[doc = include_str!("docs/design.md")]
pub mod design {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub use error::Error;
pub use serving::Serving;
pub use viewer::Viewer;
