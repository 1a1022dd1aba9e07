//! The runtime on which connections to collectors live: a thread of its own, so that telemetry works in
//! programs without a runtime, and in a runtime of one thread that waits for telemetry to end.

use std::fmt;
use std::sync::Arc;

use opentelemetry::Context;
use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::sync::watch;

use super::Error;

/// It ends when the last copy is dropped.
#[derive(Clone)]
pub(crate) struct Driver {
    handle: Handle,
    hurry: Arc<watch::Sender<bool>>,
}

impl Driver {
    pub(crate) fn start() -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::no_thread)?;
        let handle = runtime.handle().clone();
        let (hurry, mut hurries) = watch::channel(false);
        let run = move || {
            // Connections belong to exporters, and exporters make no telemetry.
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            // It fails when there is no sender any more.
            runtime.block_on(async { while hurries.changed().await.is_ok() {} });
        };
        std::thread::Builder::new().name("otelhttp-io".to_owned()).spawn(run).map_err(Error::no_thread)?;
        Ok(Self { handle, hurry: Arc::new(hurry) })
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// For exporters that ask for a runtime.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// The program ends: what fails now is not tried again.
    pub(crate) fn hurry(&self) {
        self.hurry.send_replace(true);
    }

    pub(crate) fn hurries(&self) -> watch::Receiver<bool> {
        self.hurry.subscribe()
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}
