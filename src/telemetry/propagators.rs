//! Which context headers are read and written.

use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapCompositePropagator, TextMapPropagator};

use super::environment::Environment;
use crate::propagation::{Baggage, TraceContext};

/// A propagator in more than one place.
#[derive(Clone, Debug)]
pub(super) struct Propagator(Arc<dyn TextMapPropagator + Send + Sync>);

impl Propagator {
    pub(super) fn new(propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        Self(Arc::new(propagator))
    }
}

/// Those that the variables name.
pub(super) fn of(_environment: &Environment) -> Propagator {
    let both: Vec<Box<dyn TextMapPropagator + Send + Sync>> =
        vec![Box::new(TraceContext::new()), Box::new(Baggage::new())];
    Propagator::new(TextMapCompositePropagator::new(both))
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
