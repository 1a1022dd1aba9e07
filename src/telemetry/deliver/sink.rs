//! Exporters of any type, side by side.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter, SdkLogRecord};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// What has become of a batch: taken, wholly or in part, or why not.
pub(crate) type Outcome = Result<Accepted, String>;

/// A batch was taken, except for so many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) rejected: u64,
    pub(crate) why: String,
}

pub(crate) type Exporting<'e> = Pin<Box<dyn Future<Output = Outcome> + Send + 'e>>;

/// A log and who wrote it.
pub(crate) type Record = Box<(SdkLogRecord, InstrumentationScope)>;

/// An exporter whose type is forgotten.
pub(crate) trait Sink<T>: Send + Sync + Debug {
    /// Where it exports to, for messages: without credentials.
    fn whither(&self) -> String;

    fn export(&self, batch: Vec<T>) -> Exporting<'_>;

    fn resource(&mut self, resource: &Resource);

    fn shutdown(&self, within: Duration) -> OTelSdkResult;
}

/// A span exporter that somebody gave.
#[derive(Debug)]
pub(crate) struct SpanSink<E>(pub(crate) E);

/// A log exporter that somebody gave.
#[derive(Debug)]
pub(crate) struct LogSink<E>(pub(crate) E);

impl<E: SpanExporter> Sink<SpanData> for SpanSink<E> {
    fn whither(&self) -> String {
        name_of::<E>()
    }

    fn export(&self, batch: Vec<SpanData>) -> Exporting<'_> {
        Box::pin(async { outcome(self.0.export(batch).await) })
    }

    fn resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }

    fn shutdown(&self, within: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(within)
    }
}

impl<E: LogExporter> Sink<Record> for LogSink<E> {
    fn whither(&self) -> String {
        name_of::<E>()
    }

    fn export(&self, batch: Vec<Record>) -> Exporting<'_> {
        Box::pin(async move { outcome(export_logs(&self.0, &batch).await) })
    }

    fn resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }

    fn shutdown(&self, within: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(within)
    }
}

pub(crate) async fn export_logs(exporter: &impl LogExporter, batch: &[Record]) -> OTelSdkResult {
    let batch: Vec<_> = batch.iter().map(|record| (&record.0, &record.1)).collect();
    exporter.export(LogBatch::new(&batch)).await
}

/// Its type, for lack of anything else that would tell one from another.
pub(crate) fn name_of<E>() -> String {
    let path = std::any::type_name::<E>();
    path.split('<').next().unwrap_or(path).to_owned()
}

fn outcome(exported: OTelSdkResult) -> Outcome {
    match exported {
        Ok(()) => Ok(Accepted::default()),
        Err(OTelSdkError::InternalFailure(why)) => Err(why),
        Err(error) => Err(error.to_string()),
    }
}
