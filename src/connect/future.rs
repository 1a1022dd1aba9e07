use std::fmt;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::phase::Phase;

pin_project! {
    /// The future of each wrapper of this module. `F` is the inner one, which makes a `T`, `U` what
    /// becomes of that.
    ///
    /// Dropped before it is ready, it ends the phase there.
    #[must_use = "futures do nothing unless polled"]
    pub struct PhaseFuture<F, T, U = T> {
        // Dropped first, so that the phases inside end before those around them.
        #[pin]
        inner: F,
        phase: Phase,
        done: fn(&mut Phase, T) -> U,
    }
}

impl<F, T, U> PhaseFuture<F, T, U> {
    pub(super) fn new(phase: Phase, call: impl FnOnce() -> F, done: fn(&mut Phase, T) -> U) -> Self {
        Self { inner: phase.run(call), phase, done }
    }
}

impl<F, T, U, E> Future for PhaseFuture<F, T, U>
where
    F: Future<Output = Result<T, E>>,
    E: Display + 'static,
{
    type Output = Result<U, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(match ready!(this.phase.run(|| this.inner.poll(cx))) {
            Ok(output) => Ok((this.done)(this.phase, output)),
            Err(error) => {
                this.phase.fail(&error);
                Err(error)
            }
        })
    }
}

impl<F, T, U> fmt::Debug for PhaseFuture<F, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhaseFuture").field("phase", &self.phase).finish_non_exhaustive()
    }
}
