//! What the heads of a request and its response say of the response's body.

use http::{HeaderMap, StatusCode, header};

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

/// The value of `Content-Length`, if it is one.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    let digits = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim();
    // `u64::from_str` would let a sign through.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn only_a_number_is_a_length() {
        for (value, length) in [
            ("5", Some(5)),
            ("0", Some(0)),
            ("-1", None),
            ("+5", None),
            ("5, 5", None),
            ("x", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, value.parse().unwrap())]);
            assert_eq!(content_length(&headers), length, "{value:?}");
        }
        assert_eq!(content_length(&HeaderMap::new()), None);
    }
}
