use std::sync::Arc;
use std::time::Instant;

use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

use super::bucket::Bucket;
use super::decided;

/// Takes no more than so many traces a second.
///
/// ```
/// use otelhttp::sampling::{LimitSampler, RouteSampler};
///
/// // At most ten a second, whatever comes.
/// let sampler = LimitSampler::new(10.0);
///
/// // At most ten a second of the twentieth that another sampler takes, and not all of a minute's at once.
/// let sampler = LimitSampler::new(10.0).burst(1).of(RouteSampler::new(0.05));
/// # let _ = sampler;
/// ```
///
/// It is a bucket of tokens: they come at the rate, they are kept up to the burst, and a trace that begins
/// takes one or is not sampled. In `t` seconds there are at most `burst + rate * t` traces, and no fewer
/// than the rate has room for where more begin. Those are the traces that begin here: traces of callers
/// that are sampled come on top.
///
/// Clones share the bucket. It takes no lock.
#[derive(Clone, Debug)]
#[must_use = "a sampler does nothing until it is given to a provider"]
pub struct LimitSampler {
    bucket: Arc<Bucket>,
    per_second: f64,
    begun: Instant,
    of: Box<dyn ShouldSample>,
}

impl LimitSampler {
    /// Takes at most so many traces a second, which may be a fraction: 0.1 is one in ten seconds. None if
    /// it is 0, less or not a number.
    pub fn new(per_second: f64) -> Self {
        // What comes in a second. Numbers that are too large become the largest.
        let burst = per_second.ceil() as u32;
        let bucket = Arc::new(Bucket::new(per_second, burst));
        Self { bucket, per_second, begun: Instant::now(), of: Sampler::AlwaysOn.into() }
    }

    /// How many may be taken at once after a time when few were. Default: as many as a second brings, and at
    /// least 1. None are ever taken if it is 0.
    pub fn burst(mut self, traces: u32) -> Self {
        self.bucket = Arc::new(Bucket::new(self.per_second, traces));
        self
    }

    /// Takes only traces that this sampler would take. Default: all.
    pub fn of(mut self, sampler: impl Into<Box<dyn ShouldSample>>) -> Self {
        self.of = sampler.into();
        self
    }
}

impl ShouldSample for LimitSampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        decided(parent).unwrap_or_else(|| {
            let mut result = self.of.should_sample(parent, trace_id, name, kind, attributes, links);
            let taken = result.decision == SamplingDecision::RecordAndSample;
            if taken && !self.bucket.take(self.begun.elapsed()) {
                result.decision = SamplingDecision::Drop;
            }
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use opentelemetry::SpanId;
    use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};

    use super::*;

    /// One token an hour: none comes while a test runs.
    const HOURLY: f64 = 1.0 / 3_600.0;

    fn sampled(sampler: &LimitSampler, parent: Option<&Context>) -> bool {
        let result = sampler.should_sample(parent, TraceId::from(1), "x", &SpanKind::Server, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    fn parent(flags: TraceFlags, remote: bool) -> Context {
        let parent = SpanContext::new(TraceId::from(1), SpanId::from(1), flags, remote, TraceState::NONE);
        Context::new().with_remote_span_context(parent)
    }

    #[test]
    fn the_burst_is_taken_and_no_more() {
        let sampler = LimitSampler::new(HOURLY).burst(5);
        assert_eq!((0..100).filter(|_| sampled(&sampler, None)).count(), 5);
        assert_eq!((0..100).filter(|_| sampled(&LimitSampler::new(HOURLY), None)).count(), 100);
        let sampler = LimitSampler::new(HOURLY);
        assert_eq!((0..100).filter(|_| sampled(&sampler, None)).count(), 1);
    }

    #[test]
    fn a_parent_decides_and_takes_no_token() {
        let sampler = LimitSampler::new(HOURLY).burst(1);
        for remote in [true, false] {
            assert!((0..10).all(|_| sampled(&sampler, Some(&parent(TraceFlags::SAMPLED, remote)))));
            assert!((0..10).all(|_| !sampled(&sampler, Some(&parent(TraceFlags::NOT_SAMPLED, remote)))));
        }
        assert!(sampled(&sampler, None));
        assert!(!sampled(&sampler, None));
    }

    #[test]
    fn what_the_other_sampler_leaves_takes_no_token() {
        let never = LimitSampler::new(HOURLY).burst(1).of(Sampler::AlwaysOff);
        assert!((0..10).all(|_| !sampled(&never, None)));
        assert!(sampled(&never.of(Sampler::AlwaysOn), None));
    }

    #[test]
    fn clones_in_many_threads_share_the_bucket() {
        let (sampler, taken) = (LimitSampler::new(HOURLY).burst(100), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                let (sampler, taken) = (sampler.clone(), &taken);
                scope.spawn(move || {
                    let own = (0..1_000).filter(|_| sampled(&sampler, None)).count();
                    taken.fetch_add(own, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(taken.into_inner(), 100);
    }
}
