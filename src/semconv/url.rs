//! `url.*`: what may be shown of a URL.

use std::borrow::Cow;

/// "Query string values for the following keys SHOULD be redacted by default and replaced by the
/// value `REDACTED`", in the registry of 1.45.0.
pub(crate) const SENSITIVE_QUERY_KEYS: [&str; 7] = [
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
];

const REDACTED: &str = "REDACTED";

/// Replaces the values of sensitive keys: "the matching is case-sensitive", "the query string key
/// SHOULD still be preserved". Everything else stays as it was sent.
pub(crate) fn redact_query<'q>(query: &'q str, keys: &[Cow<'static, str>]) -> Cow<'q, str> {
    let secret = |pair: &str| {
        let (key, _) = pair.split_once('=')?;
        keys.iter().any(|sensitive| sensitive == key).then_some(key.len())
    };
    if !query.split('&').any(|pair| secret(pair).is_some()) {
        return Cow::Borrowed(query);
    }
    let mut redacted = String::with_capacity(query.len());
    for (position, pair) in query.split('&').enumerate() {
        if position > 0 {
            redacted.push('&');
        }
        match secret(pair) {
            Some(key) => {
                redacted.push_str(&pair[..=key]);
                redacted.push_str(REDACTED);
            }
            None => redacted.push_str(pair),
        }
    }
    Cow::Owned(redacted)
}

/// "`url.full` MUST NOT contain credentials passed via URL in form of
/// `https://username:password@www.example.com/`. In such case username and password SHOULD be
/// redacted and attribute's value SHOULD be `https://REDACTED:REDACTED@www.example.com/`."
pub(crate) fn redact_credentials(authority: &str) -> Cow<'_, str> {
    // The last `@`: an unescaped one in the password must not let its rest through.
    let Some(at) = authority.bytes().rposition(|byte| byte == b'@') else {
        return Cow::Borrowed(authority);
    };
    let (credentials, host) = (&authority[..at], &authority[at + 1..]);
    let shown = if credentials.contains(':') { "REDACTED:REDACTED" } else { REDACTED };
    Cow::Owned(format!("{shown}@{host}"))
}

/// `url.full` of an outgoing request.
pub(crate) fn full(
    scheme: &str,
    authority: Option<&str>,
    uri: &http::Uri,
    keys: &[Cow<'static, str>],
) -> String {
    let query = uri.query().map(|query| redact_query(query, keys));
    let mut url = String::with_capacity(
        scheme.len()
            + 24
            + authority.map_or(0, str::len)
            + uri.path().len()
            + query.as_ref().map_or(0, |q| q.len()),
    );
    if let Some(authority) = authority {
        url.push_str(scheme);
        url.push_str("://");
        url.push_str(&redact_credentials(authority));
    }
    url.push_str(uri.path());
    if let Some(query) = query {
        url.push('?');
        url.push_str(&query);
    }
    url
}

/// `http` or `https`. Nothing else is shown: the scheme is a metric attribute, and over HTTP/2 a
/// caller may write what it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn parse(scheme: &str) -> Option<Self> {
        if scheme.eq_ignore_ascii_case("https") {
            Some(Self::Https)
        } else if scheme.eq_ignore_ascii_case("http") {
            Some(Self::Http)
        } else {
            None
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub(crate) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(query: &str) -> String {
        redact_query(query, &SENSITIVE_QUERY_KEYS.map(Cow::Borrowed)).into_owned()
    }

    #[test]
    fn secrets_are_redacted_in_every_position() {
        for key in SENSITIVE_QUERY_KEYS {
            for (sent, shown) in [
                (format!("{key}=s3cret"), format!("{key}=REDACTED")),
                (format!("{key}=s3cret&a=b"), format!("{key}=REDACTED&a=b")),
                (format!("a=b&{key}=s3cret&c=d"), format!("a=b&{key}=REDACTED&c=d")),
                (format!("a=b&{key}=s3cret"), format!("a=b&{key}=REDACTED")),
                (format!("{key}=1&{key}=2"), format!("{key}=REDACTED&{key}=REDACTED")),
                (format!("{key}="), format!("{key}=REDACTED")),
                (format!("{key}=a=b"), format!("{key}=REDACTED")),
            ] {
                assert_eq!(query(&sent), shown);
            }
        }
    }

    #[test]
    fn everything_else_is_kept_as_it_was_sent() {
        for same in ["", "a=b", "&&", "a&&b=%20%2F&", "SIG=x", "Sig=x", "asig=x", "sig", "x-amz-signature=1"]
        {
            assert_eq!(query(same), same);
        }
        assert_eq!(query("&&sig=1&&%61=%62&&"), "&&sig=REDACTED&&%61=%62&&");
    }

    #[test]
    fn credentials_are_redacted() {
        for (sent, shown) in [
            ("host", "host"),
            ("host:80", "host:80"),
            ("user:secret@host", "REDACTED:REDACTED@host"),
            ("user:se@cret@host:80", "REDACTED:REDACTED@host:80"),
            ("token@host", "REDACTED@host"),
            (":@host", "REDACTED:REDACTED@host"),
        ] {
            assert_eq!(redact_credentials(sent), shown);
        }
    }

    #[test]
    fn a_full_url_shows_no_secret() {
        let keys = SENSITIVE_QUERY_KEYS.map(Cow::Borrowed);
        for (sent, shown) in [
            ("https://user:secret@host/p?q", "https://REDACTED:REDACTED@host/p?q"),
            ("https://host/a@b?c=d@e", "https://host/a@b?c=d@e"),
            ("https://host?sig=1", "https://host/?sig=REDACTED"),
            ("https://host/p?", "https://host/p?"),
        ] {
            let uri: http::Uri = sent.parse().unwrap();
            let authority = uri.authority().map(http::uri::Authority::as_str);
            assert_eq!(full("https", authority, &uri, &keys), shown);
        }
    }

    #[test]
    fn only_http_and_https_are_schemes() {
        assert_eq!(Scheme::parse("HTTPS"), Some(Scheme::Https));
        assert_eq!(Scheme::parse("http"), Some(Scheme::Http));
        assert_eq!(Scheme::parse("gopher"), None);
    }
}
