//! Set-up in one line: where spans, metrics and logs go, what they say of the process, and a guard that
//! sends the last of them.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use otelhttp::{ServerLayer, Telemetry};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let _telemetry = Telemetry::from_env().service_name("shop").install()?;
//! let app = Router::new().route("/", get(|| async { "hello" })).layer(ServerLayer::new());
//! axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Without anything else that exports over OTLP to a collector on this host, and one variable changes that:
//!
//! | variable | |
//! |---|---|
//! | `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, `OTEL_LOGS_EXPORTER` | `otlp` (default), `console`, `none`, or a list |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | where to; default `http://localhost:4318`, or `:4317` with gRPC |
//! | `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf` (default) or `grpc` |
//! | `OTEL_EXPORTER_OTLP_HEADERS`, `_TIMEOUT`, `_COMPRESSION` | `name=value,…`; milliseconds (10,000); `gzip` or `none` |
//! | `OTEL_EXPORTER_OTLP_CERTIFICATE`, `_CLIENT_CERTIFICATE`, `_CLIENT_KEY` | PEM files, for endpoints that begin with `https` |
//! | `OTEL_EXPORTER_OTLP_INSECURE` | `true`: gRPC endpoints without a scheme are spoken to in clear |
//! | `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` | `cumulative` (default), `delta`, `lowmemory` |
//! | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | what the process is called, and `key=value,…` about it |
//! | `OTEL_TRACES_SAMPLER`, `_ARG` | `parentbased_always_on` (default), `parentbased_traceidratio` and `0.05`, … |
//! | `OTEL_PROPAGATORS` | `tracecontext,baggage` (default) and others: [`propagation`](crate::propagation) |
//! | `OTEL_BSP_*`, `OTEL_BLRP_*` | the queues of spans and logs: `MAX_QUEUE_SIZE` (2,048), `MAX_EXPORT_BATCH_SIZE` (512), `SCHEDULE_DELAY` (5,000 ms, of logs 1,000), `EXPORT_TIMEOUT` (30,000 ms) |
//! | `OTEL_METRIC_EXPORT_INTERVAL`, `_TIMEOUT` | milliseconds: 60,000, to the console 10,000; 30,000 |
//! | `OTEL_SPAN_*_COUNT_LIMIT`, `OTEL_ATTRIBUTE_COUNT_LIMIT`, … | what one span may hold (128 each) |
//! | `OTEL_SDK_DISABLED` | `true`: nothing is recorded, and the context still flows on |
//!
//! Each `OTEL_EXPORTER_OTLP_` variable also exists for one signal, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, which
//! beats it; that endpoint is used as it is, where the one of all has `v1/traces` added to it. They are those of
//! [the specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
//! An empty variable counts as not set, names are found in any case, and what makes no sense is told once and
//! ignored. What is chosen in code beats all variables: a program with an exporter of its own for a signal exports
//! it over OTLP only if a variable asks for that too. Proxies are not used.
//!
//! # When a collector is down, slow, or says no
//!
//! A request never waits. What has ended is put into a queue of fixed size, and lost if that is full; a thread
//! at the other end exports it in batches. What a collector does not take now is sent again, until
//! `OTEL_EXPORTER_OTLP_TIMEOUT` is over, and as late as it asks for; one attempt may take three quarters of that
//! time, and a connection that has died unseen is replaced in it. That it does not take things is told once,
//! as is its coming back, with how much was lost ([`Telemetry::on_warning`]); [`Parts::span_delivery`] has the
//! figures at any time. The thread and its connections make no telemetry of their own.
//!
//! # What else there is
//!
//! - [`Telemetry::span_exporter`] and its like add exporters of other crates (the examples `zipkin` and `azure`).
//!   They all stand behind the one queue, on its thread: a further processor would make the SDK copy each span
//!   on the request's.
//! - [`Telemetry::build`] hands the providers out and leaves the globals alone.
//! - [`Telemetry::from_vars`] reads variables from elsewhere, such as a file.

mod console;
mod deliver;
mod driver;
mod environment;
mod error;
mod guard;
#[cfg(feature = "tracing")]
mod logs;
mod otlp;
mod parts;
mod propagators;
mod report;
mod resource;
mod runtime;
mod setters;
mod signals;

use std::fmt;
use std::time::Duration;

use opentelemetry::KeyValue;

pub use console::ConsoleFormat;
pub use deliver::{Delivery, SpanWatcher};
use driver::Driver;
use environment::Environment;
pub use environment::{Exporter, Signal};
pub use error::Error;
pub use guard::Guard;
pub use parts::Parts;
use propagators::Propagator;
pub use runtime::{PollsFuture, PollsLayer, PollsService, RuntimeMetrics, RuntimeMetricsGuard};
use signals::{Choice, Logs, Metrics, Site, Traces};

/// How long the end may take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The set-up of a program's telemetry. See the [module](self) for the variables that it reads.
///
/// ```
/// use otelhttp::Telemetry;
/// use otelhttp::telemetry::{Exporter, Signal};
///
/// # fn main() -> Result<(), otelhttp::telemetry::Error> {
/// let telemetry = Telemetry::from_env()
///     .service_name("shop")
///     .service_version(env!("CARGO_PKG_VERSION"))
///     .default_exporters([Signal::Traces], [Exporter::Console])
///     .install()?;
/// // … and at the end of `main`, to see what went wrong:
/// telemetry.shutdown()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is set up until it is installed or built"]
pub struct Telemetry {
    environment: Environment,
    attributes: Vec<KeyValue>,
    propagator: Option<Propagator>,
    choice: Choice,
    console: ConsoleFormat,
    traces: Traces,
    metrics: Metrics,
    logs: Logs,
    batch_delay: Option<Duration>,
    shutdown_timeout: Duration,
}

impl Telemetry {
    /// Reads the `OTEL_*` variables of the process, when it is installed or built.
    pub fn from_env() -> Self {
        Self::new(Environment::of_the_process())
    }

    /// Reads the `OTEL_*` variables through this function, and none from the process.
    pub fn from_vars(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::new(Environment::new(read))
    }

    /// Sets the global providers and the global propagator, and returns the guard that sends what is left
    /// when it goes.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn install(self) -> Result<Guard, Error> {
        Ok(self.build()?.install())
    }

    /// Builds the providers and leaves the globals alone: for programs that have several, and for tests.
    ///
    /// # Errors
    ///
    /// If a variable has a value for which there is no substitute, such as an endpoint that is no URL or a
    /// certificate that cannot be read, or if there are no threads left. That a collector cannot be reached
    /// is no error here: it may come.
    pub fn build(self) -> Result<Parts, Error> {
        let Self { environment, attributes, propagator, choice, console, traces, metrics, logs, .. } = self;
        let resource = resource::resource(&environment, attributes);
        let propagator = propagator.unwrap_or_else(|| propagators::of(&environment));
        if environment.is_disabled() {
            return Ok(Parts::disabled(propagator, resource));
        }
        let driver = Driver::start()?;
        let site = Site { environment, driver, resource, choice, console, batch_delay: self.batch_delay };
        let (tracer_provider, spans) = traces.build(&site)?;
        let runtime = metrics.runtime.clone();
        let meter_provider = metrics.build(&site)?;
        let (logger_provider, logs) = logs.build(&site)?;
        Ok(Parts {
            tracer_provider,
            measures: meter_provider.is_some(),
            runtime: meter_provider.as_ref().zip(runtime).map(|(meters, runtime)| runtime.observe(meters)),
            meter_provider: meter_provider.unwrap_or_default(),
            logger_provider,
            propagator,
            resource: site.resource,
            spans,
            logs,
            driver: Some(site.driver),
            shutdown_timeout: self.shutdown_timeout,
        })
    }

    fn new(environment: Environment) -> Self {
        Self {
            environment,
            attributes: Vec::new(),
            propagator: None,
            choice: Choice::default(),
            console: ConsoleFormat::default(),
            traces: Traces::default(),
            metrics: Metrics::default(),
            logs: Logs::default(),
            batch_delay: None,
            shutdown_timeout: SHUTDOWN_TIMEOUT,
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Telemetry");
        debug.field("attributes", &self.attributes).field("choice", &self.choice).finish_non_exhaustive()
    }
}
