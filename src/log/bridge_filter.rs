use std::cell::Cell;

use tracing::subscriber::Interest;
use tracing::{Metadata, Span};
use tracing_subscriber::layer::{Context, Filter};

/// Lets all spans and events through to the bridge, but for the spans that a
/// [`RequestSpanLayer`](super::RequestSpanLayer) makes.
///
/// The request has a span of OpenTelemetry already; the bridge would export a second one. The spans
/// of `#[instrument]` in the handler are below the first.
///
/// ```
/// use otelhttp::log::BridgeFilter;
/// use tracing_subscriber::layer::SubscriberExt;
/// use tracing_subscriber::{Layer, Registry};
///
/// # let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
/// # let tracer = opentelemetry::trace::TracerProvider::tracer(&provider, "shop");
/// let bridge = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(BridgeFilter);
/// let subscriber = Registry::default().with(bridge).with(tracing_subscriber::fmt::layer());
/// # let _ = subscriber;
/// ```
///
/// What names the request's span as its parent (`parent: &span`) begins a trace of its own, since the bridge does
/// not know that span. Spans have the current one for their parent unless told otherwise.
///
/// It goes together with others: `BridgeFilter.and(LevelFilter::INFO)`, with
/// [`FilterExt`](tracing_subscriber::filter::FilterExt).
#[derive(Clone, Copy, Debug, Default)]
pub struct BridgeFilter;

impl<S> Filter<S> for BridgeFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _cx: &Context<'_, S>) -> bool {
        !(metadata.is_span() && MAKING.get())
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Any span may be the one that a user's closure makes for a request.
        if metadata.is_span() { Interest::sometimes() } else { Interest::always() }
    }
}

thread_local! {
    /// Whether the span of a request is being made on this thread.
    static MAKING: Cell<bool> = const { Cell::new(false) };
}

/// Makes the span of a request, for which the filter is closed.
pub(super) fn keep_out(make: impl FnOnce() -> Span) -> Span {
    let _open = Reopen(MAKING.replace(true));
    make()
}

struct Reopen(bool);

impl Drop for Reopen {
    fn drop(&mut self) {
        MAKING.set(self.0);
    }
}
