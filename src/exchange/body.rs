use std::fmt;
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
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
        let mut seen = Seen::default();
        let polled = this.call.run(|| {
            let polled = this.inner.as_mut().poll_frame(cx);
            if let Poll::Ready(frame) = &polled {
                // The consumer may know from this that it need not poll again.
                seen = Seen { bytes: count(frame), ended: frame.is_none() || this.inner.is_end_stream() };
            }
            polled
        });
        let frame = ready!(polled);
        if seen.ended {
            *this.lease = Lease::default();
        }
        if !this.call.is_over() {
            this.call.framed(&frame, seen);
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

/// What a frame tells.
#[derive(Clone, Copy, Default)]
struct Seen {
    bytes: u64,
    ended: bool,
}

impl Call {
    fn framed<D, E: Display + 'static>(&mut self, frame: &Option<Result<Frame<D>, E>>, seen: Seen) {
        self.received(seen.bytes);
        match frame {
            Some(Err(error)) => return self.fail(error),
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.trailed(trailers);
                }
            }
            None => {}
        }
        if seen.ended {
            self.end(Outcome::Complete);
        }
    }
}

fn count<D: Buf, E>(frame: &Option<Result<Frame<D>, E>>) -> u64 {
    let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
    data.map_or(0, |data| data.remaining() as u64)
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
