//! Instruments that are bound to the attributes of a series, which saves looking the series up.
//!
//! OpenTelemetry calls them experimental: this is the only module that knows of them.

use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, BoundUpDownCounter};

use super::labels::KeptEnd;
use super::{BodySizes, EndLabels, Instruments, Labels};

/// How many series are bound at most, of each kind: about as many as the SDK tells apart by default, in 32 KiB. Whatever else is
/// measured is recorded plainly.
const PLACES: usize = 2_048;
/// How many places a series may take.
const CHOICES: usize = 8;

#[derive(Default)]
pub(super) struct Bound {
    requests: Series<(Labels, KeptEnd), Request>,
    active: Series<Labels, BoundUpDownCounter<i64>>,
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
        let bind = || (labels.clone(), plain.active.bind(&written(labels, &EndLabels::default())));
        let (place, active) = self.active.get_or_bind(labels.hash(), |known| known.same(labels), bind)?;
        active.add(1);
        Some(place)
    }

    pub(super) fn finish(&self, place: Place) {
        if let Some(series) = self.active.0[place.0].get() {
            series.1.add(-1);
        }
    }

    /// Says whether it could be recorded here.
    pub(super) fn record(
        &self,
        plain: &Instruments,
        seconds: f64,
        sizes: BodySizes,
        labels: &Labels,
        end: &EndLabels<'_>,
    ) -> bool {
        let bind = || {
            let duration = plain.duration.bind(&written(labels, end));
            let (request_size, response_size) = (OnceLock::new(), OnceLock::new());
            ((labels.clone(), KeptEnd::new(end)), Request { duration, request_size, response_size })
        };
        let is = |(known, kept): &(Labels, KeptEnd)| kept.is(end) && known.same(labels);
        let Some((_, bound)) = self.requests.get_or_bind(end.hash(labels.hash()), is, bind) else {
            return false;
        };
        bound.duration.record(seconds);
        if let Some(size) = sizes.request {
            let bind = || plain.request_size.bind(&written(labels, end));
            bound.request_size.get_or_init(bind).record(size);
        }
        if let Some(size) = sizes.response {
            let bind = || plain.response_size.bind(&written(labels, end));
            bound.response_size.get_or_init(bind).record(size);
        }
        true
    }
}

fn written(labels: &Labels, end: &EndLabels<'_>) -> Vec<KeyValue> {
    let mut attributes = Vec::new();
    labels.write(&mut attributes);
    end.write(&mut attributes);
    attributes
}

/// A table of fixed size that is read without a lock. Who comes first stays.
///
/// It compares labels: to write them as attributes each time, and to compare those, takes a request
/// 4,600 instructions more.
struct Series<K, T>(Box<[Entry<K, T>]>);

/// A place costs little until it is taken.
type Entry<K, T> = OnceLock<Box<(K, T)>>;

impl<K, T> Default for Series<K, T> {
    fn default() -> Self {
        Self((0..PLACES).map(|_| OnceLock::new()).collect())
    }
}

impl<K, T> Series<K, T> {
    fn get_or_bind(
        &self,
        hash: u64,
        is: impl Fn(&K) -> bool,
        bind: impl FnOnce() -> (K, T),
    ) -> Option<(Place, &T)> {
        let first = place(hash);
        match self.0[first].get() {
            Some(series) if is(&series.0) => Some((Place(first), &series.1)),
            _ => self.search(first, is, bind),
        }
    }

    #[cold]
    fn search(
        &self,
        first: usize,
        is: impl Fn(&K) -> bool,
        bind: impl FnOnce() -> (K, T),
    ) -> Option<(Place, &T)> {
        let mut bind = Some(bind);
        for place in (first..first + CHOICES).map(|choice| choice % PLACES) {
            let bound =
                self.0[place].get_or_init(|| Box::new(bind.take().expect("only one place is taken")()));
            // What was just made is the one, even of a number that is not equal to itself.
            if bind.is_none() || is(&bound.0) {
                return Some((Place(place), &bound.1));
            }
        }
        None
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
        let series = Series::<KeptEnd, ()>::default();
        let routes: Vec<_> = (0..10 * PLACES).map(|route| Text::new(format!("/{route}"))).collect();
        let get = |route: usize, may_bind: bool| {
            let end = EndLabels { route: Some(&routes[route]), ..EndLabels::default() };
            let bind = || {
                assert!(may_bind, "all places are taken");
                (KeptEnd::new(&end), ())
            };
            series.get_or_bind(end.hash(0), |kept| kept.is(&end), bind).map(|(place, ())| place.0)
        };
        let places: Vec<_> = (0..10 * PLACES).map(|route| get(route, true)).collect();
        let taken: BTreeSet<_> = places.iter().flatten().collect();
        assert_eq!(taken.len(), places.iter().flatten().count(), "each has a place of its own");
        assert!((PLACES / 2..=PLACES).contains(&taken.len()), "{}", taken.len());
        for (route, place) in places.iter().enumerate() {
            assert_eq!(get(route, false), *place);
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
        let series = Series::<(Labels, KeptEnd), usize>::default();
        for _ in 0..2 {
            for (number, (labels, end)) in all.iter().enumerate() {
                let is = |(known, kept): &(Labels, KeptEnd)| kept.is(end) && known.same(labels);
                let bind = || ((labels.clone(), KeptEnd::new(end)), number);
                let found = series.get_or_bind(end.hash(labels.hash()), is, bind);
                assert!(found.is_none_or(|(_, bound)| *bound == number), "{labels:?} {end:?}");
            }
        }
    }
}
