//! How a call ends: the only place that sets the status, records the metrics and ends the span.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanRef, Status, TraceContextExt};

use super::verdict::{self, Verdict};
use super::{Exchange, Late, Outcome, Owner};
use crate::config::Side;
use crate::guest::contain;
use crate::metrics::{BodySizes, EndLabels};
use crate::request_body::RequestBytes;
use crate::semconv::{NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT};

impl Drop for Owner {
    fn drop(&mut self) {
        // A panic in here while the service's own panic unwinds would abort the program.
        contain("a telemetry pipeline", || self.finish());
    }
}

impl Owner {
    fn finish(&self) {
        let exchange = &*self.exchange;
        let Some(late) = exchange.lock().end() else { return };
        let elapsed = exchange.started.elapsed();
        if let Some(rpc) = &exchange.rpc {
            return self.finish_rpc(rpc, *late.unwrap_or_default(), elapsed);
        }
        let late = late.as_deref();
        let verdict = verdict::of(
            &exchange.config,
            &self.outcome,
            self.status,
            late.and_then(|late| late.error.as_ref()),
        );
        let end = EndLabels {
            status: self.status,
            error: verdict.as_ref().map(|verdict| &verdict.error_type),
            route: late.and_then(|late| late.route.as_ref()).or(exchange.route.as_ref()),
            version: self.version,
            further: late.map_or(&[], |late| &late.metric_attributes),
        };
        if let Some((instruments, begun)) = exchange.instruments() {
            contain("a meter", || {
                instruments.finish(begun, &exchange.labels);
                if !matches!(self.outcome, Outcome::Upgraded) {
                    let sizes = self.body_sizes();
                    instruments.record(&exchange.cx, elapsed, sizes, &exchange.labels, &end);
                }
            });
        }
        if exchange.records() {
            contain("a span processor", || {
                exchange.write_span(late, end, verdict.as_ref(), elapsed);
            });
        }
    }

    fn body_sizes(&self) -> BodySizes {
        if !self.exchange.config.body_size_metrics {
            return BodySizes::default();
        }
        BodySizes {
            request: self.exchange.request_bytes.as_ref().map(RequestBytes::total),
            response: self.received.filter(|_| self.status.is_some()),
        }
    }
}

impl Exchange {
    fn write_span(
        &self,
        late: Option<&Late>,
        end: EndLabels<'_>,
        verdict: Option<&Verdict>,
        elapsed: Duration,
    ) {
        let span = self.cx.span();
        if let Some(late) = late.filter(|late| late.name.is_some() || late.route.is_some()) {
            let routed = || self.labels.method.span_name(end.route.map(|route| &**route)).name;
            span.update_name(late.name.clone().unwrap_or_else(routed));
        }
        // A server's has it from the start.
        let version = end.version.filter(|_| self.config.side == Side::Client);
        let said = late.map_or(&[][..], |late| &late.attributes);
        let findings = Findings::new(&span, said);
        EndLabels { version, ..end }.tell(|finding| findings.tell(finding));
        self.tell_peer(&findings);
        self.end_span(&span, said, verdict, elapsed);
    }

    pub(super) fn tell_peer(&self, findings: &Findings<'_>) {
        if let Some(peer) = self.peer.get() {
            findings.tell(KeyValue::new(NETWORK_PEER_ADDRESS, peer.ip().to_canonical().to_string()));
            findings.tell(KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port())));
        }
    }

    /// Writes what was said, and the verdict, and ends the span.
    #[inline]
    pub(super) fn end_span(
        &self,
        span: &SpanRef<'_>,
        said: &[KeyValue],
        verdict: Option<&Verdict>,
        elapsed: Duration,
    ) {
        for said in said {
            if !self.given.contains(&said.key) {
                span.set_attribute(said.clone());
            }
        }
        if let Some(verdict) = verdict {
            span.set_status(Status::Error { description: verdict.description.clone() });
        }
        span.end_with_timestamp(self.start_time + elapsed);
    }
}

/// Tells a span what was found, unless somebody said it otherwise: the SDK appends, it never replaces.
pub(super) struct Findings<'s> {
    span: &'s SpanRef<'s>,
    said: &'s [KeyValue],
}

impl<'s> Findings<'s> {
    pub(super) fn new(span: &'s SpanRef<'s>, said: &'s [KeyValue]) -> Self {
        Self { span, said }
    }

    #[inline]
    pub(super) fn tell(&self, finding: KeyValue) {
        if self.said.iter().all(|said| said.key != finding.key) {
            self.span.set_attribute(finding);
        }
    }
}
