mod party;

use std::collections::HashMap;

use serde::Serialize;

use super::operations::Period;
use super::{Durations, Figures, Range, Scanned};
use crate::model::{Parents, Span};
use crate::search::quoted;
use crate::store::{Store, Trace};

use party::Party;

#[derive(Debug, Serialize)]
pub(crate) struct Map {
    seconds: f64,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    pub(crate) scanned: Scanned,
}

#[derive(Debug, Serialize)]
struct Node {
    id: String,
    name: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    calls: u64,
    #[serde(flatten)]
    figures: Figures,
    search: String,
}

#[derive(Debug, Serialize)]
struct Edge {
    from: String,
    to: String,
    calls: u64,
    paired: u64,
    #[serde(flatten)]
    figures: Figures,
    /// The median of what the server's span does not explain of the client's.
    network: Option<u64>,
    search: String,
}

#[derive(Default)]
struct Traffic {
    durations: Durations,
    errors: u64,
}

#[derive(Default)]
struct Calls {
    traffic: Traffic,
    gaps: Durations,
    search: String,
}

#[derive(Default)]
struct Gathering<'a> {
    places: HashMap<Party<'a>, usize>,
    nodes: Vec<(Party<'a>, Traffic)>,
    edges: HashMap<(usize, usize), Calls>,
}

pub(crate) fn map(store: &Store, range: Range, now: u64) -> Map {
    let seconds = Period::of(store, range, now).seconds();
    let mut gathering = Gathering::default();
    let mut scanned = 0;
    for trace in store.traces.recent().filter(|trace| range.touches(trace)) {
        scanned += trace.spans.len() as Scanned;
        gathering.trace(trace, range);
    }
    gathering.finish(seconds, scanned)
}

fn node(party: Party<'_>, mut traffic: Traffic, seconds: f64) -> Node {
    traffic.durations.sort();
    Node {
        id: party.id(),
        calls: traffic.durations.len(),
        figures: Figures::new(&traffic.durations, traffic.errors, seconds),
        name: party.name(),
        kind: party.kind(),
        system: party.system(),
        search: party.search(),
    }
}

fn edge(from: Party<'_>, to: Party<'_>, mut calls: Calls, seconds: f64) -> Edge {
    calls.traffic.durations.sort();
    calls.gaps.sort();
    Edge {
        from: from.id(),
        to: to.id(),
        calls: calls.traffic.durations.len(),
        paired: calls.gaps.len(),
        figures: Figures::new(&calls.traffic.durations, calls.traffic.errors, seconds),
        network: calls.gaps.quantile(0.5),
        search: calls.search,
    }
}

impl Traffic {
    fn add(&mut self, span: &Span) {
        self.durations.push(span.duration());
        self.errors += u64::from(span.is_error());
    }
}

impl<'a> Gathering<'a> {
    fn place(&mut self, party: Party<'a>) -> usize {
        *self.places.entry(party).or_insert_with(|| {
            self.nodes.push((party, Traffic::default()));
            self.nodes.len() - 1
        })
    }

    fn trace(&mut self, trace: &'a Trace, range: Range) {
        let spans = &trace.spans;
        let parents = Parents::new(spans);
        // Also by what is beyond the time asked for.
        let mut answered = vec![false; spans.len()];
        for span in spans {
            let parent = || parents.of(spans, (span.id, span.kind), span.parent);
            let parent = if span.kind.is_served() { parent() } else { None };
            parent.into_iter().for_each(|place| answered[place] = true);
            if range.has(span.start) {
                let service = self.place(Party::Service(span.service()));
                if span.kind.is_served() {
                    self.served(span, service, parent.map(|place| &spans[place]));
                }
            }
        }
        let calls = spans.iter().zip(answered).filter(|(span, answered)| span.kind.is_call() && !answered);
        calls.filter(|(span, _)| range.has(span.start)).for_each(|(span, _)| self.unanswered(span));
    }

    fn served(&mut self, span: &'a Span, to: usize, parent: Option<&'a Span>) {
        self.nodes[to].1.add(span);
        let from = match parent {
            Some(parent) => self.place(Party::Service(parent.service())),
            None if span.is_root() => {
                let user = self.place(Party::User);
                self.nodes[user].1.add(span);
                user
            }
            // Its caller is traced, but has not come.
            None => return,
        };
        let search = || {
            let served = format!("{} served", Party::Service(span.service()).search());
            match parent {
                Some(parent) => format!("{served} parent.service={}", quoted(parent.service(), true)),
                None => format!("{served} root"),
            }
        };
        let calls =
            self.edges.entry((from, to)).or_insert_with(|| Calls { search: search(), ..Calls::default() });
        match parent.filter(|parent| parent.kind.is_call()) {
            // A call lasts as long as its caller waits.
            Some(call) => {
                calls.traffic.add(call);
                calls.gaps.push(call.duration().saturating_sub(span.duration()));
            }
            None => calls.traffic.add(span),
        }
    }

    /// A call to somebody who sends no spans.
    fn unanswered(&mut self, span: &'a Span) {
        let Some(party) = Party::peer(span) else { return };
        let (from, to) = (self.place(Party::Service(span.service())), self.place(party));
        self.nodes[to].1.add(span);
        let search = || format!("{} {}", Party::Service(span.service()).search(), party.search());
        let calls =
            self.edges.entry((from, to)).or_insert_with(|| Calls { search: search(), ..Calls::default() });
        calls.traffic.add(span);
    }

    fn finish(self, seconds: f64, scanned: Scanned) -> Map {
        let parties: Vec<Party<'_>> = self.nodes.iter().map(|(party, _)| *party).collect();
        let edges = self
            .edges
            .into_iter()
            .map(|((from, to), calls)| edge(parties[from], parties[to], calls, seconds));
        let mut edges: Vec<Edge> = edges.collect();
        let mut nodes: Vec<Node> =
            self.nodes.into_iter().map(|(party, of)| node(party, of, seconds)).collect();
        edges.sort_by(|one, other| (&one.from, &one.to).cmp(&(&other.from, &other.to)));
        nodes.sort_by(|one, other| one.id.cmp(&other.id));
        Map { seconds, nodes, edges, scanned }
    }
}
