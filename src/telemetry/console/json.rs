//! JSON, written and never read.

use std::fmt::{Display, Write as _};

use opentelemetry::logs::AnyValue;
use opentelemetry::{Array, Key, KeyValue, Value};

/// An object that is being written.
pub(super) struct Object<'t> {
    text: &'t mut String,
    empty: bool,
}

/// An object on a line of its own.
pub(super) fn line(write: impl FnOnce(&mut Object<'_>)) -> String {
    let mut text = String::new();
    object(&mut text, write);
    text.push('\n');
    text
}

fn object(text: &mut String, write: impl FnOnce(&mut Object<'_>)) {
    text.push('{');
    write(&mut Object { text, empty: true });
    text.push('}');
}

fn array<T>(text: &mut String, items: impl IntoIterator<Item = T>, write: impl Fn(&mut String, T)) {
    text.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(text, item);
    }
    text.push(']');
}

impl Object<'_> {
    pub(super) fn string(&mut self, key: &str, value: &str) {
        string(self.key(key), value);
    }

    /// Something that is written without quotes.
    pub(super) fn number(&mut self, key: &str, value: impl Display) {
        _ = write!(self.key(key), "{value}");
    }

    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        object(self.key(key), write);
    }

    pub(super) fn objects<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Object<'_>, T),
    ) {
        array(self.key(key), items, |text, item| object(text, |object| write(object, item)));
    }

    pub(super) fn attributes<'a>(&mut self, key: &str, attributes: impl IntoIterator<Item = &'a KeyValue>) {
        self.object(key, |object| {
            for KeyValue { key, value, .. } in attributes {
                self::value(object.key(key.as_str()), value);
            }
        });
    }

    pub(super) fn any(&mut self, key: &str, value: &AnyValue) {
        any(self.key(key), value);
    }

    fn key(&mut self, key: &str) -> &mut String {
        if !std::mem::replace(&mut self.empty, false) {
            self.text.push(',');
        }
        string(self.text, key);
        self.text.push(':');
        self.text
    }
}

fn value(text: &mut String, value: &Value) {
    match value {
        Value::Bool(flag) => plain(text, flag),
        Value::I64(number) => plain(text, number),
        Value::F64(number) => float(text, *number),
        Value::String(words) => string(text, words.as_str()),
        Value::Array(Array::Bool(flags)) => array(text, flags, plain),
        Value::Array(Array::I64(numbers)) => array(text, numbers, plain),
        Value::Array(Array::F64(numbers)) => array(text, numbers, |text, number| float(text, *number)),
        Value::Array(Array::String(words)) => array(text, words, |text, words| string(text, words.as_str())),
        other => string(text, &other.to_string()),
    }
}

fn any(text: &mut String, value: &AnyValue) {
    match value {
        AnyValue::Boolean(flag) => plain(text, flag),
        AnyValue::Int(number) => plain(text, number),
        AnyValue::Double(number) => float(text, *number),
        AnyValue::String(words) => string(text, words.as_str()),
        AnyValue::Bytes(bytes) => array(text, bytes.iter(), plain),
        AnyValue::ListAny(list) => array(text, list.iter(), any),
        AnyValue::Map(map) => object(text, |object| {
            map.iter().for_each(|(key, value): (&Key, _)| object.any(key.as_str(), value));
        }),
        other => string(text, &format!("{other:?}")),
    }
}

fn plain(text: &mut String, value: impl Display) {
    _ = write!(text, "{value}");
}

/// JSON knows no infinity.
fn float(text: &mut String, number: f64) {
    if number.is_finite() {
        _ = write!(text, "{number:?}");
    } else {
        text.push_str("null");
    }
}

fn string(text: &mut String, value: &str) {
    text.push('"');
    for char in value.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            // Such as what moves the cursor of a terminal.
            char if char.is_control() => _ = write!(text, "\\u{:04x}", u32::from(char)),
            char => text.push(char),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_can_be_read() {
        let attributes = [
            KeyValue::new("text", "\"quoted\" \\ \n\r\t\u{1b}[31m\u{7f}\u{9b} ä 🦀"),
            KeyValue::new("flag", true),
            KeyValue::new("number", -7_i64),
            KeyValue::new("float", 1e300),
            KeyValue::new("none", f64::NAN),
            KeyValue::new("list", Value::Array(Array::F64(vec![1.0, f64::INFINITY]))),
            KeyValue::new("words", Value::Array(Array::String(vec!["a".into(), "b,]".into()]))),
        ];
        let line = line(|object| {
            object.string("a \"key\"", "x");
            object.attributes("attributes", &attributes);
            object.objects("objects", [1, 2], |object, number| object.number("n", number));
            object.object("empty", |_| {});
        });
        assert!(!line.trim_end().chars().any(char::is_control), "{line:?}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "a \"key\"": "x",
            "attributes": {
                "text": "\"quoted\" \\ \n\r\t\u{1b}[31m\u{7f}\u{9b} ä 🦀",
                "flag": true,
                "number": -7,
                "float": 1e300,
                "none": null,
                "list": [1.0, null],
                "words": ["a", "b,]"],
            },
            "objects": [{"n": 1}, {"n": 2}],
            "empty": {},
        });
        assert_eq!(read, expected);
    }
}
