//! How much one span may hold.

use opentelemetry_sdk::trace::SpanLimits;

use super::Environment;

impl Environment {
    /// The limits of spans, each 128 by default.
    pub(crate) fn span_limits(&self) -> SpanLimits {
        let mut limits = SpanLimits::default();
        let all = self.limit("OTEL_ATTRIBUTE_COUNT_LIMIT");
        let attributes = [
            (&mut limits.max_attributes_per_span, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
            (&mut limits.max_attributes_per_event, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"),
            (&mut limits.max_attributes_per_link, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"),
        ];
        for (limit, variable) in attributes {
            *limit = self.limit(variable).or(all).unwrap_or(*limit);
        }
        limits.max_events_per_span =
            self.limit("OTEL_SPAN_EVENT_COUNT_LIMIT").unwrap_or(limits.max_events_per_span);
        limits.max_links_per_span =
            self.limit("OTEL_SPAN_LINK_COUNT_LIMIT").unwrap_or(limits.max_links_per_span);
        for variable in ["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"] {
            if self.value(variable).is_some() {
                self.ignore(variable, "the SDK does not cut values");
            }
        }
        limits
    }

    fn limit(&self, variable: &str) -> Option<u32> {
        self.parsed(variable, "a number", |value| value.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::environment;

    #[test]
    fn a_limit_of_its_own_beats_the_one_of_all() {
        let (environment, told) = environment(&[
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "7"),
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0"),
            ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "few"),
            ("OTEL_SPAN_EVENT_COUNT_LIMIT", "3"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "10"),
        ]);
        let limits = environment.span_limits();
        assert_eq!((limits.max_attributes_per_span, limits.max_attributes_per_event), (0, 7));
        assert_eq!((limits.max_attributes_per_link, limits.max_links_per_span), (7, 128));
        assert_eq!(limits.max_events_per_span, 3);
        assert_eq!(told.lock().unwrap().len(), 2);
    }
}
