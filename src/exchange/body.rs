use std::fmt;
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::Outcome;
use super::call::Call;
use crate::recognise::Lease;

pin_project! {
    /// The body of a response, which carries the span to its end.
    ///
    /// Frames, trailers, `size_hint` and `is_end_stream` are the inner body's own; nothing is
    /// buffered. The span ends with the last frame, with an error, or when the body is dropped.
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        call: Call,
        lease: Lease,
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn new(inner: B, call: Call, lease: Lease) -> Self {
        Self { inner, call, lease }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body,
    B::Error: Display + 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let (mut bytes, mut ended) = (0, false);
        let polled = this.call.run(|| {
            let polled = this.inner.as_mut().poll_frame(cx);
            if let Poll::Ready(frame) = &polled {
                bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()).map_or(0, count);
                // The consumer may know from this that it need not poll again.
                ended = frame.is_none() || this.inner.is_end_stream();
            }
            polled
        });
        let frame = ready!(polled);
        this.call.received(bytes);
        if let Some(trailers) = trailers(frame.as_ref()) {
            this.call.trailed(trailers);
        }
        if ended {
            *this.lease = Lease::default();
        }
        if let Some(Err(error)) = &frame {
            this.call.fail(error);
        } else if ended {
            this.call.end(Outcome::Complete);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn trailers<D, E>(frame: Option<&Result<Frame<D>, E>>) -> Option<&HeaderMap> {
    frame?.as_ref().ok()?.trailers_ref()
}

fn count<D: Buf>(frame: &Frame<D>) -> u64 {
    frame.data_ref().map_or(0, |data| data.remaining() as u64)
}

/// A body that stands in for one that was never there, as `tower_http` asks of its bodies.
impl<B: Default> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::new(B::default(), Call::Ended, Lease::default())
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
