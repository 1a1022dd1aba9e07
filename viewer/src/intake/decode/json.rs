//! Walks JSON and builds nothing of it.

mod key;

use std::fmt;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use key::{Key, Named};

use super::shapes::{ANY_VALUE, Field, Of, Shape};
use super::{Budget, Unsound};

/// A list with room for four of what serde keeps of a message, for each message in a message. serde_json goes no deeper.
const NESTED: usize = 128 * 4 * ENTRY;
/// A key and a value, as serde keeps them.
const ENTRY: usize = 64;
/// A value, as serde keeps it and as serde_json does.
const VALUE: usize = 32;
/// What a value of serde_json's becomes at most: an attribute of OTLP's.
const BECOMES: usize = size_of::<KeyValue>();

pub(super) fn weigh(shape: &'static Shape, bytes: &[u8], budget: &mut Budget) -> Result<(), Unsound> {
    budget.spend(NESTED)?;
    let walked = walk(shape, bytes, budget);
    budget.give_back(NESTED);
    walked
}

fn walk(shape: &'static Shape, bytes: &[u8], budget: &mut Budget) -> Result<(), Unsound> {
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

/// How many entries of an object there were.
#[derive(Clone, Copy, Default)]
struct Entries {
    all: usize,
    /// Of these, what a flattened message keeps.
    kept: usize,
}

/// A leaf of a tree has eleven entries, and is half full when there are more.
fn leaf(count: usize) -> usize {
    match count {
        0 => 640,
        1..11 => 0,
        _ => 160,
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

    fn spend<E: Error>(&mut self, spend: impl FnOnce(&mut Budget) -> Result<(), Unsound>) -> Result<(), E> {
        spend(self.budget).map_err(|refused| {
            *self.refused = Some(refused);
            E::custom("too much")
        })
    }

    /// What serde keeps is there once for each value around it. Each message is whole, and what was kept of it gone, before the
    /// next one comes.
    fn keep<E: Error>(&mut self, size: usize, count: usize) -> Result<(), E> {
        let lists = self.depth.max(1);
        self.spend(|budget| budget.keep(|budget| budget.grow_all(lists, size, count)))
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
    fn entry<E: Error>(&mut self, before: &mut Entries, field: Option<&'static Field>) -> Result<(), E> {
        match self.held {
            Held::Not => {}
            Held::Content => self.keep(ENTRY, before.all)?,
            Held::Tree => self.spend(|budget| budget.spend(leaf(before.all)))?,
        }
        match self.at {
            At::Field(field @ Field { of: Of::Map(_), .. }) => self.element(field, before.all)?,
            At::Message(shape) if shape.is_flattened && field.is_none_or(|field| field.is_kept) => {
                // Of the first four there is one list at a time, at each depth.
                if before.kept >= 4 {
                    self.keep(ENTRY, before.kept)?;
                }
                before.kept += 1;
            }
            _ => {}
        }
        before.all += 1;
        Ok(())
    }

    /// What one more of them takes besides what is in it.
    fn element<E: Error>(&mut self, field: &'static Field, before: usize) -> Result<(), E> {
        let (held, Field { size, becomes, .. }) = (self.held, field);
        self.spend(|budget| {
            match held {
                _ if *size == 0 => {}
                Held::Content => budget.fill(*size, before)?,
                Held::Not | Held::Tree => budget.grow(*size, before)?,
            }
            budget.grow(*becomes, before)
        })
    }

    fn key<E: Error>(&mut self, length: usize, is_escaped: bool) -> Result<(), E> {
        let times = match (self.held, self.at) {
            (Held::Tree, _) | (_, At::Field(Field { of: Of::Map(_), .. })) => 1,
            _ if is_escaped => self.depth.max(1),
            _ => 0,
        };
        self.spend(|budget| {
            budget.copy(length)?;
            budget.spend(length.saturating_mul(times))
        })
    }

    fn text<E: Error>(&mut self, length: usize) -> Result<(), E> {
        self.spend(|budget| {
            budget.copy(length)?;
            budget.spend(length)
        })
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
        if let At::Field(Field { of, .. }) = self.at {
            self.at = match of {
                Of::Message(shape) => At::Message(shape),
                Of::Map(_) => self.at,
                _ => At::Free,
            };
        }
        if matches!(self.at, At::Message(shape) if std::ptr::eq(shape, &ANY_VALUE)) {
            self.depth += 1;
        }
        let (before, mut entries) = (self.budget.kept(), Entries::default());
        while let Some(Named { field, length, is_escaped }) = map.next_key_seed(Key(self.at))? {
            self.key(length, is_escaped)?;
            self.entry(&mut entries, field)?;
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
        let (at, field) = match self.at {
            // Serde would take a message as a list of its fields too, which OTLP does not know.
            At::Message(_) => return Err(Error::custom("an object was expected, and a list came")),
            At::Field(field @ Field { of: Of::Message(shape), .. }) => (At::Message(shape), Some(field)),
            At::Field(field @ Field { of: Of::Pairs, .. }) => (At::Pair, Some(field)),
            At::Field(field) => (At::Free, Some(field)),
            At::Pair | At::Free => (At::Free, None),
        };
        let in_list = match self.at {
            At::Field(Field { of: Of::Pairs, .. }) | At::Pair => Held::Not,
            _ => self.held,
        };
        let mut before = 0;
        // It is put into the list when all of it is there.
        while list.next_element_seed(self.inner(at, self.held))?.is_some() {
            match in_list {
                Held::Not => {}
                Held::Content => self.keep(VALUE, before)?,
                Held::Tree => self.spend(|budget| budget.grow(VALUE + BECOMES, before))?,
            }
            if let Some(field) = field {
                self.element(field, before)?;
            }
            before += 1;
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

    fn visit_borrowed_str<E: Error>(mut self, text: &'de str) -> Result<(), E> {
        self.text(text.len())
    }

    /// It has escapes.
    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        if let Held::Content = self.held {
            let copies = text.len().saturating_mul(self.depth.max(1));
            self.spend(|budget| budget.keep(|budget| budget.spend(copies)))?;
        }
        self.text(text.len())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
