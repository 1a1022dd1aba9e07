//! How batches of spans and logs are made, and how often metrics are collected.

use std::time::Duration;

use super::Environment;
use crate::telemetry::deliver::Batches;

impl Environment {
    /// `OTEL_BSP_*`, the batches of spans, with this delay where no variable says another.
    pub(crate) fn span_batches(&self, delay: Option<Duration>) -> Batches {
        self.batches("OTEL_BSP_", delay.unwrap_or(Duration::from_secs(5)))
    }

    /// `OTEL_BLRP_*`, the batches of logs, with this delay where no variable says another.
    pub(crate) fn log_batches(&self, delay: Option<Duration>) -> Batches {
        self.batches("OTEL_BLRP_", delay.unwrap_or(Duration::from_secs(1)))
    }

    /// "The time interval (in milliseconds) between the start of two export attempts."
    pub(crate) fn metric_interval(&self) -> Option<Duration> {
        self.lasting("OTEL_METRIC_EXPORT_INTERVAL")
    }

    /// "Maximum allowed time (in milliseconds) to export data."
    pub(crate) fn metric_timeout(&self) -> Duration {
        self.lasting("OTEL_METRIC_EXPORT_TIMEOUT").unwrap_or(Duration::from_secs(30))
    }

    fn batches(&self, prefix: &str, delay: Duration) -> Batches {
        let variable = |name| format!("{prefix}{name}");
        let queue = self.count(&variable("MAX_QUEUE_SIZE")).unwrap_or(2_048);
        Batches {
            queue,
            // "It must be smaller or equal to maxQueueSize."
            size: self.count(&variable("MAX_EXPORT_BATCH_SIZE")).unwrap_or(512).min(queue),
            delay: self.milliseconds(&variable("SCHEDULE_DELAY")).unwrap_or(delay),
            timeout: self.lasting(&variable("EXPORT_TIMEOUT")).unwrap_or(Duration::from_secs(30)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::environment;
    use super::*;

    #[test]
    fn batches_have_the_defaults_of_the_specification() {
        let (environment, _) = environment(&[]);
        let (spans, logs) = (environment.span_batches(None), environment.log_batches(None));
        let timeout = Duration::from_secs(30);
        assert_eq!(spans, Batches { queue: 2_048, size: 512, delay: Duration::from_secs(5), timeout });
        assert_eq!(logs, Batches { delay: Duration::from_secs(1), ..spans });
    }

    #[test]
    fn batches_are_as_the_variables_say_and_no_larger_than_the_queue() {
        let (environment, told) = environment(&[
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "200"),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "soon"),
        ]);
        let batches = environment.span_batches(Some(Duration::ZERO));
        let (delay, timeout) = (Duration::from_millis(50), Duration::from_secs(30));
        assert_eq!(batches, Batches { queue: 100, size: 100, delay, timeout });
        assert_eq!(told.lock().unwrap().len(), 1);
    }
}
