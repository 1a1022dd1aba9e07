//! Ids in a line that somebody else has formatted as JSON.

use std::borrow::Cow;

use tracing::Event;

use super::TraceIds;

const NAMES: [&str; 3] = ["trace_id", "span_id", "trace_flags"];

/// Puts the ids in front of the other members of the object. What is no object stays what it is.
pub(super) fn with_ids(line: String, ids: &TraceIds, event: &Event<'_>) -> String {
    let fields = event.metadata().fields();
    // Only a field of the event could stand beside ours, so that hardly a line needs to be read.
    let clash = NAMES.iter().any(|name| fields.field(name).is_some());
    splice(line, ids, clash)
}

fn splice(line: String, ids: &TraceIds, clash: bool) -> String {
    let Some(members) = line.strip_prefix('{') else { return line };
    let members = if clash { rename(members) } else { Cow::Borrowed(members) };
    let comma = if members.starts_with('}') { "" } else { "," };
    let [trace_id, span_id, flags] = NAMES;
    format!(
        "{{\"{trace_id}\":\"{}\",\"{span_id}\":\"{}\",\"{flags}\":\"{:02x}\"{comma}{members}",
        ids.trace_id(),
        ids.span_id(),
        ids.trace_flags(),
    )
}

/// Puts `fields.` in front of those names of the outermost object that are ours.
fn rename(members: &str) -> Cow<'_, str> {
    let mut renamed = String::with_capacity(members.len() + 8);
    let (mut depth, mut rest) = (0_u32, members);
    // A text in JSON is a name if a colon follows it.
    while let Some(at) = rest.find(['"', '{', '}', '[', ']']) {
        let (before, found) = rest.split_at(at);
        renamed.push_str(before);
        let token = if found.starts_with('"') { text(found) } else { &found[..1] };
        rest = &found[token.len()..];
        match token {
            "{" | "[" => depth += 1,
            "}" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_name = depth == 0 && rest.starts_with(':');
        let name = token.trim_matches('"');
        if is_name && NAMES.contains(&name) {
            renamed.push_str("\"fields.");
            renamed.push_str(&token[1..]);
        } else {
            renamed.push_str(token);
        }
    }
    renamed.push_str(rest);
    Cow::Owned(renamed)
}

/// The text that begins here, with its quotation marks.
fn text(from: &str) -> &str {
    let mut escaped = false;
    let end = from.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(from, |end| &from[..end + 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(members: &str) -> String {
        rename(members).into_owned()
    }

    #[test]
    fn only_names_of_the_outermost_object_are_renamed() {
        for (members, expected) in [
            (r#""trace_id":"mine"}"#, r#""fields.trace_id":"mine"}"#),
            (r#""a":1,"span_id":7,"b":[]}"#, r#""a":1,"fields.span_id":7,"b":[]}"#),
            (r#""a":{"trace_id":1},"trace_flags":{}}"#, r#""a":{"trace_id":1},"fields.trace_flags":{}}"#),
            (r#""a":["trace_id",{"span_id":1}]}"#, r#""a":["trace_id",{"span_id":1}]}"#),
            (r#""a":"trace_id"}"#, r#""a":"trace_id"}"#),
            (
                r#""a":"\"trace_id\":","b":"\\","span_id":1}"#,
                r#""a":"\"trace_id\":","b":"\\","fields.span_id":1}"#,
            ),
            (r#""a":"}{][ é","trace_id":1}"#, r#""a":"}{][ é","fields.trace_id":1}"#),
            (r#""trace_id"#, r#""trace_id"#),
            (r#""a":"\"#, r#""a":"\"#),
            ("", ""),
        ] {
            assert_eq!(renamed(members), expected);
        }
    }
}
