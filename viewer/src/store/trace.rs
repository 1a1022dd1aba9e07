use std::collections::HashSet;

use opentelemetry::trace::{SpanId, TraceId};
use smallvec::SmallVec;

use super::size;
use crate::model::{Kind, Span};

/// From so many spans on it is looked up in a table whether one has come before.
const FEW: usize = 32;

/// The spans of a trace that have come, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) id: TraceId,
    /// Which of all traces it was to come, by its first span.
    pub(crate) sequence: u64,
    pub(crate) spans: SmallVec<[Span; 1]>,
    /// When its first span came. A clock that is ahead says that it began later.
    pub(super) came: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) errors: u32,
    /// Spans that found no room in it.
    pub(crate) refused: u32,
    /// It would be gone, but for the samples in it.
    pub(crate) is_kept: bool,
    /// How many samples are in it.
    pub(super) pins: u32,
    ids: Option<HashSet<(SpanId, Kind)>>,
    costs: usize,
}

impl Trace {
    pub(super) fn new(id: TraceId, sequence: u64, came: u64) -> Self {
        Self {
            id,
            sequence,
            came,
            spans: SmallVec::new(),
            start: u64::MAX,
            end: 0,
            errors: 0,
            refused: 0,
            is_kept: false,
            pins: 0,
            ids: None,
            costs: 0,
        }
    }

    /// What it takes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        let ids = self.ids.as_ref();
        let ids = ids.map_or(0, |ids| size::table::<(SpanId, Kind)>(ids.capacity()));
        let spans = if self.spans.spilled() { size::vec::<Span>(self.spans.capacity()) } else { 0 };
        spans + self.costs + ids
    }

    pub(crate) fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether this span has come before. Old tracers give the server's span its client's id: so the kind counts too.
    pub(super) fn has(&self, span: (SpanId, Kind)) -> bool {
        match &self.ids {
            Some(ids) => ids.contains(&span),
            None => self.spans.iter().any(|other| (other.id, other.kind) == span),
        }
    }

    pub(super) fn push(&mut self, span: Span) {
        self.start = self.start.min(span.start);
        self.end = self.end.max(span.end);
        self.errors += u32::from(span.is_error());
        self.costs += span.cost as usize;
        if let Some(ids) = &mut self.ids {
            ids.insert((span.id, span.kind));
        }
        if self.spans.len() == self.spans.capacity() {
            // A doubling would waste a third of the memory.
            self.spans.reserve_exact(self.spans.len() / 2 + usize::from(self.spans.len() < 2));
        }
        self.spans.push(span);
        if self.ids.is_none() && self.spans.len() >= FEW {
            self.ids = Some(self.spans.iter().map(|span| (span.id, span.kind)).collect());
        }
    }

    /// The span that everything else is below; while it has not come, the one that began first.
    pub(crate) fn root(&self) -> Option<&Span> {
        let root = self.spans.iter().find(|span| span.is_root());
        let root = root.or_else(|| self.spans.iter().min_by_key(|span| span.start))?;
        // What served may have come before the call of the same id.
        let call = |span: &&Span| span.id == root.id && span.kind.is_call();
        let call = if root.kind.is_served() { self.spans.iter().find(call) } else { None };
        call.or(Some(root))
    }
}
