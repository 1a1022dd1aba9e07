use std::cell::Cell;
use std::fmt;

use opentelemetry::logs::{Logger, LoggerProvider};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer;
use tracing_subscriber::registry::LookupSpan;

use super::contained::contained;

/// Hands the lines of `tracing` to a logger provider of OpenTelemetry.
///
/// It is `opentelemetry-appender-tracing`, with a guard against loops: a line that is written because lines
/// are exported would be exported in its turn. So nothing passes that is written while telemetry is
/// suppressed, as it is on the threads of the SDK's batch processors; and since exporters leave their
/// connections to other threads, nothing passes of the crates that they are made of: `h2`, `hyper`,
/// `hyper_util`, `opentelemetry` (and all whose name begins so), `reqwest`, `rustls`, `tonic` and `tower`. Those
/// lines are still seen by other layers.
///
/// Nor does a line that is written while another is handed over on the same thread, or at the end of a thread, when
/// its context is gone. A processor that panics costs no more than the line.
///
/// The SDK adds the trace and the span that are current: those of the request, or of the
/// `#[instrument]` span where `tracing-opentelemetry` makes one. Lines of the `log` facade pass too, where
/// `tracing-log` forwards them.
pub struct LogLayer<P, L>
where
    P: LoggerProvider<Logger = L> + Send + Sync,
    L: Logger + Send + Sync,
{
    bridge: OpenTelemetryTracingBridge<P, L>,
}

impl<P, L> LogLayer<P, L>
where
    P: LoggerProvider<Logger = L> + Send + Sync,
    L: Logger + Send + Sync,
{
    /// A layer that writes to this provider.
    #[must_use]
    pub fn new(provider: &P) -> Self {
        Self { bridge: OpenTelemetryTracingBridge::new(provider) }
    }
}

impl<S, P, L> Layer<S> for LogLayer<P, L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    P: LoggerProvider<Logger = L> + Send + Sync + 'static,
    L: Logger + Send + Sync + 'static,
{
    fn on_event(&self, event: &Event<'_>, cx: layer::Context<'_, S>) {
        // OpenTelemetry's own lines may come while it changes the current context. The SDK looks at that, which
        // would be a panic then.
        if !is_of_an_exporter(event) {
            contained(&HANDING_OVER, || self.bridge.on_event(event, cx));
        }
    }
}

thread_local! {
    static HANDING_OVER: Cell<bool> = const { Cell::new(false) };
}

impl<P, L> fmt::Debug for LogLayer<P, L>
where
    P: LoggerProvider<Logger = L> + Send + Sync,
    L: Logger + Send + Sync,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLayer").finish_non_exhaustive()
    }
}

fn is_of_an_exporter(event: &Event<'_>) -> bool {
    let target = event.metadata().target();
    if target != "log" {
        return is_exporter(target);
    }
    // What comes from the `log` facade has its own target in a field.
    let mut target = LogTarget(false);
    event.record(&mut target);
    target.0
}

fn is_exporter(target: &str) -> bool {
    let root = target.split("::").next().unwrap_or(target);
    root.starts_with("opentelemetry")
        || matches!(root, "h2" | "hyper" | "hyper_util" | "reqwest" | "rustls" | "tonic" | "tower")
}

struct LogTarget(bool);

impl Visit for LogTarget {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "log.target" {
            self.0 = is_exporter(value);
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_known_by_its_whole_name() {
        for target in
            ["h2", "hyper::client", "hyper_util::client::legacy", "opentelemetry_sdk", "tonic::transport"]
        {
            assert!(is_exporter(target), "{target}");
        }
        for target in ["h2o", "shop::hyper", "hyperspace", "tower_http::trace", "otelhttp", "", "::h2"] {
            assert!(!is_exporter(target), "{target}");
        }
    }
}
