use super::parse::{OPERATORS, is_special};

/// What stands at the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Bytes of the search that a suggestion replaces.
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// The key and the operator, if it is a value that is being typed.
    pub(crate) key: Option<(String, &'static str)>,
    /// What has been typed of the key or the value.
    pub(crate) typed: String,
}

/// Finds the term at the cursor (a byte), and what of it has been typed.
pub(crate) fn place(text: &str, cursor: usize) -> Place {
    let cursor = (0..=cursor.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = &text[..cursor];
    let mut from = term_start(before);
    from += usize::from(before[from..].starts_with('-'));
    let term = &before[from..];
    let (key, rest) = split_key(term);
    let operator = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign));
    let Some((sign, _)) = operator else {
        return Place { from, to: cursor, key: None, typed: key };
    };
    let value = rest[sign.len()..].trim_start_matches('"').replace("\\\"", "\"").replace("\\\\", "\\");
    Place { from, to: cursor, key: Some((key, sign)), typed: value }
}

/// Where the last term begins: after the last blank that is not in quotes.
fn term_start(text: &str) -> usize {
    let (mut start, mut is_quoted, mut is_escaped) = (0, false, false);
    for (at, char) in text.char_indices() {
        match char {
            '"' if !is_escaped => is_quoted = !is_quoted,
            char if char.is_whitespace() && !is_quoted => start = at + char.len_utf8(),
            _ => {}
        }
        is_escaped = char == '\\' && is_quoted && !is_escaped;
    }
    start
}

fn split_key(term: &str) -> (String, &str) {
    let Some(quoted) = term.strip_prefix('"') else {
        let end = term.find(is_special).unwrap_or(term.len());
        return (term[..end].to_owned(), &term[end..]);
    };
    let end = quoted.find('"').unwrap_or(quoted.len());
    (quoted[..end].to_owned(), quoted[end..].strip_prefix('"').unwrap_or_default())
}

/// A key or value as it must be written.
pub(crate) fn quoted(text: &str, is_value: bool) -> String {
    let is_bare = !text.is_empty()
        && !text.starts_with('-')
        && (!is_value || text != "*")
        && !text
            .chars()
            .any(|char| if is_value { char.is_whitespace() || char == '"' } else { is_special(char) });
    if is_bare { text.to_owned() } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
}
