use std::collections::HashMap;

use opentelemetry::trace::SpanId;

use crate::model::Span;

/// The children of each span by their places, in the order of their start, and those whose parent is not there.
pub(super) struct Children {
    of: HashMap<SpanId, Vec<usize>>,
    pub(super) orphans: Vec<usize>,
}

impl Children {
    pub(super) fn new(spans: &[Span]) -> Self {
        let ids: HashMap<SpanId, usize> =
            spans.iter().enumerate().map(|(place, span)| (span.id, place)).collect();
        let mut children = Self { of: HashMap::new(), orphans: Vec::new() };
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|place| spans[*place].start);
        for place in order {
            let span = &spans[place];
            // A span that is its own parent would hang from nothing.
            if span.parent != span.id && ids.contains_key(&span.parent) {
                children.of.entry(span.parent).or_default().push(place);
            } else {
                children.orphans.push(place);
            }
        }
        children
    }

    pub(super) fn of(&self, span: &Span) -> &[usize] {
        self.of.get(&span.id).map_or(&[], |places| places)
    }
}

/// The part of a span in which none of its children was at work.
pub(super) fn self_time(spans: &[Span], children: &Children, place: usize) -> u64 {
    let span = &spans[place];
    let (mut covered, mut until) = (0, span.start);
    for child in children.of(span).iter().map(|child| &spans[*child]) {
        let (from, to) = (child.start.max(until), child.end.min(span.end));
        if to > from {
            covered += to - from;
            until = to;
        }
    }
    span.duration() - covered.min(span.duration())
}
