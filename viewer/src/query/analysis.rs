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
        children.break_circles(spans, &order, parent);
        children
    }

    /// Spans that are each other's parents hang from nothing: of such a circle the first is put on top, and what is below
    /// the circle stays where it is.
    fn break_circles(&mut self, spans: &[Span], order: &[usize], parent: impl Fn(usize) -> Option<usize>) {
        let (mut seen, mut walked) = (vec![false; order.len()], vec![false; order.len()]);
        let mut stack = self.orphans.clone();
        let mut rest = order.iter();
        loop {
            while let Some(place) = stack.pop() {
                seen[place] = true;
                stack.extend(&self.of[place]);
            }
            let Some(lost) = rest.by_ref().find(|place| !seen[**place]) else { return };
            // On the way up from there, the first place that comes twice is in the circle.
            let mut at = *lost;
            while !std::mem::replace(&mut walked[at], true) {
                at = parent(at).expect("what is below no orphan is below a circle");
            }
            let circle = std::iter::successors(Some(at), |place| parent(*place).filter(|next| *next != at));
            let top = circle.min_by_key(|place| spans[*place].start).expect("it has at least one place");
            parent(top).into_iter().for_each(|parent| self.of[parent].retain(|child| *child != top));
            self.orphans.push(top);
            stack.push(top);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Kind, Resource, Scope, Status};

    fn span(id: u64, parent: u64, start: u64) -> Span {
        let resource = Resource { service: "shop".into(), attributes: [].into() };
        let scope =
            Scope { name: "".into(), version: "".into(), schema_url: "".into(), attributes: [].into() };
        Span {
            id: SpanId::from(id),
            parent: SpanId::from(parent),
            remote: None,
            kind: Kind::Internal,
            status: Status::Unset,
            cost: 0,
            start,
            end: start + 1,
            name: "n".into(),
            message: None,
            resource: Arc::new(resource),
            scope: Arc::new(scope),
            attributes: [].into(),
            more: None,
        }
    }

    #[test]
    fn only_circles_are_cut() {
        // 1 and 2 are each other's parents, 3 to 5 are below them and began before, 6 is its own parent.
        let spans = [
            span(1, 2, 50),
            span(2, 1, 40),
            span(3, 1, 10),
            span(4, 1, 20),
            span(5, 4, 15),
            span(6, 6, 5),
            span(7, 8, 60),
        ];
        let children = Children::new(&spans);
        assert_eq!(children.orphans, [5, 6, 1]);
        let of: Vec<&[usize]> = (0..7).map(|place| children.of(place)).collect();
        assert_eq!(of, [&[2, 3][..], &[0], &[], &[4], &[], &[], &[]]);
    }
}
