//! hyper and hyper-util: what their client's errors mean and where its responses come from.

use std::any::Any;
use std::error::Error;
use std::net::SocketAddr;

use http::Extensions;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{HttpConnector, HttpInfo};
use tower_service::Service;

use crate::semconv::error::{BODY, Clue, Hint, PROTOCOL, RESET, TIMEOUT};

pub(crate) fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get::<HttpInfo>().map(HttpInfo::remote_addr)
}

/// It has no public name of its own.
type ConnectError = <HttpConnector as Service<http::Uri>>::Error;

pub(crate) fn error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<legacy::Error>() {
        return Some(error);
    }
    if let Some(error) = error.downcast_ref::<ConnectError>() {
        return Some(error);
    }
    error.downcast_ref::<hyper::Error>().map(|error| error as _)
}

/// Their own texts are fixed ones.
pub(crate) fn clue(error: &(dyn Error + 'static)) -> Option<Clue> {
    if let Some(error) = error.downcast_ref::<legacy::Error>() {
        let hint = if error.is_connect() { Hint::Connecting } else { Hint::Known };
        return Some(Clue::telling(hint, error.to_string()));
    }
    let error = error.downcast_ref::<hyper::Error>()?;
    let text = error.to_string();
    let hint = if error.is_timeout() {
        Hint::Class(TIMEOUT)
    } else if error.is_parse() {
        Hint::Class(PROTOCOL)
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Hint::Class(RESET)
    } else {
        // Where hyper has no predicate its text is all there is.
        match text.as_str() {
            "connection error" | "http2 error" => Hint::Class(RESET),
            "error from user's Body stream" => Hint::Class(BODY),
            _ => Hint::Known,
        }
    };
    Some(Clue::telling(hint, text))
}
