use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::task::yield_now;

/// Where requests wait for each other.
#[derive(Debug, Default)]
pub(super) struct Gate {
    waiting: AtomicUsize,
    opened: Notify,
}

impl Gate {
    pub(super) async fn pass(&self) {
        // From here on it hears of the opening, although it does not wait yet.
        let opened = self.opened.notified();
        self.waiting.fetch_add(1, Ordering::Relaxed);
        opened.await;
    }

    pub(super) async fn is_waited_at_by(&self, requests: usize) {
        while self.waiting.load(Ordering::Relaxed) < requests {
            yield_now().await;
        }
    }

    pub(super) fn open(&self) {
        self.waiting.store(0, Ordering::Relaxed);
        self.opened.notify_waiters();
    }
}
