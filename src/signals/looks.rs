use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// When to look at the globals, once it is known where spans go: every second. Each of them is a lock that
/// all requests would share. The first request looks too: all may have been set just before it.
#[derive(Debug)]
pub(crate) struct Looks {
    since: OnceLock<Instant>,
    /// Seconds from `since` to the last look, or `NEVER`.
    last: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Default for Looks {
    fn default() -> Self {
        Self { since: OnceLock::new(), last: AtomicU64::new(NEVER) }
    }
}

/// Another layer looks for itself.
impl Clone for Looks {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Looks {
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let age = now.saturating_duration_since(*self.since.get_or_init(|| now)).as_secs();
        let last = self.last.load(Ordering::Relaxed);
        let due = last == NEVER || age > last;
        if due {
            self.last.store(age, Ordering::Relaxed);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_is_time_to_look_at_first_and_every_second() {
        let (looks, start) = (Looks::default(), Instant::now());
        let due = |milliseconds| looks.is_due(start + Duration::from_millis(milliseconds));
        let expected = [(0, true), (0, false), (999, false), (1_000, true), (1_999, false), (60_000, true)];
        assert_eq!(expected.map(|(after, _)| (after, due(after))), expected);
    }
}
