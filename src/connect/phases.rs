use std::fmt;
use std::sync::Arc;

use opentelemetry::global::BoxedTracer;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Span, TracerProvider};

use super::connections::Instruments;
use super::{ConnectorLayer, DnsService, TcpService, TlsService};
use crate::signals::{GivenMeter, Meters, Tracer, scope};

/// How the wrappers of a connector record. The [module](crate::connect) tells more.
///
/// By default they make spans and measure connections, with the global providers, whenever those are
/// set.
///
/// ```
/// use hyper_util::client::legacy::connect::{HttpConnector, dns::GaiResolver};
/// use otelhttp::connect::Phases;
///
/// let phases = Phases::new().events(true).metrics(false);
/// let connector = phases.tcp(HttpConnector::new_with_resolver(phases.dns(GaiResolver::new())));
/// # let _ = connector;
/// ```
#[derive(Clone)]
#[must_use = "it does nothing until it wraps a connector"]
pub struct Phases {
    pub(super) settings: Arc<Settings>,
}

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) tracer: Tracer,
    pub(super) meters: Meters<Arc<Instruments>>,
    pub(super) events: bool,
    pub(super) metrics: bool,
}

impl Default for Phases {
    fn default() -> Self {
        Self::new()
    }
}

impl Phases {
    /// The defaults.
    pub fn new() -> Self {
        let (tracer, meters) = (Tracer::default(), Meters::default());
        Self { settings: Arc::new(Settings { tracer, meters, events: false, metrics: true }) }
    }

    /// Makes spans with this provider instead of the global one.
    #[expect(clippy::needless_pass_by_value, reason = "as the layers take it")]
    pub fn tracer_provider<P, T, S>(self, provider: P) -> Self
    where
        P: TracerProvider<Tracer = T>,
        T: opentelemetry::trace::Tracer<Span = S> + Send + Sync + 'static,
        S: Span + Send + Sync + 'static,
    {
        let tracer = BoxedTracer::new(Box::new(provider.tracer_with_scope(scope())));
        self.with(|settings| settings.tracer = Tracer::Given(tracer.into()))
    }

    /// Records metrics with this provider instead of the global one.
    pub fn meter_provider(self, provider: impl MeterProvider + Send + Sync + 'static) -> Self {
        let given = GivenMeter::new(Arc::new(provider));
        self.with(|settings| settings.meters = Meters::Given(given))
    }

    /// Records phases as events of the request's span instead of as spans of their own. Default: spans.
    pub fn events(self, events: bool) -> Self {
        self.with(|settings| settings.events = events)
    }

    /// Switches the metrics of connections on or off. Default: on.
    pub fn metrics(self, record: bool) -> Self {
        self.with(|settings| settings.metrics = record)
    }

    /// Records the look-ups of a resolver. It belongs into a connector that asks it, such as hyper-util's
    /// `HttpConnector::new_with_resolver`.
    pub fn dns<S>(&self, resolver: S) -> DnsService<S> {
        DnsService::new(resolver, self.clone())
    }

    /// Records and measures the connections that a connector makes. It belongs directly around what
    /// opens the socket.
    pub fn tcp<S>(&self, connector: S) -> TcpService<S> {
        TcpService::new(connector, self.clone())
    }

    /// Records the handshakes of a connector that puts TLS around the connections of another one,
    /// best of [`tcp`](Self::tcp). Any implementation of TLS will do.
    pub fn tls<S>(&self, connector: S) -> TlsService<S> {
        TlsService::new(connector, self.clone())
    }

    /// Records all that a connector does as one span, `connect`.
    pub fn layer(&self) -> ConnectorLayer {
        ConnectorLayer::new(self.clone())
    }

    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }
}

impl fmt::Debug for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phases")
            .field("events", &self.settings.events)
            .field("metrics", &self.settings.metrics)
            .finish_non_exhaustive()
    }
}
