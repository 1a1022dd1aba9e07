use axum::Router;
use otelhttp::ServerLayer;
use otelhttp::propagation::TraceContext;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Bare,
    Otelhttp,
    /// Without a meter provider, and so without the histogram's lock, which all requests of a series share.
    WithoutMetrics,
    /// With a propagator of its own besides, and so without the lock of the global one.
    WithoutLocks,
}

impl Subject {
    pub(super) fn parse(name: &str) -> Self {
        match name {
            "bare" => Self::Bare,
            "otelhttp" => Self::Otelhttp,
            "without-metrics" => Self::WithoutMetrics,
            "without-locks" => Self::WithoutLocks,
            other => panic!("expected bare, otelhttp, without-metrics or without-locks, got {other}"),
        }
    }

    pub(super) fn has_metrics(self) -> bool {
        self == Self::Otelhttp
    }

    /// The state is given last: a router that still waits for it would build every layer anew on each
    /// request.
    pub(super) fn around(self, app: Router) -> Router {
        let app = match self {
            Self::Bare => app,
            Self::Otelhttp | Self::WithoutMetrics => app.layer(ServerLayer::new()),
            Self::WithoutLocks => app.layer(ServerLayer::new().propagator(TraceContext::new())),
        };
        app.with_state(())
    }
}
