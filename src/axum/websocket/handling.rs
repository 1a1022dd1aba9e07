use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use opentelemetry::Context;
use pin_project_lite::pin_project;

use super::connection::Connection;

pin_project! {
    /// The handler of a connection as it runs.
    pub(super) struct Handling<F> {
        #[pin]
        handler: F,
        cx: Context,
        running: Running,
    }
}

impl<F> Handling<F> {
    pub(super) fn new(handler: F, cx: Context, connection: Option<Arc<Connection>>) -> Self {
        Self { handler, cx, running: Running(connection) }
    }
}

impl<F: Future<Output = ()>> Future for Handling<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let this = self.project();
        let polled = {
            let mut guard = OnUnwind(this.running.0.as_deref());
            let _attached = this.cx.clone().attach();
            let polled = this.handler.poll(cx);
            guard.0 = None;
            polled
        };
        if polled.is_ready() {
            this.running.0 = None;
        }
        polled
    }
}

/// The connection of a handler that has not returned. Dropped, it was cancelled.
struct Running(Option<Arc<Connection>>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.cancelled();
        }
    }
}

/// By the time the future is dropped nobody can tell a panic from a cancellation.
struct OnUnwind<'c>(Option<&'c Connection>);

impl Drop for OnUnwind<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            connection.panicked();
        }
    }
}
