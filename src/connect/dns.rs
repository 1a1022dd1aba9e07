use std::fmt::Display;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use super::attempt::Kind;
use super::phase::{Phase, Target};
use super::{PhaseFuture, Phases};

/// What [`dns`](super::dns) makes of a resolver.
#[derive(Clone, Debug)]
pub struct DnsService<S> {
    inner: S,
    phases: Phases,
}

impl<S> DnsService<S> {
    pub(super) fn new(inner: S, phases: Phases) -> Self {
        Self { inner, phases }
    }
}

impl<S> Service<Name> for DnsService<S>
where
    S: Service<Name>,
    S::Error: Display + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = PhaseFuture<S::Future, S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let phase = Phase::begin(&self.phases, Kind::Dns, || Target::named(name.as_str()));
        PhaseFuture::new(
            phase,
            || self.inner.call(name),
            |phase, addresses| {
                phase.done(None);
                addresses
            },
        )
    }
}
