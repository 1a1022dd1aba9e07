use std::cell::OnceCell;
use std::collections::HashSet;

use opentelemetry::trace::{SpanId, TraceId};

use crate::model::{Attribute, Event, Kind, Log, Parents, Span, Status, Value};
use crate::store::{RunningSpan, Trace};

/// What a search is asked about: a span, one that runs, or a log record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(super) service: &'a str,
    pub(super) name: &'a str,
    pub(super) scope: &'a str,
    pub(super) message: &'a str,
    pub(super) kind: Option<Kind>,
    pub(super) status: Option<Status>,
    pub(super) duration: Option<u64>,
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) parent: SpanId,
    pub(super) is_root: bool,
    pub(super) is_running: bool,
    pub(super) events: &'a [Event],
    pub(super) severity: Option<u8>,
    pub(super) body: Option<&'a Value>,
    pub(super) attributes: &'a [Attribute],
    pub(super) resource: &'a [Attribute],
    pub(super) whole: Option<&'a Whole<'a>>,
}

/// The trace that a span is of. What not every search asks for is found out once one does.
#[derive(Debug)]
pub(crate) struct Whole<'a> {
    pub(super) spans: &'a [Span],
    pub(super) duration: u64,
    pub(super) errors: u32,
    services: OnceCell<usize>,
    parents: OnceCell<Parents>,
}

impl<'a> Whole<'a> {
    pub(crate) fn of(trace: &'a Trace) -> Self {
        Self::new(&trace.spans, trace.duration(), trace.errors)
    }

    pub(super) fn new(spans: &'a [Span], duration: u64, errors: u32) -> Self {
        Self { spans, duration, errors, services: OnceCell::new(), parents: OnceCell::new() }
    }

    pub(super) fn services(&self) -> usize {
        let count = || self.spans.iter().map(|span| &**span.service()).collect::<HashSet<&str>>().len();
        *self.services.get_or_init(count)
    }

    fn parent_of(&self, span: (SpanId, Kind), parent: SpanId) -> Option<&'a Span> {
        let parents = self.parents.get_or_init(|| Parents::new(self.spans));
        parents.of(self.spans, span, parent).map(|place| &self.spans[place])
    }
}

impl<'a> Subject<'a> {
    pub(crate) fn span(trace: TraceId, span: &'a Span, whole: Option<&'a Whole<'a>>) -> Self {
        Self {
            service: span.service(),
            name: &span.name,
            scope: &span.scope.name,
            message: span.message.as_deref().unwrap_or_default(),
            kind: Some(span.kind),
            status: Some(span.status),
            duration: Some(span.duration()),
            trace,
            span: span.id,
            parent: span.parent,
            is_root: span.is_root(),
            is_running: false,
            events: span.events(),
            severity: None,
            body: None,
            attributes: &span.attributes,
            resource: &span.resource.attributes,
            whole,
        }
    }

    pub(crate) fn running(trace: TraceId, span: &'a RunningSpan, now: u64) -> Self {
        Self {
            service: &span.resource.service,
            name: &span.name,
            scope: "",
            message: "",
            kind: Some(span.kind),
            status: Some(Status::Unset),
            duration: Some(now.saturating_sub(span.start)),
            trace,
            span: span.id,
            parent: span.parent,
            is_root: span.is_root(),
            is_running: true,
            events: &[],
            severity: None,
            body: None,
            attributes: &[],
            resource: &span.resource.attributes,
            whole: None,
        }
    }

    pub(crate) fn log(log: &'a Log) -> Self {
        Self {
            service: &log.resource.service,
            name: log.event.as_deref().unwrap_or_default(),
            scope: &log.scope.name,
            message: "",
            kind: None,
            status: None,
            duration: None,
            trace: log.trace,
            span: log.span,
            parent: SpanId::INVALID,
            is_root: false,
            is_running: false,
            events: &[],
            severity: Some(log.severity),
            body: Some(&log.body),
            attributes: &log.attributes,
            resource: &log.resource.attributes,
            whole: None,
        }
    }

    /// Who the parent is of, if that has come.
    pub(super) fn parent_service(&self) -> Option<&'a str> {
        let parent = self.whole?.parent_of((self.span, self.kind?), self.parent)?;
        Some(parent.service())
    }

    pub(super) fn is_error(&self) -> bool {
        self.status == Some(Status::Error) || self.severity.is_some_and(|severity| severity >= 17)
    }
}
