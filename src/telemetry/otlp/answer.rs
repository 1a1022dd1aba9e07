//! What a collector's answer means.

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use prost::Message;

use super::secrets::Secrets;
use crate::telemetry::deliver::Accepted;
use crate::telemetry::environment::decoded;

/// Longer than this nobody is left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Taken(Accepted),
    /// "The client MUST NOT retry sending the same telemetry data."
    Refused(String),
    /// "The client SHOULD retry", after that long if it was told.
    Again(String, Option<Duration>),
}

/// "OTLP/HTTP Response".
pub(super) fn of_http(status: StatusCode, headers: &HeaderMap, body: &[u8], secrets: &Secrets) -> Answer {
    if status.is_success() {
        return taken(body, secrets);
    }
    let content = headers.get(CONTENT_TYPE).and_then(|content| content.to_str().ok()).unwrap_or_default();
    let text = match content.split(';').next().unwrap_or_default().trim() {
        "application/x-protobuf" => Status::decode(body).map(|status| status.message).unwrap_or_default(),
        "text/plain" | "application/json" => String::from_utf8_lossy(body).into_owned(),
        _ => String::new(),
    };
    let why = format!("it answers {status}{}", secrets.told(&text));
    match status.as_u16() {
        429 | 503 => {
            let seconds =
                headers.get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.trim().parse().ok());
            Answer::Again(why, seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE)))
        }
        502 | 504 => Answer::Again(why, None),
        _ => Answer::Refused(why),
    }
}

/// "OTLP/gRPC Response". The status is in the trailers, or in the headers if there is nothing else.
pub(super) fn of_grpc(
    status: StatusCode,
    headers: &HeaderMap,
    trailers: Option<&HeaderMap>,
    body: &[u8],
    secrets: &Secrets,
) -> Answer {
    let end = trailers.filter(|trailers| trailers.contains_key("grpc-status")).unwrap_or(headers);
    let Some(code) = end.get("grpc-status") else {
        // A proxy has answered, or what listens there is something else.
        return match of_http(status, headers, body, secrets) {
            Answer::Taken(_) => Answer::Refused("its answer is none of gRPC".to_owned()),
            other => other,
        };
    };
    let code = code.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(UNKNOWN);
    if code == 0 {
        return taken(unframed(body), secrets);
    }
    let text = end.get("grpc-message").and_then(|text| decoded(text.to_str().ok()?)).unwrap_or_default();
    let why = format!("it answers {}{}", name(code), secrets.told(&text));
    let after = retry_info(end);
    match code {
        // "The client SHOULD interpret RESOURCE_EXHAUSTED code as retryable only if the server signals it can
        // be recovered by passing RetryInfo."
        8 if after.is_none() => Answer::Refused(why),
        // CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS
        1 | 4 | 8 | 10 | 11 | 14 | 15 => Answer::Again(why, after),
        _ => Answer::Refused(why),
    }
}

/// "If the request is only partially accepted, the server MUST initialize the partial_success field."
fn taken(body: &[u8], secrets: &Secrets) -> Answer {
    let partial = Export::decode(body).ok().and_then(|export| export.partial_success).unwrap_or_default();
    let rejected = u64::try_from(partial.rejected).unwrap_or_default();
    Answer::Taken(Accepted { rejected, why: secrets.cleaned(&partial.error_message) })
}

/// A message of gRPC: whether it is compressed, its length in four bytes, and itself.
fn unframed(body: &[u8]) -> &[u8] {
    body.get(5..).unwrap_or_default()
}

/// How long the server wants to be left alone, if it says how long.
fn retry_info(headers: &HeaderMap) -> Option<Duration> {
    let details = base64(headers.get("grpc-status-details-bin")?.as_bytes())?;
    let details = Status::decode(details.as_slice()).ok()?.details;
    let info = details.iter().find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay?;
    let (seconds, nanos) = (u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?);
    Some(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into())).min(LONGEST_PAUSE))
}

/// Binary headers are in base64, "padded or un-padded".
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for digit in text.iter().copied().take_while(|digit| *digit != b'=') {
        let value = ALPHABET.iter().position(|known| *known == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Some(bytes)
}

const UNKNOWN: usize = 2;

fn name(code: usize) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    NAMES.get(code).unwrap_or(&NAMES[UNKNOWN])
}

/// The answers of all three services have the same shape: only the name of the first field of the first field
/// is another.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`, without its code.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes, tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn http(status: u16, given: &[(&'static str, &str)], body: &[u8]) -> Answer {
        of_http(StatusCode::from_u16(status).unwrap(), &headers(given), body, &Secrets::default())
    }

    fn grpc(trailers: &[(&'static str, &str)]) -> Answer {
        of_grpc(StatusCode::OK, &headers(&[]), Some(&headers(trailers)), &[], &Secrets::default())
    }

    fn again(why: &str, seconds: Option<u64>) -> Answer {
        Answer::Again(why.to_owned(), seconds.map(Duration::from_secs))
    }

    #[test]
    fn only_some_statuses_of_http_are_tried_again() {
        assert_eq!(http(200, &[], b""), Answer::Taken(Accepted::default()));
        assert_eq!(http(202, &[], b"not protobuf"), Answer::Taken(Accepted::default()));
        assert_eq!(http(502, &[], b""), again("it answers 502 Bad Gateway", None));
        assert_eq!(http(504, &[], b""), again("it answers 504 Gateway Timeout", None));
        for status in [301, 400, 401, 403, 404, 408, 413, 500, 501] {
            assert!(matches!(http(status, &[], b""), Answer::Refused(_)), "{status}");
        }
    }

    #[test]
    fn a_server_says_how_long_it_wants_to_be_left_alone() {
        let why = "it answers 429 Too Many Requests";
        assert_eq!(http(429, &[("retry-after", "7")], b""), again(why, Some(7)));
        assert_eq!(http(429, &[("retry-after", "99999999999")], b""), again(why, Some(300)));
        assert_eq!(http(429, &[("retry-after", "a while")], b""), again(why, None));
        assert_eq!(http(503, &[], b""), again("it answers 503 Service Unavailable", None));
    }

    #[test]
    fn the_text_of_a_refusal_is_told_in_the_forms_that_have_one() {
        let status = Status { message: "no such tenant".to_owned(), details: Vec::new() }.encode_to_vec();
        let told = "it answers 400 Bad Request: no such tenant".to_owned();
        assert_eq!(
            http(400, &[("content-type", "application/x-protobuf")], &status),
            Answer::Refused(told.clone())
        );
        assert_eq!(
            http(400, &[("content-type", "text/plain; charset=utf-8")], b"no such tenant\n"),
            Answer::Refused(told)
        );
        let page = http(404, &[("content-type", "text/html")], b"<html>");
        assert_eq!(page, Answer::Refused("it answers 404 Not Found".to_owned()));
    }

    #[test]
    fn a_partial_success_says_how_many_and_why() {
        let partial = PartialSuccess { rejected: 3, error_message: "too old".to_owned() };
        let body = Export { partial_success: Some(partial) }.encode_to_vec();
        let expected = Answer::Taken(Accepted { rejected: 3, why: "too old".to_owned() });
        assert_eq!(http(200, &[], &body), expected);
        let framed = [&[0, 0, 0, 0, body.len() as u8][..], &body].concat();
        let ok = headers(&[("grpc-status", "0")]);
        assert_eq!(of_grpc(StatusCode::OK, &ok, Some(&ok), &framed, &Secrets::default()), expected);
    }

    #[test]
    fn only_some_statuses_of_grpc_are_tried_again() {
        assert_eq!(grpc(&[("grpc-status", "0")]), Answer::Taken(Accepted::default()));
        assert_eq!(
            grpc(&[("grpc-status", "14"), ("grpc-message", "too%20busy")]),
            again("it answers UNAVAILABLE: too busy", None)
        );
        for code in ["1", "4", "10", "11", "15"] {
            assert!(matches!(grpc(&[("grpc-status", code)]), Answer::Again(_, None)), "{code}");
        }
        for code in ["2", "3", "5", "6", "7", "8", "9", "12", "13", "16", "99", "x"] {
            assert!(matches!(grpc(&[("grpc-status", code)]), Answer::Refused(_)), "{code}");
        }
    }

    #[test]
    fn exhausted_resources_are_tried_again_only_if_the_server_says_when() {
        // google.rpc.Status { code: 8, details: [RetryInfo { retry_delay: 2.5 s }] }
        let details = "CAgaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIAhCAyrXuAQ";
        let answer = grpc(&[("grpc-status", "8"), ("grpc-status-details-bin", details)]);
        let after = Some(Duration::from_millis(2_500));
        assert_eq!(answer, Answer::Again("it answers RESOURCE_EXHAUSTED".to_owned(), after));
        assert_eq!(
            grpc(&[("grpc-status", "8"), ("grpc-status-details-bin", "!")]),
            Answer::Refused("it answers RESOURCE_EXHAUSTED".to_owned())
        );
        // google.rpc.Status { code: 8, details: [RetryInfo {}] }
        let details = "CAgaKgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbw";
        assert_eq!(
            grpc(&[("grpc-status", "8"), ("grpc-status-details-bin", details)]),
            Answer::Refused("it answers RESOURCE_EXHAUSTED".to_owned())
        );
        assert_eq!(
            grpc(&[("grpc-status", "14"), ("grpc-status-details-bin", details)]),
            again("it answers UNAVAILABLE", None)
        );
    }

    #[test]
    fn what_is_no_grpc_is_told_as_what_it_is() {
        let answer = |status| of_grpc(status, &headers(&[]), None, b"", &Secrets::default());
        assert_eq!(answer(StatusCode::BAD_GATEWAY), again("it answers 502 Bad Gateway", None));
        assert_eq!(answer(StatusCode::OK), Answer::Refused("its answer is none of gRPC".to_owned()));
    }

    #[test]
    fn base64_is_read_with_and_without_padding() {
        assert_eq!(base64(b"aGVsbG8=").as_deref(), Some(&b"hello"[..]));
        assert_eq!(base64(b"aGVsbG8").as_deref(), Some(&b"hello"[..]));
        assert_eq!(base64(b"a*"), None);
    }
}
