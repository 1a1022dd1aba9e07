//! Logs.

use opentelemetry_sdk::logs::{LoggerProviderBuilder, SdkLoggerProvider};

use super::{Change, SOON, Site, changed};
use crate::telemetry::deliver::{self, Delivery, Record, Sink};
use crate::telemetry::environment::{Exporter, Signal};
use crate::telemetry::{Error, console, otlp};

#[derive(Default)]
pub(in crate::telemetry) struct Logs {
    pub(in crate::telemetry) sinks: Vec<Box<dyn Sink<Record>>>,
    pub(in crate::telemetry) changes: Vec<Change<LoggerProviderBuilder>>,
}

impl Logs {
    pub(in crate::telemetry) fn build(mut self, site: &Site) -> Result<(SdkLoggerProvider, Delivery), Error> {
        let Site { environment, .. } = site;
        let has_its_own = !self.sinks.is_empty();
        let mut soon = None;
        for exporter in site.exporters(Signal::Logs, has_its_own) {
            match exporter {
                Exporter::Otlp => self.sinks.push(Box::new(otlp::logs(environment, &site.driver)?)),
                Exporter::Console => {
                    self.sinks.push(Box::new(console::logs(site.console)));
                    soon = Some(SOON);
                }
            }
        }
        let builder = SdkLoggerProvider::builder().with_resource(site.resource.clone());
        let builder = changed(builder, self.changes);
        if self.sinks.is_empty() {
            return Ok((builder.build(), Delivery::nowhere("logs")));
        }
        let means = site.means(environment.log_batches(soon), "OTEL_BLRP_MAX_QUEUE_SIZE");
        let logs = deliver::Logs::new(self.sinks, means)?;
        let delivery = logs.delivery();
        Ok((builder.with_log_processor(logs).build(), delivery))
    }
}
