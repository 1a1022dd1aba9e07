use axum::Router;
use otelhttp::ServerLayer;
use otelhttp::propagation::TraceContext;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Bare,
    Otelhttp,
    /// Without the two locks that all requests meet: the global propagator's, as the layer has one of its own,
    /// and that of the histogram's series, as the histogram is dropped.
    WithoutLocks,
    /// Without a meter provider.
    WithoutMetrics,
}

impl Subject {
    pub(super) fn parse(name: &str) -> Self {
        match name {
            "bare" => Self::Bare,
            "otelhttp" => Self::Otelhttp,
            "without-locks" => Self::WithoutLocks,
            "without-metrics" => Self::WithoutMetrics,
            other => panic!("expected bare, otelhttp, without-locks or without-metrics, got {other}"),
        }
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
