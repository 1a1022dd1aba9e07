//! The example `logs`, run as a reader would.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "common/example.rs"]
mod example;

use serde_json::Value;

/// What stands behind this in a line, up to the next blank.
fn after<'l>(line: &'l str, name: &str) -> &'l str {
    let (_, rest) = line.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("no {name}: {line}"));
    rest.split_ascii_whitespace().next().unwrap()
}

#[test]
fn each_line_of_a_request_names_it_as_text() {
    let text = example::run("logs", &[]);
    // Those of other crates are not counted.
    let lines: Vec<_> = text.lines().filter(|line| line.contains(" logs: ")).collect();
    let [open, asking, sold, asking_again, sold_again] = lines[..] else { panic!("{text}") };
    assert!(open.ends_with("INFO logs: open"), "{open}");
    assert!(sold.contains(r#"INFO request{customer="alice"}: logs: sold price=6 trace_id="#), "{sold}");
    assert!(asking.contains(r#"request{customer="alice"}:quote{item="apples"}: logs: asking"#), "{asking}");
    assert_eq!(after(asking, "trace_id"), after(sold, "trace_id"));
    assert_ne!(after(asking, "span_id"), after(sold, "span_id"));
    assert_eq!(after(asking_again, "trace_id"), after(sold_again, "trace_id"));
    assert_ne!(after(sold, "trace_id"), after(sold_again, "trace_id"));
}

#[test]
fn each_line_of_a_request_names_it_as_json() {
    let text = example::run("logs", &[("LOGS", "json")]);
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.retain(|line| line["target"] == "logs");
    let [open, asking, sold, _, _] = &lines[..] else { panic!("{text}") };
    assert_eq!((&open["fields"]["message"], open.get("trace_id")), (&Value::from("open"), None));
    assert_eq!((&sold["fields"]["price"], &sold["trace_flags"]), (&Value::from(6), &Value::from("01")));
    assert_eq!(sold["trace_id"].as_str().map(str::len), Some(32), "{sold}");
    assert_eq!(asking["trace_id"], sold["trace_id"]);
    assert_ne!(asking["span_id"], sold["span_id"]);
}
