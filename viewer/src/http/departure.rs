use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::answer::Problem;
use super::guard::hardened;
use super::load::{Load, Share};

/// An answer that is no larger does not count: all connections of HTTP/1 have 16 MiB of them, those of gRPC have none. What has been
/// taken in is always told so, or it would be sent again.
const SMALL: usize = 64 << 10;

/// A connection whose client takes what it is sent, or is gone: one that asks and does not read would keep its place for ever.
pub(super) struct Departing<S> {
    stream: S,
    within: Duration,
    /// Since the client took nothing.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Departing<S> {
    pub(super) fn new(stream: S, within: Duration) -> Self {
        Self { stream, within, deadline: None }
    }

    fn watched<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.deadline = None;
            return polled;
        }
        let within = self.within;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Departing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Departing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.watched(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watched(cx, polled)
    }
}

/// Part of an answer, wherever it waits to be taken.
struct Waiting {
    bytes: Bytes,
    _share: Arc<Share>,
}

impl AsRef<[u8]> for Waiting {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// An answer that counts until all of it is taken, if there is room for it. Streams have no length, and bounds of their own.
pub(super) fn counted(answer: Response, load: &Load) -> Response {
    let size =
        answer.body().size_hint().exact().map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX));
    if size <= SMALL {
        return answer;
    }
    let mut share = load.share();
    if !share.take(size) {
        let message = "too many large answers wait to be read by who asked for them";
        return hardened(Problem::new(StatusCode::SERVICE_UNAVAILABLE, message).into_response());
    }
    let share = Arc::new(share);
    // hyper is done with a body before the client is: so it is the bytes that count.
    let waiting = move |bytes| Bytes::from_owner(Waiting { bytes, _share: share.clone() });
    answer.map(|body| Body::new(body.map_frame(move |frame| frame.map_data(&waiting))))
}
