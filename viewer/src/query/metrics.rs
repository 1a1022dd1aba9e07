use serde::Serialize;

use super::{Range, Scanned, micros};
use crate::model::{Attribute, Pairs};
use crate::store::{Data, Distribution, Exemplar, Header, Instrument, Point, Series, Shape, Store};

#[derive(Debug, Serialize)]
pub(crate) struct Instruments {
    instruments: Vec<Listed>,
}

#[derive(Debug, Serialize)]
struct Listed {
    description: String,
    #[serde(flatten)]
    head: Head,
    services: Vec<String>,
    series: usize,
    points: usize,
    last: u64,
}

#[derive(Debug, Serialize)]
struct Head {
    name: String,
    unit: String,
    r#type: &'static str,
    temporality: Option<&'static str>,
    monotonic: bool,
}

impl Head {
    fn of(header: &Header) -> Self {
        Self {
            name: header.name.to_string(),
            unit: header.unit.to_string(),
            r#type: match header.shape {
                Shape::Gauge => "gauge",
                Shape::Sum => "sum",
                Shape::Histogram => "histogram",
                Shape::ExponentialHistogram => "exponentialHistogram",
                Shape::Summary => "summary",
            },
            temporality: header
                .is_cumulative
                .map(|is_cumulative| if is_cumulative { "cumulative" } else { "delta" }),
            monotonic: header.is_monotonic,
        }
    }
}

fn of_service<'a>(instrument: &'a Instrument, service: Option<&'a str>) -> impl Iterator<Item = &'a Series> {
    let is_it = move |series: &&Series| service.is_none_or(|service| &*series.resource.service == service);
    instrument.series.values().filter(is_it)
}

pub(crate) fn instruments(store: &Store, service: Option<&str>) -> Instruments {
    let listed = |instrument: &Instrument| {
        let mut listed = Listed {
            description: instrument.header.description.to_string(),
            head: Head::of(&instrument.header),
            services: Vec::new(),
            series: 0,
            points: 0,
            last: 0,
        };
        for series in of_service(instrument, service) {
            let name = series.resource.service.to_string();
            if !listed.services.contains(&name) {
                listed.services.push(name);
            }
            listed.series += 1;
            listed.points += series.points.len();
            listed.last = listed.last.max(micros(series.last()));
        }
        listed.services.sort();
        listed
    };
    let all = store.metrics.instruments.values().map(listed);
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
    attributes: Written,
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

/// The points of an instrument, the series with the newest points first.
pub(crate) fn series(
    store: &Store,
    name: &str,
    service: Option<&str>,
    range: Range,
    limit: usize,
) -> Option<AllSeries> {
    let instrument = store.metrics.instruments.get(name)?;
    let mut all: Vec<&Series> = of_service(instrument, service).collect();
    let named = |series: &Series| format!("{:?} {:?}", series.attributes, series.resource);
    all.sort_by_cached_key(|series| (std::cmp::Reverse(series.last()), named(series)));
    let truncated = all.len() > limit;
    all.truncate(limit);
    let scanned = all.iter().map(|series| series.points.len() as Scanned).sum();
    let series = all.into_iter().map(|series| one(&instrument.header, series, range)).collect();
    Some(AllSeries { head: Head::of(&instrument.header), truncated, series, scanned })
}

fn one(header: &Header, series: &Series, range: Range) -> OneSeries {
    let mut points: Vec<&Point> = series.points.iter().filter(|point| range.has(point.time)).collect();
    points.sort_by_key(|point| point.time);
    let is_cumulative = header.is_cumulative != Some(false);
    let one = OneSeries {
        service: series.resource.service.to_string(),
        attributes: Written(series.attributes.to_vec()),
        times: points.iter().map(|point| micros(point.time)).collect(),
        exemplars: series.exemplars.iter().map(OneExemplar::of).collect(),
        ..OneSeries::default()
    };
    let numbers: Option<Vec<(u64, f64)>> = points.iter().map(|point| number(point)).collect();
    match numbers.filter(|_| matches!(header.shape, Shape::Gauge | Shape::Sum)) {
        Some(numbers) => {
            let rate = header.is_monotonic.then(|| rates(&numbers, is_cumulative));
            let values = numbers.into_iter().map(|(_, value)| value).collect();
            OneSeries { values: Some(values), rate, ..one }
        }
        None => distributions(one, &points, is_cumulative),
    }
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
    use super::*;

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
