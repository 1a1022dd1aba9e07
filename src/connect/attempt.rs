//! One connection being made: which of its phases are over, and since when.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use opentelemetry::Context;

/// The steps in which a connection is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dns,
    Tcp,
    Tls,
    /// All that cannot be told apart.
    Connect,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Connect => "connect",
        }
    }
}

/// What the wrappers of one connection share, from the outermost inwards: the phases follow each other,
/// though the services that do them are nested.
#[derive(Debug)]
pub(super) struct Attempt {
    time: SystemTime,
    instant: Instant,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// When the last phase was over.
    reached: Option<Instant>,
    /// A phase failed or was given up, so those around it never began.
    broken: bool,
    connected: bool,
    handshake_follows: bool,
}

/// Carried by the context in which an inner service runs. Nothing where what it does is for a
/// connection of its own: a resolver may ask over HTTP.
struct Around(Option<Arc<Attempt>>);

impl Attempt {
    /// The attempt that a wrapper further out has begun, or a new one.
    pub(super) fn of(cx: &Context) -> Arc<Self> {
        let around = cx.get::<Around>().and_then(|around| around.0.clone());
        around.unwrap_or_else(|| {
            let progress = Mutex::default();
            Arc::new(Self { time: SystemTime::now(), instant: Instant::now(), progress })
        })
    }

    /// The context for the service that does this phase.
    pub(super) fn enter(self: &Arc<Self>, kind: Kind, cx: &Context) -> Context {
        self.with(|progress| {
            // A connector may try again.
            progress.broken = false;
            progress.handshake_follows |= kind == Kind::Tls;
        });
        cx.with_value(Around((kind != Kind::Dns).then(|| self.clone())))
    }

    /// Notes the end of a phase. Tells which one it was and when it began; nothing if it never did.
    pub(super) fn pass(
        &self,
        kind: Kind,
        called: Instant,
        now: Instant,
        good: bool,
    ) -> Option<(Kind, Instant)> {
        self.with(|progress| {
            // What succeeds had all that it needs, whatever became of an attempt beside it.
            if progress.broken && !good {
                return None;
            }
            let began = progress.reached.map_or(called, |reached| reached.max(called));
            let kind = if kind == Kind::Tls && !progress.connected { Kind::Connect } else { kind };
            progress.reached = Some(now);
            progress.connected |= good && kind == Kind::Tcp;
            progress.broken = !(good || kind == Kind::Tcp && progress.connected);
            Some((kind, began))
        })
    }

    /// Whether a wrapper of ours will say when the handshake of TLS is over.
    pub(super) fn handshake_follows(&self) -> bool {
        self.with(|progress| progress.handshake_follows)
    }

    /// The time of an instant. One reading of the clock serves all phases, so that none begins before
    /// the one that it follows has ended.
    pub(super) fn time_of(&self, instant: Instant) -> SystemTime {
        self.time + instant.saturating_duration_since(self.instant)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
