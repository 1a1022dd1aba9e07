use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Error;
use axum::extract::ws::{Message, WebSocket};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use futures_sink::Sink;
use http::HeaderValue;

use super::connection::{Connection, End, Passed};

/// axum's [`WebSocket`], with its life recorded.
///
/// It is a stream and a sink of [`Message`]s and can be split as that one can. The span lives as long as
/// the socket does.
#[derive(Debug)]
pub struct TracedWebSocket {
    inner: WebSocket,
    connection: Option<Arc<Connection>>,
}

impl TracedWebSocket {
    pub(super) fn new(inner: WebSocket, connection: Option<Arc<Connection>>) -> Self {
        Self { inner, connection }
    }

    /// Receives the next message. Nothing if the connection has been closed.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::recv`]: the connection broke off, or what came was no message.
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`]: the connection broke off, or was closed.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| Pin::new(&mut *self).poll_ready(cx)).await?;
        Pin::new(&mut *self).start_send(message)?;
        poll_fn(|cx| Pin::new(&mut *self).poll_flush(cx)).await
    }

    /// The subprotocol that was selected, if one was.
    #[must_use]
    pub fn protocol(&self) -> Option<&HeaderValue> {
        self.inner.protocol()
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut WebSocket> {
        Pin::new(&mut self.get_mut().inner)
    }

    fn note(&self, note: impl FnOnce(&Connection)) {
        if let Some(connection) = &self.connection {
            note(connection);
        }
    }

    fn checked<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.inspect_err(|error| self.note(|connection| connection.failed(error)))
    }
}

impl Stream for TracedWebSocket {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let received = ready!(self.as_mut().inner().poll_next(cx));
        Poll::Ready(received.map(|received| {
            let message = self.checked(received)?;
            self.note(|connection| connection.passed(End::Client, Passed::of(&message)));
            Ok(message)
        }))
    }
}

impl FusedStream for TracedWebSocket {
    fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }
}

impl Sink<Message> for TracedWebSocket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.as_mut().inner().poll_ready(cx).map(|ready| self.checked(ready))
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        // It goes away with the call, and is not to be cloned for a figure.
        let sent = Passed::of(&message);
        let accepted = self.as_mut().inner().start_send(message);
        self.checked(accepted)?;
        self.note(|connection| connection.passed(End::Server, sent));
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.as_mut().inner().poll_flush(cx).map(|flushed| self.checked(flushed))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let closed = ready!(self.as_mut().inner().poll_close(cx));
        self.checked(closed)?;
        self.note(|connection| connection.passed(End::Server, Passed::of(&Message::Close(None))));
        Poll::Ready(Ok(()))
    }
}
