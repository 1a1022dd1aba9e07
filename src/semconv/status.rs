//! When a status code is an error.

use http::StatusCode;

use crate::config::Side;

/// "For HTTP status codes in the 4xx range span status MUST be left unset in case of
/// `SpanKind.SERVER` and MUST be set to `Error` in case of `SpanKind.CLIENT`. For HTTP status codes
/// in the 5xx range, as well as any other code the client failed to interpret, span status MUST be
/// set to `Error`."
pub(crate) fn is_error(side: Side, status: StatusCode) -> bool {
    status.as_u16()
        >= match side {
            Side::Server => 500,
            Side::Client => 400,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_begin_at_500_for_servers_and_at_400_for_clients() {
        for (code, server, client) in [
            (100, false, false),
            (200, false, false),
            (304, false, false),
            (399, false, false),
            (400, false, true),
            (404, false, true),
            (499, false, true),
            (500, true, true),
            (599, true, true),
            (600, true, true),
        ] {
            let status = StatusCode::from_u16(code).unwrap();
            assert_eq!(is_error(Side::Server, status), server, "{code}");
            assert_eq!(is_error(Side::Client, status), client, "{code}");
        }
    }
}
