use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};

use super::Store;
use crate::model::{Kind, Resource, cut};

/// A longer name is cut while its span runs.
const LONGEST_NAME: usize = 256;

/// A span that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct RunningSpan {
    pub(crate) id: SpanId,
    pub(crate) parent: SpanId,
    pub(crate) remote: Option<bool>,
    pub(crate) kind: Kind,
    pub(crate) start: u64,
    pub(crate) name: Cow<'static, str>,
    pub(crate) resource: Arc<Resource>,
}

impl RunningSpan {
    pub(crate) fn is_root(&self) -> bool {
        self.parent == SpanId::INVALID
    }
}

/// What has begun in this process and not ended. It has a lock of its own, which is held for no longer than a copy takes.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    spans: HashMap<(TraceId, SpanId), RunningSpan>,
    most: usize,
}

impl Running {
    pub(super) fn new(most: usize) -> Self {
        Self { spans: HashMap::new(), most }
    }

    /// What finds no room is not shown before it ends.
    pub(crate) fn begin(&mut self, trace: TraceId, mut span: RunningSpan) {
        if self.spans.len() >= self.most {
            return;
        }
        if span.name.len() > LONGEST_NAME {
            span.name = cut(&span.name, LONGEST_NAME).to_owned().into();
        }
        self.spans.insert((trace, span.id), span);
    }

    pub(crate) fn end(&mut self, trace: TraceId, span: SpanId) {
        self.spans.remove(&(trace, span));
    }

    /// Those that the store has are not shown as running too.
    pub(crate) fn forget_ended(&mut self, store: &Store) {
        let has = |trace: TraceId, span: &RunningSpan| {
            store.traces.get(trace).is_some_and(|trace| trace.has((span.id, span.kind)))
        };
        self.spans.retain(|(trace, _), span| !has(*trace, span));
    }

    pub(crate) fn clear(&mut self) {
        self.spans = HashMap::new();
    }

    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TraceId, &RunningSpan)> {
        self.spans.iter().map(|((trace, _), span)| (*trace, span))
    }
}

/// Its share of memory is set aside, since it has a lock of its own.
pub(super) const EACH: usize = 2 * size_of::<((TraceId, SpanId), RunningSpan)>() + LONGEST_NAME;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_has_its_bounds() {
        let mut running = Running::new(2);
        let resource = Arc::new(Resource { service: "shop".into(), attributes: [].into() });
        for id in 1..=3u64 {
            let (id, parent, resource) = (SpanId::from(id), SpanId::INVALID, resource.clone());
            let name = "x".repeat(10 * LONGEST_NAME).into();
            let span = RunningSpan { id, parent, remote: None, kind: Kind::Server, start: 0, name, resource };
            running.begin(TraceId::from(1), span);
        }
        assert_eq!(running.len(), 2);
        assert!(running.iter().all(|(_, span)| span.name.len() == LONGEST_NAME));
        running.end(TraceId::from(1), SpanId::from(1));
        running.end(TraceId::from(1), SpanId::from(3));
        assert_eq!(running.iter().map(|(_, span)| span.id).collect::<Vec<_>>(), [SpanId::from(2)]);
    }
}
