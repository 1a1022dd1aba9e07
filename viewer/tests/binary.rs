//! The program beside other programs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_otelhttp-viewer"))
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it on ports of its own, and tells what it says.
fn start(arguments: &[&str], lines: usize) -> (Running, Vec<String>) {
    let ports = ["--listen", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc=127.0.0.1:0"];
    let mut child = program().args(ports).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let running = Running(child);
    (running, output.lines().take(lines).map(Result::unwrap).collect())
}

fn span(trace: u128) -> String {
    let span = json!({ "traceId": format!("{trace:032x}"), "spanId": "00000000000000ff", "name": "n" });
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] }).to_string()
}

#[test]
fn it_says_where_it_is_and_takes_what_comes() {
    let file = std::env::temp_dir().join(format!("otelhttp-viewer-{}.json", std::process::id()));
    std::fs::write(&file, span(1)).unwrap();
    let (_running, lines) =
        start(&["--memory", "8", "--spans", "100", "--import", file.to_str().unwrap()], 4);
    std::fs::remove_file(&file).unwrap();
    assert!(lines[0].ends_with(": 1 spans"), "{lines:?}");
    let page = lines[1].strip_prefix("Open ").unwrap().trim_end_matches('/');
    let http = lines[2].strip_prefix("OTLP over HTTP: ").unwrap();
    assert!(lines[3].starts_with("OTLP over gRPC: http://127.0.0.1:"), "{lines:?}");
    let client = reqwest::blocking::Client::new();
    let send =
        client.post(format!("{http}/v1/traces")).header("content-type", "application/json").body(span(2));
    assert_eq!(send.send().unwrap().status(), 200);
    let stats: Value = client.get(format!("{page}/api/v1/stats")).send().unwrap().json().unwrap();
    assert_eq!(
        (&stats["spans"], &stats["limits"]["bytes"], &stats["limits"]["spans"]),
        (&json!(2), &json!(8 << 20), &json!(100))
    );
    assert_eq!((&stats["intake"]["http"], &stats["intake"]["embedded"]), (&json!(http), &json!(false)));
    // There is no page at OTLP's own port.
    assert_eq!(client.get(format!("{http}/api/v1/stats")).send().unwrap().status(), 404);
}

#[test]
fn a_token_is_printed_once() {
    let (_running, lines) = start(&["--token", "secret"], 4);
    assert!(lines[0].ends_with("/?token=secret"), "{lines:?}");
    assert_eq!(lines[3], "Programs send OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20secret");
}

#[test]
fn what_it_is_told_must_make_sense() {
    for (arguments, why) in [
        (&["--nothing"][..], "--nothing is not an option"),
        (&["--memory", "much"], "must be a whole number"),
        (&["--listen"], "needs a value"),
        (&["--listen", "nowhere"], "cannot listen on"),
        (
            &["--listen", "127.0.0.1:0", "--otlp-http=off", "--otlp-grpc=off", "--import", "/nowhere.json"],
            "/nowhere.json",
        ),
    ] {
        let output = run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{arguments:?}: {said}");
    }
    assert!(String::from_utf8(run(&["--help"]).stdout).unwrap().contains("--otlp-grpc"));
    assert!(String::from_utf8(run(&["--version"]).stdout).unwrap().contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["--listen", &address]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    let error = otelhttp_viewer::Viewer::new().serve(&*address).unwrap_err();
    assert!(error.is_address() && !error.is_file());
}
