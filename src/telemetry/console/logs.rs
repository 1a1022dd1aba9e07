//! A line for each log.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::AnyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::SdkLogRecord;

use super::json::line;
use super::print;
use super::time::rfc3339;
use super::tree::cleaned;
use crate::telemetry::deliver::{Accepted, Exporting, Record, Sink};

#[derive(Debug)]
pub(crate) struct ConsoleLogs {
    pub(super) json: bool,
}

impl Sink<Record> for ConsoleLogs {
    fn whither(&self) -> String {
        "the console".to_owned()
    }

    fn export(&self, batch: Vec<Record>) -> Exporting<'_> {
        let write = if self.json { json } else { text };
        let lines: String = batch.iter().map(|record| write(&record.0)).collect();
        print(&lines);
        Box::pin(std::future::ready(Ok(Accepted::default())))
    }

    fn resource(&mut self, _resource: &Resource) {}

    fn shutdown(&self, _within: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn text(log: &SdkLogRecord) -> String {
    let (time, severity, target) = head(log);
    let body = log.body().map(shown).unwrap_or_default();
    let mut text = format!("{time} {severity:>5} {target}: {}", cleaned(&body));
    for (key, value) in log.attributes_iter() {
        _ = write!(text, "  {key}={}", cleaned(&shown(value)));
    }
    if let Some(trace) = log.trace_context() {
        _ = write!(text, "  trace_id={} span_id={}", trace.trace_id, trace.span_id);
    }
    text.push('\n');
    text
}

fn json(log: &SdkLogRecord) -> String {
    let (time, severity, target) = head(log);
    line(|object| {
        object.string("time", &time);
        object.string("severity", severity);
        object.string("target", target);
        log.event_name().into_iter().for_each(|name| object.string("event_name", name));
        log.body().into_iter().for_each(|body| object.any("body", body));
        object.object("attributes", |object| {
            log.attributes_iter().for_each(|(key, value)| object.any(key.as_str(), value));
        });
        if let Some(trace) = log.trace_context() {
            object.string("trace_id", &trace.trace_id.to_string());
            object.string("span_id", &trace.span_id.to_string());
        }
    })
}

fn head(log: &SdkLogRecord) -> (String, &'static str, &str) {
    let time = log.timestamp().or(log.observed_timestamp()).unwrap_or_else(SystemTime::now);
    let severity =
        log.severity_text().or(log.severity_number().map(|number| number.name())).unwrap_or_default();
    (rfc3339(time), severity, log.target().map_or("", |target| target.as_ref()))
}

/// A text without quotes, and other things as Rust writes them.
fn shown(value: &AnyValue) -> String {
    match value {
        AnyValue::String(text) => text.to_string(),
        AnyValue::Int(number) => number.to_string(),
        AnyValue::Double(number) => number.to_string(),
        AnyValue::Boolean(flag) => flag.to_string(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _, Severity};
    use opentelemetry::{SpanId, TraceFlags, TraceId};
    use opentelemetry_sdk::logs::SdkLoggerProvider;

    use super::*;

    fn log() -> SdkLogRecord {
        let mut log = SdkLoggerProvider::builder().build().logger("test").create_log_record();
        log.set_timestamp(UNIX_EPOCH);
        log.set_severity_number(Severity::Warn);
        log.set_severity_text("WARN");
        log.set_target("shop");
        log.set_body(AnyValue::from("sold\nout"));
        log.add_attribute("item", 7_i64);
        log.set_trace_context(TraceId::from(7), SpanId::from(8), Some(TraceFlags::SAMPLED));
        log
    }

    #[test]
    fn a_line_for_people_has_all_of_it() {
        let ids = "trace_id=00000000000000000000000000000007 span_id=0000000000000008";
        let expected = format!("1970-01-01T00:00:00.000000Z  WARN shop: sold\u{fffd}out  item=7  {ids}\n");
        assert_eq!(text(&log()), expected);
    }

    #[test]
    fn a_line_for_pipes_has_all_of_it() {
        let read: serde_json::Value = serde_json::from_str(&json(&log())).unwrap();
        let expected = serde_json::json!({
            "time": "1970-01-01T00:00:00.000000Z",
            "severity": "WARN",
            "target": "shop",
            "body": "sold\nout",
            "attributes": {"item": 7},
            "trace_id": "00000000000000000000000000000007",
            "span_id": "0000000000000008",
        });
        assert_eq!(read, expected);
    }
}
