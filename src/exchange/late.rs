//! What is learnt of a call after its span has started.

use std::borrow::Cow;

use opentelemetry::KeyValue;

use crate::semconv::attributes::put;
use crate::semconv::error::Failure;
use crate::semconv::intern::Text;

/// What was said by the handle, by hooks and by layers further in. The last word wins, and is written
/// once, when the call ends.
#[derive(Debug, Default)]
pub(crate) struct Late {
    pub(crate) route: Option<Text>,
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) error: Option<Failure>,
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) metric_attributes: Vec<KeyValue>,
}

impl Late {
    pub(crate) fn set_attribute(&mut self, attribute: KeyValue) {
        put(&mut self.attributes, attribute);
    }

    /// What is not equal to itself is no label: each would be a series of its own.
    pub(crate) fn set_metric_attribute(&mut self, attribute: KeyValue) {
        if attribute.value != attribute.value.clone() {
            return;
        }
        put(&mut self.metric_attributes, attribute);
    }
}

/// What has been said until now. Of most calls nothing ever is, and then nothing need be moved or freed.
#[derive(Debug, Default)]
pub(super) enum Said {
    #[default]
    Nothing,
    Something(Box<Late>),
    /// The call has ended: whatever is said now has nobody to hear it.
    Over,
}

impl Said {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    pub(super) fn route(&self) -> Option<&Text> {
        match self {
            Self::Something(late) => late.route.as_ref(),
            Self::Nothing | Self::Over => None,
        }
    }

    pub(super) fn say(&mut self, what: impl FnOnce(&mut Late)) {
        if matches!(self, Self::Nothing) {
            *self = Self::Something(Box::default());
        }
        if let Self::Something(late) = self {
            what(late);
        }
    }

    /// Ends the call, and tells what has been said. Nothing if it had ended before.
    #[expect(clippy::option_option, reason = "whether it had ended is one question, what was said another")]
    pub(super) fn end(&mut self) -> Option<Option<Box<Late>>> {
        match std::mem::replace(self, Self::Over) {
            Self::Nothing => Some(None),
            Self::Something(late) => Some(Some(late)),
            Self::Over => None,
        }
    }
}
