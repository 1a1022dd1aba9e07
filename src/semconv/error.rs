//! `error.type` and the description of an error: what class it is, and nothing secret.
//!
//! Errors print URLs (`reqwest::Error` the whole query), headers, what a peer sent and whatever their
//! authors liked. So a span gets our own name for an error that we know, and the texts below it that
//! are known to hold nothing else; and of an error that we do not know, that it happened.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;
use std::io;

use super::OTHER;
use super::grpc::Code;
use crate::recognise;

/// Sent by nobody, so that the client's is told apart: who called went away.
pub(crate) const CANCELLED: &str = "cancelled";
/// The handler, or the body it returned, panicked.
pub(crate) const PANIC: &str = "panic";

// The closed list of the crate's documentation, beside `_OTHER`.
pub(crate) const BODY: &str = "body";
pub(crate) const CONNECT: &str = "connect";
pub(crate) const CONNECT_TIMEOUT: &str = "connect_timeout";
pub(crate) const DECODE: &str = "decode";
pub(crate) const DNS: &str = "dns";
const OVERLOADED: &str = "overloaded";
pub(crate) const PROTOCOL: &str = "protocol";
pub(crate) const REDIRECT: &str = "redirect";
pub(crate) const RESET: &str = "reset";
pub(crate) const TIMEOUT: &str = "timeout";
pub(crate) const TLS: &str = "tls";

/// Texts longer than this are cut: a description is for reading.
const MAX_DESCRIPTION: usize = 256;

/// What is recorded of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error_type: Cow<'static, str>,
    pub(crate) description: Cow<'static, str>,
    /// If the error is a status of gRPC.
    pub(crate) code: Option<Code>,
}

impl Failure {
    pub(crate) fn named(error_type: impl Into<Cow<'static, str>>) -> Self {
        Self { error_type: error_type.into(), description: Cow::Borrowed(""), code: None }
    }

    /// What the error says of a connection that was not made, corrected by who saw the phase fail. An
    /// error of something else stays what it is.
    pub(crate) fn in_phase(self, phase: &'static str) -> Self {
        if ![CONNECT, CONNECT_TIMEOUT, DNS, TLS, OTHER].contains(&&*self.error_type) {
            return self;
        }
        let description = match self.description.strip_prefix(&*self.error_type) {
            Some(texts) => Cow::Owned([phase, texts].concat()),
            None => self.description,
        };
        Self { error_type: Cow::Borrowed(phase), description, code: self.code }
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
    if let Some(known) = as_error(error).and_then(|error| read(error, stage, false)) {
        return known;
    }
    let description = if describe_unknown { cut(error.to_string()) } else { String::new() };
    Failure { description: Cow::Owned(description), ..Failure::named(OTHER) }
}

/// Names an error that came while a connection was being made. The phase may be known, which the
/// error's own sources cannot be surer of.
#[cfg(feature = "connect")]
pub(crate) fn classify_connecting<E: Display + 'static>(error: &E, phase: Option<&'static str>) -> Failure {
    let read = as_error(error).and_then(|error| read(error, Stage::Head, true));
    let unknown = || Failure { description: Cow::Borrowed(CONNECT), ..Failure::named(CONNECT) };
    let read = read.unwrap_or_else(unknown);
    match phase {
        Some(phase) => read.in_phase(phase),
        None => read,
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

/// What one error of a chain tells about the whole.
pub(crate) struct Clue {
    pub(crate) hint: Hint,
    /// A text that holds nothing of a caller, a user or a peer.
    pub(crate) text: Option<Cow<'static, str>>,
    /// If it is a status of gRPC, or stands for one. It names the error if nothing else does.
    pub(crate) code: Option<Code>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// It came while a connection was being made.
    Connecting,
    /// It is known, but others say more.
    Known,
    /// It is of this class, unless an error further in is more precise.
    Class(&'static str),
}

impl Clue {
    pub(crate) fn telling(hint: Hint, text: impl Into<Cow<'static, str>>) -> Self {
        Self { hint, text: Some(text.into()), code: None }
    }

    pub(crate) fn silent(hint: Hint) -> Self {
        Self { hint, text: None, code: None }
    }
}

/// The one place that reads the sources of an error. Nothing if none of them is known.
fn read(error: &(dyn Error + 'static), stage: Stage, mut connecting: bool) -> Option<Failure> {
    let mut found = None;
    let mut code = None;
    let mut texts = Vec::new();
    // No cycle is possible, but an endless chain is.
    let chain = std::iter::successors(Some(error), |error| (*error).source()).take(16);
    for (depth, link) in chain.enumerate() {
        let Some(Clue { hint, text, code: status }) = clue(link, connecting) else { continue };
        code = code.or(status);
        texts.extend(text.filter(|_| depth > 0));
        match hint {
            Hint::Connecting => connecting = true,
            Hint::Known => found = found.or(Some(OTHER)),
            Hint::Class(TIMEOUT) if connecting => found = Some(CONNECT_TIMEOUT),
            Hint::Class(class) => found = Some(class),
        }
        // Whatever broke the request's body off is the body's affair, and so on.
        if matches!(found, Some(BODY | DECODE | REDIRECT)) {
            break;
        }
    }
    let found = found.filter(|class| *class != OTHER).or(code.map(Code::name)).or(found);
    let class = match (stage, found) {
        (_, None | Some(OTHER)) if connecting => CONNECT,
        (Stage::Body, Some(class @ (DECODE | TIMEOUT))) => class,
        (Stage::Body, Some(_)) => BODY,
        (Stage::Head, found) => found?,
        (Stage::Body, None) => return None,
    };
    let description = [vec![Cow::Borrowed(class)], texts].concat().join(": ");
    Some(Failure { error_type: Cow::Borrowed(class), description: Cow::Owned(cut(description)), code })
}

fn clue(error: &(dyn Error + 'static), connecting: bool) -> Option<Clue> {
    recognise::clue(error)
        .or_else(|| Some(io_clue(error.downcast_ref()?, connecting)))
        .or_else(|| text_clue(&error.to_string()))
}

fn io_clue(error: &io::Error, connecting: bool) -> Clue {
    use io::ErrorKind as Kind;
    // The source of a custom error is that of its inner one, so the inner one is asked here.
    if let Some(inner) = error.get_ref() {
        let inner: &(dyn Error + 'static) = inner;
        if let Some(clue) = clue(inner, connecting) {
            return clue;
        }
    }
    let hint = match error.kind() {
        Kind::TimedOut => Hint::Class(TIMEOUT),
        Kind::ConnectionRefused
        | Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::AddrNotAvailable
        | Kind::NotConnected => Hint::Class(CONNECT),
        // A handshake of TLS that fails is told as invalid data, one that is hung up on as an early end.
        Kind::InvalidData | Kind::UnexpectedEof if connecting => Hint::Class(TLS),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof
            if !connecting =>
        {
            Hint::Class(RESET)
        }
        _ => Hint::Known,
    };
    match error.raw_os_error() {
        // The system's own words.
        Some(_) => Clue::telling(hint, error.to_string()),
        None if error.kind() == Kind::Other => Clue::silent(hint),
        None => Clue::telling(hint, error.kind().to_string()),
    }
}

/// Errors whose types are private, or of crates that we do not depend on, by how their texts begin.
/// Only that is shown: what follows may be a name from a certificate, or what a peer wrote.
const TEXTS: [(&str, Hint); 26] = [
    // hyper-util's connector, and std's resolver.
    ("dns error", Hint::Class(DNS)),
    ("failed to lookup address information", Hint::Class(DNS)),
    ("tcp connect error", Hint::Connecting),
    ("tcp open error", Hint::Connecting),
    ("tcp bind local error", Hint::Connecting),
    // tower's, tokio's and tower-http's deadlines.
    ("request timed out", Hint::Class(TIMEOUT)),
    ("deadline has elapsed", Hint::Class(TIMEOUT)),
    ("data was not received within the designated timeout", Hint::Class(TIMEOUT)),
    // tower's `LoadShed` and `Buffer`.
    ("service overloaded", Hint::Class(OVERLOADED)),
    ("buffer's worker closed unexpectedly", Hint::Known),
    // tungstenite, within axum's errors. The first that fits counts.
    ("WebSocket protocol error: Connection reset without closing handshake", Hint::Class(RESET)),
    ("WebSocket protocol error", Hint::Class(PROTOCOL)),
    ("Space limit exceeded", Hint::Class(PROTOCOL)),
    ("UTF-8 encoding error", Hint::Class(PROTOCOL)),
    // rustls. The first that fits counts.
    ("invalid peer certificate: UnknownIssuer", Hint::Class(TLS)),
    ("invalid peer certificate: certificate expired", Hint::Class(TLS)),
    ("invalid peer certificate: certificate not valid for name", Hint::Class(TLS)),
    ("invalid peer certificate: BadSignature", Hint::Class(TLS)),
    ("invalid peer certificate", Hint::Class(TLS)),
    ("received fatal alert", Hint::Class(TLS)),
    ("received corrupt message", Hint::Class(TLS)),
    ("tls handshake eof", Hint::Class(TLS)),
    // h2: what we found wrong, and what the peer found.
    ("connection error detected", Hint::Class(PROTOCOL)),
    ("stream error detected", Hint::Class(PROTOCOL)),
    ("connection error received", Hint::Class(RESET)),
    ("stream error received", Hint::Class(RESET)),
];

fn text_clue(text: &str) -> Option<Clue> {
    let (beginning, hint) = TEXTS.iter().find(|(beginning, _)| text.starts_with(beginning))?;
    Some(Clue::telling(*hint, *beginning))
}

pub(crate) fn cut(mut text: String) -> String {
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
    fn who_saw_the_phase_fail_is_surer_than_any_text() {
        let failure = |class: &'static str, description: &'static str| Failure {
            error_type: Cow::Borrowed(class),
            description: Cow::Borrowed(description),
            code: None,
        };
        let corrected = |class, description| failure(class, description).in_phase(TLS);
        assert_eq!(corrected("connect", "connect: os error 1"), failure("tls", "tls: os error 1"));
        assert_eq!(corrected("_OTHER", ""), failure("tls", ""));
        // Something else went wrong after the connection was made.
        assert_eq!(corrected("reset", "reset: broken"), failure("reset", "reset: broken"));
    }

    #[test]
    fn a_deadline_inside_is_a_timeout() {
        for text in ["request timed out", "deadline has elapsed"] {
            assert_eq!(classify(&boxed(&[text], None), Stage::Head, false).error_type, "timeout");
        }
    }

    #[test]
    fn what_tower_says_of_itself_is_known() {
        let shed = tower::load_shed::error::Overloaded::new();
        let failure = classify(&tower::BoxError::from(shed), Stage::Head, false);
        assert_eq!((&*failure.error_type, &*failure.description), ("overloaded", "overloaded"));
        let late = tower::timeout::error::Elapsed::new();
        assert_eq!(classify(&tower::BoxError::from(late), Stage::Head, false).error_type, "timeout");
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
    fn a_description_holds_only_texts_that_are_known() {
        let error = boxed(
            &["outermost secret", "tcp connect error", "authorization: Bearer s3cret"],
            Some(io::Error::from_raw_os_error(111)),
        );
        let failure = classify(&error, Stage::Head, false);
        assert_eq!(failure.error_type, "connect");
        assert_eq!(failure.description, "connect: tcp connect error: Connection refused (os error 111)");
        let error = boxed(&["outermost", "invalid peer certificate for https://user:s3cret@host/"], None);
        assert_eq!(classify(&error, Stage::Head, false).description, "tls: invalid peer certificate");
        let error = boxed(&["outermost", "stream error received: refused (b\"s3cret\")"], None);
        assert_eq!(classify(&error, Stage::Head, false).description, "reset: stream error received");
    }

    #[test]
    fn a_custom_io_error_is_asked_for_its_inner_one() {
        let error = io::Error::other(Link("invalid peer certificate: UnknownIssuer", None));
        let failure = classify(&error, Stage::Head, false);
        assert_eq!(failure.error_type, "tls");
        let nested = io::Error::other(io::Error::new(io::ErrorKind::UnexpectedEof, "secret"));
        let error = boxed(&["client error", "tcp connect error"], Some(nested));
        let failure = classify(&error, Stage::Head, false);
        assert_eq!(failure.description, "tls: tcp connect error: unexpected end of file");
        let error = io::Error::other("the secret is in here");
        assert_eq!(classify(&error, Stage::Body, false).description, "body");
    }

    #[test]
    fn a_long_description_is_cut_at_a_character() {
        let failure = classify(&"ü".repeat(500), Stage::Head, true);
        assert_eq!(failure.description.len(), 256);
    }
}
