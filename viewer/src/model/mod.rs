//! What is kept: spans, log records, and who sent them. Texts are shared, since most of them come again and again.

mod parents;
mod renamed;
mod value;

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::{SpanId, SpanKind, TraceId};

pub(crate) use parents::Parents;
pub(crate) use renamed::find_renamed;
pub(crate) use value::{Attribute, Pairs, Value, find};

pub(crate) type Text = Arc<str>;
pub(crate) type Attributes = Arc<[Attribute]>;

/// Who sent it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Resource {
    /// `service.name`, which is among the attributes too.
    pub(crate) service: Text,
    pub(crate) attributes: Attributes,
}

/// By which instrumentation it was made.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope {
    pub(crate) name: Text,
    pub(crate) version: Text,
    pub(crate) schema_url: Text,
    pub(crate) attributes: Attributes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Unspecified, Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }

    /// It serves somebody.
    pub(crate) fn is_served(self) -> bool {
        matches!(self, Self::Server | Self::Consumer)
    }

    /// It asks somebody.
    pub(crate) fn is_call(self) -> bool {
        matches!(self, Self::Client | Self::Producer)
    }
}

impl From<SpanKind> for Kind {
    fn from(kind: SpanKind) -> Self {
        match kind {
            SpanKind::Internal => Self::Internal,
            SpanKind::Server => Self::Server,
            SpanKind::Client => Self::Client,
            SpanKind::Producer => Self::Producer,
            SpanKind::Consumer => Self::Consumer,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Unset,
    Ok,
    Error,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// A span that has ended. Times are nanoseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) id: SpanId,
    /// `INVALID` if there is none.
    pub(crate) parent: SpanId,
    /// Whether the parent is of another process, if that was said.
    pub(crate) remote: Option<bool>,
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    /// Bytes on the heap that are this span's alone.
    pub(crate) cost: u32,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) name: Text,
    pub(crate) message: Option<Text>,
    pub(crate) resource: Arc<Resource>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) attributes: Attributes,
    /// What most spans do not have.
    pub(crate) more: Option<Arc<More>>,
}

#[derive(Debug, Default)]
pub(crate) struct More {
    pub(crate) state: String,
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<Link>,
    pub(crate) dropped_attributes: u32,
    pub(crate) dropped_events: u32,
    pub(crate) dropped_links: u32,
}

impl More {
    pub(crate) fn is_empty(&self) -> bool {
        self.state.is_empty()
            && self.events.is_empty()
            && self.links.is_empty()
            && (self.dropped_attributes, self.dropped_events, self.dropped_links) == (0, 0, 0)
    }
}

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) time: u64,
    pub(crate) name: Text,
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) state: String,
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
}

impl Span {
    pub(crate) fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    pub(crate) fn is_error(&self) -> bool {
        self.status == Status::Error
    }

    pub(crate) fn is_root(&self) -> bool {
        self.parent == SpanId::INVALID
    }

    pub(crate) fn service(&self) -> &Text {
        &self.resource.service
    }

    pub(crate) fn events(&self) -> &[Event] {
        self.more.as_ref().map_or(&[], |more| &more.events)
    }

    pub(crate) fn links(&self) -> &[Link] {
        self.more.as_ref().map_or(&[], |more| &more.links)
    }

    /// The span's attribute of this key. If the SDK was told twice, the last word counts.
    pub(crate) fn attribute(&self, key: &str) -> Option<&Value> {
        find(&self.attributes, key)
    }

    /// What went wrong, in the words that are there: the status' description, an exception's, or the class of the error.
    pub(crate) fn failure(&self) -> String {
        let message = self.message.as_deref().filter(|message| !message.is_empty()).map(str::to_owned);
        let exception = || {
            let exceptions = self.events().iter().filter(|event| &*event.name == "exception");
            exceptions
                .rev()
                .find_map(|event| find(&event.attributes, "exception.message"))
                .map(Value::to_string)
        };
        let class = || self.attribute("error.type").map(Value::to_string);
        message.or_else(exception).or_else(class).unwrap_or_default()
    }
}

/// A line of a log.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) time: u64,
    /// 1 to 24, 0 if nobody said.
    pub(crate) severity: u8,
    pub(crate) level: Text,
    pub(crate) body: Value,
    pub(crate) event: Option<Text>,
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) resource: Arc<Resource>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) attributes: Attributes,
    pub(crate) cost: u32,
}

/// No more of a text than so many bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// The names of severity numbers, as the data model of logs has them.
pub(crate) fn level(severity: u8) -> &'static str {
    match severity {
        1..=4 => "TRACE",
        5..=8 => "DEBUG",
        9..=12 => "INFO",
        13..=16 => "WARN",
        17..=20 => "ERROR",
        21..=24 => "FATAL",
        _ => "",
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A span that took no time.
    pub(crate) fn span(id: u64, parent: u64, kind: Kind) -> Span {
        let text = || -> Text { "".into() };
        let resource = Resource { service: "shop".into(), attributes: [].into() };
        let scope = Scope { name: text(), version: text(), schema_url: text(), attributes: [].into() };
        Span {
            id: SpanId::from(id),
            parent: SpanId::from(parent),
            remote: None,
            kind,
            status: Status::Unset,
            cost: 0,
            start: 0,
            end: 0,
            name: "n".into(),
            message: None,
            resource: Arc::new(resource),
            scope: Arc::new(scope),
            attributes: [].into(),
            more: None,
        }
    }
}
