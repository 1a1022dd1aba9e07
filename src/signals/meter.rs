use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

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

impl<I> Meters<I> {
    /// Nothing if it is the no-op. `settled` says whether it is known where spans go.
    pub(crate) fn instruments(
        &self,
        settled: bool,
        now: Instant,
        make: impl FnOnce(&Meter) -> I,
    ) -> Option<Arc<I>> {
        match self {
            Self::Given(given) => given.instruments(make),
            Self::Global(global) => global.instruments(settled, now, make),
        }
    }
}

/// It holds on to its provider, which would be shut down if this was the last that had it.
pub(crate) struct GivenMeter<I> {
    provider: Arc<dyn MeterProvider + Send + Sync>,
    instruments: OnceLock<Arc<I>>,
}

impl<I> GivenMeter<I> {
    pub(crate) fn new(provider: Arc<dyn MeterProvider + Send + Sync>) -> Self {
        Self { provider, instruments: OnceLock::new() }
    }

    fn instruments(&self, make: impl FnOnce(&Meter) -> I) -> Option<Arc<I>> {
        let make = || Arc::new(make(&self.provider.meter_with_scope(scope())));
        let made = || contain("a meter", || self.instruments.get_or_init(make));
        self.instruments.get().or_else(made).cloned()
    }
}

/// The instruments of the global provider, and of those that were global before it.
pub(crate) struct GlobalMeter<I> {
    generations: Latest<Generation<I>>,
    since: OnceLock<Instant>,
    /// Seconds from `since` to the last look at the global after spans were known to go somewhere, or
    /// `NEVER`.
    looked: AtomicU64,
}

struct Generation<I> {
    provider: Weak<dyn MeterProvider + Send + Sync>,
    /// Nothing for OpenTelemetry's no-op. It cannot be asked what it is, but it has no state, and
    /// whatever measures needs some.
    instruments: Option<Arc<I>>,
}

const NEVER: u64 = u64::MAX;

impl<I> Default for GlobalMeter<I> {
    fn default() -> Self {
        Self { generations: Latest::default(), since: OnceLock::new(), looked: AtomicU64::new(NEVER) }
    }
}

impl<I> GlobalMeter<I> {
    /// The global is a lock that all requests would share: once spans are known to go somewhere it
    /// is looked at every second, before that with each request. The first request that is known so
    /// looks too: both providers may have been set just before it.
    fn instruments(&self, settled: bool, now: Instant, make: impl FnOnce(&Meter) -> I) -> Option<Arc<I>> {
        let last = self.generations.get();
        let looks = last.is_none() || !settled || self.is_due(now);
        match last.filter(|_| !looks) {
            Some(last) => last.value.instruments.clone(),
            None => contain("a meter", || self.look(last, make))?,
        }
    }

    fn look(&self, last: Option<&Node<Generation<I>>>, make: impl FnOnce(&Meter) -> I) -> Option<Arc<I>> {
        let provider = global::meter_provider();
        let same = |last: &&Node<Generation<I>>| {
            std::ptr::addr_eq(last.value.provider.as_ptr(), Arc::as_ptr(&provider))
        };
        let generation = last.filter(same).unwrap_or_else(|| {
            let place = last.map_or(&self.generations, |last| &last.next);
            place.get_or_add(|| Generation {
                provider: Arc::downgrade(&provider),
                instruments: (size_of_val(&*provider) > 0)
                    .then(|| Arc::new(make(&provider.meter_with_scope(scope())))),
            })
        });
        generation.value.instruments.clone()
    }

    fn is_due(&self, now: Instant) -> bool {
        let age = now.saturating_duration_since(*self.since.get_or_init(|| now)).as_secs();
        let looked = self.looked.load(Ordering::Relaxed);
        let due = looked == NEVER || age > looked;
        if due {
            self.looked.store(age, Ordering::Relaxed);
        }
        due
    }
}
