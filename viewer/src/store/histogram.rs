use std::time::Duration;

/// Twenty to a decade, from a microsecond to a thousand seconds.
const DECADE: f64 = 20.0;
const PLACES: usize = 9 * 20;
const LEAST: f64 = 1_000.0;

/// Durations in places of equal ratio: a percentile of them is right within an eighth, and never beyond what was seen.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: [u32; PLACES],
    total: u32,
    shortest: u64,
    longest: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: [0; PLACES], total: 0, shortest: u64::MAX, longest: 0 }
    }

    pub(crate) fn add(&mut self, nanos: u64) {
        let place = ((nanos.max(1) as f64 / LEAST).log10() * DECADE).floor();
        let place = place.clamp(0.0, (PLACES - 1) as f64) as usize;
        self.counts[place] = self.counts[place].saturating_add(1);
        self.total = self.total.saturating_add(1);
        self.shortest = self.shortest.min(nanos);
        self.longest = self.longest.max(nanos);
    }

    pub(crate) fn count(&self) -> u32 {
        self.total
    }

    /// The duration that this part (0 to 1) of all does not exceed. Nothing, of nothing.
    pub(crate) fn quantile(&self, part: f64) -> Option<u64> {
        let wanted = (part * f64::from(self.total)).ceil().max(1.0);
        let mut seen = 0.0;
        for (place, count) in self.counts.iter().map(|count| f64::from(*count)).enumerate() {
            if count > 0.0 && seen + count >= wanted {
                // In the middle of its share of the place: of a single one, the middle is at most a sixteenth off.
                let exponent = (place as f64 + (wanted - seen - 0.5) / count) / DECADE;
                let nanos = (LEAST * 10f64.powf(exponent)) as u64;
                return Some(nanos.clamp(self.shortest, self.longest));
            }
            seen += count;
        }
        None
    }
}

/// Where each of tracez' buckets begins.
pub(crate) const LATENCIES: [Duration; 9] = [
    Duration::ZERO,
    Duration::from_micros(10),
    Duration::from_micros(100),
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(100),
];

pub(crate) fn latency(nanos: u64) -> usize {
    LATENCIES.iter().rposition(|from| u128::from(nanos) >= from.as_nanos()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_a_place() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=1_000).for_each(|n| histogram.add(n * 1_000_000));
        for (part, exact) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0), (0.001, 1.0)] {
            let quantile = histogram.quantile(part).unwrap() as f64 / 1e6;
            assert!((quantile / exact - 1.0).abs() < 0.123, "{part}: {quantile} for {exact}");
        }
    }

    #[test]
    fn a_single_one_is_in_the_middle_of_its_place() {
        for nanos in [1_000_000, 503_000_000, 560_000_000] {
            let mut histogram = Histogram::new();
            histogram.add(nanos);
            let quantile = histogram.quantile(0.95).unwrap() as f64 / nanos as f64;
            assert!((quantile - 1.0).abs() < 0.06, "{quantile} of {nanos}");
        }
    }

    /// A place is an eighth wide, and what was measured may all be at its beginning.
    #[test]
    fn no_quantile_is_beyond_what_was_seen() {
        for seen in [[505, 510], [1_000, 1_000], [400, 1_020], [0, 0]] {
            let mut histogram = Histogram::new();
            seen.iter().cycle().take(100).for_each(|millis| histogram.add(millis * 1_000_000));
            for part in [0.0, 0.5, 0.95, 0.99, 1.0] {
                let quantile = histogram.quantile(part).unwrap();
                assert!(
                    (seen[0] * 1_000_000..=seen[1] * 1_000_000).contains(&quantile),
                    "{part} of {seen:?}: {quantile}"
                );
            }
        }
        let mut histogram = Histogram::new();
        histogram.add(u64::MAX);
        assert_eq!(histogram.quantile(0.5), Some(u64::MAX));
    }

    #[test]
    fn nothing_is_too_short_or_too_long() {
        let mut histogram = Histogram::new();
        [0, 1, u64::MAX].into_iter().for_each(|nanos| histogram.add(nanos));
        assert_eq!(histogram.count(), 3);
        assert!(histogram.quantile(1.0) > histogram.quantile(0.0));
    }

    #[test]
    fn latencies_are_decades() {
        for (nanos, bucket) in [(0, 0), (9_999, 0), (10_000, 1), (999_999_999, 5), (u64::MAX, 8)] {
            assert_eq!(latency(nanos), bucket, "{nanos}");
        }
    }
}
