//! The search language, which `openapi.yaml` describes.

mod needle;
mod operand;
mod parse;
mod subject;
mod suggest;

use crate::model::{Kind, Status, find_renamed};

pub(crate) use needle::Needle;
pub(crate) use operand::{Operand, Operator};
pub(crate) use subject::{Subject, Whole};
pub(crate) use suggest::{place, quoted};

/// What is looked for. Every term must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    terms: Vec<Term>,
}

/// Why a search is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SearchError {
    pub(crate) message: String,
    /// The byte at which it went wrong.
    pub(crate) at: usize,
}

#[derive(Clone, Debug)]
struct Term {
    is_negated: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Error,
    Running,
    Root,
    Served,
    Word(Needle),
    Compare(Field, Operator, Operand),
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Service,
    Name,
    Kind,
    Status,
    Duration,
    Trace,
    Span,
    Scope,
    Event,
    Message,
    TraceDuration,
    TraceSpans,
    TraceErrors,
    TraceServices,
    ParentService,
    Level,
    Body,
    Attribute(String),
}

/// The keys that mean something else than an attribute.
pub(crate) const KEYS: [(&str, Field); 20] = [
    ("service", Field::Service),
    ("name", Field::Name),
    ("operation", Field::Name),
    ("kind", Field::Kind),
    ("status", Field::Status),
    ("duration", Field::Duration),
    ("trace", Field::Trace),
    ("trace.id", Field::Trace),
    ("span", Field::Span),
    ("span.id", Field::Span),
    ("scope", Field::Scope),
    ("event", Field::Event),
    ("message", Field::Message),
    ("trace.duration", Field::TraceDuration),
    ("trace.spans", Field::TraceSpans),
    ("trace.errors", Field::TraceErrors),
    ("trace.services", Field::TraceServices),
    ("parent.service", Field::ParentService),
    ("level", Field::Level),
    ("body", Field::Body),
];

pub(crate) const FLAGS: [&str; 4] = ["error", "running", "root", "served"];

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, SearchError> {
        parse::terms(text).map(|terms| Self { terms })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// One more thing that must hold.
    pub(crate) fn and(mut self, field: Field, text: &str) -> Self {
        let test = Test::Compare(field, Operator::Equal, Operand::new(text.to_owned()));
        self.terms.push(Term { is_negated: false, test });
        self
    }

    pub(crate) fn matches(&self, subject: &Subject<'_>) -> bool {
        self.terms.iter().all(|term| term.test.holds(subject) != term.is_negated)
    }
}

impl Test {
    fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Error => subject.is_error(),
            Self::Running => subject.is_running,
            // What served a call of its own id is below it.
            Self::Root => subject.is_root && subject.parent_service().is_none(),
            Self::Served => subject.kind.is_some_and(Kind::is_served),
            Self::Word(word) => {
                word.is_in(subject.name)
                    || word.is_in(subject.service)
                    || subject.body.is_some_and(|body| body.as_text().is_some_and(|text| word.is_in(text)))
            }
            Self::Compare(field, operator, operand) => compare(subject, field, *operator, operand),
        }
    }
}

fn compare(subject: &Subject<'_>, field: &Field, operator: Operator, operand: &Operand) -> bool {
    let whole = subject.whole;
    match field {
        Field::Service => operator.text(subject.service, operand),
        Field::Name => operator.text(subject.name, operand),
        Field::Scope => operator.text(subject.scope, operand),
        Field::Message => operator.text(subject.message, operand),
        Field::Kind => operator.text(subject.kind.map_or("", Kind::name), operand),
        Field::Status => status(subject, operator, operand),
        Field::Duration => subject.duration.is_some_and(|nanos| operator.nanos(nanos, operand)),
        Field::Trace => operator.id(&subject.trace.to_bytes(), operand),
        Field::Span => operator.id(&subject.span.to_bytes(), operand),
        Field::Event => subject.events.iter().any(|event| operator.text(&event.name, operand)),
        Field::TraceDuration => whole.is_some_and(|whole| operator.nanos(whole.duration, operand)),
        Field::TraceSpans => whole.is_some_and(|whole| operator.number(whole.spans.len() as f64, operand)),
        Field::TraceErrors => whole.is_some_and(|whole| operator.number(f64::from(whole.errors), operand)),
        Field::TraceServices => whole.is_some_and(|whole| operator.number(whole.services() as f64, operand)),
        Field::ParentService => {
            subject.parent_service().is_some_and(|service| operator.text(service, operand))
        }
        Field::Level => subject.severity.is_some_and(|severity| operator.level(severity, operand)),
        Field::Body => subject.body.is_some_and(|body| operator.value(body, operand)),
        Field::Attribute(key) => {
            let value = find_renamed(subject.attributes, key).or_else(|| find_renamed(subject.resource, key));
            value.is_some_and(|value| operator.value(value, operand))
        }
    }
}

/// A number is what the server answered; a word is what the span says of itself.
fn status(subject: &Subject<'_>, operator: Operator, operand: &Operand) -> bool {
    if operand.number.is_none() {
        return operator.text(subject.status.map_or("", Status::name), operand);
    }
    let code = find_renamed(subject.attributes, "http.response.status_code");
    code.is_some_and(|code| operator.value(code, operand))
}

#[cfg(test)]
mod tests;
