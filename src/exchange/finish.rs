//! How a call ends: the only place that sets the status, records the metrics and ends the span.

use opentelemetry::Key;
use opentelemetry::trace::{Status, TraceContextExt};

use super::verdict::{self, Verdict};
use super::{Exchange, Late, Outcome, Owner};
use crate::config::Side;
use crate::guest::contain;
use crate::metrics::{BodySizes, EndLabels};
use crate::request_body::RequestBytes;

impl Drop for Owner {
    fn drop(&mut self) {
        // A panic in here while the service's own panic unwinds would abort the program.
        contain("a telemetry pipeline", || self.finish());
    }
}

impl Owner {
    fn finish(&self) {
        let exchange = &*self.exchange;
        let Some(mut late) = exchange.lock().take() else { return };
        let elapsed = exchange.started.elapsed();
        let verdict = verdict::of(&exchange.config, &self.outcome, self.status, late.error.as_ref());
        let end = EndLabels {
            status: self.status,
            error: verdict.as_ref().map(|verdict| verdict.error_type.clone()),
            route: late.route.take(),
            version: self.version,
            further: std::mem::take(&mut late.metric_attributes),
        };
        if let Some((instruments, begun)) = &exchange.instruments {
            contain("a meter", || {
                instruments.finish(*begun, &exchange.labels);
                if !matches!(self.outcome, Outcome::Upgraded) {
                    let sizes = self.body_sizes();
                    instruments.record(&exchange.cx, elapsed, sizes, &exchange.labels, &end);
                }
            });
        }
        if exchange.records() {
            contain("a span processor", || {
                exchange.write_span(late, end, verdict);
                exchange.cx.span().end_with_timestamp(exchange.start_time + elapsed);
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
    fn write_span(&self, late: Late, end: EndLabels, verdict: Option<Verdict>) {
        let span = self.cx.span();
        if late.name.is_some() || late.route_changed {
            let routed = || self.labels.method.span_name(end.route.as_deref()).name;
            span.update_name(late.name.unwrap_or_else(routed));
        }
        // A server's has it from the start.
        let version = end.version.filter(|_| self.config.side == Side::Client);
        // The SDK appends, it never replaces.
        let is_said = |key: &Key| late.attributes.iter().any(|said| said.key == *key);
        EndLabels { version, ..end }.tell(|finding| {
            if !is_said(&finding.key) {
                span.set_attribute(finding);
            }
        });
        for said in late.attributes {
            if !self.given.contains(&said.key) {
                span.set_attribute(said);
            }
        }
        if let Some(verdict) = verdict {
            span.set_status(Status::Error { description: verdict.description });
        }
    }
}
