use std::collections::{BTreeMap, HashMap, HashSet};

use opentelemetry::trace::SpanId;
use serde::Serialize;

use super::operations::Period;
use super::{Durations, Figures, Range, Scanned};
use crate::model::{Span, Value};
use crate::search::quoted;
use crate::store::{Store, Trace};

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

/// Whoever is called or calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Party {
    kind: &'static str,
    system: Option<String>,
    name: String,
    /// What a search says of its spans.
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
struct Gathering {
    nodes: BTreeMap<Party, Traffic>,
    edges: BTreeMap<(Party, Party), Calls>,
}

pub(crate) fn map(store: &Store, range: Range, now: u64) -> Map {
    let seconds = Period::of(store, range, now).seconds();
    let mut gathering = Gathering::default();
    let mut scanned = 0;
    for trace in store.traces.recent().filter(|trace| range.touches(trace)) {
        scanned += trace.spans.len() as Scanned;
        gathering.trace(trace, range);
    }
    let nodes = gathering.nodes.into_iter().map(|(party, traffic)| node(party, traffic, seconds)).collect();
    let edges = gathering.edges.into_iter().map(|(ends, calls)| edge(ends, calls, seconds)).collect();
    Map { seconds, nodes, edges, scanned }
}

fn node(party: Party, mut traffic: Traffic, seconds: f64) -> Node {
    traffic.durations.sort();
    Node {
        id: party.id(),
        calls: traffic.durations.len(),
        figures: Figures::new(&traffic.durations, traffic.errors, seconds),
        name: party.name,
        kind: party.kind,
        system: party.system,
        search: party.search,
    }
}

fn edge((from, to): (Party, Party), mut calls: Calls, seconds: f64) -> Edge {
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

impl Gathering {
    fn trace(&mut self, trace: &Trace, range: Range) {
        let by_id: HashMap<SpanId, &Span> = trace.spans.iter().map(|span| (span.id, span)).collect();
        let mut answered: HashSet<SpanId> = HashSet::new();
        for span in trace.spans.iter().filter(|span| range.has(span.start)) {
            self.nodes.entry(Party::service(span)).or_default();
            if span.kind.is_served() {
                let parent = by_id.get(&span.parent).copied().filter(|_| span.parent != span.id);
                answered.extend(parent.map(|parent| parent.id));
                self.served(span, parent);
            }
        }
        let calls = trace.spans.iter().filter(|span| span.kind.is_call() && !answered.contains(&span.id));
        calls.filter(|span| range.has(span.start)).for_each(|span| self.unanswered(span));
    }

    fn served(&mut self, span: &Span, parent: Option<&Span>) {
        let to = Party::service(span);
        self.nodes.entry(to.clone()).or_default().add(span);
        let kind = format!("{} kind={}", to.search, span.kind);
        let (from, seen, search) = match parent {
            Some(parent) => {
                let caller = quoted(parent.service(), true);
                (Party::service(parent), parent, format!("{kind} parent.service={caller}"))
            }
            None if span.is_root() => (Party::user(), span, format!("{kind} root")),
            // Its caller is traced, but has not come.
            None => return,
        };
        if parent.is_none() {
            self.nodes.entry(from.clone()).or_default().add(span);
        }
        let calls = self.edges.entry((from, to)).or_insert_with(|| Calls { search, ..Calls::default() });
        // A call lasts as long as its caller waits; without a span of its own, as long as it is served.
        let is_pair = parent.is_some() && seen.kind.is_call();
        calls.traffic.add(if is_pair { seen } else { span });
        if is_pair {
            calls.gaps.push(seen.duration().saturating_sub(span.duration()));
        }
    }

    /// A call to somebody who sends no spans.
    fn unanswered(&mut self, span: &Span) {
        let Some(to) = Party::peer(span) else { return };
        self.nodes.entry(to.clone()).or_default().add(span);
        let from = Party::service(span);
        let search = format!("{} {}", from.search, to.search);
        let calls = self.edges.entry((from, to)).or_insert_with(|| Calls { search, ..Calls::default() });
        calls.traffic.add(span);
    }
}

impl Party {
    fn id(&self) -> String {
        match &self.system {
            Some(system) => format!("{}:{system}/{}", self.kind, self.name),
            None => format!("{}:{}", self.kind, self.name),
        }
    }

    fn service(span: &Span) -> Self {
        let name = span.service().to_string();
        let search = format!("service={}", quoted(&name, true));
        Self { kind: "service", system: None, name, search }
    }

    /// Whoever calls without a trace of its own.
    fn user() -> Self {
        Self { kind: "user", system: None, name: "callers".to_owned(), search: "root kind=server".to_owned() }
    }

    /// The other end of a call, as its caller names it. Newer names of attributes come before older ones.
    fn peer(span: &Span) -> Option<Self> {
        let database =
            Self::system(span, "database", &["db.system.name", "db.system"], &["db.namespace", "db.name"]);
        let destinations = ["messaging.destination.name", "messaging.destination"];
        let messaging = || Self::system(span, "messaging", &["messaging.system"], &destinations);
        database.or_else(messaging).or_else(|| Self::address(span))
    }

    fn system(span: &Span, kind: &'static str, systems: &[&str], names: &[&str]) -> Option<Self> {
        let (key, system) = first(span, systems)?;
        let mut search = is(key, &system);
        let name = first(span, names);
        if let Some((key, name)) = &name {
            search = format!("{search} {}", is(key, name));
        }
        let name = name.map_or_else(|| system.clone(), |(_, name)| name);
        Some(Self { kind, system: Some(system), name, search })
    }

    fn address(span: &Span) -> Option<Self> {
        let keys = [
            "peer.service",
            "service.peer.name",
            "server.address",
            "net.peer.name",
            "http.host",
            "network.peer.address",
        ];
        let (key, address) = first(span, &keys)?;
        let port = if key == "server.address" { first(span, &["server.port"]) } else { None };
        let search = match &port {
            Some((port_key, port)) => format!("{} {}", is(key, &address), is(port_key, port)),
            None => is(key, &address),
        };
        let name = port.map_or_else(|| address.clone(), |(_, port)| format!("{address}:{port}"));
        Some(Self { kind: "peer", system: None, name, search })
    }
}

fn is(key: &str, value: &str) -> String {
    format!("{}={}", quoted(key, false), quoted(value, true))
}

fn first<'a>(span: &Span, keys: &[&'a str]) -> Option<(&'a str, String)> {
    let value = |key: &&'a str| span.attribute(key).map(Value::to_string).filter(|value| !value.is_empty());
    keys.iter().find_map(|key| value(key).map(|value| (*key, value)))
}
