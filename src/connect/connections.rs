//! The connections that are open: `http.client.open_connections` and `http.client.connection.duration`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::{Version, response};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};

use super::phase::Target;
use crate::guest::contain;
use crate::semconv::{HTTP_CONNECTION_STATE, NETWORK_PROTOCOL_VERSION, URL_SCHEME, protocol_version};

/// The registry names none. Connections live longer than requests, and these are what .NET advises.
const BOUNDARIES: [f64; 14] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Names and descriptions are the registry's.
#[derive(Debug)]
pub(super) struct Instruments {
    open: UpDownCounter<i64>,
    duration: Histogram<f64>,
}

impl Instruments {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            open: meter
                .i64_up_down_counter("http.client.open_connections")
                .with_unit("{connection}")
                .with_description(
                    "Number of outbound HTTP connections that are currently active or idle on the client.",
                )
                .build(),
            duration: meter
                .f64_histogram("http.client.connection.duration")
                .with_unit("s")
                .with_description("The duration of the successfully established outbound HTTP connections.")
                .with_boundaries(BOUNDARIES.to_vec())
                .build(),
        }
    }
}

/// How a connection is used, in one word that is changed without a lock: the lower bits are flags, the
/// rest counts the responses that come over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Usage(u32);

impl Usage {
    /// It counts.
    const OPEN: u32 = 1;
    /// Something was sent, and no response has been read since.
    const SENT: u32 = 2;
    /// HTTP/2 sends when nobody asks for anything.
    const MULTIPLEXED: u32 = 4;
    const RESPONSE: u32 = 8;

    fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// Whether it is in use, if it is open.
    fn active(self) -> Option<bool> {
        self.has(Self::OPEN).then_some(self.has(Self::SENT) || self.0 >= Self::RESPONSE)
    }

    fn with(self, flag: u32) -> Self {
        Self(self.0 | flag)
    }

    fn without(self, flag: u32) -> Self {
        Self(self.0 & !flag)
    }

    /// Whether sending says nothing new.
    fn ignores_sending(self) -> bool {
        !self.has(Self::OPEN) || self.has(Self::SENT) || self.has(Self::MULTIPLEXED)
    }

    fn sent(self) -> Self {
        if self.ignores_sending() { self } else { self.with(Self::SENT) }
    }

    fn answered(self, multiplexed: bool) -> Self {
        let answered = Self(self.0 + Self::RESPONSE);
        if multiplexed { answered.with(Self::MULTIPLEXED) } else { answered }
    }

    fn read(self) -> Self {
        let read = Self(self.0 - Self::RESPONSE);
        if read.0 < Self::RESPONSE { read.without(Self::SENT) } else { read }
    }
}

/// One connection.
#[derive(Debug)]
struct Connection {
    instruments: Arc<Instruments>,
    active: Vec<KeyValue>,
    idle: Vec<KeyValue>,
    usage: AtomicU32,
    opened: OnceLock<Instant>,
    version: OnceLock<Version>,
}

impl Connection {
    /// Foreign code does not run while anything is held.
    fn change(&self, change: impl Fn(Usage) -> Usage) {
        let next = |usage: u32| Some(change(Usage(usage)).0);
        let before = self.usage.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        let before = Usage(before.unwrap_or_else(|unchanged| unchanged));
        let (was, is) = (before.active(), change(before).active());
        if was != is {
            contain("a meter", || {
                was.inspect(|active| self.count(-1, *active));
                is.inspect(|active| self.count(1, *active));
            });
        }
    }

    fn count(&self, by: i64, active: bool) {
        self.instruments.open.add(by, if active { &self.active } else { &self.idle });
    }

    fn sent(&self) {
        // The common case, seen without writing: all but the first piece of a request.
        if !Usage(self.usage.load(Ordering::Relaxed)).ignores_sending() {
            self.change(Usage::sent);
        }
    }

    fn close(&self) {
        self.change(|usage| usage.without(Usage::OPEN));
        let Some(opened) = self.opened.get() else { return };
        let seconds = opened.elapsed().as_secs_f64();
        // Without the state, which is not a connection's as a whole.
        let mut attributes = self.idle.clone();
        attributes.retain(|attribute| attribute.key.as_str() != HTTP_CONNECTION_STATE);
        let version = self.version.get().and_then(|version| protocol_version(*version));
        attributes.extend(version.map(|version| KeyValue::new(NETWORK_PROTOCOL_VERSION, version)));
        contain("a meter", || self.instruments.duration.record(seconds, &attributes));
    }
}

/// A connection as connectors further out and the client's layer see it, through hyper-util's extras.
#[derive(Clone, Debug)]
pub(super) struct Handle(Arc<Connection>);

impl Handle {
    pub(super) fn new(instruments: Arc<Instruments>, target: &Target) -> Self {
        let labels = |state: &'static str| {
            let mut labels = target.attributes();
            labels.extend(target.scheme.map(|scheme| KeyValue::new(URL_SCHEME, scheme.as_str())));
            labels.push(KeyValue::new(HTTP_CONNECTION_STATE, state));
            labels
        };
        Self(Arc::new(Connection {
            instruments,
            active: labels("active"),
            idle: labels("idle"),
            usage: AtomicU32::new(0),
            opened: OnceLock::new(),
            version: OnceLock::new(),
        }))
    }

    /// From now on it counts, as idle: nothing was sent yet.
    pub(super) fn open(&self, multiplexed: bool) {
        let flags = if multiplexed { Usage::OPEN | Usage::MULTIPLEXED } else { Usage::OPEN };
        if self.0.opened.set(Instant::now()).is_ok() {
            self.0.change(|usage| usage.with(flags));
        }
    }

    fn lease(self, version: Version) -> Lease {
        let _ = self.0.version.set(version);
        self.0.change(|usage| usage.answered(version == Version::HTTP_2));
        Lease(Some(self.0))
    }
}

/// The end of the connection's bytes, which closes it when it goes.
#[derive(Debug)]
pub(super) struct Measured(Option<Handle>);

impl Measured {
    pub(super) fn new(handle: Option<Handle>) -> Self {
        Self(handle)
    }

    pub(super) fn handle(&self) -> Option<&Handle> {
        self.0.as_ref()
    }

    pub(super) fn sent(&self) {
        if let Some(Handle(connection)) = &self.0 {
            connection.sent();
        }
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        if let Some(Handle(connection)) = &self.0 {
            connection.close();
        }
    }
}

/// Holds a connection in use, from the head of a response to the end of its body.
#[derive(Debug, Default)]
pub(crate) struct Lease(Option<Arc<Connection>>);

impl Lease {
    /// The handle is taken out of the response, since it is of this hop only.
    pub(crate) fn take(parts: &mut response::Parts) -> Self {
        let handle = parts.extensions.remove::<Handle>();
        handle.map(|handle| handle.lease(parts.version)).unwrap_or_default()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.change(Usage::read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_active_while_it_is_used() {
        let open = Usage(Usage::OPEN);
        assert_eq!(Usage(0).active(), None);
        assert_eq!(open.active(), Some(false));
        assert_eq!(open.sent().active(), Some(true));
        assert_eq!(open.sent().answered(false).active(), Some(true));
        assert_eq!(open.sent().answered(false).read(), open);
        assert_eq!(open.sent().answered(false).without(Usage::OPEN).read().active(), None);
    }

    #[test]
    fn http2_is_active_until_its_last_response_is_read() {
        let two = Usage(Usage::OPEN).sent().answered(true).answered(true);
        assert_eq!(two.read().active(), Some(true));
        let idle = two.read().read();
        assert_eq!(idle.active(), Some(false));
        // A ping, or more room for what was read.
        assert_eq!(idle.sent().active(), Some(false));
        assert_eq!(idle.answered(true).active(), Some(true));
    }

    #[test]
    fn what_is_sent_before_it_is_open_or_after_does_not_count() {
        assert_eq!(Usage(0).sent(), Usage(0));
        assert_eq!(Usage(0).sent().with(Usage::OPEN).active(), Some(false));
    }
}
