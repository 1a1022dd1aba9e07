//! `error.type` and the description of an error: what class it is, and nothing secret.
//!
//! Errors print URLs (`reqwest::Error` the whole query), headers and whatever their authors liked.
//! So a span gets our own name for an error we know and the texts below it, and of one that we do
//! not know nothing but that it happened.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;
use std::io;

use super::OTHER;
use crate::recognise;

/// Sent by nobody, so that the client's is told apart: who called went away.
pub(crate) const CANCELLED: &str = "cancelled";
/// The handler, or the body it returned, panicked.
pub(crate) const PANIC: &str = "panic";

// The closed list of the crate's documentation, beside `_OTHER`.
pub(crate) const BODY: &str = "body";
const CONNECT: &str = "connect";
const CONNECT_TIMEOUT: &str = "connect_timeout";
const DNS: &str = "dns";
#[cfg_attr(not(feature = "hyper-util"), expect(dead_code, reason = "only an HTTP library can tell it"))]
pub(crate) const PROTOCOL: &str = "protocol";
pub(crate) const RESET: &str = "reset";
pub(crate) const TIMEOUT: &str = "timeout";
const TLS: &str = "tls";

/// Texts longer than this are cut: a description is for reading.
const MAX_DESCRIPTION: usize = 256;

/// What is recorded of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error_type: Cow<'static, str>,
    pub(crate) description: Cow<'static, str>,
}

impl Failure {
    pub(crate) fn named(error_type: impl Into<Cow<'static, str>>) -> Self {
        Self { error_type: error_type.into(), description: Cow::Borrowed("") }
    }
}

/// When an error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Head,
    Body,
}

/// Names an error of a service or of a body.
pub(crate) fn classify<E: Display + 'static>(error: &E, stage: Stage, describe_unknown: bool) -> Failure {
    let known = as_error(error).and_then(|error| Some((error, class(error, stage)?)));
    match known {
        Some((error, class)) => {
            Failure { error_type: Cow::Borrowed(class), description: Cow::Owned(describe(class, error)) }
        }
        None if describe_unknown => {
            Failure { error_type: Cow::Borrowed(OTHER), description: Cow::Owned(cut(error.to_string())) }
        }
        None => Failure::named(OTHER),
    }
}

/// An error type that we know can be asked for its sources.
fn as_error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Some(boxed.as_ref());
    }
    match error.downcast_ref::<io::Error>() {
        Some(error) => Some(error),
        None => recognise::error(error),
    }
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    // No cycle is possible, but an endless chain is.
    std::iter::successors(Some(error), |error| (*error).source()).take(16)
}

/// What one error of the chain tells about the whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    /// It came while a connection was being made.
    Connecting,
    /// Known, but the stage says more.
    Known,
    /// The class.
    Class(&'static str),
}

/// The one place that reads the sources of an error. The innermost hint is the most precise, but
/// where it came decides between a refused connection and a broken one.
fn class(error: &(dyn Error + 'static), stage: Stage) -> Option<&'static str> {
    let mut connecting = false;
    let mut found = None;
    for link in chain(error) {
        let hint = recognise::hint(link).or_else(|| io_hint(link, connecting)).or_else(|| text_hint(link));
        match hint {
            Some(Hint::Connecting) => connecting = true,
            Some(Hint::Known) if found.is_none() => found = Some(OTHER),
            Some(Hint::Class(class)) => found = Some(class),
            Some(Hint::Known) | None => {}
        }
    }
    match (stage, found) {
        (Stage::Body, Some(TIMEOUT)) => Some(TIMEOUT),
        (Stage::Body, Some(_)) => Some(BODY),
        (Stage::Head, Some(OTHER) | None) if connecting => Some(CONNECT),
        (_, found) => found,
    }
}

fn io_hint(error: &(dyn Error + 'static), connecting: bool) -> Option<Hint> {
    use io::ErrorKind as Kind;
    let error = error.downcast_ref::<io::Error>()?;
    let class = match error.kind() {
        Kind::TimedOut if connecting => CONNECT_TIMEOUT,
        Kind::TimedOut => TIMEOUT,
        Kind::ConnectionRefused
        | Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::AddrNotAvailable
        | Kind::NotConnected => CONNECT,
        // A handshake of TLS that fails is told as invalid data, one that is hung up on as an early end.
        Kind::InvalidData | Kind::UnexpectedEof if connecting => TLS,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof
            if !connecting =>
        {
            RESET
        }
        _ => return Some(custom_io_hint(error)),
    };
    Some(Hint::Class(class))
}

/// The source of a custom `io::Error` is that of its inner error: the inner one is asked here.
fn custom_io_hint(error: &io::Error) -> Hint {
    let inner = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    inner.and_then(|inner| recognise::hint(inner).or_else(|| text_hint(inner))).unwrap_or(Hint::Known)
}

/// Errors whose types are private or whose crates we do not depend on, by the texts they are known
/// to have.
fn text_hint(error: &(dyn Error + 'static)) -> Option<Hint> {
    let text = error.to_string();
    match text.as_str() {
        // hyper-util: `HttpConnector` (private), and its resolver.
        "dns error" => Some(Hint::Class(DNS)),
        "tcp connect error" | "tcp open error" | "tcp bind local error" => Some(Hint::Connecting),
        // tower and tokio: `Elapsed`.
        "request timed out" | "deadline has elapsed" => Some(Hint::Class(TIMEOUT)),
        _ => (text.starts_with("invalid peer certificate") || text.starts_with("received fatal alert"))
            .then_some(Hint::Class(TLS)),
    }
}

/// The class and the texts below the outermost error. A text that could hold a URL is left out.
fn describe(class: &str, error: &(dyn Error + 'static)) -> String {
    let mut description = class.to_owned();
    for link in chain(error).skip(1) {
        let text = link.to_string();
        let telling =
            !text.contains("://") && !text.contains(['?', '@', '=']) && !description.ends_with(&text);
        if telling {
            description.push_str(": ");
            description.push_str(&text);
        }
    }
    cut(description)
}

fn cut(mut text: String) -> String {
    if let Some(end) = (0..=MAX_DESCRIPTION.min(text.len())).rfind(|end| text.is_char_boundary(*end)) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Link(&'static str, Option<Box<dyn Error + Send + Sync>>);

    impl Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    fn boxed(texts: &[&'static str], innermost: Option<io::Error>) -> Box<dyn Error + Send + Sync> {
        let innermost = innermost.map(|error| Box::new(error) as Box<dyn Error + Send + Sync>);
        let link = texts.iter().rev().fold(innermost, |source, text| Some(Box::new(Link(text, source))));
        link.unwrap()
    }

    #[test]
    fn an_io_error_is_named_by_its_kind() {
        for (kind, stage, class) in [
            (io::ErrorKind::TimedOut, Stage::Head, "timeout"),
            (io::ErrorKind::TimedOut, Stage::Body, "timeout"),
            (io::ErrorKind::ConnectionRefused, Stage::Head, "connect"),
            (io::ErrorKind::ConnectionReset, Stage::Head, "reset"),
            (io::ErrorKind::ConnectionReset, Stage::Body, "body"),
            (io::ErrorKind::UnexpectedEof, Stage::Head, "reset"),
            (io::ErrorKind::PermissionDenied, Stage::Head, "_OTHER"),
            (io::ErrorKind::PermissionDenied, Stage::Body, "body"),
        ] {
            assert_eq!(
                classify(&io::Error::from(kind), stage, false).error_type,
                class,
                "{kind:?} {stage:?}"
            );
        }
    }

    #[test]
    fn the_phase_decides_what_a_broken_connection_means() {
        for (kind, class) in [
            (io::ErrorKind::ConnectionRefused, "connect"),
            (io::ErrorKind::TimedOut, "connect_timeout"),
            (io::ErrorKind::InvalidData, "tls"),
            (io::ErrorKind::UnexpectedEof, "tls"),
            (io::ErrorKind::ConnectionReset, "connect"),
            (io::ErrorKind::PermissionDenied, "connect"),
        ] {
            let error = boxed(&["client error", "tcp connect error"], Some(kind.into()));
            assert_eq!(classify(&error, Stage::Head, false).error_type, class, "{kind:?}");
        }
    }

    #[test]
    fn a_deadline_inside_is_a_timeout() {
        for text in ["request timed out", "deadline has elapsed"] {
            assert_eq!(classify(&boxed(&[text], None), Stage::Head, false).error_type, "timeout");
        }
    }

    #[test]
    fn an_unknown_error_is_other_and_says_nothing() {
        let error = boxed(&["cannot read https://user:secret@host/?sig=1"], None);
        assert_eq!(classify(&error, Stage::Head, false), Failure::named("_OTHER"));
        assert_eq!(classify(&"plain text", Stage::Body, false), Failure::named("_OTHER"));
        let described = classify(&"plain text", Stage::Head, true);
        assert_eq!(described.description, "plain text");
    }

    #[test]
    fn a_description_holds_no_url_and_not_the_outermost_text() {
        let error = boxed(
            &["outermost secret", "dns error", "for https://host/?sig=1", "user@host", "lookup failed"],
            None,
        );
        let failure = classify(&error, Stage::Head, false);
        assert_eq!(failure.error_type, "dns");
        assert_eq!(failure.description, "dns: dns error: lookup failed");
    }

    #[test]
    fn a_custom_io_error_is_asked_for_its_inner_one() {
        let error = io::Error::other(Link("invalid peer certificate: UnknownIssuer", None));
        assert_eq!(classify(&error, Stage::Head, false).error_type, "tls");
        let error = io::Error::other("the secret is in here");
        assert_eq!(classify(&error, Stage::Body, false).description, "body");
    }

    #[test]
    fn a_long_description_is_cut_at_a_character() {
        let failure = classify(&"ü".repeat(500), Stage::Head, true);
        assert_eq!(failure.description.len(), 256);
    }
}
