//! Ids in a line that somebody else has formatted as JSON.

use std::borrow::Cow;

use tracing::Event;

use super::TraceIds;

const NAMES: [&str; 3] = ["trace_id", "span_id", "trace_flags"];

/// Puts the ids in front of the other members of the object. What is no object stays what it is.
pub(super) fn with_ids(line: String, ids: &TraceIds, event: &Event<'_>) -> String {
    let fields = event.metadata().fields();
    // Only a field of the event could stand beside ours, so that hardly a line needs to be read.
    splice(line, ids, |name| fields.field(name).is_some())
}

fn splice(line: String, ids: &TraceIds, clashes: impl Fn(&str) -> bool) -> String {
    let Some(members) = line.strip_prefix('{') else { return line };
    let clashing = NAMES.map(|name| Some(name).filter(|name| clashes(name)));
    let members = if clashing == [None; 3] { Cow::Borrowed(members) } else { rename(members, clashing) };
    let comma = if members.starts_with('}') { "" } else { "," };
    let [trace_id, span_id, flags] = NAMES;
    format!(
        "{{\"{trace_id}\":\"{}\",\"{span_id}\":\"{}\",\"{flags}\":\"{:02x}\"{comma}{members}",
        ids.trace_id(),
        ids.span_id(),
        ids.trace_flags(),
    )
}

/// Puts another `fields.` in front of these names of the outermost object, whether they have any or none: a field
/// may be called `fields.trace_id` too.
fn rename<'m>(members: &'m str, clashing: [Option<&str>; 3]) -> Cow<'m, str> {
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
        let name = token.trim_matches('"').trim_start_matches("fields.");
        if is_name && clashing.contains(&Some(name)) {
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
    use std::collections::BTreeMap;

    use opentelemetry::Context;
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn ids() -> TraceIds {
        let (trace_id, span_id) = (TraceId::from(0xa), SpanId::from(0xb));
        let span = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, Default::default());
        let cx = Context::new().with_remote_span_context(span);
        TraceIds::in_context(&cx).unwrap()
    }

    const SPLICED: &str =
        r#""trace_id":"0000000000000000000000000000000a","span_id":"000000000000000b","trace_flags":"01""#;

    #[test]
    fn ids_are_put_before_the_members_of_an_object_and_of_nothing_else() {
        for (line, expected) in [
            ("{\"a\":1}\n", format!("{{{SPLICED},\"a\":1}}\n")),
            ("{}\n", format!("{{{SPLICED}}}\n")),
            ("[1]\n", "[1]\n".to_owned()),
            ("", String::new()),
        ] {
            assert_eq!(splice(line.to_owned(), &ids(), |_| true), expected);
            assert_eq!(splice(line.to_owned(), &ids(), |_| false), expected);
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<String>().prop_map(Value::from), any::<i64>().prop_map(Value::from)];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let objects = prop::collection::btree_map(name(), inner.clone(), 0..4);
            let objects = objects.prop_map(|members| Value::Object(members.into_iter().collect()));
            prop_oneof![prop::collection::vec(inner, 0..4).prop_map(Value::Array), objects]
        })
    }

    fn name() -> impl Strategy<Value = String> {
        let ours = (0..3_usize, prop::sample::select(&NAMES[..]));
        prop_oneof![ours.prop_map(|(times, name)| "fields.".repeat(times) + name), any::<String>()]
    }

    proptest! {
        #[test]
        fn whatever_is_logged_is_there_beside_the_ids(
            members in prop::collection::btree_map(name(), value(), 0..6),
        ) {
            let line = serde_json::to_string(&members).unwrap();
            let spliced: BTreeMap<String, Value> =
                serde_json::from_str(&splice(line, &ids(), |name| members.contains_key(name))).unwrap();
            let mut expected: BTreeMap<String, Value> = serde_json::from_str(&format!("{{{SPLICED}}}")).unwrap();
            expected.extend(members.iter().map(|(name, value)| {
                let plain = name.trim_start_matches("fields.");
                let clashes = NAMES.contains(&plain) && members.contains_key(plain);
                (if clashes { format!("fields.{name}") } else { name.clone() }, value.clone())
            }));
            prop_assert_eq!(spliced, expected);
        }
    }

    fn renamed(members: &str) -> String {
        rename(members, NAMES.map(Some)).into_owned()
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
