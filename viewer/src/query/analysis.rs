use crate::model::{Parents, Span};

/// The children of each span by their places, in the order of their start, and those that are below none. Every span is at
/// exactly one place of this forest, whatever its ids say.
pub(super) struct Children {
    of: Vec<Vec<usize>>,
    pub(super) orphans: Vec<usize>,
}

impl Children {
    pub(super) fn new(spans: &[Span]) -> Self {
        let parents = Parents::new(spans);
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|place| spans[*place].start);
        let mut children = Self { of: vec![Vec::new(); spans.len()], orphans: Vec::new() };
        let parent = |place: usize| {
            let span = &spans[place];
            parents.of(spans, (span.id, span.kind), span.parent)
        };
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
    use super::*;
    use crate::model::{Kind, tests};

    fn span(id: u64, parent: u64, start: u64) -> Span {
        Span { start, end: start + 1, ..tests::span(id, parent, Kind::Internal) }
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

    /// A call of a tracer that gives it and what served it one id, with a query below.
    #[test]
    fn what_served_covers_its_call_of_the_same_id() {
        let of = |id, parent, kind, (start, end)| Span { start, end, ..tests::span(id, parent, kind) };
        let spans = [
            of(2, 1, Kind::Server, (20, 80)),
            of(3, 2, Kind::Client, (30, 70)),
            of(1, 0, Kind::Server, (0, 100)),
            of(2, 1, Kind::Client, (10, 90)),
        ];
        let children = Children::new(&spans);
        assert_eq!(children.orphans, [2]);
        assert_eq!([0, 1, 2, 3].map(|place| children.of(place)), [&[1][..], &[], &[3], &[0]]);
        assert_eq!([0, 1, 2, 3].map(|place| self_time(&spans, &children, place)), [20, 40, 20, 20]);
    }

    #[test]
    fn the_own_time_is_when_no_child_was_at_work() {
        let of = |id, parent, start, end| Span { end, ..span(id, parent, start) };
        // Two that overlap, one within another, one that outlives its parent, and one that began before it.
        let spans = [
            of(1, 9, 100, 200),
            of(2, 1, 110, 130),
            of(3, 1, 120, 150),
            of(4, 1, 125, 140),
            of(5, 1, 190, 300),
            of(6, 1, 50, 105),
        ];
        let children = Children::new(&spans);
        assert_eq!(self_time(&spans, &children, 0), 100 - 40 - 10 - 5);
        assert_eq!(self_time(&spans, &children, 4), 110);
    }
}
