//! What messages are made of, as far as it takes memory of its own: lists. What is there once at most is in its owner.

use opentelemetry::trace::TraceId;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::logs::v1 as logs;
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::trace::v1 as trace;
use serde_json::Value;

use super::Shaped;

#[derive(Debug)]
pub(crate) struct Shape {
    pub(super) fields: &'static [Field],
    /// Serde keeps what it does not know of such a message until it has seen all of it.
    pub(super) is_flattened: bool,
    /// So many lists are in it, and in what is in it once.
    lists: usize,
}

/// No message has more of them.
pub(super) const LISTS: usize = 6;

impl Shape {
    const fn new(fields: &'static [Field], is_flattened: bool) -> Self {
        let (mut lists, mut at) = (0, 0);
        while at < fields.len() {
            lists += fields[at].lists;
            at += 1;
        }
        assert!(lists <= LISTS, "a message has more lists");
        Self { fields, is_flattened, lists }
    }

    /// The field of this number, and the place of its first list among all lists.
    pub(super) fn find(&self, number: u32) -> Option<(&'static Field, usize)> {
        let mut place = 0;
        for field in self.fields {
            if field.number == number {
                return Some((field, place));
            }
            place += field.lists;
        }
        None
    }
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    /// What each of them takes in its list, or nothing, if there is one at most.
    pub(super) size: usize,
    /// What each of them becomes a list of, when it is no message of OTLP's.
    pub(super) becomes: usize,
    pub(super) of: Of,
    /// It is one of those that serde keeps.
    pub(super) is_kept: bool,
    lists: usize,
}

impl Field {
    const fn list(number: u32, name: &'static str, size: usize, of: Of) -> Self {
        Self { number, name, size, becomes: 0, of, is_kept: false, lists: 1 }
    }

    pub(super) const fn is_list(&self) -> bool {
        self.size > 0
    }
}

#[derive(Debug)]
pub(super) enum Of {
    Message(&'static Shape),
    /// Numbers of eight bytes each.
    Fixed,
    /// Numbers of a byte or more.
    Varints,
    Texts,
    /// An object whose keys are anything. Only JSON has it, and what follows.
    Map(&'static Shape),
    /// Lists of a key and a value, which is free.
    Pairs,
    /// Whatever JSON may be.
    Free,
}

const fn many<T>(number: u32, name: &'static str, shape: &'static Shape) -> Field {
    Field::list(number, name, size_of::<T>(), Of::Message(shape))
}

const fn one(number: u32, name: &'static str, shape: &'static Shape) -> Field {
    Field { lists: shape.lists, ..Field::list(number, name, 0, Of::Message(shape)) }
}

const fn one_of(number: u32, name: &'static str, shape: &'static Shape) -> Field {
    Field { is_kept: true, ..one(number, name, shape) }
}

const fn numbers(number: u32, name: &'static str, of: Of) -> Field {
    Field::list(number, name, size_of::<u64>(), of)
}

const fn texts(number: u32, name: &'static str) -> Field {
    Field::list(number, name, size_of::<String>(), Of::Texts)
}

const fn free(name: &'static str) -> Field {
    Field { lists: 0, ..Field::list(0, name, 0, Of::Free) }
}

const fn shape(fields: &'static [Field]) -> Shape {
    Shape::new(fields, false)
}

const fn flattened(fields: &'static [Field]) -> Shape {
    Shape::new(fields, true)
}

const fn attributes(number: u32) -> Field {
    many::<common::KeyValue>(number, "attributes", &KEY_VALUE)
}

pub(super) static ANY_VALUE: Shape =
    flattened(&[one_of(5, "arrayValue", &ARRAY_VALUE), one_of(6, "kvlistValue", &KEY_VALUE_LIST)]);
static ARRAY_VALUE: Shape = shape(&[many::<common::AnyValue>(1, "values", &ANY_VALUE)]);
static KEY_VALUE_LIST: Shape = shape(&[many::<common::KeyValue>(1, "values", &KEY_VALUE)]);
static KEY_VALUE: Shape = shape(&[one(2, "value", &ANY_VALUE)]);
static SCOPE: Shape = shape(&[attributes(3)]);
static ENTITY: Shape = shape(&[texts(3, "idKeys"), texts(4, "descriptionKeys")]);
static RESOURCE: Shape = shape(&[attributes(1), many::<common::EntityRef>(3, "entityRefs", &ENTITY)]);

pub(crate) static TRACES: Shape = shape(&[
    many::<trace::ResourceSpans>(1, "resourceSpans", &RESOURCE_SPANS),
    // Tempo says so for the same.
    many::<trace::ResourceSpans>(0, "batches", &RESOURCE_SPANS),
]);
pub(in super::super) static RESOURCE_SPANS: Shape =
    shape(&[one(1, "resource", &RESOURCE), many::<trace::ScopeSpans>(2, "scopeSpans", &SCOPE_SPANS)]);
static SCOPE_SPANS: Shape = shape(&[one(1, "scope", &SCOPE), many::<trace::Span>(2, "spans", &SPAN)]);
static SPAN: Shape = shape(&[
    attributes(9),
    many::<trace::span::Event>(11, "events", &EVENT),
    many::<trace::span::Link>(13, "links", &LINK),
    one(15, "status", &STATUS),
]);
static STATUS: Shape = shape(&[]);
static EVENT: Shape = shape(&[attributes(3)]);
static LINK: Shape = shape(&[attributes(4)]);

pub(crate) static LOGS: Shape = shape(&[many::<logs::ResourceLogs>(1, "resourceLogs", &RESOURCE_LOGS)]);
pub(in super::super) static RESOURCE_LOGS: Shape =
    shape(&[one(1, "resource", &RESOURCE), many::<logs::ScopeLogs>(2, "scopeLogs", &SCOPE_LOGS)]);
static SCOPE_LOGS: Shape = shape(&[one(1, "scope", &SCOPE), many::<logs::LogRecord>(2, "logRecords", &LOG)]);
static LOG: Shape = shape(&[one(5, "body", &ANY_VALUE), attributes(6)]);

pub(crate) static METRICS: Shape =
    shape(&[many::<metrics::ResourceMetrics>(1, "resourceMetrics", &RESOURCE_METRICS)]);
pub(in super::super) static RESOURCE_METRICS: Shape =
    shape(&[one(1, "resource", &RESOURCE), many::<metrics::ScopeMetrics>(2, "scopeMetrics", &SCOPE_METRICS)]);
static SCOPE_METRICS: Shape =
    shape(&[one(1, "scope", &SCOPE), many::<metrics::Metric>(2, "metrics", &METRIC)]);
static METRIC: Shape = flattened(&[
    one_of(5, "gauge", &NUMBERS),
    one_of(7, "sum", &NUMBERS),
    one_of(9, "histogram", &HISTOGRAMS),
    one_of(10, "exponentialHistogram", &EXPONENTIALS),
    one_of(11, "summary", &SUMMARIES),
    many::<common::KeyValue>(12, "metadata", &KEY_VALUE),
]);
static NUMBERS: Shape = shape(&[many::<metrics::NumberDataPoint>(1, "dataPoints", &NUMBER)]);
static HISTOGRAMS: Shape = shape(&[many::<metrics::HistogramDataPoint>(1, "dataPoints", &HISTOGRAM)]);
static EXPONENTIALS: Shape =
    shape(&[many::<metrics::ExponentialHistogramDataPoint>(1, "dataPoints", &EXPONENTIAL)]);
static SUMMARIES: Shape = shape(&[many::<metrics::SummaryDataPoint>(1, "dataPoints", &SUMMARY)]);
static NUMBER: Shape = flattened(&[attributes(7), many::<metrics::Exemplar>(5, "exemplars", &EXEMPLAR)]);
static HISTOGRAM: Shape = shape(&[
    attributes(9),
    numbers(6, "bucketCounts", Of::Fixed),
    numbers(7, "explicitBounds", Of::Fixed),
    many::<metrics::Exemplar>(8, "exemplars", &EXEMPLAR),
]);
static EXPONENTIAL: Shape = shape(&[
    attributes(1),
    one(8, "positive", &BUCKETS),
    one(9, "negative", &BUCKETS),
    many::<metrics::Exemplar>(11, "exemplars", &EXEMPLAR),
]);
static BUCKETS: Shape = shape(&[numbers(2, "bucketCounts", Of::Varints)]);
static SUMMARY: Shape = shape(&[
    attributes(7),
    many::<metrics::summary_data_point::ValueAtQuantile>(6, "quantileValues", &QUANTILE),
]);
static QUANTILE: Shape = shape(&[]);
static EXEMPLAR: Shape = flattened(&[many::<common::KeyValue>(7, "filteredAttributes", &KEY_VALUE)]);

impl Shaped for ExportTraceServiceRequest {
    const SHAPE: &'static Shape = &TRACES;
}

impl Shaped for ExportMetricsServiceRequest {
    const SHAPE: &'static Shape = &METRICS;
}

impl Shaped for ExportLogsServiceRequest {
    const SHAPE: &'static Shape = &LOGS;
}

/// Of other formats each thing becomes a struct of its own and one of OTLP, which are of about a size.
const fn twice<T>(name: &'static str, shape: &'static Shape) -> Field {
    Field { becomes: size_of::<T>(), ..Field::list(0, name, size_of::<T>(), Of::Message(shape)) }
}

/// Each has the trace's id, which is said once.
const fn of_trace<T>(name: &'static str, shape: &'static Shape) -> Field {
    Field { becomes: size_of::<T>() + size_of::<TraceId>(), ..twice::<T>(name, shape) }
}

/// Each becomes a pair of its own and an attribute of OTLP's.
const fn pairs(name: &'static str) -> Field {
    let becomes = size_of::<common::KeyValue>();
    Field { becomes, ..Field::list(0, name, size_of::<(String, Value)>(), Of::Pairs) }
}

pub(crate) static JAEGER: Shape = shape(&[twice::<JaegerTrace>("data", &JAEGER_TRACE)]);
static JAEGER_TRACE: Shape = shape(&[
    // In groups of their own.
    Field {
        becomes: size_of::<trace::Span>() + size_of::<trace::ScopeSpans>(),
        ..Field::list(0, "spans", size_of::<trace::Span>(), Of::Message(&JAEGER_SPAN))
    },
    // A table has up to twice the room of a list.
    Field {
        becomes: size_of::<trace::ResourceSpans>() + SERVICE_NAME,
        ..Field::list(0, "processes", 2 * size_of::<trace::ResourceSpans>(), Of::Map(&JAEGER_PROCESS))
    },
]);
/// An attribute of a list of its own, with its key.
const SERVICE_NAME: usize = 4 * size_of::<common::KeyValue>() + "service.name".len();
/// A list and a table.
type JaegerTrace = [usize; 9];
static JAEGER_PROCESS: Shape = shape(&[tags("tags")]);
static JAEGER_SPAN: Shape = shape(&[
    tags("tags"),
    twice::<trace::span::Event>("logs", &JAEGER_LOG),
    twice::<trace::span::Link>("references", &JAEGER_REFERENCE),
]);
static JAEGER_LOG: Shape = shape(&[tags("fields")]);
static JAEGER_REFERENCE: Shape = shape(&[]);
static JAEGER_TAG: Shape = shape(&[free("value")]);

const fn tags(name: &'static str) -> Field {
    twice::<common::KeyValue>(name, &JAEGER_TAG)
}

pub(crate) static DOCUMENT: Shape = shape(&[
    twice::<[usize; 3]>("resources", &DOCUMENT_PAIRS),
    twice::<common::InstrumentationScope>("scopes", &DOCUMENT_PAIRS),
    of_trace::<trace::Span>("spans", &DOCUMENT_SPAN),
    of_trace::<logs::LogRecord>("logs", &DOCUMENT_LOG),
]);
static DOCUMENT_PAIRS: Shape = shape(&[pairs("attributes")]);
static DOCUMENT_SPAN: Shape = shape(&[
    pairs("attributes"),
    twice::<trace::span::Event>("events", &DOCUMENT_PAIRS),
    twice::<trace::span::Link>("links", &DOCUMENT_PAIRS),
]);
static DOCUMENT_LOG: Shape = shape(&[pairs("attributes"), free("body")]);
