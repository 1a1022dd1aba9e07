//! Instruments that are bound to the attributes of a series, which saves looking the series up.
//!
//! OpenTelemetry calls them experimental: this is the only module that knows of them.

use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, BoundUpDownCounter};

use super::labels::KeptEnd;
use super::{BodySizes, EndLabels, Instruments, Labels};

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

/// Where the bound gauge of a call is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(usize);

impl Bound {
    /// Nothing if it could not be counted here.
    pub(super) fn begin(&self, plain: &Instruments, labels: &Labels) -> Option<Place> {
        let key = (labels, &EndLabels::default());
        let (place, active) = self.active.get_or_bind(key, |attributes| plain.active.bind(attributes))?;
        active.add(1);
        Some(place)
    }

    pub(super) fn finish(&self, place: Place) {
        if let Some(active) = self.active.0[place.0].get() {
            active.bound.add(-1);
        }
    }

    /// Says whether it could be recorded here.
    pub(super) fn record(&self, plain: &Instruments, seconds: f64, sizes: BodySizes, key: Key<'_>) -> bool {
        let bind = |attributes: &[KeyValue]| Request {
            duration: plain.duration.bind(attributes),
            request_size: OnceLock::new(),
            response_size: OnceLock::new(),
        };
        let Some((_, bound)) = self.requests.get_or_bind(key, bind) else { return false };
        bound.duration.record(seconds);
        if let Some(size) = sizes.request {
            bind_once(&bound.request_size, key, |list| plain.request_size.bind(list)).record(size);
        }
        if let Some(size) = sizes.response {
            bind_once(&bound.response_size, key, |list| plain.response_size.bind(list)).record(size);
        }
        true
    }
}

fn bind_once<'b, T>(place: &'b OnceLock<T>, key: Key<'_>, bind: impl FnOnce(&[KeyValue]) -> T) -> &'b T {
    place.get_or_init(|| bind(&written(key)))
}

/// What tells a series apart.
type Key<'k> = (&'k Labels, &'k EndLabels<'k>);

fn written((labels, end): Key<'_>) -> Vec<KeyValue> {
    let mut attributes = Vec::new();
    labels.write(&mut attributes);
    end.write(&mut attributes);
    attributes
}

/// A table of fixed size that is read without a lock. Who comes first stays.
///
/// It compares labels: to write them as attributes each time, and to compare those, takes a request
/// 4,600 instructions more.
struct Series<T>(Box<[OnceLock<Entry<T>>]>);

struct Entry<T> {
    labels: Labels,
    end: KeptEnd,
    bound: T,
}

impl<T> Entry<T> {
    fn is(&self, (labels, end): Key<'_>) -> bool {
        self.labels.same(labels) && self.end.is(end)
    }
}

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self((0..PLACES).map(|_| OnceLock::new()).collect())
    }
}

impl<T> Series<T> {
    fn get_or_bind(&self, key: Key<'_>, bind: impl FnOnce(&[KeyValue]) -> T) -> Option<(Place, &T)> {
        let (labels, end) = key;
        let first = place(end.hash(labels.hash()));
        match self.0[first].get() {
            Some(entry) if entry.is(key) => Some((Place(first), &entry.bound)),
            _ => self.search(first, key, bind),
        }
    }

    #[cold]
    fn search(&self, first: usize, key: Key<'_>, bind: impl FnOnce(&[KeyValue]) -> T) -> Option<(Place, &T)> {
        let (labels, end) = key;
        let mut bind = Some(bind);
        (first..first + CHOICES).find_map(|choice| {
            let place = choice % PLACES;
            let entry = self.0[place].get_or_init(|| {
                let bind = bind.take().expect("a place that was just taken is the last that is looked at");
                Entry { labels: labels.clone(), end: KeptEnd::new(end), bound: bind(&written(key)) }
            });
            entry.is(key).then_some((Place(place), &entry.bound))
        })
    }
}

/// The upper bits are the well-mixed ones.
fn place(hash: u64) -> usize {
    (hash >> (64 - PLACES.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeSet;

    use http::{Method, StatusCode, Version};

    use super::*;
    use crate::semconv::intern::Text;
    use crate::semconv::method::KnownMethods;
    use crate::semconv::url::Scheme;

    #[test]
    fn a_series_keeps_its_place_and_there_are_only_so_many() {
        let series = Series::<usize>::default();
        let routes: Vec<_> = (0..10 * PLACES).map(|route| Text::new(format!("/{route}"))).collect();
        let labels = Labels::default();
        let get = |route: usize, bind: fn(&[KeyValue]) -> usize| {
            let end = EndLabels { route: Some(&routes[route]), ..EndLabels::default() };
            series.get_or_bind((&labels, &end), bind).map(|(place, _)| place.0)
        };
        let places: Vec<_> = (0..10 * PLACES).map(|route| get(route, |_| 0)).collect();
        let taken: BTreeSet<_> = places.iter().flatten().collect();
        assert_eq!(taken.len(), places.iter().flatten().count(), "each has a place of its own");
        assert!((PLACES / 2..=PLACES).contains(&taken.len()), "{}", taken.len());
        for (route, place) in places.iter().enumerate() {
            assert_eq!(get(route, |_| unreachable!("all places are taken")), *place);
        }
    }

    #[test]
    fn whatever_differs_makes_another_series() {
        let known = KnownMethods::new(["GET", "POST"]);
        let start = |labels: Labels| (labels, EndLabels::default());
        let (text, error) = (Text::new("a"), Cow::Borrowed("500"));
        let further = [KeyValue::new("a", 1)];
        let end = |end| (Labels::default(), end);
        let all = [
            start(Labels::default()),
            start(Labels { method: known.label(&Method::GET), ..Labels::default() }),
            start(Labels { method: known.label(&Method::POST), ..Labels::default() }),
            start(Labels { scheme: Some(Scheme::Http), ..Labels::default() }),
            start(Labels { scheme: Some(Scheme::Https), ..Labels::default() }),
            start(Labels { address: Some(text.clone()), ..Labels::default() }),
            start(Labels { template: Some(text.clone()), ..Labels::default() }),
            start(Labels { port: Some(80), ..Labels::default() }),
            end(EndLabels { status: Some(StatusCode::OK), ..EndLabels::default() }),
            end(EndLabels { error: Some(&error), ..EndLabels::default() }),
            end(EndLabels { route: Some(&text), ..EndLabels::default() }),
            end(EndLabels { version: Some(Version::HTTP_2), ..EndLabels::default() }),
            end(EndLabels { further: &further, ..EndLabels::default() }),
        ];
        let series = Series::<usize>::default();
        for _ in 0..2 {
            for (number, (labels, end)) in all.iter().enumerate() {
                let found = series.get_or_bind((labels, end), |_| number);
                assert!(found.is_none_or(|(_, bound)| *bound == number), "{labels:?} {end:?}");
            }
        }
    }
}
