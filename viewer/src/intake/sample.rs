use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span, status};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use crate::shared::{Shared, now};

const MILLISECOND: u64 = 1_000_000;
const SHOP: &str = "test-shop";
const STOCK: &str = "test-stock";

/// Puts a trace into the store that has a bit of everything, for who has none yet, and tells its id.
pub(crate) fn sample(shared: &Shared) -> TraceId {
    let ids = RandomIdGenerator::default();
    let trace = ids.new_trace_id();
    let [order, call, stock, query, earlier] = std::array::from_fn(|_| ids.new_span_id());
    let start = now().saturating_sub(400 * MILLISECOND);
    let at = |from: u64, to: u64| (start + from * MILLISECOND, start + to * MILLISECOND);
    let shop = vec![
        span(trace, (order, SpanId::INVALID), "POST /orders", span::SpanKind::Server, at(0, 320))
            .attributes(&[
                ("http.request.method", "POST"),
                ("http.route", "/orders"),
                ("url.path", "/orders"),
            ])
            .status_code(500)
            .failed("")
            .link(ids.new_trace_id(), earlier),
        span(trace, (call, order), "GET /stock/{item}", span::SpanKind::Client, at(12, 290))
            .attributes(&[
                ("http.request.method", "GET"),
                ("server.address", "stock.test"),
                ("url.template", "/stock/{item}"),
            ])
            .status_code(500)
            .failed(""),
    ];
    let served = vec![
        span(trace, (stock, call), "GET /stock/{item}", span::SpanKind::Server, at(15, 286))
            .attributes(&[
                ("http.request.method", "GET"),
                ("http.route", "/stock/{item}"),
                ("url.path", "/stock/7"),
            ])
            .status_code(500)
            .failed(""),
        span(trace, (query, stock), "SELECT items", span::SpanKind::Client, at(30, 280))
            .attributes(&[
                ("db.system.name", "sqlite"),
                ("db.namespace", "stock"),
                ("db.query.text", "SELECT * FROM items"),
            ])
            .failed("disk I/O error")
            .event("exception", start + 279 * MILLISECOND, "exception.message", "disk I/O error"),
    ];
    shared.take_spans(&[group(SHOP, shop), group(STOCK, served)]);
    shared.take_logs(&[log(trace, query, start + 281 * MILLISECOND)]);
    trace
}

fn text(key: &str, text: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn sender(service: &str) -> Option<Resource> {
    Some(Resource { attributes: vec![text("service.name", service)], ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "otelhttp-viewer/test".to_owned(), ..InstrumentationScope::default() })
}

fn group(service: &str, spans: Vec<Built>) -> ResourceSpans {
    let spans = spans.into_iter().map(|built| built.0).collect();
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, schema_url: String::new() }];
    ResourceSpans { resource: sender(service), scope_spans, schema_url: String::new() }
}

struct Built(Span);

fn span(
    trace: TraceId,
    (id, parent): (SpanId, SpanId),
    name: &str,
    kind: span::SpanKind,
    time: (u64, u64),
) -> Built {
    Built(Span {
        trace_id: trace.to_bytes().to_vec(),
        span_id: id.to_bytes().to_vec(),
        parent_span_id: if parent == SpanId::INVALID { Vec::new() } else { parent.to_bytes().to_vec() },
        name: name.to_owned(),
        kind: kind as i32,
        start_time_unix_nano: time.0,
        end_time_unix_nano: time.1,
        ..Span::default()
    })
}

impl Built {
    fn attributes(mut self, pairs: &[(&str, &str)]) -> Self {
        self.0.attributes.extend(pairs.iter().map(|(key, value)| text(key, value)));
        self
    }

    fn status_code(mut self, code: i64) -> Self {
        let value = Some(AnyValue { value: Some(any_value::Value::IntValue(code)) });
        self.0.attributes.push(KeyValue {
            key: "http.response.status_code".to_owned(),
            value,
            ..KeyValue::default()
        });
        self.attributes(&[("error.type", &code.to_string())])
    }

    fn failed(mut self, message: &str) -> Self {
        self.0.status = Some(Status { code: status::StatusCode::Error as i32, message: message.to_owned() });
        self
    }

    fn event(mut self, name: &str, time: u64, key: &str, value: &str) -> Self {
        let attributes = vec![text(key, value)];
        self.0.events.push(span::Event {
            time_unix_nano: time,
            name: name.to_owned(),
            attributes,
            ..span::Event::default()
        });
        self
    }

    fn link(mut self, trace: TraceId, to: SpanId) -> Self {
        let (trace_id, span_id) = (trace.to_bytes().to_vec(), to.to_bytes().to_vec());
        self.0.links.push(span::Link { trace_id, span_id, ..span::Link::default() });
        self
    }
}

fn log(trace: TraceId, span: SpanId, time: u64) -> ResourceLogs {
    let record = LogRecord {
        time_unix_nano: time,
        severity_number: 17,
        severity_text: "ERROR".to_owned(),
        body: text("", "the stock cannot be read").value,
        trace_id: trace.to_bytes().to_vec(),
        span_id: span.to_bytes().to_vec(),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records: vec![record], schema_url: String::new() }];
    ResourceLogs { resource: sender(STOCK), scope_logs, schema_url: String::new() }
}
