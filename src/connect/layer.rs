use std::fmt::Display;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::Connection;
use tower_layer::Layer;
use tower_service::Service;

use super::attempt::Kind;
use super::phase::{Phase, Target};
use super::{PhaseFuture, Phases, extras};
use crate::hyper_util::peer;

/// What [`layer`](super::layer) makes: a layer around a connector of which nothing is known.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ConnectorLayer {
    phases: Phases,
}

impl ConnectorLayer {
    pub(super) fn new(phases: Phases) -> Self {
        Self { phases }
    }
}

impl<S> Layer<S> for ConnectorLayer {
    type Service = ConnectorService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ConnectorService { inner, phases: self.phases.clone() }
    }
}

/// What a [`ConnectorLayer`] makes of a connector.
#[derive(Clone, Debug)]
pub struct ConnectorService<S> {
    inner: S,
    phases: Phases,
}

impl<S, R> Service<R> for ConnectorService<S>
where
    S: Service<R>,
    S::Response: Connection,
    S::Error: Display + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = PhaseFuture<S::Future, S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Self::Future {
        // What is connected to cannot be seen; the request's span has it.
        let phase = Phase::begin(&self.phases, Kind::Connect, Target::default);
        PhaseFuture::new(
            phase,
            || self.inner.call(target),
            |phase, io| {
                phase.done(peer(&extras(&io)));
                io
            },
        )
    }
}
