use super::super::Told;
use crate::model::Span;
use crate::search::quoted;

/// Whoever is called or calls, in the words of spans, so that looking one up makes no new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Party<'a> {
    /// It sends spans.
    Service(&'a str),
    /// Whoever calls without a trace of its own.
    User,
    /// Known only from calls to it: what kind of party it is, and the attributes that say so.
    Other { kind: &'static str, first: Said<'a>, second: Option<Said<'a>> },
}

/// An attribute.
pub(super) type Said<'a> = (&'static str, Told<'a>);

impl<'a> Party<'a> {
    /// The other end of a call, as its caller names it.
    pub(super) fn peer(span: &'a Span) -> Option<Self> {
        let said =
            |keys: &[&'static str]| keys.iter().find_map(|key| Told::of(span, key).map(|told| (*key, told)));
        if let Some(first) = said(&["db.system.name"]) {
            return Some(Self::Other { kind: "database", first, second: said(&["db.namespace"]) });
        }
        if let Some(first) = said(&["messaging.system"]) {
            let second = said(&["messaging.destination.name"]);
            return Some(Self::Other { kind: "messaging", first, second });
        }
        let first = said(&["service.peer.name", "server.address", "http.host", "network.peer.address"])?;
        let second = if first.0 == "server.address" { said(&["server.port"]) } else { None };
        Some(Self::Other { kind: "peer", first, second })
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Service(_) => "service",
            Self::User => "user",
            Self::Other { kind, .. } => kind,
        }
    }

    pub(super) fn system(&self) -> Option<String> {
        match self {
            Self::Other { kind: "database" | "messaging", first: (_, system), .. } => {
                Some(system.to_string())
            }
            _ => None,
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Service(name) => (*name).to_owned(),
            Self::User => "callers".to_owned(),
            Self::Other { kind: "peer", first: (_, address), second: Some((_, port)) } => {
                format!("{address}:{port}")
            }
            Self::Other { kind: "peer", first: (_, address), .. } => address.to_string(),
            Self::Other { second: Some((_, name)), .. } => name.to_string(),
            Self::Other { first: (_, system), .. } => system.to_string(),
        }
    }

    /// Those who share their name may differ in the attribute that says it, as they do in their searches.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Service(_) | Self::User => format!("{}:{}", self.kind(), self.name()),
            Self::Other { kind, .. } => format!("{kind}:{}", self.search()),
        }
    }

    /// What a search says of its spans.
    pub(super) fn search(&self) -> String {
        let is =
            |(key, told): &Said<'_>| format!("{}={}", quoted(key, false), quoted(&told.to_string(), true));
        match self {
            Self::Service(name) => format!("service={}", quoted(name, true)),
            Self::User => "root served".to_owned(),
            Self::Other { first, second: Some(second), .. } => format!("{} {}", is(first), is(second)),
            Self::Other { first, .. } => is(first),
        }
    }
}
