//! tonic: what the errors of its channel mean, and statuses that come as errors.

use std::any::Any;
use std::error::Error;

use h2::Reason;
use tonic::{ConnectError, Status, TimeoutExpired, transport};

use crate::semconv::error::{Clue, Hint, RESET, TIMEOUT};
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
        return Some(Clue { code: Some(code(status)), ..Clue::silent(Hint::Known) });
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

fn code(status: &Status) -> Code {
    u8::try_from(i32::from(status.code())).map_or(Code::Unknown, Code::of_number)
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
    Some(Clue { code: Some(code), ..Clue::telling(Hint::Class(RESET), text) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semconv::error::{Stage, classify};

    #[test]
    fn its_statuses_are_ours() {
        for number in 0..20 {
            let status = Status::new(tonic::Code::from_i32(number), "s3cret");
            assert_eq!(code(&status) as i32, i32::from(status.code()));
            let failure = classify(&status, Stage::Head, false);
            assert_eq!(failure.code, Some(code(&status)));
            assert_eq!(
                (&*failure.error_type, &*failure.description),
                (code(&status).name(), code(&status).name())
            );
        }
    }

    #[test]
    fn a_reset_is_a_status_by_its_reason() {
        // What we make ourselves has not come from the other end.
        let boxed: Box<dyn Error + Send + Sync> = Box::new(h2::Error::from(Reason::CANCEL));
        assert_eq!(classify(&boxed, Stage::Head, false).code, None);
    }

    #[test]
    fn its_deadline_is_a_timeout() {
        let boxed: Box<dyn Error + Send + Sync> = Box::new(TimeoutExpired(()));
        assert_eq!(classify(&boxed, Stage::Head, false).error_type, TIMEOUT);
    }

    #[test]
    fn an_error_within_a_status_is_more_precise() {
        let mut status = Status::unavailable("s3cret");
        status.set_source(std::sync::Arc::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
        let failure = classify(&status, Stage::Head, false);
        assert_eq!((&*failure.error_type, failure.code), (RESET, Some(Code::Unavailable)));
        assert!(!failure.description.contains("s3cret"));
        assert_eq!(classify(&status, Stage::Body, false).error_type, "body");
    }
}
