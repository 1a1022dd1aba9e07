//! From OTLP's messages to what is kept, and back.

mod back;
mod common;
mod logs;
mod metrics;
mod spans;

pub(crate) use back::traces as back;
pub(crate) use logs::take as logs;
pub(crate) use metrics::take as metrics;
pub(crate) use spans::take as spans;
