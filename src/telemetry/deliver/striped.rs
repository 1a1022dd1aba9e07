//! A count that many threads add to without waiting for each other.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const STRIPES: usize = 16;

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
}

/// Each thread adds to a cache line of its own, as long as there are no more threads than stripes: one
/// shared counter costs two busy threads more than the rest of what a processor does at a span's start.
#[derive(Debug, Default)]
pub(crate) struct Striped([Stripe; STRIPES]);

// Two lines of 64 bytes, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(AtomicU64);

impl Striped {
    pub(crate) fn add_one(&self) {
        self.0[MINE.with(|mine| *mine)].0.fetch_add(1, Ordering::Release);
    }

    /// Exact as soon as nobody adds any more.
    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.0.load(Ordering::Acquire)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_between_threads() {
        let count = Striped::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| (0..1_000).for_each(|_| count.add_one()));
            }
        });
        assert_eq!(count.sum(), 2 * STRIPES as u64 * 1_000);
    }
}
