//! What is learnt of a call after its span has started.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::{Context, KeyValue};

use crate::semconv::attributes::put;
use crate::semconv::error::Failure;

/// The part of an exchange that others may hold on to: the handle, an inner layer.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The context in which the inner service runs.
    pub(crate) cx: Context,
    /// Hooks and captures cost nothing when nobody would see what they say.
    recorded: bool,
    /// Nothing once the exchange has ended: whatever is said later has nobody to hear it.
    late: Mutex<Option<Late>>,
}

/// The last word wins, and is written once, when the exchange ends.
#[derive(Debug, Default)]
pub(crate) struct Late {
    pub(crate) route: Option<Arc<str>>,
    pub(crate) route_changed: bool,
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) error: Option<Failure>,
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) metric_attributes: Vec<KeyValue>,
}

impl Late {
    pub(crate) fn set_route(&mut self, route: Arc<str>) {
        if self.route.as_ref() != Some(&route) {
            self.route = Some(route);
            self.route_changed = true;
        }
    }

    pub(crate) fn set_attribute(&mut self, attribute: KeyValue) {
        put(&mut self.attributes, attribute);
    }

    pub(crate) fn set_metric_attribute(&mut self, attribute: KeyValue) {
        put(&mut self.metric_attributes, attribute);
    }
}

impl Shared {
    pub(crate) fn new(cx: Context, recorded: bool, route: Option<Arc<str>>) -> Self {
        Self { cx, recorded, late: Mutex::new(Some(Late { route, ..Late::default() })) }
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded
    }

    pub(crate) fn say(&self, what: impl FnOnce(&mut Late)) {
        if let Some(late) = self.lock().as_mut() {
            what(late);
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.lock().is_some()
    }

    /// Ends it: what was said until now, for the first who asks.
    pub(crate) fn take(&self) -> Option<Late> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Late>> {
        // Nothing that runs under the lock leaves the list half-written.
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
