use std::fmt::Display;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::Connection;
use opentelemetry::metrics::Meter;
use tower_service::Service;

use super::attempt::Kind;
use super::connections::{Handle, Instruments, Measured};
use super::phase::{Phase, Target};
use super::{PhaseFuture, Phases, TcpIo, extras};
use crate::hyper_util::peer;

/// What [`tcp`](super::tcp) makes of a connector.
#[derive(Clone, Debug)]
pub struct TcpService<S> {
    inner: S,
    phases: Phases,
}

impl<S> TcpService<S> {
    pub(super) fn new(inner: S, phases: Phases) -> Self {
        Self { inner, phases }
    }
}

impl<S> Service<Uri> for TcpService<S>
where
    S: Service<Uri>,
    S::Response: Connection,
    S::Error: Display + 'static,
{
    type Response = TcpIo<S::Response>;
    type Error = S::Error;
    type Future = PhaseFuture<S::Future, S::Response, TcpIo<S::Response>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let phase = Phase::begin(&self.phases, Kind::Tcp, || Target::of(&uri));
        PhaseFuture::new(phase, || self.inner.call(uri), connected)
    }
}

fn connected<T: Connection>(phase: &mut Phase, io: T) -> TcpIo<T> {
    let measured = Measured::new(measured(phase));
    phase.done(peer(&extras(&io)));
    TcpIo::new(io, measured)
}

fn measured(phase: &Phase) -> Option<Handle> {
    let settings = &*phase.phases.settings;
    if !settings.metrics || !phase.is_told() {
        return None;
    }
    let make = |meter: &Meter| Arc::new(Instruments::new(meter));
    let found = settings.meters.instruments(true, make)?;
    let handle = Handle::new(found.instruments.clone(), &phase.target);
    if !phase.handshake_follows() {
        handle.open(false);
    }
    Some(handle)
}
