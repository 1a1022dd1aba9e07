use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope as SentScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource as Sender;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};

use crate::shared::Shared;

/// Takes the log records of this process.
#[derive(Debug)]
pub(crate) struct LogIntake {
    shared: Arc<Shared>,
    sender: Sender,
}

impl LogIntake {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, sender: Sender::default() }
    }
}

impl LogProcessor for LogIntake {
    fn emit(&self, data: &mut SdkLogRecord, scope: &InstrumentationScope) {
        // Appenders put the module into the target, and themselves into the scope.
        let name = data.target().map_or_else(|| scope.name().to_owned(), ToString::to_string);
        let scope = SentScope {
            name,
            version: scope.version().unwrap_or_default().to_owned(),
            ..SentScope::default()
        };
        self.shared.take_log(ResourceLogs {
            resource: Some(self.sender.clone()),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope),
                log_records: vec![LogRecord::from(&*data)],
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        });
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.shared.settle();
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        self.shared.settle();
        Ok(())
    }

    fn set_resource(&mut self, resource: &opentelemetry_sdk::Resource) {
        self.sender = Sender::from(resource);
    }
}
