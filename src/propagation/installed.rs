use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};

use super::from_env::DEFAULT;

/// The default propagators as the global ones, which the layers know, and can do faster.
///
/// A global propagator shows nothing of itself but its fields, so it is known by where those are. Who holds a
/// propagator can put one of its own around it, with these fields; so this one is only ever installed,
/// and never handed out.
#[derive(Debug)]
pub(crate) struct Installed;

static FIELDS: LazyLock<Vec<String>> = LazyLock::new(|| DEFAULT.fields().map(str::to_owned).collect());

impl Installed {
    pub(super) fn is(propagator: &dyn TextMapPropagator) -> bool {
        let (own, other) = (FIELDS.first(), propagator.fields().next());
        own.zip(other).is_some_and(|(own, other)| std::ptr::eq(own.as_ptr(), other.as_ptr()))
    }
}

impl TextMapPropagator for Installed {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        DEFAULT.inject_context(cx, injector);
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        DEFAULT.extract_with_context(cx, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&FIELDS)
    }
}
