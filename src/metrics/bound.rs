//! Instruments that are bound to the attributes of a series, which saves looking the series up.
//!
//! OpenTelemetry calls them experimental: this is the only module that knows of them.

use std::sync::OnceLock;

use opentelemetry::metrics::{BoundHistogram, BoundUpDownCounter};
use opentelemetry::{KeyValue, Value};

use super::{BodySizes, Instruments};
use crate::semconv::intern;

/// How many series are bound at most, of each kind. Whatever else is measured is recorded plainly.
const PLACES: usize = 256;
/// How many places a series may take.
const CHOICES: usize = 4;

#[derive(Default)]
pub(super) struct Bound {
    requests: Series<Request>,
    active: Series<BoundUpDownCounter<i64>>,
}

struct Request {
    duration: BoundHistogram<f64>,
    request_size: OnceLock<BoundHistogram<u64>>,
    response_size: OnceLock<BoundHistogram<u64>>,
}

impl Bound {
    /// Says whether it could be recorded here.
    pub(super) fn add(&self, plain: &Instruments, change: i64, attributes: &[KeyValue]) -> bool {
        let bound = self.active.get_or_bind(attributes, || plain.active.bind(attributes));
        bound.map(|active| active.add(change)).is_some()
    }

    /// Says whether it could be recorded here.
    pub(super) fn record(
        &self,
        plain: &Instruments,
        seconds: f64,
        sizes: BodySizes,
        attributes: &[KeyValue],
    ) -> bool {
        let bind = || Request {
            duration: plain.duration.bind(attributes),
            request_size: OnceLock::new(),
            response_size: OnceLock::new(),
        };
        let Some(bound) = self.requests.get_or_bind(attributes, bind) else { return false };
        bound.duration.record(seconds);
        if let Some(size) = sizes.request {
            bound.request_size.get_or_init(|| plain.request_size.bind(attributes)).record(size);
        }
        if let Some(size) = sizes.response {
            bound.response_size.get_or_init(|| plain.response_size.bind(attributes)).record(size);
        }
        true
    }
}

/// A table of fixed size that is read without a lock. Who comes first stays.
struct Series<T>(Box<[OnceLock<Place<T>>]>);

struct Place<T> {
    attributes: Box<[KeyValue]>,
    bound: T,
}

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self((0..PLACES).map(|_| OnceLock::new()).collect())
    }
}

impl<T> Series<T> {
    fn get_or_bind(&self, attributes: &[KeyValue], bind: impl FnOnce() -> T) -> Option<&T> {
        let first = hash(attributes) as usize;
        let mut bind = Some(bind);
        (first..first + CHOICES).find_map(|choice| {
            let place = &self.0[choice % PLACES];
            let place = place.get_or_init(|| {
                let bind = bind.take().expect("a place that was just taken is the last that is looked at");
                Place { attributes: attributes.into(), bound: bind() }
            });
            (*place.attributes == *attributes).then_some(&place.bound)
        })
    }
}

/// Keys are always the same ones in the same order, so that the values tell enough.
fn hash(attributes: &[KeyValue]) -> u64 {
    let hash = attributes.iter().fold(intern::FIRST, |hash, attribute| match &attribute.value {
        Value::String(text) => intern::hash(hash, text.as_str()),
        Value::I64(number) => intern::mix(hash, number.cast_unsigned()),
        _ => intern::mix(hash, 1),
    });
    hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_keeps_its_place_and_there_are_only_so_many() {
        let series = Series::<usize>::default();
        let attributes =
            |number: usize| [KeyValue::new("route", format!("/{number}")), KeyValue::new("status", 200)];
        let bound: Vec<usize> = (0..10 * PLACES)
            .filter(|number| series.get_or_bind(&attributes(*number), || *number) == Some(number))
            .collect();
        assert!((PLACES / 2..=PLACES).contains(&bound.len()), "{}", bound.len());
        for number in 0..10 * PLACES {
            let again = series.get_or_bind(&attributes(number), || unreachable!("all places are taken"));
            assert_eq!(again.copied(), bound.contains(&number).then_some(number));
        }
    }
}
