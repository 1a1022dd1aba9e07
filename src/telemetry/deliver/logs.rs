//! The queue of the logs.

use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};

use super::queue::Queue;
use super::{Delivery, Means, Record, Sink};
use crate::telemetry::Error;

/// The processor of logs.
#[derive(Debug)]
pub(crate) struct Logs(Queue<Record>);

impl Logs {
    pub(crate) fn new(sinks: Vec<Box<dyn Sink<Record>>>, means: Means) -> Result<Self, Error> {
        Queue::new("logs", sinks, means).map(Self)
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.0.delivery()
    }
}

impl LogProcessor for Logs {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        self.0.push(Box::new((record.clone(), scope.clone())));
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.end(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.resource(resource);
    }
}
