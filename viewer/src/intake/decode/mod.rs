//! What a message takes when it is decoded is known before it is: an empty span is two bytes that become three hundred, so a
//! bound on bytes alone bounds nothing.

mod json;
mod shapes;
mod wire;

use std::fmt;

use prost::Message;
use serde::de::DeserializeOwned;

pub(super) use shapes::{DOCUMENT, JAEGER, LOGS, METRICS, Shape, TRACES};
pub(super) use shapes::{RESOURCE_LOGS, RESOURCE_METRICS, RESOURCE_SPANS};
pub(super) use wire::each_part;

/// What a message may take when it is decoded, besides its texts, which take what they took before.
pub(crate) const MOST: usize = 96 << 20;

/// A message of which it is known what it is made of.
pub(crate) trait Shaped: Sized {
    const SHAPE: &'static Shape;
}

/// What is left of what may be taken.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    most: usize,
    left: usize,
    /// What is taken for a while only.
    kept: usize,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, left: most, kept: 0 }
    }

    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Unsound> {
        self.left = self.left.checked_sub(bytes).ok_or(Unsound::TooMuch(self.most))?;
        Ok(())
    }

    fn keep(&mut self, bytes: usize) -> Result<(), Unsound> {
        self.spend(bytes)?;
        self.kept += bytes;
        Ok(())
    }

    /// Gives back what is kept since so much was.
    fn release(&mut self, before: usize) {
        self.left += self.kept - before;
        self.kept = before;
    }
}

/// Why something is not decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unsound {
    /// It would take more than this.
    TooMuch(usize),
    /// It is not what it should be.
    Malformed(String),
}

impl Unsound {
    /// Says what it was taken for, if it was not that.
    pub(crate) fn of(self, what: &str) -> Self {
        match self {
            Self::Malformed(why) => Self::Malformed(format!("{what}: {why}")),
            too_much @ Self::TooMuch(_) => too_much,
        }
    }
}

impl From<String> for Unsound {
    fn from(why: String) -> Self {
        Self::Malformed(why)
    }
}

impl From<prost::DecodeError> for Unsound {
    fn from(error: prost::DecodeError) -> Self {
        error.to_string().into()
    }
}

impl From<&str> for Unsound {
    fn from(why: &str) -> Self {
        why.to_owned().into()
    }
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMuch(most) => write!(f, "it holds too much: decoded it may take at most {most} bytes"),
            Self::Malformed(why) => f.write_str(why),
        }
    }
}

pub(crate) fn protobuf<T: Message + Default + Shaped>(bytes: &[u8]) -> Result<T, Unsound> {
    protobuf_as(T::SHAPE, bytes, &mut Budget::new(MOST))
}

pub(crate) fn json<T: DeserializeOwned + Shaped>(bytes: &[u8]) -> Result<T, Unsound> {
    json_as(T::SHAPE, bytes, &mut Budget::new(MOST))
}

pub(super) fn protobuf_as<T: Message + Default>(
    shape: &'static Shape,
    bytes: &[u8],
    budget: &mut Budget,
) -> Result<T, Unsound> {
    wire::weigh(shape, bytes, budget)?;
    Ok(T::decode(bytes)?)
}

pub(super) fn json_as<T: DeserializeOwned>(
    shape: &'static Shape,
    bytes: &[u8],
    budget: &mut Budget,
) -> Result<T, Unsound> {
    json::weigh(shape, bytes, budget)?;
    serde_json::from_slice(bytes).map_err(|error| Unsound::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests;
