//! What a server writes may repeat what it was sent.

use http::{HeaderMap, HeaderValue};

/// How much of a text is told.
const LONGEST: usize = 200;
/// Shorter words are no secrets, and stand in many texts.
const SHORTEST: usize = 4;
/// What stands before a secret.
const SCHEMES: [&str; 2] = ["Bearer", "Basic"];

/// What stands in the values of the headers that are sent and in the credentials of an endpoint, word by word.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(super) fn new(headers: &HeaderMap, others: &[String]) -> Self {
        let values = headers.values().filter_map(|value: &HeaderValue| value.to_str().ok());
        let values = values.chain(others.iter().map(String::as_str));
        let words = values.flat_map(|value| value.split([' ', ',', ';', '=', ':', '"']));
        let secret = |word: &&str| word.len() >= SHORTEST && !SCHEMES.contains(word);
        let mut secrets: Vec<_> = words.filter(secret).map(str::to_owned).collect();
        // The longest first, in case that one is a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    /// The text on one line, without what is secret and not without end.
    pub(super) fn cleaned(&self, text: &str) -> String {
        let text = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "REDACTED"));
        let text = text.trim().chars().map(|char| if char.is_control() { ' ' } else { char });
        text.take(LONGEST).collect()
    }

    /// The same after a colon, or nothing.
    pub(super) fn told(&self, text: &str) -> String {
        let text = self.cleaned(text);
        if text.is_empty() { text } else { format!(": {text}") }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_not_repeated() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer abcd1234"));
        headers.insert("x-key", HeaderValue::from_static("abcd"));
        let secrets = Secrets::new(&headers, &["key/word".to_owned()]);
        let cleaned = secrets.cleaned(" token \"abcd1234\" is not valid,\n nor is abcd \u{1b}[0m key/word");
        assert_eq!(cleaned, "token \"REDACTED\" is not valid,  nor is REDACTED  [0m REDACTED");
        assert!(!format!("{secrets:?}").contains("abcd"));
    }

    #[test]
    fn a_text_has_an_end() {
        assert_eq!(Secrets::default().cleaned(&"ä".repeat(1_000)).chars().count(), LONGEST);
        assert_eq!(Secrets::default().told(" \n"), "");
    }
}
