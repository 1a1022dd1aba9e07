use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is on its way, of all clients of an address together.
#[derive(Clone, Debug)]
pub(super) struct Load {
    bytes: Arc<AtomicUsize>,
    most: usize,
}

/// What one of them takes of it, until this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    load: Load,
    bytes: usize,
}

impl Load {
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: Arc::default(), most }
    }

    /// Nothing yet.
    pub(super) fn share(&self) -> Share {
        Share { load: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Takes so much more, and tells whether there was room left. Who comes first has room for anything, or what is larger than the
    /// bound would never pass; of those that come together only one exceeds it.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.load.bytes.fetch_add(bytes, Ordering::Relaxed) < self.load.most
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
