use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundCounter, Meter, MeterProvider};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::signals::{GivenMeter, Looks, Meters};

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
/// Each poll costs two readings of the clock. What several layers of a program count is added up.
#[derive(Clone)]
pub struct PollsLayer {
    slow: Duration,
    counters: Arc<Counters>,
}

/// By meter provider.
#[derive(Default)]
struct Counters {
    meters: Meters<[Counted; 2]>,
    looks: Looks,
}

/// The polls that were fast, or those that were slow.
struct Counted {
    count: BoundCounter<u64>,
    time: BoundCounter<f64>,
}

impl PollsLayer {
    /// Polls that take a millisecond or longer are slow. The metrics go to the global meter provider.
    #[must_use]
    pub fn new() -> Self {
        Self { slow: Duration::from_millis(1), counters: Arc::default() }
    }

    /// From which time on a poll is slow. Default: 1 ms.
    #[must_use]
    pub fn threshold(self, slow: Duration) -> Self {
        Self { slow, ..self }
    }

    /// Where the metrics go, instead of to the global meter provider.
    #[must_use]
    pub fn meter_provider(self, provider: impl MeterProvider + Send + Sync + 'static) -> Self {
        let meters = Meters::Given(GivenMeter::new(Arc::new(provider)));
        Self { counters: Arc::new(Counters { meters, looks: Looks::default() }), ..self }
    }

    fn count(&self, start: Instant) {
        let end = Instant::now();
        let took = end.saturating_duration_since(start);
        let look = self.counters.looks.is_due(end);
        if let Some(found) = self.counters.meters.instruments(look, counted) {
            let counted = &found.instruments[usize::from(took >= self.slow)];
            counted.count.add(1);
            counted.time.add(took.as_secs_f64());
        }
    }
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
        PollsFuture { inner: self.inner.call(request), layer: self.layer.clone() }
    }
}

pin_project! {
    /// The response of a [`PollsService`].
    pub struct PollsFuture<F> {
        #[pin]
        inner: F,
        layer: PollsLayer,
    }
}

impl<F: Future> Future for PollsFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let start = Instant::now();
        let answer = this.inner.poll(cx);
        this.layer.count(start);
        answer
    }
}

impl<F> fmt::Debug for PollsFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollsFuture").finish_non_exhaustive()
    }
}

/// The fast ones and the slow ones.
fn counted(meter: &Meter) -> [Counted; 2] {
    let count = meter.u64_counter("otelhttp.server.poll.count").with_unit("{poll}");
    let count = count.with_description("How often the futures of requests were polled.").build();
    let time = meter.f64_counter("otelhttp.server.poll.time").with_unit("s");
    let time = time.with_description("How long those polls took.").build();
    [false, true].map(|slow| {
        let slow = [KeyValue::new("otelhttp.poll.slow", slow)];
        let counted = Counted { count: count.bind(&slow), time: time.bind(&slow) };
        // That there was none of them is known too.
        counted.count.add(0);
        counted.time.add(0.0);
        counted
    })
}
