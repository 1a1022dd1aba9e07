use std::sync::Arc;

use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};

use super::super::{Refusal, Report};
use super::common::{attributes, cost, optional_span_id, optional_trace_id, resource, scope, value};
use crate::model::{Log, Resource, Scope, Value, level};
use crate::store::{Draft, Store};

const TOO_LARGE: Refusal = Refusal("it is larger than a quarter of what all log records may take");

pub(crate) fn take(store: &mut Store, sent: &[ResourceLogs]) -> Report {
    let mut report = Report::default();
    for group in sent {
        let mut draft = Draft::new(&mut store.interner);
        let sender = resource(&mut draft, group.resource.as_ref());
        let own = draft.cost();
        for group in &group.scope_logs {
            let mut draft = Draft::new(&mut store.interner);
            let scope = scope(&mut draft, group.scope.as_ref(), &group.schema_url);
            let own = own + draft.cost();
            for sent in &group.log_records {
                let source = sender.clone().and_then(|sender| Ok((sender, scope.clone()?)));
                let log =
                    source.and_then(|source| log(&mut Draft::new(&mut store.interner), sent, source, own));
                report.note(match log {
                    Ok(log) => store.log(log).then_some(()).ok_or(TOO_LARGE),
                    Err(refusal) => {
                        store.received.logs += 1;
                        store.dropped.logs += 1;
                        Err(refusal)
                    }
                });
            }
        }
    }
    report
}

fn log(
    draft: &mut Draft<'_>,
    sent: &LogRecord,
    (resource, scope): (Arc<Resource>, Arc<Scope>),
    own: usize,
) -> Result<Log, Refusal> {
    draft.owns(own);
    let severity = u8::try_from(sent.severity_number).ok().filter(|severity| *severity <= 24).unwrap_or(0);
    let name = if sent.severity_text.is_empty() { level(severity) } else { &sent.severity_text };
    let log = Log {
        // "Use Timestamp if it is present, otherwise use ObservedTimestamp".
        time: if sent.time_unix_nano == 0 { sent.observed_time_unix_nano } else { sent.time_unix_nano },
        severity,
        level: draft.text(name),
        body: sent.body.as_ref().map_or(Ok(Value::Empty), |body| value(draft, body))?,
        event: (!sent.event_name.is_empty()).then(|| draft.text(&sent.event_name)),
        trace: optional_trace_id(&sent.trace_id)?,
        span: optional_span_id(&sent.span_id)?,
        resource,
        scope,
        attributes: attributes(draft, &sent.attributes)?,
        cost: 0,
    };
    Ok(Log { cost: cost(draft)?, ..log })
}
