//! What things take on the heap, as an allocator that counts sees it.

use crate::model::{Attribute, More, Resource, Scope, Value};

/// The two counts of an `Arc`.
const COUNTS: usize = 2 * size_of::<usize>();

pub(crate) fn text(text: &str) -> usize {
    (COUNTS + text.len()).next_multiple_of(align_of::<usize>())
}

/// What a hash table of this capacity takes: a power of two of places, seven eighths of them filled, and a byte for each.
pub(crate) fn table<T>(capacity: usize) -> usize {
    let places = match capacity {
        0 => return 0,
        1..=3 => 4,
        4..=7 => 8,
        _ => (capacity * 8 / 7).next_power_of_two(),
    };
    places * (size_of::<T>() + 1) + 16
}

pub(crate) fn vec<T>(capacity: usize) -> usize {
    capacity * size_of::<T>()
}

/// The slice itself. An empty one has its counts too.
pub(crate) fn shared<T>(len: usize) -> usize {
    COUNTS + len * size_of::<T>()
}

/// What attributes take, were none of their texts shared. Resources and scopes are counted so, to be on the safe side.
fn attributes(attributes: &[Attribute]) -> usize {
    let each = attributes.iter().map(|attribute| text(&attribute.key) + value(&attribute.value));
    shared::<Attribute>(attributes.len()) + each.sum::<usize>()
}

fn value(of: &Value) -> usize {
    match of {
        Value::Text(of) => text(of),
        Value::Bytes(bytes) => shared::<u8>(bytes.len()),
        Value::Array(values) => shared::<Value>(values.len()) + values.iter().map(value).sum::<usize>(),
        Value::Map(of) => attributes(of),
        Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) => 0,
    }
}

pub(crate) fn resource(resource: &Resource) -> usize {
    COUNTS + size_of::<Resource>() + text(&resource.service) + attributes(&resource.attributes)
}

pub(crate) fn scope(scope: &Scope) -> usize {
    let texts = text(&scope.name) + text(&scope.version) + text(&scope.schema_url);
    COUNTS + size_of::<Scope>() + texts + attributes(&scope.attributes)
}

pub(crate) const MORE: usize = COUNTS + size_of::<More>();
