//! The attributes of a client span and of the client's metrics.

use std::borrow::Cow;
use std::sync::Arc;

use http::header;

use super::attributes::{Detail, StartAttributes, StartKey};
use super::intern::Text;
use super::method::MethodLabel;
use super::url::{self, Scheme};
use crate::address::HostPort;
use crate::head::Head;

/// Where an outgoing request goes.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) scheme: Scheme,
    /// Absent only where neither the URI nor `Host` names one.
    pub(crate) host: Option<Text>,
    /// "`server.port` is required": the scheme's own if none was written.
    pub(crate) port: u16,
}

impl Target {
    /// A URI may be in origin form (a client bound to one connection), then `Host` tells.
    pub(crate) fn of(head: Head<'_>, default_scheme: Option<Scheme>) -> Self {
        let scheme = head.uri.scheme_str().and_then(Scheme::parse);
        let scheme = scheme.or(default_scheme).unwrap_or(Scheme::Http);
        let authority = head.uri.authority().and_then(|authority| HostPort::parse(authority.as_str()));
        let (host, port) = match authority.or_else(|| HostPort::of(head.headers.get(header::HOST))) {
            Some(HostPort { host, port }) => (Some(host), port),
            None => (None, None),
        };
        Self { scheme, host, port: port.unwrap_or(scheme.default_port()) }
    }
}

/// "The following attributes can be important for making sampling decisions and SHOULD be provided
/// at span creation time (if provided at all)": HTTP spans, client.
pub(crate) fn sampling_relevant(
    head: Head<'_>,
    method: MethodLabel,
    target: &Target,
    sensitive_keys: &[Cow<'static, str>],
) -> StartAttributes {
    let mut attributes = StartAttributes::with_capacity(12);
    attributes.push(StartKey::Method, method.value());
    attributes.push_some(StartKey::ServerAddress, target.host.clone());
    attributes.push(StartKey::ServerPort, i64::from(target.port));
    // Shared, since the SDK copies a span for who watches those that run.
    attributes.push(StartKey::UrlFull, Arc::<str>::from(full_url(head, target.scheme, sensitive_keys)));
    attributes
}

/// What no sampler needs.
pub(crate) fn detail(
    detail: &mut Detail<'_>,
    head: Head<'_>,
    method: MethodLabel,
    resend_count: Option<u32>,
    template: Option<Text>,
) {
    detail.set(StartKey::MethodOriginal, method.original(head.method));
    detail.set(StartKey::ResendCount, resend_count.map(i64::from));
    detail.set(StartKey::UrlTemplate, template);
}

fn full_url(head: Head<'_>, scheme: Scheme, sensitive_keys: &[Cow<'static, str>]) -> String {
    let host = || head.headers.get(header::HOST)?.to_str().ok();
    let authority = head.uri.authority().map(http::uri::Authority::as_str).or_else(host);
    let scheme = head.uri.scheme_str().unwrap_or(scheme.as_str());
    url::full(scheme, authority, head.uri, sensitive_keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::HasHead;

    fn parts(uri: &str, host: Option<&str>) -> http::request::Parts {
        let request = http::Request::builder().uri(uri);
        let request = host.into_iter().fold(request, |request, host| request.header("host", host));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_port_is_always_known() {
        for (uri, host, expected) in [
            ("http://a.example/", None, (Some("a.example"), 80)),
            ("https://a.example/", None, (Some("a.example"), 443)),
            ("https://a.example:8443/", Some("b.example"), (Some("a.example"), 8443)),
            ("http://[::1]:81/", None, (Some("::1"), 81)),
            ("/x", Some("b.example:82"), (Some("b.example"), 82)),
            ("/x", Some("b.example"), (Some("b.example"), 80)),
            ("/x", None, (None, 80)),
        ] {
            let target = Target::of(parts(uri, host).head(), None);
            assert_eq!((target.host.as_deref(), target.port), expected, "{uri}");
        }
    }

    #[test]
    fn an_origin_form_is_completed_by_the_host_header() {
        let parts = parts("/p?sig=1", Some("b.example:82"));
        let keys = [Cow::Borrowed("sig")];
        assert_eq!(full_url(parts.head(), Scheme::Http, &keys), "http://b.example:82/p?sig=REDACTED");
    }
}
