//! What is small on the wire and large in memory is refused at each door, before it is large.

mod common;

use common::{Encoded, Page, pack, send, serve, within};
use otelhttp_viewer::Viewer;
use peak_alloc::PeakAlloc;
use serde_json::{Value, json};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;
const BODY: usize = 16 * MIB;
/// JSON takes its time in debug builds, and this is enough of a bomb.
const FILE: usize = 8 * MIB;
/// The body unpacked, once more while it grows, and what the test itself holds.
const BOUND: usize = 64 * MIB;
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TOO_MUCH: &str = "decoded it may take at most 402653184 bytes";

/// So many empty spans of two bytes each, in a request.
fn protobuf(spans: usize) -> Vec<u8> {
    within(1, &within(2, &[2 << 3 | 2, 0].repeat(spans)))
}

fn many() -> usize {
    BODY / 2 - 64
}

fn list(bytes: usize, begin: &str, element: &str, end: &str) -> Vec<u8> {
    let count = (bytes - 1_000) / (element.len() + 1);
    format!("{begin}{element}{}{end}", format!(",{element}").repeat(count)).into_bytes()
}

fn otlp_json(bytes: usize) -> Vec<u8> {
    list(bytes, r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#, "{}", "]}]}]}")
}

/// Files that are no OTLP, or not only.
fn files() -> [Vec<u8>; 5] {
    let span = r#"{"traceID":"1","spanID":"1","operationName":"","startTime":1,"duration":1,"tags":["#;
    let document = r#"{"format":"otelhttp-trace/1","id":"1","epoch":"1","resources":[],"scopes":[],"spans":"#;
    [
        otlp_json(FILE),
        list(FILE, r#"{"data":["#, "{}", "]}"),
        list(FILE, &format!(r#"{{"data":[{{"spans":[{span}{{"key":"k","value":["#), r#"{"":0}"#, "]}]}]}]}"),
        list(FILE, &format!(r#"{document}[],"logs":["#), "{}", "]}"),
        list(FILE, &format!(r#"{document}[{{"attributes":["#), r#"["",{"":0}]"#, "]}]}"),
    ]
}

fn start() -> Page {
    serve(Viewer::new().otlp_grpc("127.0.0.1:0"))
}

/// What the heap held at most while this was done, beyond what it held before.
fn peak<T>(of: impl FnOnce() -> T) -> (T, usize) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let done = of();
    (done, HEAP.peak_usage().saturating_sub(before))
}

#[track_caller]
fn assert_small(door: &str, peak: usize) {
    println!("{door}: at most {peak} bytes");
    assert!(peak < BOUND, "{door}: {peak} bytes at one time");
}

/// The allocator counts for the whole process, so one comes after the other.
#[test]
fn no_door_lets_a_bomb_in() {
    let page = start();
    let span = json!({ "traceId": TRACE, "spanId": "00000000000000ff" });
    page.import(json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] }).to_string());
    http(&page);
    grpc(&page);
    files_by_the_api(&page);
    files_by_name(&page);
    what_spans_share(&page);
    // What was there is there, and what comes is taken in.
    assert_eq!(page.get(&format!("/api/v1/traces/{TRACE}")).status(), 200);
    let answer: Value = page.post("/api/v1/test-trace", "").json().unwrap();
    assert_eq!(page.get(&format!("/api/v1/traces/{}", answer["id"].as_str().unwrap())).status(), 200);
}

/// "The response body MUST be a Protobuf-encoded Status message", or the same as JSON.
fn http(page: &Page) {
    let (binary, text) = ("application/x-protobuf", "application/json");
    for (kind, bomb) in [(binary, pack(&protobuf(many()))), (text, pack(&otlp_json(BODY)))] {
        assert!(bomb.len() < 64 << 10, "{} bytes", bomb.len());
        let ((status, answer), peak) = peak(|| send(page, "/v1/traces", kind, &bomb));
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(status == 413 && answer.contains(TOO_MUCH), "{kind}: {status} {answer}");
        assert_small(kind, peak);
    }
}

fn grpc(page: &Page) {
    use tonic::codec::CompressionEncoding::Gzip;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = format!("http://{}", page.viewer.otlp_grpc().unwrap());
    runtime.block_on(async {
        let channel = tonic::transport::Channel::from_shared(address).unwrap().connect().await.unwrap();
        let mut client = tonic::client::Grpc::new(channel).send_compressed(Gzip);
        let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
        for (spans, expected) in [(many(), tonic::Code::ResourceExhausted), (0, tonic::Code::Ok)] {
            let before = HEAP.current_usage();
            let bomb = protobuf(spans);
            HEAP.reset_peak_usage();
            client.ready().await.unwrap();
            let answer = client.unary(tonic::Request::new(bomb), path.parse().unwrap(), Encoded).await;
            let status = answer.map_or_else(|status| status, |_| tonic::Status::ok(""));
            assert_eq!(status.code(), expected, "{status}");
            if expected != tonic::Code::Ok {
                assert!(status.message().contains(TOO_MUCH), "{status}");
                // The client's own share is in it, which packs it.
                assert_small("gRPC", HEAP.peak_usage() - before);
            }
        }
    });
}

/// A file may take more than a message, but no more than so many times what it takes as a file.
const TOO_MUCH_OF_A_FILE: &str = "it holds too much: decoded it may take at most ";

fn files_by_the_api(page: &Page) {
    for (number, file) in files().iter().enumerate() {
        let bomb = pack(file);
        let ((status, answer), peak) = peak(|| send(page, "/api/v1/import", "application/json", &bomb));
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let why = answer["error"]["message"].as_str().unwrap();
        assert!(status == 413 && why.contains(TOO_MUCH_OF_A_FILE), "{number}: {status} {why}");
        assert_small(&format!("import of file {number}"), peak);
    }
    for parts in [protobuf(many()), [1 << 3 | 2, 0].repeat(many())] {
        let bomb = pack(&parts);
        let ((status, answer), peak) = peak(|| send(page, "/api/v1/import", "application/x-protobuf", &bomb));
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(status == 413 && answer.contains(TOO_MUCH_OF_A_FILE), "{status} {answer}");
        assert_small("import of protobuf", peak);
    }
}

fn files_by_name(page: &Page) {
    let folder = std::env::temp_dir().join(format!("otelhttp-bombs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bomb) in [("bomb.json", otlp_json(FILE)), ("bomb.pb", protobuf(many()))] {
        let file = folder.join(name);
        std::fs::write(&file, &bomb).unwrap();
        drop(bomb);
        let (answer, peak) = peak(|| page.viewer.import(&file));
        let error = answer.unwrap_err();
        assert!(error.is_file() && error.to_string().contains(TOO_MUCH_OF_A_FILE), "{error}");
        assert_small(name, peak);
        by_the_program(file.to_str().unwrap());
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Its memory is what the system lets it have: with more it would be ended.
fn by_the_program(file: &str) {
    const LET_IT_HAVE: &str = "ulimit -v 1048576; exec \"$0\" \"$@\"";
    let program = env!("CARGO_BIN_EXE_otelhttp-viewer");
    let ports = ["--listen=127.0.0.1:0", "--otlp-http=off", "--otlp-grpc=off"];
    let mut shell = std::process::Command::new("sh");
    let output =
        shell.args(["-c", LET_IT_HAVE, program]).args(ports).args(["--import", file]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && said.contains(TOO_MUCH_OF_A_FILE),
        "{:?} {said}",
        output.status
    );
}

/// A file says once where its spans come from, however many there are, and it is not copied for each.
fn what_spans_share(page: &Page) {
    const SPANS: usize = 2_000;
    let large = "x".repeat(100_000);
    let spans = |of: &dyn Fn(usize) -> Value| (1..=SPANS).map(of).collect::<Vec<Value>>();
    let jaeger = json!({ "data": [{
        "spans": spans(&|n| json!({ "traceID": "1", "spanID": format!("{n:x}"), "operationName": "n", "startTime": 1, "duration": 1,
            "processID": "p" })),
        "processes": { "p": { "serviceName": "shop", "tags": [{ "key": "large", "value": large }] } },
    }] });
    let saved = |scopes: usize| {
        let span = |n: usize| {
            json!({ "id": format!("{n:016x}"), "name": "n", "kind": "server", "start": 0, "end": 1, "status": "ok",
            "message": "", "resource": 0, "scope": n % scopes, "attributes": [] })
        };
        let scope = json!({ "name": "", "version": "", "schemaUrl": "", "attributes": [] });
        json!({ "format": "otelhttp-trace/1", "id": "1".repeat(32), "epoch": "1", "spans": spans(&span), "scopes": vec![scope; scopes],
            "resources": [{ "attributes": [["large", large]] }] })
    };
    // Where each has a scope of its own, and so a group of its own, there are too many copies.
    for (file, expected) in [(&jaeger, 200), (&saved(1), 200), (&saved(SPANS), 413)] {
        let file = pack(file.to_string().as_bytes());
        let ((status, answer), peak) = peak(|| send(page, "/api/v1/import", "application/json", &file));
        assert_eq!(status, expected, "{}", String::from_utf8_lossy(&answer));
        println!("what spans share: at most {peak} bytes");
        // A copy counts as what it may take, which is more than it does.
        assert!(peak < 2 * BOUND, "{peak} bytes at one time");
    }
}
