use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use pin_project_lite::pin_project;
use tokio_metrics::{Instrumented, TaskMonitor};
use tower_layer::Layer;
use tower_service::Service;

use crate::signals::{GivenMeter, Meters};

/// Counts the polls of requests, and tells slow ones apart: those in which a handler computes or blocks, and
/// keeps its worker from all other requests.
///
/// It measures `otelhttp.server.poll.count` and `otelhttp.server.poll.time`, with the attribute `otelhttp.poll.slow`.
/// Polls of the response's body are not counted.
///
/// ```
/// use axum::{Router, routing::get};
/// use otelhttp::ServerLayer;
/// use otelhttp::telemetry::PollsLayer;
///
/// let app: Router = Router::new()
///     .route("/users/{id}", get(|| async { "hello" }))
///     .layer(PollsLayer::new())
///     .layer(ServerLayer::new());
/// ```
///
/// It is tokio-metrics' `TaskMonitor` around the future of the service, and costs each request an allocation, and
/// each poll two readings of the clock.
#[derive(Clone)]
pub struct PollsLayer {
    monitor: TaskMonitor,
    meters: Arc<Meters<()>>,
}

impl PollsLayer {
    /// Polls that take a millisecond or longer are slow. The metrics go to the global meter provider.
    #[must_use]
    pub fn new() -> Self {
        Self { monitor: monitor(Duration::from_millis(1)), meters: Arc::default() }
    }

    /// From which time on a poll is slow. Default: 1 ms.
    #[must_use]
    pub fn threshold(self, slow: Duration) -> Self {
        Self { monitor: monitor(slow), ..self }
    }

    /// Where the metrics go, instead of to the global meter provider.
    #[must_use]
    pub fn meter_provider(self, provider: impl MeterProvider + Send + Sync + 'static) -> Self {
        Self { meters: Arc::new(Meters::Given(GivenMeter::new(Arc::new(provider)))), ..self }
    }

    /// Makes the instruments, if there is a provider that they are not yet made for.
    fn register(&self) {
        let make = |meter: &Meter| register(meter, &self.monitor);
        self.meters.instruments(true, Instant::now(), make);
    }
}

fn monitor(slow: Duration) -> TaskMonitor {
    TaskMonitor::builder().with_slow_poll_threshold(slow).clone().build()
}

impl Default for PollsLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for PollsLayer {
    type Service = PollsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PollsService { inner, layer: self.clone() }
    }
}

impl fmt::Debug for PollsLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollsLayer").finish_non_exhaustive()
    }
}

/// What [`PollsLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct PollsService<S> {
    inner: S,
    layer: PollsLayer,
}

impl<S, R> Service<R> for PollsService<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = PollsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.layer.register();
        PollsFuture { inner: self.layer.monitor.instrument(self.inner.call(request)) }
    }
}

pin_project! {
    /// The response of a [`PollsService`].
    pub struct PollsFuture<F> {
        #[pin]
        inner: Instrumented<F>,
    }
}

impl<F: Future> Future for PollsFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().inner.poll(cx)
    }
}

impl<F> fmt::Debug for PollsFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollsFuture").finish_non_exhaustive()
    }
}

fn register(meter: &Meter, monitor: &TaskMonitor) {
    let slow = |slow: bool| [KeyValue::new("otelhttp.poll.slow", slow)];
    let counted = monitor.clone();
    meter
        .u64_observable_counter("otelhttp.server.poll.count")
        .with_unit("{poll}")
        .with_description("How often the futures of requests were polled.")
        .with_callback(move |observer| {
            let metrics = counted.cumulative();
            observer.observe(metrics.total_fast_poll_count, &slow(false));
            observer.observe(metrics.total_slow_poll_count, &slow(true));
        })
        .build();
    let timed = monitor.clone();
    meter
        .f64_observable_counter("otelhttp.server.poll.time")
        .with_unit("s")
        .with_description("How long those polls took.")
        .with_callback(move |observer| {
            let metrics = timed.cumulative();
            observer.observe(metrics.total_fast_poll_duration.as_secs_f64(), &slow(false));
            observer.observe(metrics.total_slow_poll_duration.as_secs_f64(), &slow(true));
        })
        .build();
}
