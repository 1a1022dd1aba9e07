//! The metrics as they are now: a line for each series.

use std::fmt::{Display, Write as _};
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, Metric, MetricData, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;

use super::json::line;
use super::print;
use super::time::rfc3339;
use super::tree::cleaned;

#[derive(Debug)]
pub(crate) struct ConsoleMetrics {
    pub(super) json: bool,
}

impl PushMetricExporter for ConsoleMetrics {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let write = if self.json { json } else { text };
        let now = rfc3339(SystemTime::now());
        let metrics = metrics.scope_metrics().flat_map(ScopeMetrics::metrics);
        let lines: String = metrics.map(|metric| write(metric, &now)).collect();
        print(&lines);
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// A series, and its figures by their names.
struct Series {
    attributes: Vec<KeyValue>,
    figures: Vec<(&'static str, String)>,
}

fn text(metric: &Metric, _now: &str) -> String {
    let mut text = String::new();
    for Series { attributes, figures } in series(metric) {
        let figures: Vec<_> = figures.iter().map(|(name, figure)| format!("{name} {figure}")).collect();
        let unit = if metric.unit().is_empty() { String::new() } else { format!(" ({})", metric.unit()) };
        _ = write!(text, "{}{unit}: {}", metric.name(), figures.join(", "));
        for attribute in attributes {
            _ = write!(text, "  {}={}", attribute.key, cleaned(&attribute.value.to_string()));
        }
        text.push('\n');
    }
    text
}

fn json(metric: &Metric, now: &str) -> String {
    let write = |Series { attributes, figures }| {
        line(|object| {
            object.string("time", now);
            object.string("metric", metric.name());
            object.string("unit", metric.unit());
            figures.into_iter().for_each(|(name, figure)| object.number(name, figure));
            object.attributes("attributes", &attributes);
        })
    };
    series(metric).into_iter().map(write).collect()
}

fn series(metric: &Metric) -> Vec<Series> {
    match metric.data() {
        AggregatedMetrics::F64(data) => series_of(data),
        AggregatedMetrics::U64(data) => series_of(data),
        AggregatedMetrics::I64(data) => series_of(data),
    }
}

fn series_of<T: Copy + Display>(data: &MetricData<T>) -> Vec<Series> {
    let series = |attributes: &mut dyn Iterator<Item = &KeyValue>, figures| Series {
        attributes: attributes.cloned().collect(),
        figures,
    };
    match data {
        MetricData::Gauge(gauge) => gauge
            .data_points()
            .map(|point| series(&mut point.attributes(), vec![("value", figure(point.value()))]))
            .collect(),
        MetricData::Sum(sum) => sum
            .data_points()
            .map(|point| series(&mut point.attributes(), vec![("value", figure(point.value()))]))
            .collect(),
        MetricData::Histogram(histogram) => histogram
            .data_points()
            .map(|point| {
                let figures = distribution(point.count(), point.sum(), point.min(), point.max());
                series(&mut point.attributes(), figures)
            })
            .collect(),
        MetricData::ExponentialHistogram(histogram) => histogram
            .data_points()
            .map(|point| {
                let figures = distribution(point.count() as u64, point.sum(), point.min(), point.max());
                series(&mut point.attributes(), figures)
            })
            .collect(),
    }
}

fn distribution<T: Display>(
    count: u64,
    sum: T,
    min: Option<T>,
    max: Option<T>,
) -> Vec<(&'static str, String)> {
    let mut figures = vec![("count", count.to_string()), ("sum", figure(sum))];
    figures.extend(min.map(|min| ("min", figure(min))));
    figures.extend(max.map(|max| ("max", figure(max))));
    figures
}

/// JSON knows no infinity, and people nothing of it.
fn figure(number: impl Display) -> String {
    let figure = number.to_string();
    if figure.ends_with(|last: char| last.is_ascii_digit()) { figure } else { "null".to_owned() }
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

    use super::*;

    /// What is written of one measurement of each kind.
    fn written(write: fn(&Metric, &str) -> String) -> Vec<String> {
        let exporter = InMemoryMetricExporter::default();
        let reader =
            PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(3_600)).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        let (meter, attributes) = (provider.meter("test"), [KeyValue::new("route", "/a\nb")]);
        meter.u64_counter("sold").build().add(3, &attributes);
        meter.f64_histogram("took").with_unit("s").build().record(0.5, &[]);
        meter.i64_gauge("left").build().record(-2, &[]);
        provider.force_flush().unwrap();
        let metrics = exporter.get_finished_metrics().unwrap();
        let metrics = metrics[0].scope_metrics().flat_map(ScopeMetrics::metrics);
        let mut lines: Vec<_> = metrics.map(|metric| write(metric, "now")).collect();
        lines.sort();
        lines
    }

    #[test]
    fn what_is_no_number_is_none() {
        assert_eq!([figure(-1.5), figure(f64::INFINITY), figure(f64::NAN)], ["-1.5", "null", "null"]);
    }

    #[test]
    fn a_line_for_people_has_the_figures_and_the_labels() {
        let expected = [
            "left: value -2\n",
            "sold: value 3  route=/a\u{fffd}b\n",
            "took (s): count 1, sum 0.5, min 0.5, max 0.5\n",
        ];
        assert_eq!(written(text), expected);
    }

    #[test]
    fn a_line_for_pipes_has_them_too() {
        let lines: Vec<serde_json::Value> =
            written(json).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let took = lines.iter().find(|line| line["metric"] == "took").unwrap();
        let expected = serde_json::json!({
            "time": "now", "metric": "took", "unit": "s",
            "count": 1, "sum": 0.5, "min": 0.5, "max": 0.5, "attributes": {},
        });
        assert_eq!(*took, expected);
        let sold = lines.iter().find(|line| line["metric"] == "sold").unwrap();
        assert_eq!(
            (&sold["value"], &sold["attributes"]["route"]),
            (&serde_json::json!(3), &serde_json::json!("/a\nb"))
        );
    }
}
