use std::collections::HashMap;

use opentelemetry::trace::SpanId;

use crate::model::Span;

/// The children of each span by their places, in the order of their start, and those that are below none. Every span is at
/// exactly one place of this forest, whatever its ids say.
pub(super) struct Children {
    of: Vec<Vec<usize>>,
    pub(super) orphans: Vec<usize>,
}

impl Children {
    pub(super) fn new(spans: &[Span]) -> Self {
        let mut by_id: HashMap<SpanId, usize> = HashMap::new();
        for (place, span) in spans.iter().enumerate() {
            // Old tracers give a call and what served it one id. What is below that is below the latter.
            let known = by_id.entry(span.id).or_insert(place);
            *known = if span.kind.is_served() { place } else { *known };
        }
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|place| spans[*place].start);
        let mut children = Self { of: vec![Vec::new(); spans.len()], orphans: Vec::new() };
        let parent =
            |place: usize| by_id.get(&spans[place].parent).copied().filter(|parent| *parent != place);
        for place in &order {
            match parent(*place) {
                Some(parent) => children.of[parent].push(*place),
                None => children.orphans.push(*place),
            }
        }
        children.break_circles(&order, parent);
        children
    }

    /// Spans that are each other's parents hang from nothing: of such a circle the first is put on top.
    fn break_circles(&mut self, order: &[usize], parent: impl Fn(usize) -> Option<usize>) {
        let mut seen = vec![false; order.len()];
        let mut stack = self.orphans.clone();
        let mut rest = order.iter();
        loop {
            while let Some(place) = stack.pop() {
                seen[place] = true;
                stack.extend(&self.of[place]);
            }
            let Some(top) = rest.by_ref().find(|place| !seen[**place]) else { return };
            if let Some(parent) = parent(*top) {
                self.of[parent].retain(|child| child != top);
            }
            self.orphans.push(*top);
            stack.push(*top);
        }
    }

    pub(super) fn of(&self, place: usize) -> &[usize] {
        &self.of[place]
    }
}

/// The part of a span in which none of its children was at work.
pub(super) fn self_time(spans: &[Span], children: &Children, place: usize) -> u64 {
    let span = &spans[place];
    let (mut covered, mut until) = (0, span.start);
    for child in children.of(place).iter().map(|child| &spans[*child]) {
        let (from, to) = (child.start.max(until), child.end.min(span.end));
        if to > from {
            covered += to - from;
            until = to;
        }
    }
    span.duration() - covered.min(span.duration())
}
