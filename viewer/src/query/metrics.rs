use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::Serialize;

use super::{Range, Scanned, micros};
use crate::model::{Attribute, Pairs};
use crate::store::{Course, Data, Distribution, Exemplar, Identity, Instrument, Point, Series, Shape, Store};

#[derive(Debug, Serialize)]
pub(crate) struct Instruments {
    instruments: Vec<Listed>,
}

#[derive(Debug, Serialize)]
struct Listed {
    description: String,
    #[serde(flatten)]
    head: Head,
    services: BTreeSet<String>,
    series: usize,
    points: usize,
    last: u64,
}

/// What tells an instrument from others.
#[derive(Debug, Serialize)]
struct Head {
    name: String,
    unit: String,
    r#type: &'static str,
}

impl Head {
    fn of(identity: &Identity) -> Self {
        let (name, unit) = (identity.name.to_string(), identity.unit.to_string());
        Self { name, unit, r#type: type_name(identity.shape) }
    }
}

fn type_name(shape: Shape) -> &'static str {
    match shape {
        Shape::Gauge => "gauge",
        Shape::Sum => "sum",
        Shape::Histogram => "histogram",
        Shape::ExponentialHistogram => "exponentialHistogram",
        Shape::Summary => "summary",
    }
}

fn temporality(course: Course) -> Option<&'static str> {
    course.is_cumulative.map(|is_cumulative| if is_cumulative { "cumulative" } else { "delta" })
}

fn of_service<'a>(instrument: &'a Instrument, service: Option<&'a str>) -> impl Iterator<Item = &'a Series> {
    let is_it = move |series: &&Series| service.is_none_or(|service| &*series.resource.service == service);
    instrument.series.values().filter(is_it)
}

pub(crate) fn instruments(store: &Store, service: Option<&str>) -> Instruments {
    let listed = |(identity, instrument): (&Identity, &Instrument)| {
        let mut listed = Listed {
            description: instrument.description.to_string(),
            head: Head::of(identity),
            services: BTreeSet::new(),
            series: 0,
            points: 0,
            last: 0,
        };
        for series in of_service(instrument, service) {
            let service = &*series.resource.service;
            if !listed.services.contains(service) {
                listed.services.insert(service.to_owned());
            }
            listed.series += 1;
            listed.points += series.points.len();
            listed.last = listed.last.max(micros(series.last()));
        }
        listed
    };
    let all = store.metrics.instruments.iter().map(listed);
    Instruments { instruments: all.filter(|listed| listed.series > 0).collect() }
}

#[derive(Debug, Serialize)]
pub(crate) struct AllSeries {
    #[serde(flatten)]
    head: Head,
    truncated: bool,
    series: Vec<OneSeries>,
    pub(crate) scanned: Scanned,
}

#[derive(Debug, Default, Serialize)]
struct OneSeries {
    service: String,
    scope: String,
    attributes: Written,
    temporality: Option<&'static str>,
    monotonic: bool,
    times: Vec<u64>,
    values: Option<Vec<f64>>,
    rate: Option<Vec<Option<f64>>>,
    count: Option<Vec<u64>>,
    sum: Option<Vec<f64>>,
    p50: Option<Vec<Option<f64>>>,
    p95: Option<Vec<Option<f64>>>,
    p99: Option<Vec<Option<f64>>>,
    bounds: Option<Vec<f64>>,
    buckets: Option<Vec<u64>>,
    exemplars: Vec<OneExemplar>,
}

#[derive(Debug, Default)]
struct Written(Vec<Attribute>);

impl Serialize for Written {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Pairs(&self.0).serialize(serializer)
    }
}

#[derive(Debug, Serialize)]
struct OneExemplar {
    time: u64,
    value: f64,
    trace: String,
    span: String,
}

impl OneExemplar {
    fn of(exemplar: &Exemplar) -> Self {
        let (trace, span) = (exemplar.trace.to_string(), exemplar.span.to_string());
        Self { time: micros(exemplar.time), value: exemplar.value, trace, span }
    }
}

/// An instrument as it is asked for: by its name, and where others have that name too, by its type and unit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) r#type: Option<&'a str>,
    pub(crate) unit: Option<&'a str>,
    pub(crate) service: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// Of several, that which was measured last.
    fn find(self, store: &'a Store) -> Option<(&'a Identity, Vec<&'a Series>)> {
        let is_it = move |identity: &Identity| {
            self.r#type.is_none_or(|wanted| wanted == type_name(identity.shape))
                && self.unit.is_none_or(|unit| unit == &*identity.unit)
        };
        let found = store.metrics.named(self.name).filter(|(identity, _)| is_it(identity));
        let last = |(_, series): &(&Identity, Vec<&Series>)| series.iter().map(|series| series.last()).max();
        found.map(|(identity, of)| (identity, of_service(of, self.service).collect())).max_by_key(last)
    }
}

/// The points of an instrument, the series with the newest points first.
pub(crate) fn series(store: &Store, wanted: Wanted<'_>, range: Range, limit: usize) -> Option<AllSeries> {
    let (identity, mut all) = wanted.find(store)?;
    all.sort_by(|one, other| rank(one).cmp(&rank(other)));
    let truncated = all.len() > limit;
    all.truncate(limit);
    let scanned = all.iter().map(|series| series.points.len() as Scanned).sum();
    let series = all.into_iter().map(|series| one(identity.shape, series, range)).collect();
    Some(AllSeries { head: Head::of(identity), truncated, series, scanned })
}

fn rank(of: &Series) -> impl Ord + '_ {
    (Reverse(of.last()), &of.attributes, &of.resource, &of.scope, temporality(of.course))
}

fn one(shape: Shape, series: &Series, range: Range) -> OneSeries {
    let mut points: Vec<&Point> = series.points.iter().filter(|point| range.has(point.time)).collect();
    points.sort_by_key(|point| point.time);
    let is_cumulative = series.course.is_cumulative != Some(false);
    let one = OneSeries {
        service: series.resource.service.to_string(),
        scope: series.scope.name.to_string(),
        attributes: Written(series.attributes.to_vec()),
        temporality: temporality(series.course),
        monotonic: series.course.is_monotonic,
        times: points.iter().map(|point| micros(point.time)).collect(),
        exemplars: series.exemplars.iter().map(OneExemplar::of).collect(),
        ..OneSeries::default()
    };
    if !matches!(shape, Shape::Gauge | Shape::Sum) {
        return distributions(one, &points, is_cumulative);
    }
    let numbers: Vec<(u64, f64)> = points.iter().filter_map(|point| number(point)).collect();
    let rate = series.course.is_monotonic.then(|| rates(&numbers, is_cumulative));
    let values = numbers.into_iter().map(|(_, value)| value).collect();
    OneSeries { values: Some(values), rate, ..one }
}

fn number(point: &Point) -> Option<(u64, f64)> {
    match &point.data {
        Data::Number(number) => Some((point.time, *number)),
        Data::Distribution(_) => None,
    }
}

/// Per second since the point before. A sum that went down began anew.
fn rates(numbers: &[(u64, f64)], is_cumulative: bool) -> Vec<Option<f64>> {
    let mut rates = vec![None];
    rates.extend(numbers.windows(2).map(|pair| {
        let [(before, from), (time, to)] = pair else { return None };
        let more = match is_cumulative {
            true if to < from => *to,
            true => to - from,
            false => *to,
        };
        let seconds = time.checked_sub(*before).filter(|nanos| *nanos > 0)? as f64 / 1e9;
        Some(more / seconds)
    }));
    rates.truncate(numbers.len());
    rates
}

fn distributions(one: OneSeries, points: &[&Point], is_cumulative: bool) -> OneSeries {
    let all: Vec<&Distribution> = points
        .iter()
        .filter_map(|point| match &point.data {
            Data::Distribution(distribution) => Some(&**distribution),
            Data::Number(_) => None,
        })
        .collect();
    let parts: Vec<Option<Vec<u64>>> = (0..all.len()).map(|place| part(&all, place, is_cumulative)).collect();
    let quantile = |wanted: f64| {
        let of =
            |(part, of): (&Option<Vec<u64>>, &&Distribution)| quantile(part.as_deref()?, &of.bounds, wanted);
        Some(parts.iter().zip(&all).map(of).collect())
    };
    let last = all.last();
    let deltas = || {
        let mut sum = vec![0; last.map_or(0, |last| last.counts.len())];
        // Those of an exponential histogram move: as many buckets need not be the same.
        for part in all.iter().filter(|part| last.is_some_and(|last| part.bounds == last.bounds)) {
            sum.iter_mut()
                .zip(&*part.counts)
                .for_each(|(sum, count): (&mut u64, &u64)| *sum = sum.saturating_add(*count));
        }
        sum
    };
    OneSeries {
        count: Some(all.iter().map(|of| of.count).collect()),
        sum: Some(all.iter().map(|of| of.sum).collect()),
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
        bounds: last.map(|last| last.bounds.to_vec()),
        buckets: last.map(|last| if is_cumulative { last.counts.to_vec() } else { deltas() }),
        ..one
    }
}

/// What came since the point before.
fn part(all: &[&Distribution], place: usize, is_cumulative: bool) -> Option<Vec<u64>> {
    let this = all[place];
    if !is_cumulative {
        return Some(this.counts.to_vec());
    }
    let before = all[place.checked_sub(1)?];
    if before.bounds != this.bounds || before.count > this.count {
        return None;
    }
    Some(this.counts.iter().zip(&*before.counts).map(|(now, before)| now.saturating_sub(*before)).collect())
}

/// Within its bucket a value is taken to be anywhere with equal chance. The last bucket has no end: its beginning is told.
fn quantile(counts: &[u64], bounds: &[f64], wanted: f64) -> Option<f64> {
    let total: f64 = counts.iter().map(|count| *count as f64).sum();
    if total == 0.0 || bounds.is_empty() {
        return None;
    }
    let rank = (wanted * total).max(1.0);
    let mut seen = 0.0;
    for (place, count) in counts.iter().map(|count| *count as f64).enumerate() {
        if count > 0.0 && seen + count >= rank {
            let Some(to) = bounds.get(place) else { return bounds.last().copied() };
            let from = if place == 0 { to.min(0.0) } else { bounds[place - 1] };
            return Some(from + (to - from) * (rank - seen) / count);
        }
        seen += count;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::model::{Resource, Scope};
    use crate::store::{Header, Limits, Measurement, Sender, measured};

    const SECOND: u64 = 1_000_000_000;
    const SOON: std::time::Duration = std::time::Duration::from_secs(3);

    fn of_instance(instance: &str) -> Arc<Resource> {
        let instance = crate::model::Value::Text(instance.into());
        let instance = Attribute { key: "service.instance.id".into(), value: instance };
        Arc::new(Resource { service: "shop".into(), attributes: [instance].into() })
    }

    fn sum(is_monotonic: bool, is_cumulative: bool) -> Header {
        let course = Course { is_monotonic, is_cumulative: Some(is_cumulative) };
        let gauge = measured::header("n");
        Header { course, identity: Identity { shape: Shape::Sum, ..gauge.identity }, ..gauge }
    }

    fn told(store: &Store, wanted: Wanted<'_>) -> Value {
        serde_json::to_value(series(store, wanted, Range::ALL, 100)).expect("it is plain")
    }

    fn named(name: &str) -> Wanted<'_> {
        Wanted { name, ..Wanted::default() }
    }

    /// Each of them tells of three in two seconds, in its own way, and says nothing of who it is.
    #[test]
    fn each_process_is_read_by_how_it_tells() {
        let ways = [(true, true, [10.0, 13.0]), (true, false, [10.0, 3.0]), (false, true, [10.0, 13.0])];
        for turn in 0..ways.len() {
            let mut store = Store::new(Limits::DEFAULT);
            let mut turned = ways;
            turned.rotate_left(turn);
            for (is_monotonic, is_cumulative, numbers) in turned {
                for (time, number) in [0, 2 * SECOND].into_iter().zip(numbers) {
                    let header = sum(is_monotonic, is_cumulative);
                    assert!(store.measure(&header, measured::measurement(time, number)));
                }
            }
            let told = told(&store, named("n"));
            let mut all: Vec<Value> = told["series"].as_array().expect("they are listed").clone();
            all.sort_by_key(|one| one["monotonic"] == true && one["temporality"] == "cumulative");
            all.sort_by_key(|one| one["monotonic"] == true);
            let all = all
                .iter()
                .map(|one| json!([one["monotonic"], one["temporality"], one["values"], one["rate"]]));
            let expected = [
                json!([false, "cumulative", [10.0, 13.0], null]),
                json!([true, "delta", [10.0, 3.0], [null, 1.5]]),
                json!([true, "cumulative", [10.0, 13.0], [null, 1.5]]),
            ];
            assert_eq!(all.collect::<Vec<_>>(), expected, "{turn}");
        }
    }

    /// What tells of numbers and what tells of distributions has no columns in common.
    #[test]
    fn instruments_of_one_name_are_told_apart_by_type_and_unit() {
        let mut store = Store::new(Limits::DEFAULT);
        let header = |shape, unit: &str| {
            let sum = sum(true, true);
            Header { identity: Identity { shape, unit: unit.into(), ..sum.identity }, ..sum }
        };
        let distribution = || Data::Distribution(Box::default());
        for (time, shape, unit, data) in [
            (3, Shape::Sum, "s", Data::Number(1.0)),
            (2, Shape::Sum, "By", Data::Number(1.0)),
            (1, Shape::Histogram, "s", distribution()),
            (4, Shape::Histogram, "s", distribution()),
            (2, Shape::ExponentialHistogram, "s", distribution()),
        ] {
            let point = Point { time: time * SECOND, data };
            let measurement = Measurement { point, ..measured::measurement(0, 0.0) };
            assert!(store.measure(&header(shape, unit), measurement));
        }
        let listed = serde_json::to_value(instruments(&store, None)).expect("it is plain");
        let listed = listed["instruments"].as_array().expect("they are listed").iter();
        let listed = listed.map(|it| json!([it["name"], it["type"], it["unit"], it["points"]]));
        let expected =
            [("sum", "By", 1), ("sum", "s", 1), ("histogram", "s", 2), ("exponentialHistogram", "s", 1)];
        assert_eq!(
            listed.collect::<Vec<_>>(),
            expected.map(|(kind, unit, points)| json!(["n", kind, unit, points]))
        );
        for (kind, unit, points) in expected {
            let told = told(&store, Wanted { r#type: Some(kind), unit: Some(unit), ..named("n") });
            assert_eq!((&told["type"], &told["unit"]), (&json!(kind), &json!(unit)));
            let columns = if kind == "sum" { ["values", "rate"] } else { ["count", "p95"] };
            for column in columns.into_iter().chain(["times"]) {
                let column = told["series"][0][column].as_array().expect("it is a column");
                assert_eq!(column.len(), points, "{told}");
            }
        }
        // Where it is not said which, it is the one that was measured last.
        let answered = [
            (named("n"), json!(["histogram", "s"])),
            (Wanted { r#type: Some("sum"), ..named("n") }, json!(["sum", "s"])),
            (Wanted { unit: Some("By"), ..named("n") }, json!(["sum", "By"])),
        ];
        for (wanted, expected) in answered {
            let told = told(&store, wanted);
            assert_eq!(json!([told["type"], told["unit"]]), expected);
        }
        assert_eq!(told(&store, Wanted { r#type: Some("gauge"), ..named("n") }), Value::Null);
        assert_eq!(told(&store, named("m")), Value::Null);
    }

    #[test]
    fn series_say_by_which_library_they_were_measured() {
        let mut store = Store::new(Limits::DEFAULT);
        for (scope, number) in [("hyper", 1.0), ("sqlx", 2.0)] {
            let scope = Arc::new(Scope { name: scope.into(), ..Scope::default() });
            let sender = Sender::new(of_instance("1")).with(scope);
            let measurement = Measurement { sender, ..measured::measurement(1, number) };
            assert!(store.measure(&measured::header("n"), measurement));
        }
        let told = told(&store, named("n"));
        let all = told["series"].as_array().expect("they are listed").iter();
        let all = all.map(|one| json!([one["scope"], one["values"]]));
        assert_eq!(all.collect::<Vec<_>>(), [json!(["hyper", [1.0]]), json!(["sqlx", [2.0]])]);
    }

    /// The newest first, and those that are as new in one order, though they are kept in none.
    #[test]
    fn series_that_are_as_new_stand_in_one_order() {
        let mut store = Store::new(Limits::DEFAULT);
        for (instance, time) in
            [(3, 5), (9, 5), (1, 5), (4, 7), (7, 5), (0, 5), (8, 5), (2, 5), (5, 5), (6, 5)]
        {
            let sender = Sender::new(of_instance(&instance.to_string()));
            let measurement = Measurement { sender, ..measured::measurement(time, f64::from(instance)) };
            assert!(store.measure(&measured::header("n"), measurement));
        }
        let told = told(&store, named("n"));
        let all = told["series"].as_array().expect("they are listed").iter();
        let all: Vec<&Value> = all.map(|one| &one["values"][0]).collect();
        assert_eq!(all, [4.0, 0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0, 9.0].map(Value::from).each_ref());
    }

    /// To look for each among all others would hold the store for long.
    #[test]
    fn many_services_are_listed_once_each_and_soon() {
        const SERVICES: usize = 40_000;
        let mut store = Store::new(Limits { bytes: 1 << 30, points: 2 * SERVICES, ..Limits::DEFAULT });
        for service in (0..SERVICES).chain(0..2) {
            let name = format!("{service:08}");
            let attribute = Attribute {
                key: "service.name".into(),
                value: crate::model::Value::Text(name.as_str().into()),
            };
            let resource =
                Arc::new(Resource { service: name.as_str().into(), attributes: [attribute].into() });
            let measurement = Measurement { sender: Sender::new(resource), ..measured::measurement(1, 1.0) };
            assert!(store.measure(&measured::header("n"), measurement));
        }
        let start = std::time::Instant::now();
        let listed = instruments(&store, None).instruments;
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        assert_eq!((listed[0].series, listed[0].services.len()), (SERVICES, SERVICES));
    }

    #[test]
    fn quantiles_lie_within_their_buckets() {
        let bounds = [0.1, 0.25, 0.5];
        assert_eq!(quantile(&[0, 10, 0, 0], &bounds, 0.5), Some(0.175));
        assert_eq!(quantile(&[10, 0, 0, 0], &bounds, 0.5), Some(0.05));
        assert_eq!(quantile(&[0, 0, 0, 1], &bounds, 0.5), Some(0.5));
        assert_eq!(quantile(&[0, 0, 0, 0], &bounds, 0.5), None);
        assert_eq!(quantile(&[], &[], 0.5), None);
    }

    #[test]
    fn a_sum_that_goes_down_began_anew() {
        let numbers = [(0, 5.0), (1_000_000_000, 15.0), (3_000_000_000, 4.0), (3_000_000_000, 4.0)];
        assert_eq!(rates(&numbers, true), [None, Some(10.0), Some(2.0), None]);
        assert_eq!(rates(&numbers, false), [None, Some(15.0), Some(2.0), None]);
        assert_eq!(rates(&[], true), []);
    }

    /// The bounds of exponential histograms move with what is measured.
    #[test]
    fn only_buckets_of_the_same_bounds_are_added() {
        let of = |bound: f64, counts: [u64; 2]| Distribution {
            count: counts.iter().sum(),
            bounds: [bound].into(),
            counts: counts.into(),
            ..Distribution::default()
        };
        let [old, one, other] = [of(0.1, [10, 0]), of(5.0, [1, 2]), of(5.0, [3, 4])];
        let data = [old, one, other].map(|of| Data::Distribution(Box::new(of)));
        let points = data.map(|data| Point { time: 0, data });
        let told = distributions(OneSeries::default(), &points.iter().collect::<Vec<_>>(), false);
        assert_eq!((told.bounds, told.buckets), (Some(vec![5.0]), Some(vec![4, 6])));
    }

    #[test]
    fn a_part_is_what_came_since_the_point_before() {
        let of = |counts: &[u64]| Distribution {
            count: counts.iter().sum(),
            bounds: [0.1].into(),
            counts: counts.into(),
            ..Distribution::default()
        };
        let [one, two, anew] = [of(&[10, 0]), of(&[12, 5]), of(&[1, 1])];
        let all = [&one, &two, &anew];
        let parts = |is_cumulative| [0, 1, 2].map(|place| part(&all, place, is_cumulative));
        assert_eq!(parts(true), [None, Some(vec![2, 5]), None]);
        assert_eq!(parts(false), [Some(vec![10, 0]), Some(vec![12, 5]), Some(vec![1, 1])]);
    }
}
