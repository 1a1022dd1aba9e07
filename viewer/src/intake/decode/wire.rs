use bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::shapes::{Field, LISTS, Of, Shape};
use super::{Budget, Unsound};

/// As deep as prost goes.
const DEEPEST: usize = 100;

/// What is malformed here is malformed for prost, which would not come further: nothing goes by unweighed.
pub(super) fn weigh(shape: &'static Shape, bytes: &[u8], budget: &mut Budget) -> Result<(), Unsound> {
    message(At { shape, depth: 0, place: 0, is_again: false }, bytes, &mut [0; LISTS], budget)
}

#[derive(Clone, Copy)]
struct At {
    shape: &'static Shape,
    depth: usize,
    /// Of its lists, among those of the message in a list that it is part of.
    place: usize,
    /// It was there before, and what comes now is merged into it.
    is_again: bool,
}

/// What is there once is part of what it is in: its lists go on when it comes again.
fn message(at: At, mut bytes: &[u8], lists: &mut [usize; LISTS], budget: &mut Budget) -> Result<(), Unsound> {
    if at.depth > DEEPEST {
        return Err(Unsound::Malformed(format!("it is nested deeper than {DEEPEST} levels")));
    }
    let mut seen = 0_u64;
    while bytes.has_remaining() {
        let (number, kind) = decode_key(&mut bytes)?;
        let bit = 1 << (number % 64);
        let is_again = at.is_again || seen & bit != 0;
        seen |= bit;
        let found = at.shape.find(number);
        if kind != WireType::LengthDelimited {
            skip_field(kind, number, &mut bytes, DecodeContext::default())?;
            if let Some((field, place)) = found.filter(|(field, _)| field.is_list()) {
                push(field, 1, &mut lists[at.place + place], budget)?;
            }
            continue;
        }
        let inner = delimited(&mut bytes)?;
        match found {
            Some((field, place)) => {
                let at = At { depth: at.depth + 1, place: at.place + place, is_again, ..at };
                part(field, at, inner, lists, budget)?;
            }
            None => budget.spend(text(inner.len(), is_again))?,
        }
    }
    Ok(())
}

fn part(
    field: &'static Field,
    at: At,
    bytes: &[u8],
    lists: &mut [usize; LISTS],
    budget: &mut Budget,
) -> Result<(), Unsound> {
    let count = match field.of {
        Of::Message(shape) if !field.is_list() => return message(At { shape, ..at }, bytes, lists, budget),
        Of::Message(shape) => {
            message(At { shape, place: 0, is_again: false, ..at }, bytes, &mut [0; LISTS], budget)?;
            1
        }
        Of::Fixed => bytes.len() / 8,
        // Each ends with the only byte of it that is so small.
        Of::Varints => bytes.iter().filter(|byte| **byte < 0x80).count(),
        Of::Texts => {
            budget.spend(text(bytes.len(), false))?;
            1
        }
        Of::Map(_) | Of::Pairs | Of::Free => return Ok(()),
    };
    push(field, count, &mut lists[at.place], budget)
}

fn push(field: &Field, count: usize, list: &mut usize, budget: &mut Budget) -> Result<(), Unsound> {
    for _ in 0..count {
        budget.grow(field.size, *list)?;
        *list += 1;
    }
    Ok(())
}

/// It has room for eight bytes at least, and if there was one before, for less than twice what it needs.
fn text(length: usize, is_again: bool) -> usize {
    match length {
        0 => 0,
        _ if is_again => 8 + 2 * length,
        _ => length.max(8),
    }
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
