use bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::shapes::{Of, Shape};
use super::{Budget, Unsound};

/// As deep as prost goes.
const DEEPEST: usize = 100;

/// What is malformed here is malformed for prost, which would not come further: nothing goes by unweighed.
pub(super) fn weigh(shape: &Shape, bytes: &[u8], budget: &mut Budget) -> Result<(), Unsound> {
    message(shape, bytes, budget, 0)
}

fn message(shape: &Shape, mut bytes: &[u8], budget: &mut Budget, depth: usize) -> Result<(), Unsound> {
    if depth > DEEPEST {
        return Err(Unsound::Malformed(format!("it is nested deeper than {DEEPEST} levels")));
    }
    while bytes.has_remaining() {
        let (number, kind) = decode_key(&mut bytes)?;
        let Some(field) = shape.fields.iter().find(|field| field.number == number) else {
            skip_field(kind, number, &mut bytes, DecodeContext::default())?;
            continue;
        };
        if kind != WireType::LengthDelimited {
            budget.spend(field.weight)?;
            skip_field(kind, number, &mut bytes, DecodeContext::default())?;
            continue;
        }
        let inner = delimited(&mut bytes)?;
        match field.of {
            Of::Message(shape) => {
                budget.spend(field.weight)?;
                message(shape, inner, budget, depth + 1)?;
            }
            Of::Fixed => budget.spend(field.weight.saturating_mul(inner.len() / 8))?,
            // Packed, and each takes a byte at least.
            Of::Varints => budget.spend(field.weight.saturating_mul(inner.len()))?,
            Of::Plain | Of::Map(_) | Of::Pairs | Of::Free => budget.spend(field.weight)?,
        }
    }
    Ok(())
}

/// Each of the messages in the list that all of OTLP's data are.
pub(in super::super) fn each_part(
    mut bytes: &[u8],
    mut take: impl FnMut(&[u8]) -> Result<(), Unsound>,
) -> Result<(), Unsound> {
    while bytes.has_remaining() {
        match decode_key(&mut bytes)? {
            (1, WireType::LengthDelimited) => take(delimited(&mut bytes)?)?,
            (number, kind) => {
                skip_field(kind, number, &mut bytes, DecodeContext::default())?;
            }
        }
    }
    Ok(())
}

fn delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Unsound> {
    let length = decode_varint(bytes)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= bytes.len());
    let Some((inner, rest)) = length.map(|length| bytes.split_at(length)) else {
        return Err(Unsound::Malformed("a part of it is longer than the whole".to_owned()));
    };
    *bytes = rest;
    Ok(inner)
}
