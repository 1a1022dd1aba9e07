//! What is learnt of a call after its span has started.

use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry::KeyValue;

use crate::semconv::attributes::put;
use crate::semconv::error::Failure;

/// What was said by the handle, by hooks and by layers further in. The last word wins, and is written
/// once, when the call ends.
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
