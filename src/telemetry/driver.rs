//! The runtime on which connections to collectors live: a thread of its own, so that telemetry works in
//! programs without a runtime, and in a runtime of one thread that waits for telemetry to end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Error;

/// Later than anything that is tried again.
const FAR: Duration = Duration::from_secs(24 * 3_600);

/// It ends when the last copy is dropped.
#[derive(Clone)]
pub(crate) struct Driver {
    handle: Handle,
    end: Arc<watch::Sender<Option<Instant>>>,
}

impl Driver {
    pub(crate) fn start() -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::no_thread)?;
        let handle = runtime.handle().clone();
        let (end, mut ends) = watch::channel(None);
        let run = move || {
            // Connections belong to exporters, and exporters make no telemetry.
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            // It fails when there is no sender any more.
            runtime.block_on(async { while ends.changed().await.is_ok() {} });
        };
        std::thread::Builder::new().name("otelhttp-io".to_owned()).spawn(run).map_err(Error::no_thread)?;
        Ok(Self { handle, end: Arc::new(end) })
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// For exporters that ask for a runtime.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// The program ends, within this time. What fails now is tried again once, if there is time.
    pub(crate) fn ends(&self, within: Duration) {
        let now = Instant::now();
        self.end.send_replace(Some(now.checked_add(within).unwrap_or(now + FAR)));
    }

    /// When the program ends, once that is known.
    pub(crate) fn end(&self) -> watch::Receiver<Option<Instant>> {
        self.end.subscribe()
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}
