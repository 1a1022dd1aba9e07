//! Which context headers are read and written.

use std::fmt;
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};

use super::environment::Environment;
use crate::propagation;

/// A propagator in more than one place.
#[derive(Clone, Debug)]
pub(super) struct Propagator(Arc<dyn TextMapPropagator + Send + Sync>);

impl Propagator {
    pub(super) fn new(propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        Self(Arc::new(propagator))
    }
}

/// Those that `OTEL_PROPAGATORS` names.
pub(super) fn of(environment: &Environment) -> Propagator {
    let tell = |complaint: fmt::Arguments<'_>| environment.reports.tell_once(complaint.to_string());
    Propagator::new(propagation::from_vars_telling(|name| environment.value(name), tell))
}

impl TextMapPropagator for Propagator {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        self.0.inject_context(cx, injector);
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        self.0.extract_with_context(cx, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.0.fields()
    }
}
