use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::Sleep;

use super::load::{Load, Share};

/// Why a body is not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    Late,
    Crowded,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Late => "the body took too long to come",
            Self::Crowded => "too many bodies come at once",
        })
    }
}

impl Error for Gone {}

/// A body that must come in time.
pub(super) struct Arriving<B> {
    body: B,
    deadline: Pin<Box<Sleep>>,
    /// What has come of it.
    share: Share,
}

impl<B> Arriving<B> {
    pub(super) fn new(body: B, within: Duration, load: &Load) -> Self {
        Self { body, deadline: Box::pin(tokio::time::sleep(within)), share: load.share() }
    }

    fn count(&mut self, bytes: usize) -> Result<(), Gone> {
        if self.share.take(bytes) { Ok(()) } else { Err(Gone::Crowded) }
    }
}

impl<B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin> HttpBody for Arriving<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Gone::Late.into())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(Into::into)?;
            self.count(frame.data_ref().map_or(0, Bytes::len))?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whether an error comes from a body that was not waited for.
pub(super) fn gone(error: &(dyn Error + 'static)) -> Option<Gone> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(gone) = error.downcast_ref() {
            return Some(*gone);
        }
        next = error.source();
    }
    None
}
