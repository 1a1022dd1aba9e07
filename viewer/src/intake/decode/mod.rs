//! What a message takes when it is decoded is known before it is: an empty span is two bytes that become three hundred, so a
//! bound on bytes alone bounds nothing.

mod budget;
mod json;
mod shapes;
mod wire;

use std::fmt;

use prost::Message;
use serde::de::DeserializeOwned;

pub(crate) use budget::Budget;
pub(super) use shapes::{DOCUMENT, JAEGER, LOGS, METRICS, Shape, TRACES};
pub(super) use shapes::{RESOURCE_LOGS, RESOURCE_METRICS, RESOURCE_SPANS};
pub(super) use wire::each_part;

/// What a message may take when it is decoded: what the largest body of small things takes, with some room.
pub(crate) const MOST: usize = 384 << 20;

/// A message of which it is known what it is made of.
pub(crate) trait Shaped: Sized {
    const SHAPE: &'static Shape;
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

impl From<serde_json::Error> for Unsound {
    fn from(error: serde_json::Error) -> Self {
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

#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    Protobuf,
    Json,
}

impl Format {
    /// What a message takes at most while it is decoded, if it may take that.
    pub(crate) fn weigh<T: Shaped>(self, bytes: &[u8]) -> Result<usize, Unsound> {
        let mut budget = Budget::new(MOST);
        match self {
            Self::Protobuf => wire::weigh(T::SHAPE, bytes, &mut budget)?,
            Self::Json => json::weigh(T::SHAPE, bytes, &mut budget)?,
        }
        Ok(budget.weight())
    }

    /// Only what was weighed.
    pub(crate) fn decode<T: Message + Default + DeserializeOwned>(self, bytes: &[u8]) -> Result<T, Unsound> {
        match self {
            Self::Protobuf => Ok(T::decode(bytes)?),
            Self::Json => Ok(serde_json::from_slice(bytes)?),
        }
    }
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
    Ok(serde_json::from_slice(bytes)?)
}

#[cfg(test)]
mod peaks;
#[cfg(test)]
mod tests;
