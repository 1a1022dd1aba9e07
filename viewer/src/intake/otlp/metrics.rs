use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar as SentExemplar, ExponentialHistogramDataPoint, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, SummaryDataPoint, exemplar, metric, number_data_point,
};

use super::super::{Refusal, Report};
use super::common::{attributes, cost, resource, scope};
use crate::model::cut;
use crate::store::{
    Course, Data, Distribution, Draft, Exemplar, Header, Identity, Measurement, Point, Sender, Shape, Store,
};

const TOO_LARGE: Refusal = Refusal("it is larger than a sixteenth of what all metrics may take");
const NO_VALUE: Refusal = Refusal("a point has no value");
const BUCKETS: Refusal = Refusal("a histogram must have one count more than bounds, and at most 4,096");
const MOST_BUCKETS: usize = 4_096;
/// Of an instrument's name, description and unit.
const LONGEST: usize = 1_024;

/// "This value is used to mark an observation as explicitly missing".
const NO_RECORDED_VALUE: u32 = 1;

pub(crate) fn take(store: &mut Store, sent: &[ResourceMetrics]) -> Report {
    let mut report = Report::default();
    for group in sent {
        let mut draft = Draft::new(&mut store.interner);
        let process = resource(&mut draft, group.resource.as_ref()).map(Sender::new);
        let own = draft.cost();
        for group in &group.scope_metrics {
            let mut draft = Draft::new(&mut store.interner);
            let scope = scope(&mut draft, group.scope.as_ref(), &group.schema_url);
            let own = own + draft.cost();
            let sender = process.clone().and_then(|process| Ok(process.with(scope?)));
            for sent in &group.metrics {
                report = report.and(metric(store, sent, &sender, own));
            }
        }
    }
    report
}

/// A point before it is known whose it is.
struct Sent<'a> {
    attributes: &'a [KeyValue],
    exemplars: &'a [SentExemplar],
    time: u64,
    flags: u32,
    data: Result<Data, Refusal>,
}

/// `own` is what of its sender is not shared, on the heap.
fn metric(store: &mut Store, sent: &Metric, sender: &Result<Sender, Refusal>, own: usize) -> Report {
    let mut report = Report::default();
    let Some(data) = &sent.data else { return report };
    let header = header(&mut Draft::new(&mut store.interner), sent, data);
    for sent in points(data) {
        if sent.flags & NO_RECORDED_VALUE != 0 {
            continue;
        }
        let draft = &mut Draft::new(&mut store.interner);
        draft.owns(own);
        let measurement = sender.clone().and_then(|sender| measurement(draft, sent, sender));
        report.note(match measurement {
            Ok(measurement) => store.measure(&header, measurement).then_some(()).ok_or(TOO_LARGE),
            Err(refusal) => {
                store.received.points += 1;
                store.dropped.points += 1;
                Err(refusal)
            }
        });
    }
    report
}

fn header(draft: &mut Draft<'_>, sent: &Metric, data: &metric::Data) -> Header {
    let cumulative = |temporality: i32| Some(temporality == AggregationTemporality::Cumulative as i32);
    let (shape, is_monotonic, is_cumulative) = match data {
        metric::Data::Gauge(_) => (Shape::Gauge, false, None),
        metric::Data::Sum(sum) => (Shape::Sum, sum.is_monotonic, cumulative(sum.aggregation_temporality)),
        metric::Data::Histogram(of) => (Shape::Histogram, false, cumulative(of.aggregation_temporality)),
        metric::Data::ExponentialHistogram(of) => {
            (Shape::ExponentialHistogram, false, cumulative(of.aggregation_temporality))
        }
        metric::Data::Summary(_) => (Shape::Summary, false, Some(true)),
    };
    let [name, description, unit] =
        [&sent.name, &sent.description, &sent.unit].map(|text| draft.text(cut(text, LONGEST)));
    Header {
        identity: Identity { name, shape, unit },
        description,
        course: Course { is_monotonic, is_cumulative },
    }
}

fn points(data: &metric::Data) -> Vec<Sent<'_>> {
    match data {
        metric::Data::Gauge(gauge) => gauge.data_points.iter().map(number).collect(),
        metric::Data::Sum(sum) => sum.data_points.iter().map(number).collect(),
        metric::Data::Histogram(of) => of.data_points.iter().map(histogram).collect(),
        metric::Data::ExponentialHistogram(of) => of.data_points.iter().map(exponential).collect(),
        metric::Data::Summary(of) => of.data_points.iter().map(summary).collect(),
    }
}

fn measurement(draft: &mut Draft<'_>, sent: Sent<'_>, sender: Sender) -> Result<Measurement, Refusal> {
    let attributes = attributes(draft, sent.attributes)?;
    let point = Point { time: sent.time, data: sent.data? };
    let exemplars = sent.exemplars.iter().filter_map(exemplar).collect();
    Ok(Measurement { sender, attributes, point, exemplars, cost: cost(draft)? as usize })
}

fn number(sent: &NumberDataPoint) -> Sent<'_> {
    let data = match sent.value {
        Some(number_data_point::Value::AsDouble(double)) => Ok(Data::Number(double)),
        Some(number_data_point::Value::AsInt(int)) => Ok(Data::Number(int as f64)),
        None => Err(NO_VALUE),
    };
    let (time, flags) = (sent.time_unix_nano, sent.flags);
    Sent { attributes: &sent.attributes, exemplars: &sent.exemplars, time, flags, data }
}

fn histogram(sent: &HistogramDataPoint) -> Sent<'_> {
    let (bounds, counts) = (&sent.explicit_bounds, &sent.bucket_counts);
    // Without any buckets it has a count and a sum.
    let fits = counts.is_empty() && bounds.is_empty() || counts.len() == bounds.len() + 1;
    let data = Distribution {
        count: sent.count,
        sum: sent.sum.unwrap_or(0.0),
        bounds: bounds.as_slice().into(),
        counts: counts.as_slice().into(),
    };
    let is_sound = fits && counts.len() <= MOST_BUCKETS;
    let data = if is_sound { Ok(Data::Distribution(Box::new(data))) } else { Err(BUCKETS) };
    let (time, flags) = (sent.time_unix_nano, sent.flags);
    Sent { attributes: &sent.attributes, exemplars: &sent.exemplars, time, flags, data }
}

/// Written with explicit bounds, from below zero to above.
fn exponential(sent: &ExponentialHistogramDataPoint) -> Sent<'_> {
    let empty = Buckets::default();
    let (negative, positive) =
        (sent.negative.as_ref().unwrap_or(&empty), sent.positive.as_ref().unwrap_or(&empty));
    let is_sound = negative.bucket_counts.len() + positive.bucket_counts.len() <= MOST_BUCKETS;
    let data = if is_sound { Ok(explicit(sent, negative, positive)) } else { Err(BUCKETS) };
    let (time, flags) = (sent.time_unix_nano, sent.flags);
    Sent { attributes: &sent.attributes, exemplars: &sent.exemplars, time, flags, data }
}

/// "The i-th bucket of the positive range has the boundary base^(offset + i) below and base^(offset + i + 1) above, base being
/// 2^(2^-scale)."
fn explicit(sent: &ExponentialHistogramDataPoint, negative: &Buckets, positive: &Buckets) -> Data {
    let boundary = |buckets: &Buckets, place: usize| {
        let index = f64::from(buckets.offset) + place as f64;
        (index * 2f64.powi(sent.scale.saturating_neg())).exp2()
    };
    let (mut bounds, mut counts) = (Vec::new(), Vec::new());
    for (place, count) in negative.bucket_counts.iter().enumerate().rev() {
        counts.push(*count);
        bounds.push(-boundary(negative, place));
    }
    counts.push(sent.zero_count);
    for (place, count) in positive.bucket_counts.iter().enumerate() {
        bounds.push(boundary(positive, place));
        counts.push(*count);
    }
    if !positive.bucket_counts.is_empty() {
        bounds.push(boundary(positive, positive.bucket_counts.len()));
        counts.push(0);
    }
    let (count, sum) = (sent.count, sent.sum.unwrap_or(0.0));
    Data::Distribution(Box::new(Distribution { count, sum, bounds: bounds.into(), counts: counts.into() }))
}

/// Its quantiles are of the process' whole life and say nothing about now: count and sum are what is used.
fn summary(sent: &SummaryDataPoint) -> Sent<'_> {
    let data = Distribution { count: sent.count, sum: sent.sum, ..Distribution::default() };
    let data = Ok(Data::Distribution(Box::new(data)));
    Sent { attributes: &sent.attributes, exemplars: &[], time: sent.time_unix_nano, flags: sent.flags, data }
}

/// Those that lead to a trace.
fn exemplar(sent: &SentExemplar) -> Option<Exemplar> {
    let trace = TraceId::from_bytes((&*sent.trace_id).try_into().ok()?);
    let span = SpanId::from_bytes((&*sent.span_id).try_into().ok()?);
    let value = match sent.value? {
        exemplar::Value::AsDouble(double) => double,
        exemplar::Value::AsInt(int) => int as f64,
    };
    (trace != TraceId::INVALID).then_some(Exemplar { time: sent.time_unix_nano, value, trace, span })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
    use opentelemetry_proto::tonic::metrics::v1::{Gauge, ScopeMetrics};
    use opentelemetry_proto::tonic::resource::v1::Resource;

    use super::*;
    use crate::store::Limits;

    /// What takes minutes if each point looks at all that its process says.
    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn a_long_resource_is_looked_at_once() {
        let pair = |n: usize| KeyValue {
            key: format!("{n}"),
            value: Some(AnyValue { value: Some(any_value::Value::StringValue("x".repeat(256))) }),
            ..KeyValue::default()
        };
        let resource = Some(Resource { attributes: (0..1_200).map(pair).collect(), ..Resource::default() });
        let point = |time| NumberDataPoint {
            time_unix_nano: time,
            value: Some(number_data_point::Value::AsInt(1)),
            ..NumberDataPoint::default()
        };
        let gauge = |points| metric::Data::Gauge(Gauge { data_points: (1..=points).map(point).collect() });
        let metrics = [10_000, 1].map(|points| Metric { data: Some(gauge(points)), ..Metric::default() });
        let [many, one] =
            metrics.map(|metric| ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() });
        let scope_metrics = std::iter::once(many).chain(vec![one; 5_000]).collect();
        let mut store = Store::new(Limits::DEFAULT);
        let start = Instant::now();
        let report =
            take(&mut store, &[ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }]);
        assert_eq!((report.accepted, report.rejected, store.metrics.series()), (15_000, 0, 1));
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    }
}
