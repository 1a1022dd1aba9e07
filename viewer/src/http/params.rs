use axum::extract::{FromRequestParts, Query as Params};
use axum::http::request::Parts;
use opentelemetry::trace::TraceId;
use serde::Deserialize;

use super::answer::Problem;
use crate::model::Kind;
use crate::query::{Kinds, Order, Range, Wanted};
use crate::search::{Field, Query};

const LIMIT: usize = 100;
const MOST: usize = 1_000;

/// What can be asked. Every question looks at its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    q: String,
    service: Option<String>,
    name: Option<String>,
    kind: Option<String>,
    r#type: Option<String>,
    unit: Option<String>,
    from: Option<u64>,
    to: Option<u64>,
    last: Option<u64>,
    limit: Option<usize>,
    before: Option<u64>,
    order: Option<String>,
    at: Option<usize>,
    signal: Option<String>,
}

/// The parameters of a question, and when it was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    raw: Raw,
    pub(super) now: u64,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let params = Params::<Raw>::try_from_uri(&parts.uri);
        let Params(raw) = params.map_err(|error| Problem::bad(error.body_text()))?;
        Ok(Self { raw, now: crate::shared::now() })
    }
}

impl Asked {
    /// The search, with the service if one is named.
    pub(super) fn query(&self) -> Result<Query, Problem> {
        let query = Query::parse(&self.raw.q).map_err(|error| {
            let units = self.raw.q.get(..error.at).map_or(0, |before| before.encode_utf16().count());
            Problem::bad(error.message).at(units)
        })?;
        Ok(match &self.raw.service {
            Some(service) => query.and(Field::Service, service),
            None => query,
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.raw.q
    }

    pub(super) fn cursor(&self) -> Option<usize> {
        self.raw.at
    }

    pub(super) fn is_of_logs(&self) -> bool {
        self.raw.signal.as_deref() == Some("logs")
    }

    pub(super) fn range(&self) -> Range {
        let nanos = |micros: u64| micros.saturating_mul(1_000);
        let last =
            self.raw.last.map(|seconds| self.now.saturating_sub(seconds.saturating_mul(1_000_000_000)));
        Range { from: self.raw.from.map(nanos).or(last), to: self.raw.to.map(nanos) }
    }

    pub(super) fn limit(&self) -> usize {
        self.raw.limit.unwrap_or(LIMIT).clamp(1, MOST)
    }

    pub(super) fn before(&self) -> Option<u64> {
        self.raw.before
    }

    pub(super) fn order(&self) -> Result<Order, Problem> {
        match self.raw.order.as_deref() {
            None | Some("newest") => Ok(Order::Newest),
            Some("slowest") => Ok(Order::Slowest),
            Some("errors") => Ok(Order::Errors),
            Some("spans") => Ok(Order::Spans),
            Some(_) => Err(Problem::bad("`order` must be newest, slowest, errors or spans")),
        }
    }

    pub(super) fn kinds(&self) -> Result<Kinds, Problem> {
        match self.raw.kind.as_deref() {
            None | Some("entry") => Ok(Kinds::Entry),
            Some("calls") => Ok(Kinds::Calls),
            Some("all") => Ok(Kinds::All),
            Some(_) => Err(Problem::bad("`kind` must be entry, calls or all")),
        }
    }

    pub(super) fn kind(&self) -> Result<Option<Kind>, Problem> {
        let Some(name) = self.raw.kind.as_deref() else { return Ok(None) };
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        kind.map(Some).ok_or_else(|| Problem::bad("`kind` must be a kind of span"))
    }

    pub(super) fn service(&self) -> Option<&str> {
        self.raw.service.as_deref()
    }

    pub(super) fn required_service(&self) -> Result<&str, Problem> {
        self.service().ok_or_else(|| Problem::bad("`service` is missing"))
    }

    pub(super) fn required_name(&self) -> Result<&str, Problem> {
        self.raw.name.as_deref().ok_or_else(|| Problem::bad("`name` is missing"))
    }

    pub(super) fn instrument(&self) -> Result<Wanted<'_>, Problem> {
        let (name, service) = (self.required_name()?, self.service());
        Ok(Wanted { name, r#type: self.raw.r#type.as_deref(), unit: self.raw.unit.as_deref(), service })
    }

    /// The search without the service, which the question itself names.
    pub(super) fn bare_query(&self) -> Result<Query, Problem> {
        let raw = Raw { q: self.raw.q.clone(), ..Raw::default() };
        Self { raw, now: self.now }.query()
    }
}

pub(super) fn trace_id(text: &str) -> Result<TraceId, Problem> {
    let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = TraceId::from_hex(text).ok().filter(|id| is_id && *id != TraceId::INVALID);
    id.ok_or_else(|| Problem::bad("a trace id has 32 hexadecimal digits, not all of them 0"))
}
