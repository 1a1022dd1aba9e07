//! `host[:port]`, as in `Host`, `:authority` and forwarded hosts.

use std::net::Ipv6Addr;

use http::HeaderValue;

use crate::semconv::intern::{self, Text};

/// A host and, if one was written, a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    /// The host without the brackets of IPv6: `server.address` is an address, not a URL's part.
    pub(crate) host: Text,
    pub(crate) port: Option<u16>,
}

impl HostPort {
    /// What a `Host` header names.
    pub(crate) fn of(header: Option<&HeaderValue>) -> Option<Self> {
        Self::read(header?.as_bytes())
    }

    /// Nothing for what names no host. A port that is none is left out, the host stays.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::read(text.as_bytes())
    }

    fn read(text: &[u8]) -> Option<Self> {
        intern::known_host(text).or_else(|| {
            // What is no host is not kept, since it may be anything, and neither is a password.
            let host = Self::parse_anew(std::str::from_utf8(text).ok()?)?;
            if !text.contains(&b'@') {
                intern::keep_host(text, host.clone());
            }
            Some(host)
        })
    }

    fn parse_anew(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.rsplit_once('@').map_or(text, |(_credentials, host)| host);
        let (host, port) = split(text)?;
        is_host(host).then(|| Self { host: intern::text(host), port: port.and_then(parse_port) })
    }
}

/// RFC 3986, 3.2.2. What else is in it is the caller's way to say something else, such as a query.
fn is_host(text: &str) -> bool {
    let belongs = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.' | b'_' | b'~' | b'%' | b':' | b'!' | b'$' | b'&'..=b',' | b';' | b'='
            )
    };
    !text.is_empty() && text.bytes().all(belongs)
}

fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None if rest.is_empty() => Some((host, None)),
            None => None,
        };
    }
    match text.split_once(':') {
        None => Some((text, None)),
        Some((host, port)) if !port.contains(':') => Some((host, Some(port))),
        // More than one colon and no brackets: an address of IPv6, or nothing.
        Some(_) => text.parse::<Ipv6Addr>().is_ok().then_some((text, None)),
    }
}

/// Digits only: `u16::from_str` would let a sign through.
pub(super) fn parse_port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_far_as_they_go() {
        for (text, expected) in [
            ("www.example.com:8080", Some(("www.example.com", Some(8080)))),
            ("www.example.com", Some(("www.example.com", None))),
            ("[fe80::1]:8080", Some(("fe80::1", Some(8080)))),
            ("[fe80::1]", Some(("fe80::1", None))),
            ("[fe80::1]:", Some(("fe80::1", None))),
            ("[fe80::1%25en0]", Some(("fe80::1%25en0", None))),
            ("[fe80::1%25en0]:1", Some(("fe80::1%25en0", Some(1)))),
            ("fe80::1", Some(("fe80::1", None))),
            ("127.0.0.1:", Some(("127.0.0.1", None))),
            ("127.0.0.1:port", Some(("127.0.0.1", None))),
            ("127.0.0.1:+80", Some(("127.0.0.1", None))),
            ("127.0.0.1:65536", Some(("127.0.0.1", None))),
            ("user:secret@host:1", Some(("host", Some(1)))),
            ("[fe80::1", None),
            ("[fe80::1]8080", None),
            ("[]", None),
            ("a:b:c", None),
            (":8080", None),
            ("", None),
            ("  ", None),
            ("a.example?token=s3cret", None),
            ("a.example/x", None),
            ("a b", None),
            ("\u{fc}.example", None),
        ] {
            let expected = expected.map(|(host, port)| HostPort { host: Text::new(host), port });
            assert_eq!(HostPort::parse(text), expected, "{text:?}");
        }
    }
}
