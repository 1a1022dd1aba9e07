//! tonic: what the errors of its channel mean, and statuses that come as errors.

use std::any::Any;
use std::error::Error;

use h2::Reason;
use tonic::{ConnectError, Status, TimeoutExpired, transport};

use crate::semconv::error::{Clue, Hint, TIMEOUT};
use crate::semconv::grpc::Code;

pub(crate) fn error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(status) = error.downcast_ref::<Status>() {
        return Some(status);
    }
    error.downcast_ref::<transport::Error>().map(|error| error as _)
}

pub(crate) fn clue(error: &(dyn Error + 'static)) -> Option<Clue> {
    if let Some(status) = error.downcast_ref::<Status>() {
        // Its text is its message, which may hold anything.
        return Some(Clue::silent(Hint::Status(Code::of_number(status.code().into()))));
    }
    if error.is::<transport::Error>() {
        return Some(Clue::telling(Hint::Known, error.to_string()));
    }
    if error.is::<TimeoutExpired>() {
        return Some(Clue::telling(Hint::Class(TIMEOUT), error.to_string()));
    }
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return reset(error);
    }
    // Its text is that of the error within.
    error.is::<ConnectError>().then(|| Clue::silent(Hint::Connecting))
}

/// What the other end gave for a reason stands for a status:
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors>. Its text may go on with what
/// the other end wrote.
fn reset(error: &h2::Error) -> Option<Clue> {
    let code = match error.reason().filter(|_| error.is_remote())? {
        Reason::REFUSED_STREAM => Code::Unavailable,
        Reason::CANCEL => Code::Cancelled,
        Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        Reason::STREAM_CLOSED | Reason::HTTP_1_1_REQUIRED => Code::Unknown,
        _ => Code::Internal,
    };
    let text = if error.is_reset() { "stream error received" } else { "connection error received" };
    Some(Clue::telling(Hint::Status(code), text))
}
