use super::super::super::document::FORMAT;
use super::super::super::file::text;
use super::*;

const ID: &str = "0af7651916cd43dd8448eb211c80319c";

#[track_caller]
fn covers_file(file: &str) {
    let mut budget = Budget::new(usize::MAX);
    let (_, peak) = made(|| text(file.as_bytes(), &mut budget).unwrap());
    let weight = budget.weight();
    let begin = file.get(..200).unwrap_or(file);
    assert!(weight >= peak, "weighs {weight} and takes {peak} bytes: {begin}");
}

fn list(element: &str, count: usize) -> String {
    vec![element; count].join(",")
}

fn jaeger_span(more: &str) -> String {
    format!(r#"{{"traceID":"{ID}","spanID":"1","operationName":"","startTime":1,"duration":1{more}}}"#)
}

fn document(lists: &str) -> String {
    let scope = r#"{"name":"","version":"","schemaUrl":"","attributes":[]}"#;
    format!(
        r#"{{"format":"{FORMAT}","id":"{ID}","epoch":"1","resources":[{{"attributes":[]}}],"scopes":[{scope}],{lists}}}"#
    )
}

fn document_span(attributes: &str) -> String {
    format!(
        r#"{{"id":"b7ad6b7169203331","parent":null,"name":"","kind":"server","start":0,"end":1,"status":"unset","message":"","resource":0,"scope":0,"attributes":[{attributes}]}}"#
    )
}

/// With its process, of this name.
fn processes(count: usize) -> String {
    let spans: Vec<String> = (0..count).map(|n| jaeger_span(&format!(r#","processID":"{n}""#))).collect();
    let processes: Vec<String> = (0..count).map(|n| format!(r#""{n}":{{"serviceName":"a"}}"#)).collect();
    format!(r#"{{"data":[{{"spans":[{}],"processes":{{{}}}}}]}}"#, spans.join(","), processes.join(","))
}

/// What it becomes is there beside what is read of it.
#[test]
fn no_file_takes_more_than_it_weighs() {
    let record = r#"{"time":0,"severity":1,"level":"","body":"","event":null,"span":null,"resource":0,"scope":0,"attributes":[]}"#;
    for count in [1, 5, 1_000, 1_024, 1_025] {
        for key in ["resourceSpans", "batches", "resourceLogs", "resourceMetrics"] {
            let groups = format!(r#"{{"{key}":[{}]}}"#, list("{}", count));
            covers_file(&groups);
            covers_file(&groups.repeat(2));
            covers_file(&format!(r#"{{"{key}":[{{}}]}}"#).repeat(count));
        }
        let tag = r#"{"key":"k","value":[1]}"#;
        let tags = |count| format!(r#","tags":[{}]"#, list(tag, count));
        for spans in
            [list(&jaeger_span(""), count), list(&jaeger_span(&tags(1)), count), jaeger_span(&tags(count))]
        {
            covers_file(&format!(r#"{{"data":[{{"spans":[{spans}]}}]}}"#));
        }
        covers_file(&processes(count));
        let pair = r#"["k",1]"#;
        let map = format!(r#"["k",{{"map":[{}]}}]"#, list(pair, count));
        let array = format!(r#"["k",[{}]]"#, list("1", count));
        for spans in [
            list(&document_span(""), count),
            list(&document_span(pair), count),
            document_span(&list(pair, count)),
            document_span(&map),
            document_span(&array),
        ] {
            covers_file(&document(&format!(r#""spans":[{spans}]"#)));
        }
        covers_file(&document(&format!(r#""spans":[],"logs":[{}]"#, list(record, count))));
    }
}
