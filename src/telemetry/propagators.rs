//! Which context headers are read and written.

use std::fmt;
use std::sync::Arc;

use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::{Context, global};

use super::environment::Environment;
use crate::propagation::{self, Installed, Propagators};

/// A propagator in more than one place.
#[derive(Clone, Debug)]
pub(super) struct Propagator {
    inner: Arc<dyn TextMapPropagator + Send + Sync>,
    is_default: bool,
}

impl Propagator {
    pub(super) fn new(propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        let is_default = Propagators::are_default(&propagator);
        Self { inner: Arc::new(propagator), is_default }
    }

    /// Makes it the global one.
    pub(super) fn install(self) {
        if self.is_default {
            global::set_text_map_propagator(Installed);
        } else {
            global::set_text_map_propagator(self);
        }
    }
}

/// Those that `OTEL_PROPAGATORS` names.
pub(super) fn of(environment: &Environment) -> Propagator {
    let tell = |complaint: fmt::Arguments<'_>| environment.reports.tell_once(complaint.to_string());
    Propagator::new(propagation::from_vars_telling(|name| environment.value(name), tell))
}

impl TextMapPropagator for Propagator {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        self.inner.inject_context(cx, injector);
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        self.inner.extract_with_context(cx, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.inner.fields()
    }
}
