//! axum: what its router and its acceptor put into a request, and [`ServerSpan`] as an extractor.

#[cfg(feature = "ws")]
pub mod websocket;

use std::any::Any;
use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath};
use http::Extensions;
use http::request::Parts;

use crate::address::PeerAddr;
use crate::exchange::ServerSpan;
use crate::semconv::error::{Clue, Hint};

/// axum leaves `MatchedPath` out while the request is still on its way into a nested service.
pub(crate) fn route(extensions: &Extensions) -> Option<&str> {
    extensions.get::<MatchedPath>().map(MatchedPath::as_str)
}

pub(crate) fn peer(extensions: &Extensions) -> Option<PeerAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|info| PeerAddr::new(info.0))
}

pub(crate) fn error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error.downcast_ref::<axum::Error>().map(|error| error as _)
}

/// Its text is that of the error within, whatever that is.
pub(crate) fn clue(error: &(dyn Error + 'static)) -> Option<Clue> {
    error.is::<axum::Error>().then(|| Clue::silent(Hint::Known))
}

/// Never rejects: where no layer runs, the handle is inert.
impl<S: Sync> FromRequestParts<S> for ServerSpan {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
