use std::sync::Arc;

use opentelemetry::trace::TraceId;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span as Sent, span, status};

use super::super::{Refusal, Report};
use super::common::{attributes, cost, optional_span_id, resource, scope, span_id, trace_id};
use crate::model::{Event, Kind, Link, More, Resource, Scope, Span, Status};
use crate::store::{Draft, MORE, Store, text_bytes, vec_bytes};

const FULL: Refusal = Refusal("its trace is full");

/// Whether and how it is known that the parent is of another process: `SpanFlags`.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

pub(crate) fn take(store: &mut Store, sent: &[ResourceSpans], now: u64) -> Report {
    let mut report = Report::default();
    for group in sent {
        let mut draft = Draft::new(&mut store.interner);
        let sender = resource(&mut draft, group.resource.as_ref());
        // What finds no room among the shared is counted with each of its spans, to be on the safe side.
        let own = draft.cost();
        for group in &group.scope_spans {
            let mut draft = Draft::new(&mut store.interner);
            let scope = scope(&mut draft, group.scope.as_ref(), &group.schema_url);
            let own = own + draft.cost();
            for sent in &group.spans {
                let source = sender.clone().and_then(|sender| Ok((sender, scope.clone()?)));
                let span =
                    source.and_then(|source| span(&mut Draft::new(&mut store.interner), sent, source, own));
                report.note(match span {
                    Ok((trace, span)) => store.insert(trace, span, now).then_some(()).ok_or(FULL),
                    Err(refusal) => {
                        store.received.spans += 1;
                        store.dropped.spans += 1;
                        Err(refusal)
                    }
                });
            }
        }
    }
    report
}

fn span(
    draft: &mut Draft<'_>,
    sent: &Sent,
    (resource, scope): (Arc<Resource>, Arc<Scope>),
    own: usize,
) -> Result<(TraceId, Span), Refusal> {
    draft.owns(own);
    let status = sent.status.as_ref();
    let message = status.map_or("", |status| &status.message);
    let more = more(draft, sent)?;
    let span = Span {
        id: span_id(&sent.span_id)?,
        parent: optional_span_id(&sent.parent_span_id)?,
        remote: (sent.flags & HAS_IS_REMOTE != 0).then_some(sent.flags & IS_REMOTE != 0),
        kind: kind(sent.kind),
        status: match status.map_or(0, |status| status.code) {
            code if code == status::StatusCode::Ok as i32 => Status::Ok,
            code if code == status::StatusCode::Error as i32 => Status::Error,
            _ => Status::Unset,
        },
        start: sent.start_time_unix_nano,
        // A clock that was set back while it ran.
        end: sent.end_time_unix_nano.max(sent.start_time_unix_nano),
        name: draft.text(&sent.name),
        message: (!message.is_empty()).then(|| draft.text(message)),
        resource,
        scope,
        attributes: attributes(draft, &sent.attributes)?,
        more: (!more.is_empty()).then(|| Arc::new(more)),
        cost: 0,
    };
    draft.owns(if span.more.is_some() { MORE } else { 0 });
    Ok((trace_id(&sent.trace_id)?, Span { cost: cost(draft)?, ..span }))
}

fn kind(kind: i32) -> Kind {
    usize::try_from(kind).ok().and_then(|kind| Kind::ALL.get(kind).copied()).unwrap_or(Kind::Unspecified)
}

fn more(draft: &mut Draft<'_>, sent: &Sent) -> Result<More, Refusal> {
    let events: Result<Vec<Event>, Refusal> = sent.events.iter().map(|sent| event(draft, sent)).collect();
    let links: Result<Vec<Link>, Refusal> = sent.links.iter().map(|sent| link(draft, sent)).collect();
    let (events, links) = (events?, links?);
    let lists = vec_bytes::<Event>(events.capacity()) + vec_bytes::<Link>(links.capacity());
    draft.owns(lists + text_bytes(&sent.trace_state));
    Ok(More {
        state: sent.trace_state.clone(),
        events,
        links,
        dropped_attributes: sent.dropped_attributes_count,
        dropped_events: sent.dropped_events_count,
        dropped_links: sent.dropped_links_count,
    })
}

fn event(draft: &mut Draft<'_>, sent: &span::Event) -> Result<Event, Refusal> {
    Ok(Event {
        time: sent.time_unix_nano,
        name: draft.text(&sent.name),
        attributes: attributes(draft, &sent.attributes)?,
        dropped_attributes: sent.dropped_attributes_count,
    })
}

fn link(draft: &mut Draft<'_>, sent: &span::Link) -> Result<Link, Refusal> {
    draft.owns(text_bytes(&sent.trace_state));
    Ok(Link {
        trace: trace_id(&sent.trace_id)?,
        span: span_id(&sent.span_id)?,
        state: sent.trace_state.clone(),
        attributes: attributes(draft, &sent.attributes)?,
        dropped_attributes: sent.dropped_attributes_count,
    })
}
