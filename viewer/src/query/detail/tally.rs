//! The values that an operation's spans have most often, each with a span that has it.

use std::collections::HashMap;

use opentelemetry::trace::TraceId;
use serde::Serialize;

use crate::model::{Span, find};
use crate::query::Told;

const VALUES: usize = 10;
/// Of each of these the most frequent values are told.
const CODES: [&str; 4] =
    ["http.response.status_code", "rpc.status_code", "rpc.response.status_code", "db.response.status_code"];

#[derive(Debug, Serialize)]
pub(super) struct Tally {
    value: String,
    count: u64,
    sample: Pointer,
}

#[derive(Clone, Debug, Serialize)]
struct Pointer {
    trace: String,
    span: String,
}

pub(super) fn of_codes(spans: &[(TraceId, &Span)]) -> Vec<Tally> {
    tallied(spans, code)
}

pub(super) fn of_errors(spans: &[(TraceId, &Span)]) -> Vec<Tally> {
    tallied(spans, error_type)
}

fn code(span: &Span) -> Option<Told<'_>> {
    // Many spans have none, and each look for one of the keys goes through all attributes.
    let has_one = span.attributes.iter().any(|attribute| attribute.key.ends_with("status_code"));
    CODES.iter().filter(|_| has_one).find_map(|key| Told::of(span, key))
}

/// "Describes a class of error the operation ended with"; of old instrumentation, the exception's type.
fn error_type(span: &Span) -> Option<Told<'_>> {
    if !span.is_error() {
        return None;
    }
    let types = span.events().iter().filter_map(|event| find(&event.attributes, "exception.type"));
    let exception = || types.filter_map(Told::value).next();
    Told::of(span, "error.type").or_else(exception).or(Some(Told::Text("unknown")))
}

fn tallied<'a>(spans: &[(TraceId, &'a Span)], value: impl Fn(&'a Span) -> Option<Told<'a>>) -> Vec<Tally> {
    let mut counts: HashMap<Told<'a>, (u64, TraceId, &Span)> = HashMap::new();
    for (trace, span) in spans {
        if let Some(value) = value(span) {
            counts.entry(value).or_insert((0, *trace, span)).0 += 1;
        }
    }
    let tally = |(value, (count, trace, span)): (Told<'_>, (u64, TraceId, &Span))| {
        let sample = Pointer { trace: trace.to_string(), span: span.id.to_string() };
        Tally { value: value.to_string(), count, sample }
    };
    let mut counts: Vec<Tally> = counts.into_iter().map(tally).collect();
    counts.sort_by(|one, other| (other.count, &one.value).cmp(&(one.count, &other.value)));
    counts.truncate(VALUES);
    counts
}
