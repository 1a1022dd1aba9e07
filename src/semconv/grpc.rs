//! gRPC: its statuses, when they are errors, and what its headers say.
//!
//! Source: <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/> and gRPC's own
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

mod code;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, header};

pub(crate) use code::Code;

use super::error::cut;
use crate::head::Head;

/// The value of `rpc.system.name`.
pub(crate) const SYSTEM: &str = "grpc";

pub(crate) const STATUS_HEADER: &str = "grpc-status";
pub(crate) const MESSAGE_HEADER: &str = "grpc-message";
pub(crate) const TIMEOUT_HEADER: &str = "grpc-timeout";

/// "`application/grpc` [(`+proto` / `+json` / {custom})]". gRPC-Web is another protocol: its trailers
/// are in the body.
pub(crate) fn is_grpc(content_type: &HeaderValue) -> bool {
    let rest = content_type.as_bytes().strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// Whether a client's request is a call. "Method → `POST`": asked first, since it is the cheaper question.
pub(crate) fn is_call(head: Head<'_>) -> bool {
    *head.method == Method::POST && head.headers.get(header::CONTENT_TYPE).is_some_and(is_grpc)
}

/// "Path → `/` Service-Name `/` {method name}", whatever a proxy or a nesting router has put in front.
pub(crate) fn method(path: &str) -> Option<&str> {
    let (rest, method) = path.rsplit_once('/')?;
    let (_, service) = rest.rsplit_once('/')?;
    let is_method = !service.is_empty() && !method.is_empty();
    is_method.then(|| &path[path.len() - service.len() - 1 - method.len()..])
}

/// The method of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RpcMethod {
    Known(Arc<str>),
    /// Of a service that exists, but whether the method does nobody has said.
    Guessed(Arc<str>),
    Unknown,
}

impl RpcMethod {
    pub(crate) fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Known(method) | Self::Guessed(method) => Some(method),
            Self::Unknown => None,
        }
    }
}

/// How a router knows a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routed {
    /// It has a route of its own.
    Exactly,
    /// Its service has one, for whatever methods it may have: `/pkg.Service/{*rest}`.
    ByService,
}

/// How the route of a request tells that its method exists. Nothing if it does not.
pub(crate) fn routed(method: &str, route: &str) -> Option<Routed> {
    let (service, _) = method.split_once('/')?;
    match route.rsplit_once('/')? {
        (base, last) if last.starts_with("{*") => {
            (base.rsplit('/').next() == Some(service)).then_some(Routed::ByService)
        }
        _ => (self::method(route) == Some(method)).then_some(Routed::Exactly),
    }
}

/// "Timeout → `grpc-timeout` TimeoutValue TimeoutUnit", at most eight digits and one of `HMSmun`.
pub(crate) fn timeout(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    let is_number = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let number: u64 = std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(number * 3_600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// Both ends count from when the call began for them, so a caller's reset may come a little before our
/// clock says that the time is over: the last twentieth belongs to the deadline.
pub(crate) fn is_over(timeout: Duration, elapsed: Duration) -> bool {
    elapsed >= timeout - timeout / 20
}

/// "Status-Message → `grpc-message` Percent-Encoded". "When decoding invalid values, implementations
/// MUST NOT error or throw away the message": what is no escape stays as it is.
pub(crate) fn message(value: &HeaderValue) -> String {
    /// Enough for a whole description, were all of it escaped.
    const ENOUGH: usize = 1_024;
    let encoded = &value.as_bytes()[..value.len().min(ENOUGH)];
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| escaped(after)).flatten();
        decoded.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    cut(String::from_utf8_lossy(&decoded).into_owned())
}

fn escaped(after: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(after.first()?)? << 4 | digit(after.get(1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_grpc_itself_is_grpc() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpcx", false),
            ("text/html", false),
            ("", false),
        ] {
            assert_eq!(is_grpc(&HeaderValue::from_static(content_type)), expected, "{content_type}");
        }
    }

    #[test]
    fn a_method_is_the_end_of_a_path() {
        for (path, expected) in [
            ("/pkg.Service/Method", Some("pkg.Service/Method")),
            ("/behind/pkg.Service/Method", Some("pkg.Service/Method")),
            ("/Method", None),
            ("//Method", None),
            ("/pkg.Service/", None),
            ("/", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(method(path), expected, "{path}");
        }
    }

    #[test]
    fn a_route_tells_which_methods_exist() {
        use Routed::{ByService, Exactly};
        for (method, route, expected) in [
            ("a.B/C", "/a.B/{*rest}", Some(ByService)),
            ("a.B/C", "/nested/a.B/{*rest}", Some(ByService)),
            ("a.B/C", "/a.B/C", Some(Exactly)),
            ("a.B/C", "/nested/a.B/C", Some(Exactly)),
            ("a.B/C", "/a.B/D", None),
            ("a.B/C", "/x.B/{*rest}", None),
            // Of `/a.B/x/y`.
            ("x/y", "/a.B/{*rest}", None),
            ("a.B/C", "/{*rest}", None),
            ("a.B/C", "/a.B/{method}", None),
            ("a.B/C", "/{service}/{method}", None),
            ("a.B/C", "", None),
        ] {
            assert_eq!(routed(method, route), expected, "{method} {route}");
        }
    }

    #[test]
    fn a_timeout_is_a_number_and_a_unit() {
        for (value, expected) in [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("100000000S", None),
            ("S", None),
            ("+1S", None),
            ("1", None),
            ("1h", None),
            ("", None),
        ] {
            assert_eq!(timeout(&HeaderValue::from_static(value)), expected, "{value:?}");
        }
    }

    #[test]
    fn the_last_twentieth_belongs_to_the_deadline() {
        let millis = Duration::from_millis;
        for (elapsed, expected) in [(0, false), (949, false), (950, true), (1_000, true), (2_000, true)] {
            assert_eq!(is_over(millis(1_000), millis(elapsed)), expected, "{elapsed}");
        }
    }

    #[test]
    fn a_message_is_decoded_and_never_refused() {
        for (value, expected) in [
            ("disk%20full", "disk full"),
            ("plain text", "plain text"),
            ("%C3%BCber", "über"),
            ("%c3%bc", "ü"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%+1", "%+1"),
            ("%FF", "\u{fffd}"),
            ("", ""),
        ] {
            assert_eq!(message(&HeaderValue::from_static(value)), expected, "{value}");
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        assert_eq!(message(&HeaderValue::try_from("%41".repeat(5_000)).unwrap()), "A".repeat(256));
        assert_eq!(message(&HeaderValue::try_from("%C3%BC".repeat(5_000)).unwrap()), "ü".repeat(128));
    }
}
