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

/// Whether the connection now speaks another protocol: 101, or 2xx to a CONNECT (RFC 9110, 9.3.6
/// and 15.2.2; RFC 8441 for HTTP/2).
pub(crate) fn is_upgrade(connect: bool, status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || (connect && status.is_success())
}

/// "Any response to a HEAD request and any response with a 1xx (Informational), 204 (No Content),
/// or 304 (Not Modified) status code is always terminated by the first empty line" (RFC 9112, 6.3).
pub(crate) fn has_no_body(head: bool, status: StatusCode) -> bool {
    head || status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
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

    #[test]
    fn only_101_and_a_successful_connect_are_upgrades() {
        assert!(is_upgrade(false, StatusCode::SWITCHING_PROTOCOLS));
        assert!(is_upgrade(true, StatusCode::OK));
        assert!(!is_upgrade(true, StatusCode::FORBIDDEN));
        assert!(!is_upgrade(false, StatusCode::OK));
    }

    #[test]
    fn head_204_and_304_have_no_body() {
        assert!(has_no_body(true, StatusCode::OK));
        assert!(has_no_body(false, StatusCode::NO_CONTENT));
        assert!(has_no_body(false, StatusCode::NOT_MODIFIED));
        assert!(!has_no_body(false, StatusCode::OK));
        assert!(!has_no_body(false, StatusCode::RESET_CONTENT));
    }
}
