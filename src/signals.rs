//! Where spans and measurements go: a provider that was given, or the global one, looked up late.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use opentelemetry::global::{self, BoxedSpan, BoxedTracer};
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::{Span, SpanBuilder, SpanContext, TraceContextExt, Tracer as _};
use opentelemetry::{Context, InstrumentationScope};

use crate::config::Side;
use crate::metrics::Instruments;
use crate::semconv::SCHEMA_URL;

pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}

/// Makes spans.
pub(crate) enum Tracer {
    Given(Arc<BoxedTracer>),
    /// The tracer is kept once it has made a span of its own. OpenTelemetry's no-op never does, so
    /// that neither a layer built early nor a health probe before `set_tracer_provider` silences it.
    Global(OnceLock<BoxedTracer>),
}

impl Default for Tracer {
    fn default() -> Self {
        Self::Global(OnceLock::new())
    }
}

impl Clone for Tracer {
    fn clone(&self) -> Self {
        match self {
            Self::Given(tracer) => Self::Given(tracer.clone()),
            Self::Global(_) => Self::default(),
        }
    }
}

impl Tracer {
    /// Nothing if no span came to be: nobody listens, or telemetry is suppressed or shut down. Then
    /// the parent is still the current span, and putting an empty one in its place would cut the
    /// trace.
    pub(crate) fn start(&self, builder: SpanBuilder, parent: &Context) -> Option<BoxedSpan> {
        let span = match self {
            Self::Given(tracer) => tracer.build_with_context(builder, parent),
            Self::Global(kept) => match kept.get() {
                Some(tracer) => tracer.build_with_context(builder, parent),
                None => return Self::ask(kept, builder, parent),
            },
        };
        is_new(span.span_context(), parent).then_some(span)
    }

    fn ask(kept: &OnceLock<BoxedTracer>, builder: SpanBuilder, parent: &Context) -> Option<BoxedSpan> {
        let tracer = global::tracer_with_scope(scope());
        let span = tracer.build_with_context(builder, parent);
        is_new(span.span_context(), parent).then(|| {
            // Another request may have been faster; its tracer is as good.
            let _ = kept.set(tracer);
            span
        })
    }

    /// Whether it is known where spans go.
    fn is_settled(&self) -> bool {
        match self {
            Self::Given(_) => true,
            Self::Global(kept) => kept.get().is_some(),
        }
    }
}

fn is_new(made: &SpanContext, parent: &Context) -> bool {
    made.is_valid() && made.span_id() != parent.span().span_context().span_id()
}

/// Makes instruments, and keeps them.
pub(crate) enum Meters {
    Given { meter: Meter, instruments: OnceLock<Arc<Instruments>> },
    Global(GlobalMeter),
}

impl Default for Meters {
    fn default() -> Self {
        Self::Global(GlobalMeter::default())
    }
}

impl Clone for Meters {
    fn clone(&self) -> Self {
        match self {
            Self::Given { meter, .. } => Self::Given { meter: meter.clone(), instruments: OnceLock::new() },
            Self::Global(_) => Self::default(),
        }
    }
}

impl Meters {
    pub(crate) fn instruments(&self, side: Side, tracer: &Tracer, now: Instant) -> Arc<Instruments> {
        match self {
            Self::Given { meter, instruments } => {
                instruments.get_or_init(|| Arc::new(Instruments::new(meter, side))).clone()
            }
            Self::Global(global) => global.instruments(side, tracer.is_settled(), now),
        }
    }
}

/// The instruments of the global provider, and of those that were global before it. The list grows
/// by one each time the program sets another provider, and reading it takes no lock.
pub(crate) struct GlobalMeter {
    first: OnceLock<Box<Generation>>,
    /// Milliseconds from `first.made` to the last look at the global since spans are known to go
    /// somewhere, or `NEVER`.
    looked: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Default for GlobalMeter {
    fn default() -> Self {
        Self { first: OnceLock::new(), looked: AtomicU64::new(NEVER) }
    }
}

struct Generation {
    provider: Weak<dyn MeterProvider + Send + Sync>,
    instruments: Arc<Instruments>,
    made: Instant,
    next: OnceLock<Box<Self>>,
}

impl GlobalMeter {
    /// The global is a lock that all requests would share: once spans are known to go somewhere it
    /// is looked at every second, before that with each request. The first request that is known so
    /// looks too: both providers may have been set just before it.
    const INTERVAL: Duration = Duration::from_secs(1);

    fn instruments(&self, side: Side, settled: bool, now: Instant) -> Arc<Instruments> {
        let make = |provider: &Arc<dyn MeterProvider + Send + Sync>| {
            Box::new(Generation {
                provider: Arc::downgrade(provider),
                instruments: Arc::new(Instruments::new(&provider.meter_with_scope(scope()), side)),
                made: now,
                next: OnceLock::new(),
            })
        };
        let first = self.first.get_or_init(|| make(&global::meter_provider()));
        let mut last = first;
        while let Some(next) = last.next.get() {
            last = next;
        }
        if !settled || self.is_due(now.saturating_duration_since(first.made)) {
            let provider = global::meter_provider();
            if !std::ptr::addr_eq(last.provider.as_ptr(), Arc::as_ptr(&provider)) {
                last = last.next.get_or_init(|| make(&provider));
            }
        }
        last.instruments.clone()
    }

    fn is_due(&self, age: Duration) -> bool {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        let due = looked == NEVER || age.saturating_sub(looked) >= Self::INTERVAL.as_millis() as u64;
        if due {
            self.looked.store(age, Ordering::Relaxed);
        }
        due
    }
}
