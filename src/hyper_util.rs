//! hyper and hyper-util: what their client's errors mean and where its responses come from.

use std::any::Any;
use std::error::Error;
use std::net::SocketAddr;

use http::Extensions;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpInfo;

use crate::semconv::error::{BODY, Hint, PROTOCOL, RESET, TIMEOUT};

pub(crate) fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get::<HttpInfo>().map(HttpInfo::remote_addr)
}

pub(crate) fn error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<legacy::Error>() {
        return Some(error);
    }
    error.downcast_ref::<hyper::Error>().map(|error| error as _)
}

pub(crate) fn hint(error: &(dyn Error + 'static)) -> Option<Hint> {
    if let Some(error) = error.downcast_ref::<legacy::Error>() {
        return Some(if error.is_connect() { Hint::Connecting } else { Hint::Known });
    }
    let error = error.downcast_ref::<hyper::Error>()?;
    Some(if error.is_timeout() {
        Hint::Class(TIMEOUT)
    } else if error.is_parse() {
        Hint::Class(PROTOCOL)
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Hint::Class(RESET)
    } else {
        // Where hyper has no predicate its text is all there is.
        match error.to_string().as_str() {
            "connection error" | "http2 error" => Hint::Class(RESET),
            "error from user's Body stream" => Hint::Class(BODY),
            _ => Hint::Known,
        }
    })
}
