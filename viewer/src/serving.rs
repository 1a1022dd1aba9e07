use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::logs::LogProcessor;
use opentelemetry_sdk::metrics::PeriodicReader;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanExporter, SpanProcessor};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::Error;
use crate::intake;
use crate::intake::sdk::{LogIntake, MetricIntake, SpanIntake, Watch};
use crate::shared::Shared;

/// How often metrics are read by [`Serving::metric_reader`].
const METRICS_EVERY: Duration = Duration::from_secs(1);

/// A viewer that serves, until this is dropped. What it takes in goes on being taken in afterwards, but nobody can look.
#[derive(Debug)]
#[must_use = "the viewer stops serving when this is dropped"]
pub struct Serving {
    pub(crate) shared: Arc<Shared>,
    pub(crate) address: SocketAddr,
    pub(crate) otlp_http: Option<SocketAddr>,
    pub(crate) otlp_grpc: Option<SocketAddr>,
    pub(crate) token: Option<String>,
    #[expect(dead_code, reason = "they serve until they are dropped")]
    pub(crate) threads: Threads,
}

/// The threads that serve, until this is dropped.
#[derive(Debug)]
pub(crate) struct Threads {
    pub(crate) handle: Handle,
    runtime: Option<Runtime>,
}

impl Threads {
    pub(crate) fn start() -> Result<Self, Error> {
        let runtime =
            Builder::new_multi_thread().worker_threads(2).thread_name("otelhttp-viewer").enable_all().build();
        let runtime = runtime.map_err(Error::start)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Serving {
    /// Where the page is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to open in a browser, with the token if one is asked for.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.token {
            Some(token) => format!("http://{}/?token={token}", self.address),
            None => format!("http://{}/", self.address),
        }
    }

    /// The token that is asked for, if any. Programs send it as `authorization: Bearer TOKEN`.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Where OTLP over HTTP is taken besides the page's address.
    #[must_use]
    pub fn otlp_http(&self) -> Option<SocketAddr> {
        self.otlp_http
    }

    /// Where OTLP over gRPC is taken.
    #[must_use]
    pub fn otlp_grpc(&self) -> Option<SocketAddr> {
        self.otlp_grpc
    }

    /// Takes the spans of this process. It should be the only processor of its provider, since the SDK copies each span for each
    /// further one; beside an exporter use [`span_exporter`](Self::span_exporter).
    pub fn span_processor(&self) -> impl SpanProcessor + use<> {
        self.shared.embed();
        SpanIntake::new(self.shared.clone())
    }

    /// Takes the spans of this process behind a processor that feeds other exporters too. To see spans that still run, put
    /// [`watch`](Self::watch) around that processor.
    pub fn span_exporter(&self) -> impl SpanExporter + use<> {
        self.shared.embed();
        SpanIntake::new(self.shared.clone())
    }

    /// Stands around a processor and notes which spans run.
    pub fn watch<P: SpanProcessor>(&self, processor: P) -> impl SpanProcessor + use<P> {
        self.shared.embed();
        Watch::new(self.shared.clone(), processor)
    }

    /// Takes the metrics of this process, from a reader of yours.
    pub fn metric_exporter(&self) -> impl PushMetricExporter + std::fmt::Debug + use<> {
        self.shared.embed();
        MetricIntake(self.shared.clone())
    }

    /// Takes the metrics of this process, each second.
    pub fn metric_reader(&self) -> PeriodicReader<impl PushMetricExporter + use<>> {
        self.shared.embed();
        PeriodicReader::builder(MetricIntake(self.shared.clone())).with_interval(METRICS_EVERY).build()
    }

    /// Takes the log records of this process.
    pub fn log_processor(&self) -> impl LogProcessor + use<> {
        self.shared.embed();
        LogIntake::new(self.shared.clone())
    }

    /// Takes a file in: OTLP's JSON or protobuf (by the ending `.pb` or `.bin`; traces, logs, metrics), Jaeger's JSON, or a trace that was
    /// saved here. Tells how many spans it held.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is none of these, or would take more than 24 times its size (and 384 MiB) when it is decoded
    /// ([`Error::is_file`]).
    pub fn import(&self, file: impl AsRef<Path>) -> Result<u64, Error> {
        let file = file.as_ref();
        let named = |problem: String| Error::file(format!("{}: {problem}", file.display()));
        let bytes = std::fs::read(file).map_err(|error| named(error.to_string()))?;
        let is_protobuf = file.extension().is_some_and(|ending| ending == "pb" || ending == "bin");
        intake::import(&self.shared, &bytes, is_protobuf)
            .map(|imported| imported.spans)
            .map_err(|unsound| named(unsound.to_string()))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // In the background, since this may happen within another runtime, where nobody may wait for them.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
