//! Tokens that come at a steady rate and are kept up to a number.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// All of a bucket is one number, the time at which it will be full again: it is moved on by each token that
/// is taken, and no lock is needed.
#[derive(Debug)]
pub(super) struct Bucket {
    full_at: AtomicU64,
    /// Nanoseconds from one token to the next.
    interval: u64,
    /// Nanoseconds that all tokens take to come.
    size: u64,
}

/// 146 years. Three times as much still fits into a number.
const LONGEST: u64 = 1 << 62;

impl Bucket {
    /// A full one.
    pub(super) fn new(per_second: f64, burst: u32) -> Self {
        // Rounded up, so that there are never more. Numbers that are too large become the largest.
        let interval = ((1e9 / per_second).ceil() as u64).clamp(1, LONGEST);
        let burst = if per_second > 0.0 { burst } else { 0 };
        let size = interval.saturating_mul(burst.into()).min(LONGEST);
        Self { full_at: AtomicU64::new(0), interval, size }
    }

    /// Whether there is a token at this time, since whenever.
    pub(super) fn take(&self, now: Duration) -> bool {
        let now = u64::try_from(now.as_nanos()).unwrap_or(LONGEST).min(LONGEST);
        let taken = |full_at: u64| {
            let full_at = full_at.max(now) + self.interval;
            (full_at - now <= self.size).then_some(full_at)
        };
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// How many tokens there are at once.
    fn drain(bucket: &Bucket, now: Duration) -> usize {
        (0..10_000).take_while(|_| bucket.take(now)).count()
    }

    #[test]
    fn it_is_full_at_first_and_fills_again_up_to_its_size() {
        let bucket = Bucket::new(10.0, 20);
        assert_eq!(drain(&bucket, millis(0)), 20);
        assert_eq!(drain(&bucket, millis(99)), 0);
        assert_eq!(drain(&bucket, millis(100)), 1);
        assert_eq!(drain(&bucket, millis(1_100)), 10);
        assert_eq!(drain(&bucket, millis(1_000_000)), 20);
    }

    #[test]
    fn in_no_window_are_there_more_than_the_burst_and_what_the_rate_brings() {
        // 997 calls a second for a minute, 10 tokens a second, 10 at once.
        let bucket = Bucket::new(10.0, 10);
        let taken: Vec<Duration> =
            (0..60 * 997).map(|n| Duration::from_secs(1) * n / 997).filter(|now| bucket.take(*now)).collect();
        assert!((600..=610).contains(&taken.len()), "{}", taken.len());
        for (index, first) in taken.iter().enumerate() {
            for window in [millis(100), millis(1_000), millis(10_000)] {
                let inside = taken[index..].iter().take_while(|time| **time - *first < window).count();
                assert!(
                    inside as u128 <= 10 + window.as_millis() / 100,
                    "{inside} in {window:?} from {first:?}"
                );
            }
        }
        let steady = taken.iter().filter(|time| (10..60).contains(&time.as_secs())).count();
        assert!((499..=501).contains(&steady), "{steady}");
    }

    #[test]
    fn rates_need_not_be_whole() {
        let bucket = Bucket::new(0.1, 1);
        let at = |seconds| drain(&bucket, Duration::from_secs(seconds));
        assert_eq!([at(0), at(9), at(10), at(15), at(20), at(1_000)], [1, 0, 1, 0, 1, 1]);
        // A third of a second is a nanosecond's third more than that.
        let bucket = Bucket::new(3.0, 1);
        let at = |nanos| drain(&bucket, Duration::from_nanos(nanos));
        assert_eq!([at(0), at(333_333_333), at(333_333_334)], [1, 0, 1]);
    }

    #[test]
    fn odd_rates_never_panic() {
        for (rate, burst, expected) in [
            (0.0, 3, 0),
            (-1.0, 3, 0),
            (f64::NAN, 3, 0),
            (f64::NEG_INFINITY, 3, 0),
            (f64::INFINITY, 3, 3),
            (f64::MAX, 3, 3),
            (1.0, 0, 0),
            // A bucket takes no longer than 146 years to fill.
            (f64::MIN_POSITIVE, 3, 1),
            (1e-9, u32::MAX, 4),
        ] {
            for now in [Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
                let bucket = Bucket::new(rate, burst);
                assert_eq!(drain(&bucket, now), expected, "{rate} at {now:?}");
                assert_eq!(drain(&bucket, now), 0, "{rate} at {now:?}");
            }
        }
    }

    #[test]
    fn threads_share_the_tokens_exactly() {
        let (bucket, taken) = (Bucket::new(1.0, 1_000), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        taken.fetch_add(usize::from(bucket.take(millis(5))), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(taken.into_inner(), 1_000);
    }

    #[test]
    fn threads_whose_clocks_differ_take_what_the_rate_brings() {
        let (bucket, taken) = (Bucket::new(1_000.0, 10), AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..8 {
                let (bucket, taken) = (&bucket, &taken);
                scope.spawn(move || {
                    for step in 0..1_000 {
                        let now = millis(step) + Duration::from_micros(thread * 100);
                        taken.fetch_add(usize::from(bucket.take(now)), Ordering::Relaxed);
                    }
                });
            }
        });
        // No thread's clock goes on by more than what a token takes, so that none is lost.
        let taken = taken.into_inner();
        assert!((999..=10 + 1_000).contains(&taken), "{taken}");
    }
}
