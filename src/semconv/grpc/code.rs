use http::{HeaderValue, StatusCode};

use crate::config::Side;
use crate::semconv::error::{CONNECT, CONNECT_TIMEOUT, DNS, PROTOCOL, RESET, TIMEOUT, TLS};

/// A status of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

use Code::{
    Aborted, AlreadyExists, Cancelled, DataLoss, DeadlineExceeded, FailedPrecondition, Internal,
    InvalidArgument, NotFound, Ok, OutOfRange, PermissionDenied, ResourceExhausted, Unauthenticated,
    Unavailable, Unimplemented, Unknown,
};

/// By number.
const CODES: [Code; 17] = [
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
];

impl Code {
    /// "Status → `grpc-status` 1*DIGIT". Whatever else is there is what clients take it for, `UNKNOWN`.
    pub(crate) fn of_header(value: &HeaderValue) -> Self {
        match value.as_bytes() {
            [one @ b'0'..=b'9'] => Self::of_number(one - b'0'),
            [b'1', two @ b'0'..=b'9'] => Self::of_number(10 + two - b'0'),
            _ => Unknown,
        }
    }

    pub(crate) fn of_number(number: u8) -> Self {
        CODES.get(usize::from(number)).copied().unwrap_or(Unknown)
    }

    /// What a client makes of an answer that is none of gRPC's:
    /// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
    pub(crate) fn of_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Internal,
            401 => Unauthenticated,
            403 => PermissionDenied,
            404 => Unimplemented,
            429 | 502 | 503 | 504 => Unavailable,
            _ => Unknown,
        }
    }

    /// What a call ends with that fails by an error of this class, as gRPC's libraries have it:
    /// <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>
    pub(crate) fn of_class(class: &str) -> Self {
        match class {
            CONNECT | CONNECT_TIMEOUT | DNS | TLS | RESET => Unavailable,
            TIMEOUT => DeadlineExceeded,
            PROTOCOL => Internal,
            _ => Unknown,
        }
    }

    /// The value of `rpc.status_code`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Ok => "OK",
            Cancelled => "CANCELLED",
            Unknown => "UNKNOWN",
            InvalidArgument => "INVALID_ARGUMENT",
            DeadlineExceeded => "DEADLINE_EXCEEDED",
            NotFound => "NOT_FOUND",
            AlreadyExists => "ALREADY_EXISTS",
            PermissionDenied => "PERMISSION_DENIED",
            ResourceExhausted => "RESOURCE_EXHAUSTED",
            FailedPrecondition => "FAILED_PRECONDITION",
            Aborted => "ABORTED",
            OutOfRange => "OUT_OF_RANGE",
            Unimplemented => "UNIMPLEMENTED",
            Internal => "INTERNAL",
            Unavailable => "UNAVAILABLE",
            DataLoss => "DATA_LOSS",
            Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// For a client "all status codes except `OK` SHOULD be considered errors", for a server those that
    /// are listed here.
    pub(crate) fn is_error(self, side: Side) -> bool {
        match side {
            Side::Client => self != Ok,
            Side::Server => {
                matches!(self, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_of_seventeen_numbers() {
        for (number, code) in CODES.iter().enumerate() {
            assert_eq!(*code as usize, number);
            assert_eq!(Code::of_header(&HeaderValue::from(number)), *code);
        }
        for value in ["banana", "", "17", "99", "-1", "+1", "05", "0x1", "1 ", "1, 2", "4294967296"] {
            assert_eq!(Code::of_header(&HeaderValue::from_static(value)), Unknown, "{value:?}");
        }
    }

    #[test]
    fn what_is_not_grpc_has_a_status_too() {
        for (status, code) in [
            (400, Internal),
            (401, Unauthenticated),
            (403, PermissionDenied),
            (404, Unimplemented),
            (429, Unavailable),
            (502, Unavailable),
            (503, Unavailable),
            (504, Unavailable),
            (200, Unknown),
            (302, Unknown),
            (500, Unknown),
        ] {
            assert_eq!(Code::of_http(StatusCode::from_u16(status).unwrap()), code, "{status}");
        }
    }

    #[test]
    fn an_error_without_a_status_has_one() {
        for (class, code) in [
            ("connect", Unavailable),
            ("connect_timeout", Unavailable),
            ("dns", Unavailable),
            ("tls", Unavailable),
            ("reset", Unavailable),
            ("timeout", DeadlineExceeded),
            ("protocol", Internal),
            ("body", Unknown),
            ("_OTHER", Unknown),
        ] {
            assert_eq!(Code::of_class(class), code, "{class}");
        }
    }
}
