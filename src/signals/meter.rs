use std::sync::{Arc, OnceLock, Weak};

use opentelemetry::global;
use opentelemetry::metrics::{Meter, MeterProvider};

use super::latest::{Latest, Node};
use super::scope;
use crate::guest::contain;

/// Makes instruments, and keeps them.
pub(crate) enum Meters<I> {
    Given(GivenMeter<I>),
    Global(GlobalMeter<I>),
}

impl<I> Default for Meters<I> {
    fn default() -> Self {
        Self::Global(GlobalMeter::default())
    }
}

impl<I> Clone for Meters<I> {
    fn clone(&self) -> Self {
        match self {
            Self::Given(given) => Self::Given(GivenMeter::new(given.provider.clone())),
            Self::Global(_) => Self::default(),
        }
    }
}

/// The instruments of one provider. A call finds them again by their number: to count references to them
/// would have all threads write to one place with each call.
pub(crate) struct Found<'m, I> {
    pub(crate) number: usize,
    pub(crate) instruments: &'m I,
}

impl<I> Meters<I> {
    /// Nothing if it is the no-op. `look` says whether to look at the global.
    pub(crate) fn instruments(&self, look: bool, make: impl FnOnce(&Meter) -> I) -> Option<Found<'_, I>> {
        match self {
            Self::Given(given) => Some(Found { number: 0, instruments: given.instruments(make)? }),
            Self::Global(global) => global.instruments(look, make),
        }
    }

    /// Those that were found before.
    pub(crate) fn numbered(&self, number: usize) -> Option<&I> {
        match self {
            Self::Given(given) => given.instruments.get(),
            Self::Global(global) => global.generations.nth(number)?.value.instruments.as_ref(),
        }
    }
}

/// It holds on to its provider, which would be shut down if this was the last that had it.
pub(crate) struct GivenMeter<I> {
    provider: Arc<dyn MeterProvider + Send + Sync>,
    instruments: OnceLock<I>,
}

impl<I> GivenMeter<I> {
    pub(crate) fn new(provider: Arc<dyn MeterProvider + Send + Sync>) -> Self {
        Self { provider, instruments: OnceLock::new() }
    }

    fn instruments(&self, make: impl FnOnce(&Meter) -> I) -> Option<&I> {
        let make = || make(&self.provider.meter_with_scope(scope()));
        let made = || contain("a meter", || self.instruments.get_or_init(make));
        self.instruments.get().or_else(made)
    }
}

/// The instruments of the global provider, and of those that were global before it.
pub(crate) struct GlobalMeter<I> {
    generations: Latest<Generation<I>>,
}

struct Generation<I> {
    number: usize,
    provider: Weak<dyn MeterProvider + Send + Sync>,
    /// Nothing for OpenTelemetry's no-op. It cannot be asked what it is, but it has no state, and
    /// whatever measures needs some.
    instruments: Option<I>,
}

impl<I> Default for GlobalMeter<I> {
    fn default() -> Self {
        Self { generations: Latest::default() }
    }
}

impl<I> GlobalMeter<I> {
    fn instruments(&self, look: bool, make: impl FnOnce(&Meter) -> I) -> Option<Found<'_, I>> {
        let last = self.generations.get();
        match last.filter(|_| !look) {
            Some(last) => last.value.found(),
            None => contain("a meter", || self.look(last, make))?,
        }
    }

    fn look<'m>(
        &'m self,
        last: Option<&'m Node<Generation<I>>>,
        make: impl FnOnce(&Meter) -> I,
    ) -> Option<Found<'m, I>> {
        let provider = global::meter_provider();
        let same = |last: &&Node<Generation<I>>| {
            std::ptr::addr_eq(last.value.provider.as_ptr(), Arc::as_ptr(&provider))
        };
        let generation = last.filter(same).unwrap_or_else(|| {
            let place = last.map_or(&self.generations, |last| &last.next);
            place.get_or_add(|| Generation {
                number: last.map_or(0, |last| last.value.number + 1),
                provider: Arc::downgrade(&provider),
                instruments: (size_of_val(&*provider) > 0).then(|| make(&provider.meter_with_scope(scope()))),
            })
        });
        generation.value.found()
    }
}

impl<I> Generation<I> {
    fn found(&self) -> Option<Found<'_, I>> {
        Some(Found { number: self.number, instruments: self.instruments.as_ref()? })
    }
}
