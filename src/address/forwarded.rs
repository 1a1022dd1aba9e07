//! `Forwarded` (RFC 7239) and `X-Forwarded-*`, as far as they are trusted.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;

use super::host::{HostPort, parse_port};
use super::{Origin, TrustedProxies};
use crate::semconv::url::Scheme;

/// What the trusted proxies say. `Forwarded` is asked first, then `X-Forwarded-*`; who tells the client
/// tells all, so that a caller cannot add what the proxy's header leaves open.
pub(super) fn read(headers: &HeaderMap, peer: Option<IpAddr>, trusted: &TrustedProxies) -> Origin {
    if matches!(trusted, TrustedProxies::None | TrustedProxies::Hops(0)) {
        return Origin::default();
    }
    let forwarded = standard(headers, peer, trusted);
    if forwarded.client.is_some() {
        return forwarded;
    }
    let legacy = legacy(headers, peer, trusted);
    if legacy.client.is_some() {
        return legacy;
    }
    Origin {
        client: None,
        server: forwarded.server.or(legacy.server),
        scheme: forwarded.scheme.or(legacy.scheme),
    }
}

fn standard(headers: &HeaderMap, peer: Option<IpAddr>, trusted: &TrustedProxies) -> Origin {
    let text = joined(headers, "forwarded");
    if open_quote(&text) {
        return Origin::default();
    }
    let elements = split_unquoted(&text, ',').filter(|element| !element.is_empty());
    let elements: Vec<Element<'_>> = elements.filter_map(Element::parse).collect();
    let nodes: Vec<Node> = elements.iter().map(|element| element.node).collect();
    let Some(element) = hops(&nodes, peer, trusted).and_then(|hops| from_the_right(&elements, hops)) else {
        return Origin::default();
    };
    Origin {
        client: element.node.address(),
        server: element.host.and_then(HostPort::parse),
        scheme: element.proto.and_then(Scheme::parse),
    }
}

fn legacy(headers: &HeaderMap, peer: Option<IpAddr>, trusted: &TrustedProxies) -> Origin {
    let nodes: Vec<Node> = joined(headers, "x-forwarded-for").split(',').filter_map(Node::parse).collect();
    let Some(hops) = hops(&nodes, peer, trusted) else {
        return Origin::default();
    };
    let host = joined(headers, "x-forwarded-host");
    let proto = joined(headers, "x-forwarded-proto");
    Origin {
        client: from_the_right(&nodes, hops).and_then(|node| node.address()),
        server: nth_from_the_right(&host, hops).and_then(HostPort::parse),
        scheme: nth_from_the_right(&proto, hops).and_then(Scheme::parse),
    }
}

/// How many entries from the right are believed; nothing if the sender is not trusted at all.
fn hops(nodes: &[Node], peer: Option<IpAddr>, trusted: &TrustedProxies) -> Option<usize> {
    match trusted {
        TrustedProxies::None => None,
        TrustedProxies::Hops(hops) => Some(*hops),
        TrustedProxies::Networks(networks) => {
            let ours = |address: IpAddr| networks.iter().any(|network| network.contains(address));
            let proxies = nodes.iter().rev().take_while(|node| node.address().is_some_and(ours));
            peer.filter(|peer| ours(*peer)).map(|_| 1 + proxies.count())
        }
    }
}

/// The entry that so many hops tell; the first one if there are fewer entries than hops.
fn from_the_right<T>(entries: &[T], hops: usize) -> Option<&T> {
    entries.get(entries.len().saturating_sub(hops)).filter(|_| hops > 0)
}

fn nth_from_the_right(list: &str, hops: usize) -> Option<&str> {
    let values: Vec<&str> = list.split(',').map(str::trim).collect();
    from_the_right(&values, hops).copied()
}

/// All lines of a list header. What is no UTF-8 in them is no address, but takes its place.
fn joined(headers: &HeaderMap, name: &'static str) -> String {
    let lines = headers.get_all(name).iter();
    lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect::<Vec<_>>().join(",")
}

/// Splits at a separator that stands outside of quotes. Nothing if a quote does not end: who leaves
/// one open would swallow what the proxies wrote behind it.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = Quoted::default();
    text.split(move |character| !quoted.is_in(character) && character == separator).map(str::trim)
}

fn open_quote(text: &str) -> bool {
    let mut quoted = Quoted::default();
    text.chars().fold(false, |_, character| quoted.is_in(character))
}

#[derive(Default)]
struct Quoted {
    quoted: bool,
    escaped: bool,
}

impl Quoted {
    fn is_in(&mut self, character: char) -> bool {
        if character == '"' && !self.escaped {
            self.quoted = !self.quoted;
        }
        self.escaped = self.quoted && character == '\\' && !self.escaped;
        self.quoted
    }
}

/// One element of `Forwarded`: what one proxy wrote.
#[derive(Clone, Copy)]
struct Element<'h> {
    node: Node,
    host: Option<&'h str>,
    proto: Option<&'h str>,
}

impl<'h> Element<'h> {
    /// Nothing for an element whose `for` is malformed: it does not count as a hop.
    fn parse(element: &'h str) -> Option<Self> {
        let (mut node, mut host, mut proto) = (None, None, None);
        for pair in split_unquoted(element, ';') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let value = unquote(value);
            match name.trim() {
                name if name.eq_ignore_ascii_case("for") => node = Some(value.and_then(Node::parse)?),
                name if name.eq_ignore_ascii_case("host") => host = value,
                name if name.eq_ignore_ascii_case("proto") => proto = value,
                _ => {}
            }
        }
        if node.is_none() && host.is_none() && proto.is_none() {
            return None;
        }
        Some(Self { node: node.unwrap_or(Node::Hidden), host, proto })
    }
}

/// The inside of a quoted string, or the token itself. No address, host or scheme has an escape.
fn unquote(value: &str) -> Option<&str> {
    let value = value.trim();
    match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"'),
        None => Some(value),
    }
}

/// Who sent the request to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Address(IpAddr),
    /// "unknown" or an obfuscated identifier (RFC 7239, section 6): a hop that does not tell.
    Hidden,
}

impl Node {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("unknown") || (text.starts_with('_') && text.len() > 1) {
            return Some(Self::Hidden);
        }
        Self::parse_address(text).map(Self::Address)
    }

    /// With or without brackets and port. What follows the colon of an IPv4 address need not be a
    /// port: the address is good all the same.
    fn parse_address(text: &str) -> Option<IpAddr> {
        Self::parse_any(text).map(|address| address.to_canonical())
    }

    fn parse_any(text: &str) -> Option<IpAddr> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let (address, rest) = bracketed.split_once(']')?;
            let port_or_nothing = rest.is_empty() || rest.strip_prefix(':').and_then(parse_port).is_some();
            return port_or_nothing.then(|| Self::parse_ipv6(address))?;
        }
        let ipv6 = || Self::parse_ipv6(text);
        text.parse().ok().or_else(ipv6).or_else(|| text.split_once(':')?.0.parse().ok().map(IpAddr::V4))
    }

    /// A zone (`%eth0`) means something to the proxy alone.
    fn parse_ipv6(text: &str) -> Option<IpAddr> {
        let address = text.split_once('%').map_or(text, |(address, _zone)| address);
        address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    }

    fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Hidden => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Network;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn client(name: &'static str, lines: &[&str], hops: usize) -> Option<String> {
        let lines: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
        let origin = read(&headers(&lines), None, &TrustedProxies::Hops(hops));
        origin.client.map(|address| address.to_string())
    }

    #[test]
    fn a_forwarded_node_is_read_with_or_without_port() {
        for (line, expected) in [
            ("for=1.2.3.4", Some("1.2.3.4")),
            ("for=1.2.3.4:42", Some("1.2.3.4")),
            ("for=1.2.3.4:42abc", Some("1.2.3.4")),
            ("for=[::1]", Some("::1")),
            ("For=\"[::1]:42\"", Some("::1")),
            ("FOR = \"[::1]\" ; proto=http", Some("::1")),
            ("for=", None),
            ("for=\"", None),
            ("for=\"[::1]", None),
            ("for=\"[::1\"", None),
            ("for=[::1]x", None),
            ("for=unknown", None),
            ("for=_hidden", None),
            ("proto=https", None),
            ("", None),
            (";;,,=,", None),
        ] {
            assert_eq!(client("forwarded", &[line], 1).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn hops_count_valid_elements_from_the_right() {
        for (lines, hops, expected) in [
            (&["::1,::2,1.2.3.4"][..], 1, Some("1.2.3.4")),
            (&["::1,::2,1.2.3.4"], 2, Some("::2")),
            (&["::1,::2,1.2.3.4"], 3, Some("::1")),
            (&["::1,::2,1.2.3.4"], 9, Some("::1")),
            (&["::1,::2,1.2.3.4"], 0, None),
            (&["::1", "::2, 1.2.3.4"], 2, Some("::2")),
            (&["garbage"], 1, None),
            (&["1.2.3.4, garbage"], 1, Some("1.2.3.4")),
            (&["1.2.3.4, unknown"], 1, None),
            (&[""], 1, None),
        ] {
            assert_eq!(client("x-forwarded-for", lines, hops).as_deref(), expected, "{lines:?} {hops}");
        }
        assert_eq!(client("forwarded", &["for=::2, for=\"[::1]\"", "for="], 1).as_deref(), Some("::1"));
    }

    #[test]
    fn a_comma_in_quotes_separates_nothing() {
        assert_eq!(
            client("forwarded", &[r#"for=1.2.3.4;by="a,\"b", for=::2"#], 2).as_deref(),
            Some("1.2.3.4")
        );
    }

    #[test]
    fn the_trusted_element_tells_host_and_scheme() {
        let lines =
            [("forwarded", "host=evil;proto=http, for=\"[::1]\";host=\"example.com:42\"; proto=https")];
        let origin = read(&headers(&lines), None, &TrustedProxies::Hops(1));
        assert_eq!(origin.server, HostPort::parse("example.com:42"));
        assert_eq!(origin.scheme, Some(Scheme::Https));
        let lines = [("forwarded", "host=\"[::1]:42\"")];
        let origin = read(&headers(&lines), None, &TrustedProxies::Hops(1));
        assert_eq!(origin.server, HostPort::parse("[::1]:42"));
    }

    #[test]
    fn what_a_caller_leaves_open_swallows_nothing() {
        for (name, lines) in [
            ("x-forwarded-for", &["6.6.6.6, \", 1.2.3.4"][..]),
            ("x-forwarded-for", &["6.6.6.6", "\u{ff}, 1.2.3.4"]),
            ("x-forwarded-for", &["6.6.6.6, \u{ff}, 1.2.3.4"]),
            ("x-forwarded-for", &["6.6.6.6, ::ffff:1.2.3.4"]),
        ] {
            assert_eq!(client(name, lines, 1).as_deref(), Some("1.2.3.4"), "{lines:?}");
        }
        for lines in [
            &["for=6.6.6.6;host=evil.example;proto=https, for=\", for=1.2.3.4"][..],
            &["for=6.6.6.6", "for=\", for=1.2.3.4"],
        ] {
            assert_eq!(client("forwarded", lines, 1), None, "{lines:?}");
        }
        assert_eq!(
            client("x-forwarded-for", &["6.6.6.6, fe80::1%eth0, 10.0.0.2"], 2).as_deref(),
            Some("fe80::1")
        );
    }

    #[test]
    fn who_tells_the_client_tells_all() {
        let lines = [
            ("forwarded", "host=evil.example;proto=https"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "shop.example"),
        ];
        let origin = read(&headers(&lines), None, &TrustedProxies::Hops(1));
        let expected = Origin {
            client: Some([1, 2, 3, 4].into()),
            server: HostPort::parse("shop.example"),
            scheme: None,
        };
        assert_eq!(origin, expected);
    }

    #[test]
    fn garbage_in_one_source_leads_to_the_next() {
        let lines = [
            ("forwarded", "for="),
            ("x-forwarded-for", "::2"),
            ("x-forwarded-host", "a.example"),
            ("x-forwarded-proto", "https, gopher"),
        ];
        let origin = read(&headers(&lines), None, &TrustedProxies::Hops(1));
        assert_eq!(origin.client, Some(IpAddr::V6("::2".parse().unwrap())));
        assert_eq!(origin.server, HostPort::parse("a.example"));
        assert_eq!(origin.scheme, None);
    }

    #[test]
    fn networks_trust_as_far_as_they_reach() {
        let trusted = TrustedProxies::Networks(vec![Network::new([10, 0, 0, 0].into(), 8)]);
        let client = |peer: Option<[u8; 4]>, line| {
            let headers = headers(&[("x-forwarded-for", line)]);
            read(&headers, peer.map(IpAddr::from), &trusted).client.map(|address| address.to_string())
        };
        let proxy = Some([10, 0, 0, 1]);
        assert_eq!(client(proxy, "6.6.6.6, 1.2.3.4, 10.0.0.2").as_deref(), Some("1.2.3.4"));
        assert_eq!(client(proxy, "1.2.3.4").as_deref(), Some("1.2.3.4"));
        assert_eq!(client(proxy, "10.0.0.3, 10.0.0.2").as_deref(), Some("10.0.0.3"));
        assert_eq!(client(Some([192, 0, 2, 1]), "1.2.3.4"), None);
        assert_eq!(client(None, "1.2.3.4"), None);
    }
}
