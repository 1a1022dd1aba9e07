//! What reqwest's errors mean.

use std::any::Any;
use std::error::Error;
use std::io;

use crate::semconv::error::{CONNECT_TIMEOUT, Clue, DECODE, DNS, Hint, REDIRECT, TIMEOUT};

pub(crate) fn known_error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error.downcast_ref::<reqwest::Error>().map(|error| error as _)
}

/// Its text holds the whole URL.
pub(crate) fn clue(error: &(dyn Error + 'static)) -> Option<Clue> {
    let error = error.downcast_ref::<reqwest::Error>()?;
    let hint = if error.is_redirect() {
        Hint::Class(REDIRECT)
    } else if error.is_timeout() {
        Hint::Class(if error.is_connect() { CONNECT_TIMEOUT } else { TIMEOUT })
    } else if error.is_decode() || is_of_decoder(error) {
        Hint::Class(DECODE)
    } else if error.is_dns() {
        Hint::Class(DNS)
    } else if error.is_connect() {
        Hint::Connecting
    } else {
        Hint::Known
    };
    Some(Clue::silent(hint))
}

/// What comes from the wire is an error of hyper's or of reqwest's; a decoder's stands bare.
fn is_of_decoder(error: &reqwest::Error) -> bool {
    let Some(source) = error.source() else { return false };
    error.is_body() && source.is::<io::Error>()
}
