//! The quickstart, as a newcomer runs it: a program of its own, a request to it, a tree of spans.
#![cfg(feature = "axum")]
#![allow(missing_docs)]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn Error>>;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn one_request_makes_one_trace_of_eleven_spans() -> Outcome {
    let quickstart = Quickstart::start("0")?;
    let answer = quickstart.get("/home")?;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("apples, bread, cheese"), "{answer}");

    let trace = quickstart.trace()?;
    let calls: Vec<_> = trace.spans.iter().map(|span| (span.depth, &*span.label)).collect();
    assert_eq!(
        calls,
        [
            (0, "server GET /home"),
            (1, "client GET /async"),
            (2, "server GET /async"),
            (3, "client GET /db"),
            (4, "server GET /db"),
            (5, "client SELECT items"),
            (1, "client GET /service"),
            (2, "server GET /service"),
            (3, "client GET /db"),
            (4, "server GET /db"),
            (5, "client SELECT items"),
        ],
        "{}",
        trace.text
    );
    assert!(trace.text.contains(": 11 spans in "), "{}", trace.text);
    assert!(!trace.text.contains('✗'), "{}", trace.text);
    let [home, asynchronous] = [0, 2].map(|span| &trace.spans[span]);
    assert!(asynchronous.end() > home.end(), "{}", trace.text);
    Ok(())
}

#[test]
fn a_failed_query_is_seen_in_every_span_that_it_fails() -> Outcome {
    let quickstart = Quickstart::start("1")?;
    let answer = quickstart.get("/home")?;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");

    let trace = quickstart.trace()?;
    let problems: Vec<_> =
        trace.spans.iter().map(|span| (&*span.label, span.problem.as_deref().unwrap_or(""))).collect();
    let no_table = "1: no such table: lost_items";
    assert_eq!(
        problems,
        [
            ("server GET /home", "502"),
            ("client GET /async", "502"),
            ("server GET /async", "502"),
            ("client GET /db", "500"),
            ("server GET /db", "500"),
            ("client SELECT lost_items", no_table),
            ("client GET /service", "502"),
            ("server GET /service", "502"),
            ("client GET /db", "500"),
            ("server GET /db", "500"),
            ("client SELECT lost_items", no_table),
        ],
        "{}",
        trace.text
    );
    Ok(())
}

/// As a newcomer runs it: nothing is set, and nothing is done but to look.
#[test]
fn one_trace_is_in_the_viewer_already() -> Outcome {
    let mut quickstart = Quickstart::start_with("0", "")?;
    let viewer = quickstart.line_after("See the traces at http://")?;
    quickstart.address = viewer.trim_end_matches('/').parse()?;
    let deadline = Instant::now() + PATIENCE;
    let list = loop {
        let list = quickstart.get("/traces.txt?q=-running")?;
        if list.contains(" 11 spans") {
            break list;
        }
        assert!(Instant::now() < deadline, "{list}");
    };
    assert!(list.starts_with("HTTP/1.1 200 OK") && list.contains("quickstart  GET /home"), "{list}");
    let id = list.split_whitespace().find(|word| word.len() == 32).ok_or("no trace id")?;
    let tree = quickstart.get(&format!("/trace/{id}.txt"))?;
    for name in
        ["server quickstart GET /home", "client quickstart SELECT items", "server quickstart GET /async"]
    {
        assert!(tree.contains(name), "{tree}");
    }
    // It measures itself too.
    let measured =
        |body: &str| body.contains("http.server.request.duration") && body.contains("process.memory.usage");
    while !measured(&quickstart.get("/api/v1/metrics")?) {
        assert!(Instant::now() < deadline, "{}", quickstart.get("/api/v1/metrics")?);
    }
    Ok(())
}

/// The program, until it is dropped.
struct Quickstart {
    child: Child,
    lines: Receiver<String>,
    address: SocketAddr,
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has seen then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Quickstart {
    fn start(fail_every: &str) -> Result<Self, Box<dyn Error>> {
        Self::start_with(fail_every, "console")
    }

    /// An empty name of an exporter is none.
    fn start_with(fail_every: &str, exporter: &str) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(program()?)
            .envs([("PORT", "0"), ("VIEWER_PORT", "0"), ("FAIL_EVERY", fail_every)])
            .env("OTEL_TRACES_EXPORTER", exporter)
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("its output is piped")?);
        let (sender, lines) = channel();
        // Reads on a thread, so that whoever waits for a line may give up.
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut quickstart = Self { child, lines, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let line = quickstart.line_after("listening on http://")?;
        quickstart.address = line.parse()?;
        Ok(quickstart)
    }

    /// What stands behind this in the next line that begins so.
    fn line_after(&self, prefix: &str) -> Result<String, Box<dyn Error>> {
        loop {
            let line = self.line()?;
            if let Some(rest) = line.strip_prefix(prefix) {
                return Ok(rest.to_owned());
            }
        }
    }

    fn line(&self) -> Result<String, Box<dyn Error>> {
        self.lines.recv_timeout(PATIENCE).map_err(|error| format!("no more output: {error}").into())
    }

    fn get(&self, path: &str) -> Result<String, Box<dyn Error>> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        stream.write_all(head.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// The next tree: a line that begins it, one of headings, a line for each span, an empty one.
    fn trace(&self) -> Result<Trace, Box<dyn Error>> {
        let mut text = self.line_after("trace ")?;
        let headings = self.line()?;
        assert!(headings.trim_start().starts_with("starts at"), "{headings}");
        let mut spans = Vec::new();
        loop {
            let line = self.line()?;
            text = format!("{text}\n{line}");
            if line.is_empty() {
                return Ok(Trace { text, spans });
            }
            spans.push(Span::parse(&line).ok_or_else(|| format!("no span: {line}"))?);
        }
    }
}

struct Trace {
    text: String,
    spans: Vec<Span>,
}

struct Span {
    depth: usize,
    label: String,
    starts: f64,
    lasts: f64,
    problem: Option<String>,
}

impl Span {
    /// `    client GET /db    58.2 ms    2.1 ms  ✗ 500  url.full=…`
    fn parse(line: &str) -> Option<Self> {
        let text = line.trim_start_matches(' ');
        let mut columns = text.split("  ").map(str::trim).filter(|column| !column.is_empty());
        let label = columns.next()?.to_owned();
        let mut milliseconds = || columns.next()?.strip_suffix(" ms")?.parse().ok();
        let (starts, lasts) = (milliseconds()?, milliseconds()?);
        let problem = columns.find_map(|column| column.strip_prefix("✗ ")).map(str::to_owned);
        Some(Self { depth: (line.len() - text.len()) / 2, label, starts, lasts, problem })
    }

    fn end(&self) -> f64 {
        self.starts + self.lasts
    }
}

/// Examples are built next to the tests: `target/debug/deps/<test>`, `target/debug/examples/<example>`.
fn program() -> Result<PathBuf, Box<dyn Error>> {
    let test = std::env::current_exe()?;
    let folder = test.ancestors().nth(2).ok_or("a test is in target/debug/deps")?.join("examples");
    let program = folder.join("quickstart").with_extension(std::env::consts::EXE_EXTENSION);
    if program.exists() {
        return Ok(program);
    }
    Err(format!("{} is missing: `cargo build --example quickstart`", program.display()).into())
}
