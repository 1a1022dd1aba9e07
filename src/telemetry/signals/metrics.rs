//! Metrics.

use std::time::Duration;

use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{MeterProviderBuilder, PeriodicReader, SdkMeterProvider};

use super::watched::Watched;
use super::{Change, Site, changed};
use crate::telemetry::environment::{Exporter, Signal};
use crate::telemetry::{Error, RuntimeMetrics, console, otlp};

/// "The default interval is 60 seconds."
const INTERVAL: Duration = Duration::from_secs(60);
/// "If a language provides a mechanism to automatically configure a MetricReader to pair with the associated
/// exporter, [for the console] … a default exportIntervalMilliseconds of 10000."
const CONSOLE_INTERVAL: Duration = Duration::from_secs(10);

/// Adds an exporter with this interval.
type Add = Box<dyn FnOnce(MeterProviderBuilder, Duration, &Site) -> MeterProviderBuilder + Send>;

#[derive(Default)]
pub(in crate::telemetry) struct Metrics {
    pub(in crate::telemetry) interval: Option<Duration>,
    pub(in crate::telemetry) runtime: Option<RuntimeMetrics>,
    pub(in crate::telemetry) exporters: Vec<Add>,
    /// Whether there is one among the changes.
    pub(in crate::telemetry) has_reader: bool,
    pub(in crate::telemetry) changes: Vec<Change<MeterProviderBuilder>>,
}

impl Metrics {
    pub(in crate::telemetry) fn add(&mut self, exporter: impl PushMetricExporter, whither: String) {
        self.exporters.push(Box::new(move |builder, interval, site| {
            let Site { driver, environment, .. } = site;
            read(builder, Watched::new(exporter, &whither, driver.clone(), &environment.reports), interval)
        }));
    }

    /// Without any reader nothing would see what is measured: then there is no need to measure.
    pub(in crate::telemetry) fn build(mut self, site: &Site) -> Result<Option<SdkMeterProvider>, Error> {
        let Site { environment, .. } = site;
        let chosen = self.interval.or_else(|| environment.metric_interval());
        let interval = chosen.unwrap_or(INTERVAL);
        let live = self.runtime.as_ref().map(RuntimeMetrics::live_interval);
        let console_interval = chosen.or(live).unwrap_or(CONSOLE_INTERVAL);
        let mut builder = SdkMeterProvider::builder().with_resource(site.resource.clone());
        let has_its_own = !self.exporters.is_empty() || self.has_reader;
        // A change may bring a reader too.
        let mut measures = has_its_own || !self.changes.is_empty();
        for exporter in site.exporters(Signal::Metrics, has_its_own) {
            measures = true;
            match exporter {
                Exporter::Otlp => {
                    let exporter = otlp::metrics(environment, &site.driver)?;
                    let whither = exporter.whither();
                    self.add(exporter, whither);
                }
                Exporter::Console => {
                    let exporter = console::metrics(site.console);
                    builder = read(builder, exporter, console_interval);
                }
            }
        }
        let add = |builder, add: Add| add(builder, interval, site);
        let builder = self.exporters.into_iter().fold(builder, add);
        let builder = changed(builder, self.changes);
        Ok(measures.then(|| builder.build()))
    }
}

fn read(
    builder: MeterProviderBuilder,
    exporter: impl PushMetricExporter,
    interval: Duration,
) -> MeterProviderBuilder {
    builder.with_reader(PeriodicReader::builder(exporter).with_interval(interval).build())
}
