//! Who called and what was asked for: `Host`, `Forwarded`, `X-Forwarded-*`, and whom to believe.
//!
//! A forwarded header is whatever the caller wrote unless a proxy of ours wrote it. So nothing of
//! them is read until [`TrustedProxies`] says which of their entries a proxy of ours has appended.

mod forwarded;
mod host;

use std::net::{IpAddr, SocketAddr};

use http::{Extensions, HeaderValue};

use crate::head::Head;
use crate::semconv::url::Scheme;
pub(crate) use host::HostPort;

/// The two ends of the connection that a request came in on, as a request extension.
///
/// With axum nothing is to be done: `into_make_service_with_connect_info::<SocketAddr>()` is
/// recognised. Elsewhere whoever accepts the connection puts it into each request.
///
/// It gives `network.peer.address` and `network.peer.port`, `client.address` unless a trusted
/// proxy tells better, and `network.local.address` and `network.local.port` if `local` is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerAddr {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// This end of the connection.
    pub local: Option<SocketAddr>,
}

impl PeerAddr {
    /// A connection whose other end is known.
    #[must_use]
    pub fn new(peer: SocketAddr) -> Self {
        Self { peer, local: None }
    }

    /// Adds this end of the connection.
    #[must_use]
    pub fn local(self, local: SocketAddr) -> Self {
        Self { local: Some(local), ..self }
    }

    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get().copied().or_else(|| crate::recognise::peer(extensions))
    }
}

/// Which entries of `Forwarded` and `X-Forwarded-*` are believed. By default none is.
///
/// `Forwarded` is asked first. A proxy that writes one of the two must drop the other, as it must
/// for all that listen behind it: what it lets through is the caller's word.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum TrustedProxies {
    /// Forwarded headers are not read.
    #[default]
    None,
    /// So many proxies of ours stand before this server. Entries are counted from the right, where
    /// the nearest proxy writes: of `::1, ::2, 1.2.3.4` one hop tells `1.2.3.4` and two tell `::2`.
    Hops(usize),
    /// Every proxy of ours has an address in one of these networks. The first entry from the right
    /// that is in none of them is the client. Needs a known peer ([`PeerAddr`]).
    Networks(Vec<Network>),
}

/// A network of IP addresses, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of all addresses whose first `prefix` bits are those of `address`. A prefix
    /// longer than the address means the address alone.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        match (address, address.to_canonical()) {
            // A network of addresses that are mapped into IPv6 is one of IPv4.
            (IpAddr::V6(_), IpAddr::V4(mapped)) if prefix >= 96 => {
                Self { address: mapped.into(), prefix: prefix - 96 }
            }
            _ => Self { address, prefix },
        }
    }

    /// Whether the address is in the network. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let host_bits = 32_u32.saturating_sub(self.prefix.into());
                (network.to_bits() ^ address.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let host_bits = 128_u32.saturating_sub(self.prefix.into());
                (network.to_bits() ^ address.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self::new(address, 128)
    }
}

/// What a request says about who called and what was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) client: Option<IpAddr>,
    pub(crate) server: Option<HostPort>,
    pub(crate) scheme: Option<Scheme>,
}

impl Origin {
    /// "`server.address`: [...] forwarded host if known, then `:authority`, then `Host`",
    /// "`client.address`: [...] the first hop if forwarded headers are available, the peer
    /// otherwise" (HTTP spans, notes 1 and 6), as far as the proxies are trusted.
    pub(crate) fn of(
        head: Head<'_>,
        host: Option<&HeaderValue>,
        peer: Option<IpAddr>,
        trusted: &TrustedProxies,
    ) -> Self {
        let forwarded = match trusted {
            TrustedProxies::None => Self::default(),
            _ => forwarded::read(head.headers, peer, trusted),
        };
        let authority = || head.uri.authority().and_then(|authority| HostPort::parse(authority.as_str()));
        Self {
            client: forwarded.client.or(peer),
            server: forwarded.server.or_else(authority).or_else(|| HostPort::of(host)),
            scheme: forwarded.scheme.or_else(|| Scheme::parse(head.uri.scheme_str()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::HasHead;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> http::request::Parts {
        let request = headers
            .iter()
            .fold(http::Request::builder().uri(uri), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_authority_of_the_uri_beats_the_host_header() {
        let parts = parts("https://a.example:1/x", &[("host", "b.example")]);
        let origin = Origin::of(parts.head(), parts.headers.get("host"), None, &TrustedProxies::None);
        assert_eq!(origin.server, HostPort::parse("a.example:1"));
        assert_eq!(origin.scheme, Some(Scheme::Https));
    }

    #[test]
    fn forwarded_headers_are_not_read_until_trusted() {
        let headers = [
            ("host", "shop.example"),
            ("forwarded", "for=6.6.6.6;host=evil.example;proto=https"),
            ("x-forwarded-for", "6.6.6.6"),
        ];
        let peer = IpAddr::from([192, 0, 2, 1]);
        let parts = parts("/", &headers);
        let origin = Origin::of(parts.head(), parts.headers.get("host"), Some(peer), &TrustedProxies::None);
        let expected = Origin { client: Some(peer), server: HostPort::parse("shop.example"), scheme: None };
        assert_eq!(origin, expected);
    }

    #[test]
    fn networks_contain_what_shares_their_prefix() {
        let network = |address: &str, prefix| Network::new(address.parse().unwrap(), prefix);
        for (network, address, inside) in [
            (network("10.0.0.0", 8), "10.255.0.1", true),
            (network("10.0.0.0", 8), "11.0.0.1", false),
            (network("10.0.0.0", 8), "::ffff:10.0.0.1", true),
            (network("::ffff:10.0.0.0", 104), "10.1.2.3", true),
            (network("::ffff:10.0.0.0", 104), "11.1.2.3", false),
            (network("0.0.0.0", 0), "203.0.113.9", true),
            (network("0.0.0.0", 0), "::1", false),
            (network("192.0.2.1", 128), "192.0.2.1", true),
            (network("192.0.2.1", 128), "192.0.2.2", false),
            (network("2001:db8::", 32), "2001:db8:1::1", true),
            (network("2001:db8::", 32), "2001:db8:8000::1", true),
            (network("2001:db8::", 32), "2001:db9::1", false),
            (network("2001:db8::", 33), "2001:db8:8000::1", false),
            (network("::", 0), "::1", true),
            (IpAddr::from([192, 0, 2, 1]).into(), "192.0.2.1", true),
        ] {
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network:?} {address}");
        }
    }
}
