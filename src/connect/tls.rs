use std::fmt::Display;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::Connection;
use tower_service::Service;

use super::attempt::Kind;
use super::connections::Handle;
use super::phase::{Phase, Target};
use super::{PhaseFuture, Phases, extras};
use crate::hyper_util::peer;

/// What [`tls`](super::tls) makes of a connector.
#[derive(Clone, Debug)]
pub struct TlsService<S> {
    inner: S,
    phases: Phases,
}

impl<S> TlsService<S> {
    pub(super) fn new(inner: S, phases: Phases) -> Self {
        Self { inner, phases }
    }
}

impl<S> Service<Uri> for TlsService<S>
where
    S: Service<Uri>,
    S::Response: Connection,
    S::Error: Display + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = PhaseFuture<S::Future, S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let phase = Phase::begin(&self.phases, Kind::Tls, || Target::of(&uri));
        PhaseFuture::new(phase, || self.inner.call(uri), connected)
    }
}

fn connected<T: Connection>(phase: &mut Phase, io: T) -> T {
    let extras = extras(&io);
    if let Some(handle) = extras.get::<Handle>() {
        handle.open(io.connected().is_negotiated_h2());
    }
    phase.done(peer(&extras));
    io
}
