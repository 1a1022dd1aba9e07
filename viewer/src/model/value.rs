use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{Attributes, Text};

/// The largest whole number that JavaScript has without loss.
const SAFE: u64 = 1 << 53;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Attribute {
    pub(crate) key: Text,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Empty,
    Text(Text),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Arc<[u8]>),
    Array(Arc<[Value]>),
    Map(Attributes),
}

/// The value of a key. If the SDK was told twice, the last word counts.
pub(crate) fn find<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a Value> {
    attributes.iter().rev().find(|attribute| &*attribute.key == key).map(|attribute| &attribute.value)
}

impl Value {
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The place of its type among all.
    fn rank(&self) -> u8 {
        match self {
            Self::Empty => 0,
            Self::Text(_) => 1,
            Self::Bool(_) => 2,
            Self::Int(_) => 3,
            Self::Double(_) => 4,
            Self::Bytes(_) => 5,
            Self::Array(_) => 6,
            Self::Map(_) => 7,
        }
    }
}

/// `NaN` is the same as `NaN`, since what is the same is shared.
impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Bool(one), Self::Bool(other)) => one.cmp(other),
            (Self::Int(one), Self::Int(other)) => one.cmp(other),
            (Self::Double(one), Self::Double(other)) => one.total_cmp(other),
            (Self::Bytes(one), Self::Bytes(other)) => one.cmp(other),
            (Self::Array(one), Self::Array(other)) => one.cmp(other),
            (Self::Map(one), Self::Map(other)) => one.cmp(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Self::Empty => {}
            Self::Text(text) => text.hash(state),
            Self::Bool(bool) => bool.hash(state),
            Self::Int(int) => int.hash(state),
            Self::Double(double) => double.to_bits().hash(state),
            Self::Bytes(bytes) => bytes.hash(state),
            Self::Array(values) => values.hash(state),
            Self::Map(attributes) => attributes.hash(state),
        }
    }
}

/// As people read it: a text without quotes, arrays and maps as JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Int(int) => write!(f, "{int}"),
            Self::Double(double) => write!(f, "{double}"),
            Self::Bytes(bytes) => f.write_str(&STANDARD.encode(bytes)),
            Self::Array(_) | Self::Map(_) => {
                f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
            }
        }
    }
}

/// As `openapi.yaml` has it: JSON's own types where they lose nothing.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty => serializer.serialize_unit(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Int(int) if int.unsigned_abs() <= SAFE => serializer.serialize_i64(*int),
            Self::Int(int) => tagged(serializer, "int", &int.to_string()),
            Self::Double(double) if double.is_finite() => serializer.serialize_f64(*double),
            Self::Double(double) => tagged(serializer, "double", not_finite(*double)),
            Self::Bytes(bytes) => tagged(serializer, "bytes", &STANDARD.encode(bytes)),
            Self::Array(values) => serializer.collect_seq(values.iter()),
            Self::Map(attributes) => tagged(serializer, "map", &Pairs(attributes)),
        }
    }
}

fn tagged<S: Serializer, T: Serialize + ?Sized>(
    serializer: S,
    tag: &str,
    value: &T,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, value)?;
    map.end()
}

fn not_finite(double: f64) -> &'static str {
    match double {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    }
}

/// Attributes as pairs, in the order in which they came.
pub(crate) struct Pairs<'a>(pub(crate) &'a [Attribute]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pairs = serializer.serialize_seq(Some(self.0.len()))?;
        for attribute in self.0 {
            pairs.serialize_element(&(&*attribute.key, &attribute.value))?;
        }
        pairs.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &Value) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn what_json_would_lose_is_tagged() {
        for (value, expected) in [
            (Value::Empty, "null"),
            (Value::Text("a\"b".into()), r#""a\"b""#),
            (Value::Bool(true), "true"),
            (Value::Int(1 << 53), "9007199254740992"),
            (Value::Int(i64::MAX), r#"{"int":"9223372036854775807"}"#),
            (Value::Int(i64::MIN), r#"{"int":"-9223372036854775808"}"#),
            (Value::Double(0.5), "0.5"),
            (Value::Double(f64::NAN), r#"{"double":"NaN"}"#),
            (Value::Double(f64::NEG_INFINITY), r#"{"double":"-Infinity"}"#),
            (Value::Bytes([1, 2, 255].into()), r#"{"bytes":"AQL/"}"#),
            (Value::Array([Value::Int(1), Value::Empty].into()), "[1,null]"),
            (
                Value::Map([Attribute { key: "a".into(), value: Value::Int(1) }].into()),
                r#"{"map":[["a",1]]}"#,
            ),
        ] {
            assert_eq!(json(&value), expected);
        }
    }

    #[test]
    fn the_last_word_of_a_key_counts() {
        let attributes = [1, 2].map(|n| Attribute { key: "n".into(), value: Value::Int(n) });
        assert_eq!(find(&attributes, "n"), Some(&Value::Int(2)));
        assert_eq!(find(&attributes, "m"), None);
    }
}
