use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Visitor};

use super::super::shapes::Field;
use super::At;

/// What a key names.
pub(super) struct Named {
    pub(super) field: Option<&'static Field>,
    pub(super) length: usize,
    pub(super) is_escaped: bool,
}

pub(super) struct Key(pub(super) At);

impl Key {
    fn named(&self, name: &str, is_escaped: bool) -> Named {
        let field = match self.0 {
            At::Message(shape) => shape.fields.iter().find(|field| field.name == name),
            _ => None,
        };
        Named { field, length: name.len(), is_escaped }
    }
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Named;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Named, E> {
        Ok(self.named(name, false))
    }

    fn visit_str<E>(self, name: &str) -> Result<Named, E> {
        Ok(self.named(name, true))
    }
}
