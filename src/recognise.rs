//! Types of other crates that are recognised when their feature is on. All features meet here, so
//! that no other file has to know which of them are.

use std::any::Any;
use std::error::Error;
use std::net::SocketAddr;

use http::{Extensions, response};
use opentelemetry::Context;

use crate::address::PeerAddr;
use crate::semconv::error::Clue;

/// The route that a router has put into a request.
pub(crate) fn route(extensions: &Extensions) -> Option<&str> {
    #[cfg(feature = "axum")]
    return crate::axum::route(extensions);
    #[cfg(not(feature = "axum"))]
    return nothing(extensions);
}

/// The ends of the connection, as an acceptor has put them into a request.
pub(crate) fn peer(extensions: &Extensions) -> Option<PeerAddr> {
    #[cfg(feature = "axum")]
    return crate::axum::peer(extensions);
    #[cfg(not(feature = "axum"))]
    return nothing(extensions);
}

/// The other end of the connection that a response came from, as a connector has told.
pub(crate) fn response_peer(extensions: &Extensions) -> Option<SocketAddr> {
    #[cfg(feature = "hyper-util")]
    return crate::hyper_util::peer(extensions);
    #[cfg(not(feature = "hyper-util"))]
    return nothing(extensions);
}

/// An error whose type is known, so that it can be asked for its sources.
pub(crate) fn error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    #[cfg(feature = "axum")]
    if let Some(error) = crate::axum::error(error) {
        return Some(error);
    }
    #[cfg(feature = "hyper-util")]
    if let Some(error) = crate::hyper_util::error(error) {
        return Some(error);
    }
    #[cfg(feature = "reqwest")]
    if let Some(error) = crate::reqwest::known_error(error) {
        return Some(error);
    }
    #[cfg(feature = "reqwest-middleware")]
    if let Some(error) = crate::reqwest_middleware::error(error) {
        return Some(error);
    }
    #[cfg(feature = "tonic")]
    if let Some(error) = crate::tonic::error(error) {
        return Some(error);
    }
    let _ = error;
    None
}

/// What an error of a known type tells.
pub(crate) fn clue(error: &(dyn Error + 'static)) -> Option<Clue> {
    #[cfg(feature = "axum")]
    if let Some(clue) = crate::axum::clue(error) {
        return Some(clue);
    }
    #[cfg(feature = "hyper-util")]
    if let Some(clue) = crate::hyper_util::clue(error) {
        return Some(clue);
    }
    #[cfg(feature = "reqwest")]
    if let Some(clue) = crate::reqwest::clue(error) {
        return Some(clue);
    }
    #[cfg(feature = "tonic")]
    if let Some(clue) = crate::tonic::clue(error) {
        return Some(clue);
    }
    let _ = error;
    None
}

/// Holds the connection that a response comes over in use.
#[cfg(feature = "connect")]
pub(crate) use crate::connect::Lease;
#[cfg(not(feature = "connect"))]
#[derive(Debug, Default)]
pub(crate) struct Lease {}

/// A connector of ours has put a handle into the response, which is for nobody further out.
pub(crate) fn lease(parts: &mut response::Parts) -> Lease {
    #[cfg(feature = "connect")]
    return Lease::take(parts);
    #[cfg(not(feature = "connect"))]
    {
        let _ = parts;
        Lease {}
    }
}

/// The phase in which a connection for the call of this context has just failed.
pub(crate) fn failed_phase(cx: &Context) -> Option<&'static str> {
    #[cfg(feature = "connect")]
    return crate::connect::failed_phase(cx);
    #[cfg(not(feature = "connect"))]
    {
        let _ = cx;
        None
    }
}

#[cfg(not(all(feature = "axum", feature = "hyper-util")))]
fn nothing<T>(_: &Extensions) -> Option<T> {
    None
}
