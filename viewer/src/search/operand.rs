use super::Needle;
use crate::model::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Contains,
}

/// What something is compared with.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub(crate) text: String,
    needle: Needle,
    pub(crate) number: Option<f64>,
    pub(crate) nanos: Option<u64>,
    pub(crate) level: Option<(u8, u8)>,
    /// Any value will do.
    pub(crate) is_any: bool,
}

impl Operand {
    pub(crate) fn new(text: String) -> Self {
        let needle = Needle::new(&text);
        let (number, nanos, level) = (text.parse().ok(), nanos(&text), level(&text.to_lowercase()));
        Self { text, needle, number, nanos, level, is_any: false }
    }

    pub(crate) fn any() -> Self {
        Self { is_any: true, ..Self::new(String::new()) }
    }
}

/// A duration with its unit. Without one it is milliseconds.
fn nanos(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "" | "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3_600e9,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| (number * factor).round() as u64)
}

/// The severity numbers that a name or a number stands for.
fn level(lower: &str) -> Option<(u8, u8)> {
    let names = ["trace", "debug", "info", "warn", "error", "fatal"];
    let lower = if lower == "warning" { "warn" } else { lower };
    if let Some(place) = names.iter().position(|name| *name == lower) {
        let first = 4 * place as u8 + 1;
        return Some((first, first + 3));
    }
    lower.parse().ok().map(|number| (number, number))
}

impl Operator {
    pub(crate) fn text(self, text: &str, operand: &Operand) -> bool {
        match self {
            Self::Equal => operand.is_any || text == operand.text,
            Self::NotEqual => text != operand.text,
            Self::Contains => operand.needle.is_in(text),
            _ => text.parse().is_ok_and(|number| self.number(number, operand)),
        }
    }

    pub(crate) fn number(self, number: f64, operand: &Operand) -> bool {
        let Some(other) = operand.number else { return self == Self::NotEqual || operand.is_any };
        match self {
            Self::Equal => number == other,
            Self::NotEqual => number != other,
            Self::Greater => number > other,
            Self::GreaterOrEqual => number >= other,
            Self::Less => number < other,
            Self::LessOrEqual => number <= other,
            Self::Contains => false,
        }
    }

    pub(crate) fn nanos(self, nanos: u64, operand: &Operand) -> bool {
        let Some(other) = operand.nanos else { return operand.is_any };
        match self {
            Self::Equal => nanos == other,
            Self::NotEqual => nanos != other,
            Self::Greater => nanos > other,
            Self::GreaterOrEqual => nanos >= other,
            Self::Less => nanos < other,
            Self::LessOrEqual => nanos <= other,
            Self::Contains => false,
        }
    }

    /// A name stands for all the numbers of its level.
    pub(crate) fn level(self, severity: u8, operand: &Operand) -> bool {
        let Some((first, last)) = operand.level else { return operand.is_any };
        match self {
            Self::Equal => (first..=last).contains(&severity),
            Self::NotEqual => !(first..=last).contains(&severity),
            Self::Greater => severity > last,
            Self::GreaterOrEqual => severity >= first,
            Self::Less => severity < first,
            Self::LessOrEqual => severity <= last,
            Self::Contains => false,
        }
    }

    /// An id is equal to how it begins.
    pub(crate) fn id(self, id: &[u8], operand: &Operand) -> bool {
        match self {
            Self::Equal => operand.is_any || has_prefix(id, &operand.text),
            Self::NotEqual => !has_prefix(id, &operand.text),
            _ => false,
        }
    }

    pub(crate) fn value(self, value: &Value, operand: &Operand) -> bool {
        match (self, value) {
            (Self::Equal, _) if operand.is_any => true,
            (Self::NotEqual, _) => !Self::Equal.value(value, operand),
            (_, Value::Array(values)) => values.iter().any(|value| self.value(value, operand)),
            (_, Value::Text(text)) => self.text(text, operand),
            (Self::Contains, _) => operand.needle.is_in(&value.to_string()),
            (_, Value::Int(int)) => self.number(*int as f64, operand),
            (_, Value::Double(double)) => self.number(*double, operand),
            (Self::Equal, _) => value.to_string() == operand.text,
            _ => false,
        }
    }
}

/// Whether an id begins with these hexadecimal digits, in any case.
pub(crate) fn has_prefix(id: &[u8], digits: &str) -> bool {
    let digit = |place: usize| {
        id.get(place / 2).map(|byte| u32::from(if place.is_multiple_of(2) { byte >> 4 } else { byte & 15 }))
    };
    digits
        .chars()
        .enumerate()
        .all(|(place, char)| char.to_digit(16).is_some_and(|value| digit(place) == Some(value)))
}
