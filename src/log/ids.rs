use std::cell::Cell;
use std::fmt;

use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceContextExt, TraceFlags, TraceId};

use super::contained::contained;

/// The ids of the span that is current, as a line of a log names them.
///
/// [`TraceFormat`](super::TraceFormat) writes them. For a format of one's own:
///
/// ```
/// use std::fmt;
/// use otelhttp::log::TraceIds;
/// use tracing::{Event, Subscriber};
/// use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
/// use tracing_subscriber::fmt::FmtContext;
/// use tracing_subscriber::registry::LookupSpan;
///
/// struct Terse;
///
/// impl<S, N> FormatEvent<S, N> for Terse
/// where
///     S: Subscriber + for<'a> LookupSpan<'a>,
///     N: for<'a> FormatFields<'a> + 'static,
/// {
///     fn format_event(&self, cx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
///         if let Some(ids) = TraceIds::of(event) {
///             write!(writer, "{} ", ids.trace_id())?;
///         }
///         cx.field_format().format_fields(writer.by_ref(), event)?;
///         writeln!(writer)
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceIds {
    trace_id: TraceId,
    span_id: SpanId,
    trace_flags: TraceFlags,
}

impl TraceIds {
    /// The ids for the line of this event, which is being recorded. None where no span is current.
    ///
    /// OpenTelemetry's own lines have none: some are written while it changes the current context,
    /// and to read that then is a panic. Nor have those that destructors write at the end of a thread, when
    /// its context is gone.
    #[must_use]
    pub fn of(event: &tracing::Event<'_>) -> Option<Self> {
        if event.metadata().target().starts_with("opentelemetry") {
            return None;
        }
        contained(&READING, || Context::map_current(Self::in_context))?
    }

    pub(super) fn in_context(cx: &Context) -> Option<Self> {
        let span = cx.span();
        let ids = span.span_context();
        ids.is_valid().then(|| Self {
            trace_id: ids.trace_id(),
            span_id: ids.span_id(),
            trace_flags: ids.trace_flags(),
        })
    }

    /// The id of the trace; 32 digits as text.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The id of the span; 16 digits as text.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// W3C's flags. A span that is not sampled has ids too, but will be found in no backend.
    #[must_use]
    pub fn trace_flags(&self) -> TraceFlags {
        self.trace_flags
    }
}

thread_local! {
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// `trace_id=… span_id=… trace_flags=01`, by the names that the specification has for
/// [logs that are not OTLP](https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/).
impl fmt::Display for TraceIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace_id, span_id, trace_flags } = self;
        write!(f, "trace_id={trace_id} span_id={span_id} trace_flags={trace_flags:02x}")
    }
}
