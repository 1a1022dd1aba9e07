//! What is said of a metric, as it comes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};

use super::super::size;
use crate::model::{Attributes, Resource, Scope, Text};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

/// Which instrument it is. Two of one name that differ in the rest cannot be drawn together, nor added.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) name: Text,
    pub(crate) shape: Shape,
    pub(crate) unit: Text,
}

/// How the points of a series follow each other. Processes that measure the same may do so in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Course {
    pub(crate) is_monotonic: bool,
    /// Absent for gauges.
    pub(crate) is_cumulative: Option<bool>,
}

/// What is said once for all points of a metric that are sent together.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) identity: Identity,
    pub(crate) description: Text,
    pub(crate) course: Course,
}

#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) time: u64,
    pub(crate) data: Data,
}

#[derive(Clone, Debug)]
pub(crate) enum Data {
    Number(f64),
    Distribution(Box<Distribution>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Distribution {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// Where each bucket ends. The last one has no end, so there is one more of `counts`.
    pub(crate) bounds: Arc<[f64]>,
    pub(crate) counts: Box<[u64]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Exemplar {
    pub(crate) time: u64,
    pub(crate) value: f64,
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
}

/// Who measures.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(super) resource: Arc<Resource>,
    pub(super) scope: Arc<Scope>,
    /// Of all that tells it from others. That may be long, and many points come together, so it is looked at once.
    pub(super) digest: u64,
}

impl Sender {
    /// A process, none of whose libraries is known yet.
    pub(crate) fn new(resource: Arc<Resource>) -> Self {
        // Two processes of the same resource are told apart by its attributes, if they have `service.instance.id`.
        let digest = digest(&resource.attributes);
        Self { resource, scope: Arc::default(), digest }
    }

    /// One of its libraries.
    pub(crate) fn with(&self, scope: Arc<Scope>) -> Self {
        let digest = digest(&(self.digest, &scope.name, &scope.version, &scope.attributes));
        Self { resource: self.resource.clone(), scope, digest }
    }
}

fn digest(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// A point on its way in.
#[derive(Debug)]
pub(crate) struct Measurement {
    pub(crate) sender: Sender,
    pub(crate) attributes: Attributes,
    pub(crate) point: Point,
    pub(crate) exemplars: Vec<Exemplar>,
    /// Of the attributes, on the heap.
    pub(crate) cost: usize,
}

impl Point {
    pub(super) fn bytes(&self) -> usize {
        let data = match &self.data {
            Data::Number(_) => 0,
            Data::Distribution(distribution) => {
                let counts = size::vec::<u64>(distribution.counts.len());
                size_of::<Distribution>() + counts + size::shared::<f64>(distribution.bounds.len())
            }
        };
        size_of::<Self>() + data
    }
}
