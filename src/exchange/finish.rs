//! How a call ends: the only place that sets the status, records the metrics and ends the span.

use std::borrow::Cow;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Status, TraceContextExt};

use super::late::Late;
use super::verdict::{self, Verdict};
use super::{Exchange, Outcome};
use crate::guest::contain;
use crate::metrics::BodySizes;
use crate::request_body::RequestBytes;
use crate::semconv::attributes::put;
use crate::semconv::{
    ERROR_TYPE, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, NETWORK_PROTOCOL_VERSION, protocol_version,
};

impl Drop for Exchange {
    fn drop(&mut self) {
        // A panic in here while the service's own panic unwinds would abort the program.
        contain("a telemetry pipeline", || self.finish());
    }
}

impl Exchange {
    fn finish(&mut self) {
        let Some(late) = self.shared.take() else { return };
        let elapsed = self.started.elapsed();
        let verdict = verdict::of(&self.config, &self.outcome, self.status, late.error.as_ref());
        if let Some(instruments) = self.instruments.take() {
            contain("a meter", || {
                instruments.finish(&self.metric_attributes);
                if !matches!(self.outcome, Outcome::Upgraded) {
                    let sizes = self.body_sizes();
                    let attributes = self.final_metric_attributes(&late, verdict.as_ref());
                    // For exemplars. A thread that is ending has no current context.
                    let _current = contain("the context", || self.shared.cx.clone().attach());
                    instruments.record(elapsed, sizes, &attributes);
                }
            });
        }
        if self.records {
            contain("a span processor", || {
                self.write_span(late, verdict);
                self.shared.cx.span().end_with_timestamp(self.start_time + elapsed);
            });
        }
    }

    fn write_span(&self, mut late: Late, verdict: Option<Verdict>) {
        let span = self.shared.cx.span();
        if let Some(name) = self.final_name(&mut late) {
            span.update_name(name);
        }
        let findings = self.findings(&late, verdict.as_ref());
        let unsaid = |finding: &KeyValue| late.attributes.iter().all(|said| said.key != finding.key);
        span.set_attributes(findings.filter(unsaid).filter(|finding| !self.was_given(finding)));
        span.set_attributes(late.attributes.into_iter().filter(|said| !self.was_given(said)));
        if let Some(verdict) = verdict {
            span.set_status(Status::Error { description: verdict.description });
        }
    }

    /// The SDK appends, it never replaces.
    fn was_given(&self, attribute: &KeyValue) -> bool {
        self.start_attributes.gave(&attribute.key)
    }

    /// Nothing if it is still the one that the span started with.
    fn final_name(&self, late: &mut Late) -> Option<Cow<'static, str>> {
        let routed = || self.method_label.span_name(late.route.as_deref());
        late.name.take().or_else(|| late.route_changed.then(routed))
    }

    fn final_metric_attributes(&mut self, late: &Late, verdict: Option<&Verdict>) -> Vec<KeyValue> {
        let mut attributes = std::mem::take(&mut self.metric_attributes);
        attributes.extend(self.findings(late, verdict));
        for attribute in &late.metric_attributes {
            put(&mut attributes, attribute.clone());
        }
        attributes
    }

    /// What spans and metrics both tell of the end.
    fn findings(&self, late: &Late, verdict: Option<&Verdict>) -> impl Iterator<Item = KeyValue> + use<> {
        let status = self.status.map(|status| i64::from(status.as_u16()));
        let findings = [
            status.map(|status| KeyValue::new(HTTP_RESPONSE_STATUS_CODE, status)),
            verdict.map(|verdict| KeyValue::new(ERROR_TYPE, verdict.error_type.clone())),
            late.route.clone().map(|route| KeyValue::new(HTTP_ROUTE, route)),
            self.version
                .and_then(protocol_version)
                .map(|version| KeyValue::new(NETWORK_PROTOCOL_VERSION, version)),
        ];
        findings.into_iter().flatten()
    }

    fn body_sizes(&self) -> BodySizes {
        if !self.config.body_size_metrics {
            return BodySizes::default();
        }
        BodySizes {
            request: self.request_bytes.as_ref().map(RequestBytes::total),
            response: self.received.filter(|_| self.status.is_some()),
        }
    }
}
