use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use super::{TraceIds, json};

/// A format of `tracing_subscriber::fmt` whose lines carry the ids of the current span.
///
/// It is put around the format last, since the setters of `fmt` (`with_target`, `without_time`, …) are
/// those of the format inside:
///
/// ```
/// use otelhttp::log::TraceFormat;
///
/// let text = tracing_subscriber::fmt().compact().map_event_format(TraceFormat::text);
/// let json = tracing_subscriber::fmt().json().map_event_format(TraceFormat::json);
/// # let _ = (text.finish(), json.finish());
/// ```
#[derive(Clone, Debug)]
pub struct TraceFormat<F, T> {
    format: Format<F, T>,
    kind: Kind<F, T>,
}

#[derive(Clone, Debug)]
enum Kind<F, T> {
    Json,
    Text { coloured: Format<F, T> },
}

impl<F, T> TraceFormat<F, T> {
    /// Around a format for people (full, compact or pretty): the ids are the last fields of the line,
    /// `trace_id=… span_id=… trace_flags=01`.
    ///
    /// Whether there are colours is for the subscriber to say; what the format was told of them is not
    /// asked. ANSI sequences in what is logged are always escaped.
    #[must_use]
    pub fn text(format: Format<F, T>) -> Self
    where
        Format<F, T>: Clone,
    {
        let coloured = format.clone().with_ansi(true);
        Self { format: format.with_ansi(false), kind: Kind::Text { coloured } }
    }

    /// Around the JSON format: `trace_id`, `span_id` and `trace_flags` are the first members of the
    /// object, beside `timestamp`, `level` and `fields`.
    ///
    /// Where the fields of the event are members of the object too (`flatten_event(true)`) and one of
    /// them has such a name, that one becomes `fields.trace_id` and so on, since a name must not stand
    /// twice. One that is called `fields.trace_id` beside it becomes `fields.fields.trace_id`.
    #[must_use]
    pub fn json(format: Format<F, T>) -> Self {
        Self { format, kind: Kind::Json }
    }
}

impl<S, N, F, T> FormatEvent<S, N> for TraceFormat<F, T>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    Format<F, T>: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        cx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let ids = TraceIds::of(event);
        match (&self.kind, ids) {
            (Kind::Json, None) => self.format.format_event(cx, writer, event),
            (Kind::Json, Some(ids)) => {
                let mut line = String::with_capacity(256);
                self.format.format_event(cx, Writer::new(&mut line), event)?;
                writer.write_str(&json::with_ids(line, &ids, event))
            }
            (Kind::Text { coloured }, ids) => {
                let ansi = writer.has_ansi_escapes();
                let format = if ansi { coloured } else { &self.format };
                let mut line = Line { writer: &mut writer, breaks: 0 };
                format.format_event(cx, Writer::new(&mut line), event)?;
                line.end(ids, ansi)
            }
        }
    }
}

/// A line that is being written. Its end is held back.
struct Line<'l, 'w> {
    writer: &'l mut Writer<'w>,
    breaks: usize,
}

impl Line<'_, '_> {
    fn end(mut self, ids: Option<TraceIds>, ansi: bool) -> fmt::Result {
        match ids {
            Some(ids) if ansi => write!(self.writer, " \x1b[2m{ids}\x1b[0m")?,
            Some(ids) => write!(self.writer, " {ids}")?,
            None => {}
        }
        self.release()
    }

    fn release(&mut self) -> fmt::Result {
        (0..std::mem::take(&mut self.breaks)).try_for_each(|_| self.writer.write_char('\n'))
    }
}

impl fmt::Write for Line<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let body = text.trim_end_matches('\n');
        if !body.is_empty() {
            self.release()?;
            self.writer.write_str(body)?;
        }
        self.breaks += text.len() - body.len();
        Ok(())
    }
}
