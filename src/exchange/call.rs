//! What a layer does with one call, and the guard around everything of the user's that runs in it.

use std::fmt::Display;
use std::sync::Arc;

use http::{HeaderMap, Response, response};
use http_body::Body;
use opentelemetry::Context;

use super::{Exchange, Outcome, Owner, ResponseBody};
use crate::config::Config;
use crate::recognise::{self, Lease};

/// What a layer does with one call.
pub(crate) enum Call {
    /// It is ours: recorded, and its context attached.
    Recorded(Owner),
    /// It is the outer layer's: this one only adds what it knows.
    Refined(Refinement),
    /// Nobody records it; the context is attached all the same.
    Passed(Context),
    /// There is nothing left to be done.
    Ended,
}

/// A layer inside of another one of the same request.
pub(crate) struct Refinement {
    pub(crate) config: Arc<Config>,
    pub(crate) exchange: Arc<Exchange>,
}

impl Call {
    /// Runs the user's code with the context attached.
    pub(crate) fn run<T>(&mut self, inner: impl FnOnce() -> T) -> T {
        let context = self.context();
        self.guarded(|| {
            let _attached = context.map(Context::attach);
            inner()
        })
    }

    /// Runs the user's code. If it unwinds, the exchange ends there: by the time the future is
    /// dropped, a `CatchPanicLayer` further out may have ended the unwinding, and the panic would look
    /// like a cancellation.
    fn guarded<T>(&mut self, inner: impl FnOnce() -> T) -> T {
        let mut guard = EndOnUnwind(Some(self));
        let output = inner();
        guard.0 = None;
        output
    }

    fn context(&self) -> Option<Context> {
        match self {
            Self::Recorded(owner) => Some(owner.exchange().cx.clone()),
            Self::Passed(context) => Some(context.clone()),
            // The outer layer has attached it.
            Self::Refined(_) | Self::Ended => None,
        }
    }

    /// Notes the head of the response, and wraps its body.
    pub(crate) fn answer<B: Body>(mut self, response: Response<B>) -> Response<ResponseBody<B>> {
        let (mut parts, body) = response.into_parts();
        let (exact, ended) = self.guarded(|| (body.size_hint().exact(), body.is_end_stream()));
        self.answered(&mut parts, exact, ended);
        let mut lease = recognise::lease(&mut parts);
        if ended {
            lease = Lease::default();
        }
        Response::from_parts(parts, ResponseBody::new(body, self, lease))
    }

    /// Notes the head of the response. Ends the call if there is no body to be seen.
    pub(crate) fn answered(&mut self, parts: &mut response::Parts, exact: Option<u64>, ended: bool) {
        let more = match self {
            Self::Recorded(owner) => owner.answered(parts, exact, ended),
            Self::Refined(Refinement { config, exchange }) => {
                exchange.observe_response(config, parts);
                true
            }
            Self::Passed(_) | Self::Ended => true,
        };
        if !more {
            *self = Self::Ended;
        }
    }

    pub(crate) fn fail<E: Display + 'static>(&mut self, error: &E) {
        match self {
            Self::Recorded(owner) => owner.fail(error),
            Self::Refined(Refinement { config, exchange }) => exchange.observe_error(config, error),
            Self::Passed(_) | Self::Ended => {}
        }
        *self = Self::Ended;
    }

    /// Whether there is nothing left to be done.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Ended)
    }

    pub(crate) fn received(&mut self, bytes: u64) {
        if let Self::Recorded(owner) = self {
            owner.received(bytes);
        }
    }

    pub(crate) fn trailed(&mut self, trailers: &HeaderMap) {
        match self {
            Self::Recorded(owner) => owner.trailed(trailers),
            Self::Refined(Refinement { config, exchange }) => exchange.observe_trailers(config, trailers),
            Self::Passed(_) | Self::Ended => {}
        }
    }

    pub(crate) fn end(&mut self, outcome: Outcome) {
        if let Self::Recorded(owner) = self {
            owner.outcome = outcome;
        }
        *self = Self::Ended;
    }
}

struct EndOnUnwind<'c>(Option<&'c mut Call>);

impl Drop for EndOnUnwind<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call.end(Outcome::Panicked);
        }
    }
}
