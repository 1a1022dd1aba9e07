//! `tracestate`: the grammar of Level 2, section 3.3.

use opentelemetry::trace::TraceState;
use opentelemetry::{Context, TraceId};

/// "There can be a maximum of 32 list-members in a list."
const MAX_MEMBERS: usize = 32;
/// What that many members of 256 characters on each side of the `=` take.
const MAX_LENGTH: usize = MAX_MEMBERS * (256 + 1 + 256 + 1);

/// What an extracted context must remember beside its span context, and only then.
#[derive(Debug)]
pub(super) struct Received {
    /// The trace it came with: it says nothing about another one that began below.
    pub(super) trace_id: TraceId,
    /// The random flag, which the SDK drops from spans that are not sampled.
    pub(super) random: bool,
    /// The state as the API holds it.
    pub(super) state: TraceState,
    /// The state as it came, if the API's would be written differently.
    pub(super) raw: Option<String>,
}

impl Received {
    pub(super) fn of(cx: &Context, trace_id: TraceId) -> Option<&Self> {
        cx.get::<Self>().filter(|received| received.trace_id == trace_id)
    }

    pub(super) fn unchanged(&self, state: &TraceState) -> Option<&str> {
        self.raw.as_deref().filter(|_| self.state == *state)
    }
}

/// The state, and its text if that says more than the state can hold (keys
/// that only Level 2 allows) or says it differently (white space). Nothing of it if it is malformed.
pub(super) fn parse(text: &str) -> (TraceState, Option<String>) {
    let Some(members) = members(text).filter(|members| !members.is_empty()) else {
        return (TraceState::NONE, None);
    };
    let state = TraceState::from_key_value(members.iter().copied()).unwrap_or_else(|_| {
        let accepted = |member: &&(&str, &str)| TraceState::from_key_value([**member]).is_ok();
        TraceState::from_key_value(members.iter().filter(accepted).copied()).unwrap_or_default()
    });
    if format(&state) == text {
        return (state, None);
    }
    // What goes beyond is white space, which is not to be sent on for ever.
    let padded = text.len() > MAX_LENGTH;
    let raw = if padded { join(|| members.iter().copied()) } else { text.to_owned() };
    (state, Some(raw))
}

/// Whether a propagator may see it.
pub(super) fn is_valid(text: &str) -> bool {
    members(text).is_some_and(|members| !members.is_empty())
}

pub(super) fn format(state: &TraceState) -> String {
    join(|| state.into_iter())
}

/// In one allocation, where the API's `header` takes one for each member.
fn join<'m, I: Iterator<Item = (&'m str, &'m str)>>(members: impl Fn() -> I) -> String {
    let length = members().map(|(key, value)| key.len() + value.len() + 2).sum();
    let mut text = String::with_capacity(length);
    for (key, value) in members() {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(key);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// The members in order; empty ones are allowed and none. A repeated key is kept: "vendors MAY
/// receive" it, and which one counts is not ours to say.
fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut members = Vec::new();
    for member in text.split(',').map(|member| member.trim_matches([' ', '\t'])) {
        if member.is_empty() {
            continue;
        }
        let (key, value) = member.split_once('=')?;
        if members.len() == MAX_MEMBERS || !valid_key(key) || !valid_value(value) {
            return None;
        }
        members.push((key, value));
    }
    Some(members)
}

/// `key = ( lcalpha / DIGIT ) 0*255 ( keychar )`,
/// `keychar = lcalpha / DIGIT / "_" / "-"/ "*" / "/" / "@"`
fn valid_key(key: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let keychar = |byte: &u8| alphanumeric(byte) || b"_-*/@".contains(byte);
    key.len() <= 256 && key.as_bytes().first().is_some_and(alphanumeric) && key.as_bytes().iter().all(keychar)
}

/// `value = 0*255(chr) nblk-chr`: 1 to 256 printable characters but `,` and `=`, no blank at the end.
fn valid_value(value: &str) -> bool {
    let chr = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=256).contains(&value.len()) && !value.ends_with(' ') && value.bytes().all(chr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_of_level_2_is_kept() {
        let long_key = format!("{}=1", "z".repeat(256));
        let long_value = format!("a={}", "~".repeat(256));
        let many: Vec<String> = (0..32).map(|n| format!("k{n}=v")).collect();
        for valid in [
            "foo=1",
            "foo=1,bar=2",
            "foo=1,foo=2",
            "foo=1 \t , \t bar=2, \t baz=3",
            "foo=1,,",
            "0a=1",
            "a@b@c=1",
            "foo@=1",
            "a_-*/=1",
            "a= 1",
            "a=!\"#$%&'()*+-./0:;<>?@[\\]^_`{|}~",
            &long_key,
            &long_value,
            &many.join(","),
        ] {
            assert!(is_valid(valid), "{valid:?}");
        }
        let too_long_key = format!("{}=1", "z".repeat(257));
        let too_long_value = format!("a={}", "~".repeat(257));
        for invalid in [
            "",
            " ,\t",
            "foo",
            "foo=",
            "=1",
            "foo =1",
            "FOO=1",
            "foo.bar=1",
            "@foo=1",
            "_a=1",
            "foo=bar=baz",
            "foo=1,bar",
            "foo=\u{e9}",
            "foo=a\tb",
            &too_long_key,
            &too_long_value,
            &format!("{},one=more", many.join(",")),
        ] {
            assert!(!is_valid(invalid), "{invalid:?}");
        }
    }

    #[test]
    fn text_is_kept_only_where_the_state_would_be_written_differently() {
        for (text, kept) in [
            ("a=1,b=2", None),
            ("a=1, b=2", Some("a=1, b=2")),
            ("a@b@c=1,b=2", Some("a@b@c=1,b=2")),
            ("nonsense", None),
        ] {
            assert_eq!(parse(text).1.as_deref(), kept);
        }
        assert_eq!(parse("a@b@c=1,b=2").0.get("b"), Some("2"));
    }

    #[test]
    fn white_space_without_end_is_not_kept() {
        let padded = ["a=1", &", ".repeat(MAX_LENGTH), ",4b@c=2"].concat();
        assert_eq!(parse(&padded).1.as_deref(), Some("a=1,4b@c=2"));
    }
}
