use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use opentelemetry::Context;
use opentelemetry::trace::FutureExt;

use super::answer::Problem;

/// Nothing comes from elsewhere, nothing goes elsewhere, and nothing that is written in the page is run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; \
                      connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Who may ask.
#[derive(Clone, Debug)]
pub(crate) struct Guard(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    /// In lower case.
    hosts: Vec<String>,
    token: Option<String>,
    /// Cookies know no ports, so the port is in the name.
    cookie: String,
}

impl Guard {
    pub(crate) fn new(hosts: &[String], token: Option<String>, port: u16) -> Self {
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self(Arc::new(Rules { hosts, token, cookie: format!("otelhttp_viewer_{port}") }))
    }

    /// Whether this is the value of an `authorization` that is let in.
    pub(super) fn admits(&self, authorization: Option<&str>) -> bool {
        let Some(token) = &self.0.token else { return true };
        let given = authorization.and_then(|value| {
            let (scheme, given) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(given.trim())
        });
        given.is_some_and(|given| is_same(given, token))
    }
}

/// In front of everything. What is done here and below is never traced.
pub(super) async fn check(State(guard): State<Guard>, request: Request<Body>, next: Next) -> Response {
    hardened(match guard.refuse(&request) {
        Some(response) => response,
        None => untraced(next.run(request)).await,
    })
}

/// With what keeps other pages and what was sent from doing anything.
pub(super) fn hardened(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) fn untraced<F: Future>(of: F) -> impl Future<Output = F::Output> {
    of.with_context(Context::current().with_telemetry_suppressed())
}

impl Guard {
    fn refuse(&self, request: &Request<Body>) -> Option<Response> {
        let headers = request.headers();
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if !self.knows(host) {
            let message = "this is not a host that the viewer is known by; name it with `host` (or `--host`)";
            return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, message).into_response());
        }
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
        // A link may lead to a page of ours; what the store is asked and told is for our own page and for programs.
        let may_be_linked_to = is_safe && is_page(request.uri().path());
        if !may_be_linked_to && !is_own(headers, host) {
            let message =
                "other pages may not do this: the request's `origin` or `sec-fetch-site` is not the viewer's";
            return Some(Problem::new(StatusCode::FORBIDDEN, message).into_response());
        }
        self.ask_for_token(request, is_safe)
    }

    /// A name may lead here without being ours: somebody else's page could so become of our origin. An address cannot.
    fn knows(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.0.hosts.contains(&name)
    }

    fn ask_for_token(&self, request: &Request<Body>, is_safe: bool) -> Option<Response> {
        let token = self.0.token.as_deref()?;
        let headers = request.headers();
        let value = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let cookie = cookies(headers).find(|(name, _)| *name == self.0.cookie);
        if self.admits(value(header::AUTHORIZATION)) || cookie.is_some_and(|(_, given)| is_same(given, token))
        {
            return None;
        }
        let given = request.uri().query().and_then(|query| parameter(query, "token"));
        if is_safe && given.is_some_and(|given| is_same(given, token)) {
            return Some(self.welcome(request.uri(), token));
        }
        let message = "the viewer asks for its token here: open the address that it printed, or send `authorization: Bearer TOKEN`";
        Some(Problem::new(StatusCode::UNAUTHORIZED, message).into_response())
    }

    /// The token goes into a cookie, and out of the address.
    fn welcome(&self, uri: &Uri, token: &str) -> Response {
        let query = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("token="));
        let query: Vec<&str> = query.collect();
        // Two slashes in front would name another host.
        let path = format!("/{}", uri.path().trim_start_matches('/'));
        let location = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
        let cookie = format!("{}={token}; Path=/; HttpOnly; SameSite=Strict", self.0.cookie);
        (StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::SET_COOKIE, cookie)]).into_response()
    }
}

/// Addresses of the application and its files. None of them has anything escaped in it, as `.txt` might be.
fn is_page(path: &str) -> bool {
    !path.starts_with("/api/") && !path.ends_with(".txt") && !path.contains('%')
}

fn without_port(host: &str) -> &str {
    let end = host.rfind(']').map_or(0, |end| end + 1);
    host[end..].find(':').map_or(host, |colon| &host[..end + colon])
}

/// "The Origin header field indicates the origin(s) that caused the user agent to issue the request": programs send none.
fn is_own(headers: &HeaderMap, host: &str) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if !matches!(site, None | Some(b"same-origin" | b"none")) {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().unwrap_or_default();
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Takes as long for a token that is nearly right as for any other.
fn is_same(given: &str, token: &str) -> bool {
    let (given, token) = (given.as_bytes(), token.as_bytes());
    let different = given.iter().zip(token).fold(given.len() ^ token.len(), |all, (one, other)| {
        std::hint::black_box(all | usize::from(one ^ other))
    });
    different == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_named_hosts_are_known() {
        let guard = Guard::new(&["Dev.Example".to_owned()], None, 8700);
        for host in [
            "127.0.0.1:8700",
            "localhost",
            "LOCALHOST:1",
            "a.localhost:8700",
            "[::1]:8700",
            "10.0.0.7",
            "dev.example:1",
        ] {
            assert!(guard.knows(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:8700",
            "127.0.0.1.evil.example",
            "[::1].evil.example",
            ":8700",
        ] {
            assert!(!guard.knows(host), "{host}");
        }
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        for (given, expected) in
            [("secret", true), ("secreT", false), ("secre", false), ("secrets", false), ("", false)]
        {
            assert_eq!(is_same(given, "secret"), expected, "{given}");
        }
    }

    #[test]
    fn origins_are_compared_whole() {
        let is_own = |origin: &str| {
            let headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_str(origin).unwrap())]);
            is_own(&headers, "127.0.0.1:8700")
        };
        assert!(is_own("http://127.0.0.1:8700"));
        for origin in [
            "null",
            "",
            "http://127.0.0.1",
            "http://127.0.0.1:87001",
            "http://evil.example",
            "127.0.0.1:8700",
        ] {
            assert!(!is_own(origin), "{origin}");
        }
        assert!(super::is_own(&HeaderMap::new(), "127.0.0.1:8700"));
    }

    /// Whatever the program makes spans with: what is done for the viewer's own pages makes none.
    #[tokio::test]
    async fn nothing_behind_it_is_traced() {
        let is_suppressed = || async { Context::current().is_telemetry_suppressed().to_string() };
        let router = axum::Router::new()
            .route("/", axum::routing::get(is_suppressed))
            .layer(axum::middleware::from_fn_with_state(Guard::new(&[], None, 0), check));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "true");
    }
}
