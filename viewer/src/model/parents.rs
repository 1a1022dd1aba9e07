use std::collections::HashMap;

use opentelemetry::trace::SpanId;

use super::{Kind, Span};

/// Below which span of a trace each of its spans is. Old tracers give a call and what served it one id: what is below that id is
/// below what served it, and that is below the call. Of few spans it is looked for, of many it is looked up.
#[derive(Debug)]
pub(crate) struct Parents(Option<HashMap<SpanId, Places>>);

/// Where the spans of one id are.
#[derive(Clone, Copy, Debug)]
struct Places {
    /// What served, or else the first.
    served: usize,
    call: Option<usize>,
}

impl Parents {
    const FEW: usize = 16;

    pub(crate) fn new(spans: &[Span]) -> Self {
        Self((spans.len() > Self::FEW).then(|| by_id(spans)))
    }

    /// The place of the parent among the spans of which it was made. A span is known by its id and its kind.
    pub(crate) fn of(&self, spans: &[Span], (id, kind): (SpanId, Kind), parent: SpanId) -> Option<usize> {
        let call = if kind.is_served() { self.call(spans, id) } else { None };
        let above =
            call.or_else(|| if parent == SpanId::INVALID { None } else { self.served(spans, parent) });
        above.filter(|above| (spans[*above].id, spans[*above].kind) != (id, kind))
    }

    fn call(&self, spans: &[Span], id: SpanId) -> Option<usize> {
        match &self.0 {
            Some(by_id) => by_id.get(&id)?.call,
            None => spans.iter().position(|span| span.id == id && span.kind.is_call()),
        }
    }

    fn served(&self, spans: &[Span], id: SpanId) -> Option<usize> {
        let position =
            |is_it: &dyn Fn(&Span) -> bool| spans.iter().position(|span| span.id == id && is_it(span));
        match &self.0 {
            Some(by_id) => by_id.get(&id).map(|places| places.served),
            None => position(&|span| span.kind.is_served()).or_else(|| position(&|_| true)),
        }
    }
}

fn by_id(spans: &[Span]) -> HashMap<SpanId, Places> {
    let mut by_id: HashMap<SpanId, Places> = HashMap::with_capacity(spans.len());
    for (place, span) in spans.iter().enumerate() {
        let known = by_id.entry(span.id).or_insert(Places { served: place, call: None });
        if span.kind.is_served() && !spans[known.served].kind.is_served() {
            known.served = place;
        }
        if span.kind.is_call() && known.call.is_none() {
            known.call = Some(place);
        }
    }
    by_id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::span;

    /// A shop calls a stock: both name one span, which is below the request and above a query.
    #[test]
    fn what_served_is_below_the_call_of_the_same_id() {
        let many = (100..120).map(|id| span(id, 1, Kind::Internal));
        let shared = [(1, 0, Kind::Server), (2, 1, Kind::Client), (2, 1, Kind::Server), (3, 2, Kind::Client)];
        let shared = shared.map(|(id, parent, kind)| span(id, parent, kind));
        for others in [0, 20] {
            let spans: Vec<Span> = shared.iter().cloned().chain(many.clone().take(others)).collect();
            let parents = Parents::new(&spans);
            let of = |place: usize| {
                let span: &Span = &spans[place];
                parents.of(&spans, (span.id, span.kind), span.parent)
            };
            assert_eq!([0, 1, 2, 3].map(of), [None, Some(0), Some(1), Some(2)], "{others} others");
        }
    }

    #[test]
    fn no_span_is_below_itself() {
        let spans = [span(1, 1, Kind::Internal), span(2, 2, Kind::Client), span(2, 9, Kind::Server)];
        let parents = Parents::new(&spans);
        let of = |span: &Span| parents.of(&spans, (span.id, span.kind), span.parent);
        assert_eq!([of(&spans[0]), of(&spans[1]), of(&spans[2])], [None, Some(2), Some(1)]);
    }
}
