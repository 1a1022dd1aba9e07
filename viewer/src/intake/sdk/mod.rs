//! From the SDK of this process.

mod logs;
mod metrics;
mod span;
mod spans;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::KeyValue;

pub(crate) use logs::LogIntake;
pub(crate) use metrics::MetricIntake;
pub(crate) use span::{Pending, size};
pub(crate) use spans::{SpanIntake, Watch};

use crate::model::Resource;
use crate::store::Draft;

/// Nanoseconds since 1970. A clock before that stands still.
pub(crate) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn resource(draft: &mut Draft<'_>, resource: &opentelemetry_sdk::Resource) -> Arc<Resource> {
    let pairs: Vec<KeyValue> =
        resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    let attributes = span::attributes(draft, pairs);
    let service = crate::model::find(&attributes, "service.name").map(ToString::to_string);
    let service = draft.text(service.as_deref().unwrap_or("unknown_service"));
    draft.resource(service, attributes)
}
