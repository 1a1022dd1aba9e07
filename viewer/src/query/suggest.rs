use std::collections::HashMap;

use serde::Serialize;

use super::Scanned;
use crate::model::{Attribute, Kind, Log, Span};
use crate::search::{FLAGS, KEYS, Needle, place, quoted};
use crate::store::Store;

/// So many of the newest spans, or records, are looked through.
const LOOKED_THROUGH: usize = 2_000;
const MOST: usize = 10;
/// A longer value is not offered.
const LONGEST: usize = 120;

#[derive(Debug, Serialize)]
pub(crate) struct Suggestions {
    from: usize,
    to: usize,
    suggestions: Vec<Suggestion>,
    pub(crate) scanned: Scanned,
}

#[derive(Debug, Serialize)]
struct Suggestion {
    text: String,
    kind: &'static str,
    count: u64,
}

/// The newest of what is searched.
struct Seen<'a> {
    spans: Vec<&'a Span>,
    logs: Vec<&'a Log>,
}

/// How a search may go on at the cursor, which is in UTF-16 code units, as are the ends of what a suggestion replaces.
pub(crate) fn suggest(store: &Store, text: &str, cursor: Option<usize>, of_logs: bool) -> Suggestions {
    let place = place(text, bytes(text, cursor));
    let spans =
        store.traces.recent().flat_map(|trace| &trace.spans).take(if of_logs { 0 } else { LOOKED_THROUGH });
    let logs = store.logs.iter().map(|(_, log)| log).take(if of_logs { LOOKED_THROUGH } else { 0 });
    let seen = Seen { spans: spans.collect(), logs: logs.collect() };
    let typed = Needle::new(&place.typed);
    let mut found: HashMap<(String, &'static str), u64> = HashMap::new();
    match &place.key {
        Some((key, sign)) => seen.values(key, |value| {
            note(&mut found, value, &typed, |value| {
                (format!("{}{sign}{}", quoted(key, false), quoted(value, true)), "value")
            });
        }),
        None => seen.keys(&typed, &mut found),
    }
    let units = |byte: usize| text[..byte].encode_utf16().count();
    let scanned = (seen.spans.len() + seen.logs.len()) as Scanned;
    Suggestions {
        from: units(place.from),
        to: units(place.to),
        suggestions: most_frequent(found, &place.typed.to_lowercase()),
        scanned,
    }
}

fn bytes(text: &str, units: Option<usize>) -> usize {
    let Some(units) = units else { return text.len() };
    let mut seen = 0;
    for (byte, char) in text.char_indices() {
        if seen >= units {
            return byte;
        }
        seen += char.len_utf16();
    }
    text.len()
}

type Found = HashMap<(String, &'static str), u64>;

fn note(found: &mut Found, value: &str, typed: &Needle, written: impl Fn(&str) -> (String, &'static str)) {
    if value.len() <= LONGEST && typed.is_in(value) {
        *found.entry(written(value)).or_default() += 1;
    }
}

/// What begins with what was typed comes first.
fn most_frequent(found: Found, typed: &str) -> Vec<Suggestion> {
    let suggestion = |((text, kind), count)| Suggestion { text, kind, count };
    let mut all: Vec<Suggestion> = found.into_iter().map(suggestion).collect();
    let begins = |text: &str| text.to_lowercase().trim_start_matches('"').starts_with(typed);
    all.sort_by(|one, other| {
        (!begins(&one.text), other.count, &one.text).cmp(&(!begins(&other.text), one.count, &other.text))
    });
    all.truncate(MOST);
    all
}

impl Seen<'_> {
    fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        let spans = self.spans.iter().flat_map(|span| span.attributes.iter());
        spans.chain(self.logs.iter().flat_map(|log| log.attributes.iter()))
    }

    fn resources(&self) -> impl Iterator<Item = &Attribute> {
        let spans =
            self.spans.iter().map(|span| &span.resource).chain(self.logs.iter().map(|log| &log.resource));
        spans.flat_map(|resource| resource.attributes.iter())
    }

    /// Flags, keys, and names for which a word may stand.
    fn keys(&self, typed: &Needle, found: &mut Found) {
        for flag in FLAGS {
            note(found, flag, typed, |flag| (flag.to_owned(), "flag"));
        }
        for (key, _) in KEYS {
            note(found, key, typed, |key| (format!("{key}="), "key"));
        }
        for attribute in self.attributes().chain(self.resources()) {
            note(found, &attribute.key, typed, |key| (format!("{}=", quoted(key, false)), "key"));
        }
        if typed.is_empty() {
            return;
        }
        for key in ["name", "service"] {
            self.values(key, |value| {
                note(found, value, typed, |value| (format!("{key}={}", quoted(value, true)), "value"));
            });
        }
    }

    fn values(&self, key: &str, mut note: impl FnMut(&str)) {
        let spans = self.spans.iter();
        match key {
            "service" => {
                spans.for_each(|span| note(span.service()));
                self.logs.iter().for_each(|log| note(&log.resource.service));
            }
            "name" | "operation" => spans.for_each(|span| note(&span.name)),
            "kind" => Kind::ALL.iter().skip(1).for_each(|kind| note(kind.name())),
            "status" => ["error", "ok", "unset"].iter().for_each(|status| note(status)),
            "scope" => spans.for_each(|span| note(&span.scope.name)),
            "event" => spans.flat_map(|span| span.events()).for_each(|event| note(&event.name)),
            "level" => {
                ["trace", "debug", "info", "warn", "error", "fatal"].iter().for_each(|level| note(level));
            }
            "message" => spans.filter_map(|span| span.message.as_deref()).for_each(note),
            "duration" | "trace.duration" => {
                ["10ms", "100ms", "1s"].iter().for_each(|duration| note(duration));
            }
            "parent.service" => spans.for_each(|span| note(span.service())),
            _ => {
                let all = self.attributes().chain(self.resources());
                all.filter(|attribute| &*attribute.key == key).for_each(|of| note(&of.value.to_string()));
            }
        }
    }
}
