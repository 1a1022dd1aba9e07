use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use pin_project_lite::pin_project;

use super::connections::Measured;

pin_project! {
    /// A connection that [`tcp`](super::tcp) has made. Nothing is buffered and nothing changed; it knows
    /// when something is sent and when it closes.
    #[derive(Debug)]
    pub struct TcpIo<T> {
        #[pin]
        inner: T,
        measured: Measured,
    }
}

impl<T> TcpIo<T> {
    pub(super) fn new(inner: T, measured: Measured) -> Self {
        Self { inner, measured }
    }

    /// The connection inside.
    pub fn inner(&self) -> &T {
        &self.inner
    }
}

impl<T: Connection> Connection for TcpIo<T> {
    fn connected(&self) -> Connected {
        let connected = self.inner.connected();
        match self.measured.handle() {
            Some(handle) => connected.extra(handle.clone()),
            None => connected,
        }
    }
}

impl<T: Read> Read for TcpIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().inner.poll_read(cx, buffer)
    }
}

impl<T: Write> Write for TcpIo<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        this.measured.sent();
        this.inner.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        this.measured.sent();
        this.inner.poll_write_vectored(cx, bytes)
    }
}
