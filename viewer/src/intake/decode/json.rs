//! Walks JSON and builds nothing of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::shapes::{ANY_VALUE, Field, Of, Shape};
use super::{Budget, Unsound};

pub(super) fn weigh(shape: &'static Shape, bytes: &[u8], budget: &mut Budget) -> Result<(), Unsound> {
    let mut refused = None;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let walk = Walk { at: At::Message(shape), held: Held::Not, depth: 0, budget, refused: &mut refused };
    let walked = walk.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (refused, walked) {
        (Some(refused), _) => Err(refused),
        (None, walked) => walked.map_err(|error| Unsound::Malformed(error.to_string())),
    }
}

#[derive(Clone, Copy)]
enum At {
    Message(&'static Shape),
    /// One of these, or a list of them.
    Field(&'static Field),
    /// A list of a key and a value, which is none in memory.
    Pair,
    Free,
}

/// As what something is kept until it becomes what it is.
#[derive(Clone, Copy)]
enum Held {
    Not,
    /// Serde's own lists of pairs.
    Content,
    /// serde_json's trees.
    Tree,
}

impl Held {
    /// What so many entries of an object take more than one less.
    fn entry(self, count: usize) -> usize {
        match (self, count) {
            (Self::Not, _) => 0,
            // A list begins with four.
            (Self::Content, 1) => 4 * 64,
            (Self::Content, 2..=4) => 0,
            (Self::Content, _) => 2 * 64,
            // A leaf has eleven, and is half full when there are more.
            (Self::Tree, 1) => 640,
            (Self::Tree, 2..=11) => 0,
            (Self::Tree, _) => 160,
        }
    }

    fn element(self, count: usize) -> usize {
        match (self, count) {
            (Self::Not, _) => 0,
            (Self::Content | Self::Tree, 1) => 4 * 32,
            (Self::Content | Self::Tree, 2..=4) => 0,
            (Self::Content | Self::Tree, _) => 2 * 32,
        }
    }
}

struct Walk<'a> {
    at: At,
    held: Held,
    /// Values around this one. Serde reads what is in a value once more at each of them, and keeps what it has read before.
    depth: usize,
    budget: &'a mut Budget,
    refused: &'a mut Option<Unsound>,
}

impl Walk<'_> {
    fn inner(&mut self, at: At, held: Held) -> Walk<'_> {
        Walk { at, held, depth: self.depth, budget: self.budget, refused: self.refused }
    }

    fn spend<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        let spent = self.budget.spend(bytes);
        self.noted(spent)
    }

    /// Pays for what is around something, besides what it is in the end.
    fn hold<E: Error>(&mut self, held: Held, bytes: usize) -> Result<(), E> {
        let spent = match held {
            // Each message is whole, and what was kept of it gone, before the next one comes.
            Held::Content => self.budget.keep(bytes.saturating_mul(self.depth.max(1))),
            Held::Not | Held::Tree => self.budget.spend(bytes),
        };
        self.noted(spent)
    }

    fn noted<E: Error>(&mut self, spent: Result<(), Unsound>) -> Result<(), E> {
        spent.map_err(|refused| {
            *self.refused = Some(refused);
            E::custom("too much")
        })
    }

    /// What is found under this key, and as what it is kept.
    fn under(&self, field: Option<&'static Field>) -> (At, Held) {
        let Some(field) = field else {
            let is_kept = matches!(self.at, At::Message(shape) if shape.is_flattened);
            return (At::Free, if is_kept { Held::Content } else { self.held });
        };
        let held = match field.of {
            Of::Free | Of::Pairs => Held::Tree,
            _ if field.is_kept => Held::Content,
            _ => self.held,
        };
        (At::Field(field), held)
    }

    /// What an entry of an object takes besides what is in it.
    fn entry<E: Error>(&mut self, count: usize, field: Option<&'static Field>) -> Result<(), E> {
        self.hold(self.held, self.held.entry(count))?;
        match self.at {
            At::Field(Field { of: Of::Map(_), weight, .. }) => self.spend(*weight),
            At::Message(shape) if shape.is_flattened && field.is_none_or(|field| field.is_kept) => {
                self.hold(Held::Content, Held::Content.entry(count))
            }
            _ => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<(), M::Error> {
        if let At::Field(Field { of, weight, .. }) = self.at {
            self.at = match of {
                Of::Message(shape) => At::Message(shape),
                Of::Map(_) => self.at,
                _ => At::Free,
            };
            self.spend(if matches!(of, Of::Map(_)) { 0 } else { *weight })?;
        }
        if matches!(self.at, At::Message(shape) if std::ptr::eq(shape, &ANY_VALUE)) {
            self.depth += 1;
        }
        let (before, mut count) = (self.budget.kept, 0);
        while let Some(field) = map.next_key_seed(Key(self.at))? {
            count += 1;
            self.entry(count, field)?;
            let (at, held) = match self.at {
                At::Field(Field { of: Of::Map(shape), .. }) => (At::Message(shape), self.held),
                _ => self.under(field),
            };
            map.next_value_seed(self.inner(at, held))?;
        }
        if let (At::Message(Shape { is_flattened: true, .. }), Held::Not) = (self.at, self.held) {
            // What is around it, as a metric is around its metadata, keeps its own.
            self.budget.release(before);
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(mut self, mut list: S) -> Result<(), S::Error> {
        let (at, weight) = match self.at {
            // Serde would take a message as a list of its fields too, which OTLP does not know.
            At::Message(_) => return Err(Error::custom("an object was expected, and a list came")),
            At::Field(Field { of: Of::Message(shape), weight, .. }) => (At::Message(shape), *weight),
            At::Field(Field { of: Of::Pairs, weight, .. }) => (At::Pair, *weight),
            At::Field(Field { weight, .. }) => (At::Free, *weight),
            At::Pair | At::Free => (At::Free, 0),
        };
        let in_list = match self.at {
            At::Field(Field { of: Of::Pairs, .. }) | At::Pair => Held::Not,
            _ => self.held,
        };
        let held = self.held;
        for count in 1.. {
            let walk = self.inner(at, held);
            if list.next_element_seed(Element { weight, around: (in_list, count), walk })?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        match self.depth.saturating_sub(1) {
            0 => Ok(()),
            // What has escapes is copied.
            above => {
                let copied = self.budget.keep(text.len().saturating_mul(above));
                self.noted(copied)
            }
        }
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// An element of a list, which is paid for when there is one.
struct Element<'a> {
    weight: usize,
    around: (Held, usize),
    walk: Walk<'a>,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        let (held, count) = self.around;
        self.walk.hold(held, held.element(count))?;
        self.walk.spend(self.weight)?;
        self.walk.deserialize(deserializer)
    }
}

/// Which field a key names.
struct Key(At);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let At::Message(shape) = self.0 else { return Ok(None) };
        Ok(shape.fields.iter().find(|field| field.name == name))
    }
}
