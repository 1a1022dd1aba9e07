use std::collections::HashMap;

use serde::Serialize;

use super::{Range, Scanned, matching, micros};
use crate::search::Query;
use crate::store::{Store, Trace};

const MOST: usize = 5_000;

/// Columns of equal length.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Points {
    ids: Vec<String>,
    names: Vec<String>,
    name: Vec<usize>,
    start: Vec<u64>,
    duration: Vec<u64>,
    error: Vec<u8>,
    services: Vec<String>,
    service: Vec<usize>,
    matched: usize,
    thinned: bool,
    pub(crate) scanned: Scanned,
}

pub(crate) fn points(store: &Store, query: &Query, range: Range) -> Points {
    let mut scanned = 0;
    let mut found: Vec<&Trace> = Vec::new();
    for trace in store.traces.iter() {
        scanned += if query.is_empty() { 1 } else { trace.spans.len() as Scanned };
        if range.has(trace.start) && matching(query, trace).next().is_some() {
            found.push(trace);
        }
    }
    let matched = found.len();
    let shown = thin(found);
    let mut points = Points { matched, thinned: shown.len() < matched, scanned, ..Points::default() };
    let (mut names, mut services) = (HashMap::new(), HashMap::new());
    for trace in shown {
        let root = trace.root();
        let (name, service) = root.map_or(("", ""), |root| (&*root.name, &**root.service()));
        points.name.push(place(&mut names, &mut points.names, name));
        points.service.push(place(&mut services, &mut points.services, service));
        points.ids.push(trace.id.to_string());
        points.start.push(micros(trace.start));
        points.duration.push(trace.duration());
        points.error.push(u8::from(trace.errors > 0));
    }
    points
}

fn place<'a>(places: &mut HashMap<&'a str, usize>, texts: &mut Vec<String>, text: &'a str) -> usize {
    *places.entry(text).or_insert_with(|| {
        texts.push(text.to_owned());
        texts.len() - 1
    })
}

/// Failed and slow traces stay, as far as they take no more than half; of the others every so-manieth.
fn thin(found: Vec<&Trace>) -> Vec<&Trace> {
    if found.len() <= MOST {
        return found;
    }
    let mut by_rank: Vec<(bool, u64)> =
        found.iter().map(|trace| (trace.errors > 0, trace.duration())).collect();
    by_rank.sort_unstable_by(|one, other| other.cmp(one));
    let least = by_rank[MOST / 2];
    let others = found.len() - MOST / 2;
    let step = others.div_ceil(MOST / 2);
    let mut passed = 0;
    let stays = |trace: &&Trace| {
        if (trace.errors > 0, trace.duration()) > least {
            return true;
        }
        passed += 1;
        passed % step == 0
    };
    found.into_iter().filter(stays).collect()
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TraceId;

    use super::*;
    use crate::model::{Kind, Span, Status, tests};
    use crate::store::Limits;

    /// So many traces, of which every thousandth failed and every thousandth, half a thousand later, was slow.
    fn shown(count: u64) -> Points {
        let mut store = Store::new(Limits { spans: usize::MAX, ..Limits::DEFAULT });
        for n in 1..=count {
            let status = if n % 1_000 == 0 { Status::Error } else { Status::Unset };
            let end = if n % 1_000 == 500 { 1_000_000 } else { n % 100 };
            let span = Span { end, status, ..tests::span(1, 0, Kind::Server) };
            assert!(store.insert(TraceId::from(u128::from(n)), span, 0));
        }
        points(&store, &Query::default(), Range::ALL)
    }

    #[test]
    fn all_are_shown_as_long_as_they_are_few() {
        let points = shown(MOST as u64);
        assert_eq!((points.ids.len(), points.matched, points.thinned), (MOST, MOST, false));
    }

    #[test]
    fn the_failed_and_the_slow_are_shown_of_many() {
        let points = shown(20_000);
        assert_eq!((points.matched, points.thinned), (20_000, true));
        assert!((MOST / 2..=MOST).contains(&points.ids.len()), "{}", points.ids.len());
        assert_eq!(points.error.iter().filter(|error| **error == 1).count(), 20);
        assert_eq!(points.duration.iter().filter(|duration| **duration == 1_000_000).count(), 20);
        let columns = [points.name.len(), points.start.len(), points.service.len(), points.duration.len()];
        assert!(columns.iter().all(|len| *len == points.ids.len()), "{columns:?}");
    }
}
