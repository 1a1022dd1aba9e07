use super::{Field, KEYS, Needle, Operand, Operator, SearchError, Term, Test};
use crate::model::Kind;

const LONGEST: usize = 4_096;
const MOST: usize = 32;

/// Longer ones first, so that `>=` is not read as `>` and `=`.
pub(super) const OPERATORS: [(&str, Operator); 7] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Contains),
];

pub(super) fn terms(text: &str) -> Result<Vec<Term>, SearchError> {
    if text.len() > LONGEST {
        return Err(error(LONGEST, format!("a search has at most {LONGEST} bytes")));
    }
    let mut parser = Parser { text, at: 0 };
    let mut terms = Vec::new();
    while parser.skip_blanks() {
        if terms.len() == MOST {
            return Err(error(parser.at, format!("a search has at most {MOST} terms")));
        }
        terms.push(parser.term()?);
    }
    Ok(terms)
}

fn error(at: usize, message: impl Into<String>) -> SearchError {
    SearchError { message: message.into(), at }
}

/// Ends a word that is not quoted.
pub(super) fn is_special(char: char) -> bool {
    char.is_whitespace() || matches!(char, '"' | '=' | '!' | '<' | '>' | '~')
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Whether there is more.
    fn skip_blanks(&mut self) -> bool {
        self.at = self.text.len() - self.rest().trim_start().len();
        !self.rest().is_empty()
    }

    fn term(&mut self) -> Result<Term, SearchError> {
        let is_negated = self.rest().starts_with('-');
        self.at += usize::from(is_negated);
        let start = self.at;
        let is_quoted = self.rest().starts_with('"');
        let key = if is_quoted { self.quoted()? } else { self.bare(is_special) };
        let operator = OPERATORS.iter().find(|(sign, _)| self.rest().starts_with(sign));
        let Some((sign, operator)) = operator else {
            self.ends_here()?;
            let test = if is_quoted { word(&key) } else { flag(&key).unwrap_or_else(|| word(&key)) };
            return if key.is_empty() { Err(self.nothing(start)) } else { Ok(Term { is_negated, test }) };
        };
        if key.is_empty() {
            return Err(error(start, format!("a key was expected before `{sign}`")));
        }
        self.at += sign.len();
        let value_at = self.at;
        let operand = self.operand(*operator)?;
        let test = comparison(&key, is_quoted, *operator, operand, value_at)?;
        Ok(Term { is_negated, test })
    }

    fn nothing(&self, start: usize) -> SearchError {
        match self.rest().chars().next() {
            Some(char) if !char.is_whitespace() => {
                error(start, format!("`{char}` stands where a word or a key was expected"))
            }
            _ => error(start, "a word or a comparison was expected"),
        }
    }

    /// After a word there is a blank or the end.
    fn ends_here(&self) -> Result<(), SearchError> {
        match self.rest().chars().next() {
            Some('!') => Err(error(self.at, "`!` was expected to be followed by `=`")),
            Some(char) if !char.is_whitespace() => {
                Err(error(self.at, format!("a blank was expected before `{char}`")))
            }
            _ => Ok(()),
        }
    }

    fn operand(&mut self, operator: Operator) -> Result<Operand, SearchError> {
        let start = self.at;
        if self.rest().starts_with('"') {
            let text = self.quoted()?;
            self.ends_here()?;
            return Ok(Operand::new(text));
        }
        let text = self.bare(|char| char.is_whitespace() || char == '"');
        self.ends_here()?;
        if text.is_empty() {
            return Err(error(start, "a value was expected (`\"\"` is the empty one)"));
        }
        Ok(if text == "*" && operator == Operator::Equal { Operand::any() } else { Operand::new(text) })
    }

    fn bare(&mut self, ends: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(ends).unwrap_or(rest.len());
        self.at += end;
        rest[..end].to_owned()
    }

    fn quoted(&mut self) -> Result<String, SearchError> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((place, char)) = chars.next() {
            match char {
                '"' => {
                    self.at = start + place + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    _ => {
                        return Err(error(start + place, "`\\` was expected to be followed by `\"` or `\\`"));
                    }
                },
                char => text.push(char),
            }
        }
        Err(error(start, "this quote is not closed"))
    }
}

fn word(text: &str) -> Test {
    Test::Word(Needle::new(text))
}

fn flag(text: &str) -> Option<Test> {
    match text {
        "error" => Some(Test::Error),
        "running" => Some(Test::Running),
        "root" => Some(Test::Root),
        "served" => Some(Test::Served),
        _ => None,
    }
}

/// A quoted key is an attribute's, whatever else it could be.
fn comparison(
    key: &str,
    is_quoted: bool,
    operator: Operator,
    operand: Operand,
    at: usize,
) -> Result<Test, SearchError> {
    let known = KEYS.iter().find(|(name, _)| !is_quoted && *name == key).map(|(_, field)| field.clone());
    let field = known.unwrap_or_else(|| Field::Attribute(key.to_owned()));
    let wanted = match field {
        Field::Duration | Field::TraceDuration if operand.nanos.is_none() => {
            Some("a duration, like `200ms` or `1.5s`,")
        }
        Field::TraceSpans | Field::TraceErrors | Field::TraceServices if operand.number.is_none() => {
            Some("a number")
        }
        Field::Level if operand.level.is_none() => Some("trace, debug, info, warn, error, fatal or a number"),
        Field::Kind if !is_kind(&operand.text) => Some("internal, server, client, producer or consumer"),
        Field::Status if operand.number.is_none() && !is_status(&operand.text) => {
            Some("unset, ok, error or a number")
        }
        _ => None,
    };
    match wanted.filter(|_| !operand.is_any && operator != Operator::Contains) {
        Some(wanted) => Err(error(at, format!("{wanted} was expected after `{key}`"))),
        None => Ok(Test::Compare(field, operator, operand)),
    }
}

fn is_kind(text: &str) -> bool {
    Kind::ALL.iter().any(|kind| kind.name() == text)
}

fn is_status(text: &str) -> bool {
    matches!(text, "unset" | "ok" | "error")
}
