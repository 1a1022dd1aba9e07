//! Who may ask, and what may come in.

mod common;

use std::io::Write;
use std::net::TcpStream;

use common::{page, serve};
use flate2::Compression;
use flate2::write::GzEncoder;
use otelhttp_viewer::Viewer;
use reqwest::StatusCode;
use serde_json::{Value, json};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[test]
fn a_name_that_is_not_the_viewers_is_refused() {
    let page = serve(Viewer::new().host("dev.example"));
    let status =
        |host: &str| page.client.get(page.url("/api/v1/stats")).header("host", host).send().unwrap().status();
    for host in ["127.0.0.1", "localhost:1", "[::1]:8700", "dev.example:8700"] {
        assert_eq!(status(host), 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example:8700", "dev.example.evil.example"] {
        assert_eq!(status(host), StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
}

#[test]
fn other_pages_change_nothing() {
    let page = page();
    let own = page.url("");
    let post = |name: &str, value: &str| {
        page.client.post(page.url("/api/v1/test-trace")).header(name, value).send().unwrap()
    };
    assert_eq!(post("origin", &own).status(), 200);
    assert_eq!(post("sec-fetch-site", "same-origin").status(), 200);
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("sec-fetch-site", "cross-site"),
    ] {
        assert_eq!(post(name, value).status(), 403, "{name}: {value}");
    }
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs", "/api/v1/import", "/api/v1/clear", "/api/v1/pause"]
    {
        let request = page.client.post(page.url(path)).header("origin", "http://evil.example");
        assert_eq!(request.send().unwrap().status(), 403, "{path}");
    }
    assert_eq!(page.json("/stats")["traces"], 2);
    // None of it can be read by another page: nothing says that it may.
    let answer =
        page.client.get(page.url("/api/v1/stats")).header("origin", "http://evil.example").send().unwrap();
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
}

#[test]
fn everything_comes_with_a_strict_policy() {
    let page = page();
    for path in [
        "/",
        "/traces.txt",
        "/api/v1/stats",
        "/api/v1/nothing",
        "/nothing.js",
        "/trace/1.txt",
        "/api/v1/live/history",
    ] {
        let answer = page.get(path);
        let header =
            |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("script-src 'self';"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
    }
    let stats = page.url("/api/v1/stats");
    let refused = [
        page.client.get(&stats).header("host", "evil.example"),
        page.client.post(&stats).header("origin", "http://evil.example"),
    ];
    for answer in refused.map(|request| request.send().unwrap()) {
        assert!(answer.headers().contains_key("content-security-policy"), "{}", answer.status());
    }
}

#[test]
fn a_token_is_asked_for_once() {
    let page = serve(Viewer::new().token("secret").otlp_http("127.0.0.1:0").otlp_grpc("127.0.0.1:0"));
    assert_eq!(page.viewer.url(), page.url("/?token=secret"));
    let status = |path: &str| page.get(path).status();
    for path in ["/", "/api/v1/stats", "/traces.txt", "/?token=", "/?token=secre", "/?token=secret2"] {
        assert_eq!(status(path), 401, "{path}");
    }
    assert_eq!(page.post("/v1/traces", "{}").status(), 401);
    assert_eq!(page.post("/api/v1/clear?token=secret", "").status(), 401);
    let welcome = page.get("/api/v1/stats?a=1&token=secret");
    assert_eq!(
        (welcome.status().as_u16(), welcome.headers()["location"].to_str().unwrap()),
        (303, "/api/v1/stats?a=1")
    );
    let cookie = welcome.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let with = |name: &str, value: &str| {
        page.client.get(page.url("/api/v1/stats")).header(name, value).send().unwrap().status()
    };
    assert_eq!(with("cookie", cookie.split(';').next().unwrap()), 200);
    assert_eq!(with("authorization", "Bearer secret"), 200);
    assert_eq!(with("authorization", "bearer secret"), 200);
    assert_eq!(with("authorization", "Bearer secreT"), 401);
    assert_eq!(with("cookie", "otelhttp_viewer_1=secret"), 401);
    let away = page.get("//evil.example/?token=secret");
    assert!(!away.headers().get("location").is_some_and(|to| to.to_str().unwrap().starts_with("//")));
    let otlp = format!("http://{}/v1/traces", page.viewer.otlp_http().unwrap());
    let otlp =
        || page.client.post(&otlp).header("content-type", "application/json").body("{\"resourceSpans\":[]}");
    assert_eq!(otlp().send().unwrap().status(), 401);
    assert_eq!(otlp().header("authorization", "Bearer secret").send().unwrap().status(), 200);
}

/// As of a variable that is not set: whoever asks with an empty one would be let in.
#[test]
fn a_token_that_is_none_is_refused() {
    for token in ["", "-", "two words", "a;b", "a&b", "a%20", "a\nb", "\u{e4}"] {
        let error = Viewer::new().token(token).serve("0.0.0.0:0").unwrap_err();
        assert!(error.is_token() && error.to_string().contains("letter or digit"), "{token}: {error}");
    }
    assert_eq!(Viewer::new().token("aZ0-._~").serve("127.0.0.1:0").unwrap().token(), Some("aZ0-._~"));
}

#[test]
fn grpc_asks_for_the_token_too() {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
    let page = serve(Viewer::new().token("secret").otlp_grpc("127.0.0.1:0"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address = format!("http://{}", page.viewer.otlp_grpc().unwrap());
        let mut client = TraceServiceClient::connect(address).await.unwrap();
        let refused = client.export(ExportTraceServiceRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
        let mut request = tonic::Request::new(ExportTraceServiceRequest::default());
        request.metadata_mut().insert("authorization", "Bearer secret".parse().unwrap());
        client.export(request).await.unwrap();
    });
}

#[test]
fn an_address_that_others_reach_has_a_token_of_its_own() {
    let [one, other] = [(), ()].map(|()| Viewer::new().serve("0.0.0.0:0").unwrap());
    let tokens = [one.token().unwrap(), other.token().unwrap()];
    assert!(tokens[0] != tokens[1] && tokens[0].len() == 32, "{tokens:?}");
    let url = format!("http://127.0.0.1:{}/api/v1/stats", one.address().port());
    assert_eq!(reqwest::blocking::get(url).unwrap().status(), 401);
    assert_eq!(Viewer::new().serve("127.0.0.1:0").unwrap().token(), None);
}

/// Programs that are watched often start it within their own runtime, where one must not be waited for.
#[tokio::test]
async fn an_address_that_is_taken_is_an_error_within_a_runtime_too() {
    let one = Viewer::new().serve("127.0.0.1:0").unwrap();
    let taken = one.address().to_string();
    let error = Viewer::new().serve(&*taken).unwrap_err();
    assert!(error.is_address() && error.to_string().contains(&taken), "{error}");
    let error = Viewer::new().otlp_grpc(&taken).serve("127.0.0.1:0").unwrap_err();
    assert!(error.is_address(), "{error}");
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn bodies_have_an_end() {
    let page = page();
    let send = |path: &str, kind: &str, encoding: &str, body: Vec<u8>| {
        let request = page
            .client
            .post(page.url(path))
            .header("content-type", kind)
            .header("content-encoding", encoding);
        request.body(body).send().unwrap()
    };
    let large = vec![b' '; (16 << 20) + 1];
    for path in ["/v1/traces", "/api/v1/import"] {
        assert_eq!(send(path, "application/json", "gzip", pack(&large)).status(), 413, "{path}");
        assert_eq!(send(path, "application/json", "gzip", b"no gzip".to_vec()).status(), 400, "{path}");
        assert_eq!(send(path, "application/json", "br", Vec::new()).status(), 415, "{path}");
    }
    assert_eq!(send("/v1/traces", "text/plain", "identity", Vec::new()).status(), 415);
    assert_eq!(send("/v1/traces", "application/json", "identity", b"{".to_vec()).status(), 400);
    assert_eq!(send("/v1/traces", "application/x-protobuf", "identity", vec![255; 100]).status(), 400);
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    assert_eq!(send("/api/v1/import", "application/json", "identity", deep.clone()).status(), 400);
    let deep = [b"{\"resourceSpans\":[{\"unknown\":", &*deep, b"}]}"].concat();
    let answer = send("/api/v1/import", "application/json", "identity", deep);
    assert_eq!(answer.status(), 400);
    assert!(answer.text().unwrap().contains("recursion limit"));
    let answer = send("/api/v1/import", "application/json", "identity", b"{\"a\":1}".to_vec());
    assert!(answer.text().unwrap().contains("neither OTLP JSON"));
    assert_eq!(page.json("/stats")["spans"], 0);
}

#[test]
fn a_body_that_is_not_packed_has_an_end_too() {
    let page = page();
    for (more, status) in [(0, 200), (1, 413)] {
        let mut body = b"{\"resourceSpans\":[]}".to_vec();
        body.resize((16 << 20) + more, b' ');
        assert_eq!(page.post("/v1/traces", body).status(), status, "{more} bytes more");
    }
}

#[test]
fn a_span_that_is_too_large_is_refused_and_the_others_are_not() {
    let page = page();
    let span = |id: u64, size: usize| {
        let attribute = json!({ "key": "a", "value": { "stringValue": "x".repeat(size) } });
        json!({ "traceId": TRACE, "spanId": format!("{id:016x}"), "name": "n", "attributes": [attribute] })
    };
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span(1, 10), span(2, 1 << 20), span(3, 10)] }] }] });
    let answer: Value = page.post("/v1/traces", body.to_string()).json().unwrap();
    assert!(answer["partialSuccess"]["errorMessage"].as_str().unwrap().contains("1 MiB"), "{answer}");
    assert_eq!(page.json("/stats")["spans"], 2);
}

/// Whatever is in a field comes out as the text that it is, and as nothing that a browser would run.
#[test]
fn everything_that_came_in_is_text() {
    let page = page();
    for (number, evil) in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "<svg onload=alert(1)>",
        "{{constructor.constructor('alert(1)')()}}",
        "${alert(1)}",
        "javascript:alert(1)",
        "\u{1b}]0;title\u{7}\u{1b}[2J",
        "\r\nset-cookie: a=b",
        "../../etc/passwd",
        "__proto__",
    ]
    .into_iter()
    .enumerate()
    {
        let trace = format!("{:032x}", number + 1);
        let pair = json!({ "key": evil, "value": { "stringValue": evil } });
        let span = json!({
            "traceId": trace, "spanId": "00000000000000ff", "name": evil, "kind": 2, "traceState": evil,
            "status": { "code": 2, "message": evil }, "attributes": [pair],
            "events": [{ "name": evil, "attributes": [pair] }],
            "links": [{ "traceId": trace, "spanId": "00000000000000fe", "attributes": [pair] }],
        });
        let service = json!({ "key": "service.name", "value": { "stringValue": evil } });
        let scope = json!({ "name": evil, "version": evil, "attributes": [pair] });
        page.import(
            json!({ "resourceSpans": [{ "resource": { "attributes": [service] }, "scopeSpans": [{ "scope": scope, "spans": [span] }] }] })
                .to_string(),
        );
        let answer = page.get(&format!("/api/v1/traces/{trace}"));
        assert_eq!(answer.headers()["content-type"], "application/json");
        let answer: Value = answer.json().unwrap();
        let shown = &answer["spans"][0];
        let pair = json!([[evil, evil]]);
        for (is, expected) in [
            (&shown["name"], json!(evil)),
            (&shown["message"], json!(evil)),
            (&shown["state"], json!(evil)),
            (&shown["attributes"], pair.clone()),
            (&shown["events"][0]["name"], json!(evil)),
            (&shown["events"][0]["attributes"], pair.clone()),
            (&shown["links"][0]["attributes"], pair.clone()),
            (&answer["resources"][0]["service"], json!(evil)),
            (&answer["scopes"][0]["name"], json!(evil)),
        ] {
            assert_eq!(is, &expected);
        }
        for path in [format!("/trace/{trace}.txt"), "/traces.txt".to_owned(), "/operations.txt".to_owned()] {
            let answer = page.get(&path);
            assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
            let text = answer.text().unwrap();
            assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{path}: {text:?}");
        }
        for path in ["/api/v1/map", "/api/v1/operations", "/api/v1/suggest?q=a", "/api/v1/live/history"] {
            assert_eq!(page.get(path).headers()["content-type"], "application/json", "{path}");
        }
    }
}

/// With the viewer as the only processor of the global provider, looking makes nothing to look at.
#[test]
fn its_own_routes_are_never_traced() {
    let page = page();
    opentelemetry::global::set_tracer_provider(page.provider("viewer"));
    for _ in 0..20 {
        page.get("/");
        page.json("/traces");
        page.post("/v1/traces", "{\"resourceSpans\":[]}");
    }
    let stats = page.json("/stats");
    assert_eq!((&stats["received"]["spans"], &stats["running"]), (&json!(0), &json!(0)));
}

/// What costs the viewer something is asked by its own page, or by no page at all. A link may lead to its pages.
#[test]
fn other_pages_ask_nothing() {
    let page = page();
    let asked = |path: &str, name: &str, value: &str| {
        page.client.get(page.url(path)).header(name, value).send().unwrap().status()
    };
    let foreign = [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for (name, value) in foreign {
        for path in [
            "/api/v1/live",
            "/api/v1/live/history",
            "/api/v1/traces",
            "/api/v1/nothing",
            "/traces.txt",
            "/operations.txt",
            "/trace/1.txt",
            "/trace/1%2Etxt",
        ] {
            assert_eq!(asked(path, name, value), 403, "{path} {name}: {value}");
        }
        for path in ["/", "/traces", "/trace/1"] {
            assert_ne!(asked(path, name, value), 403, "{path} {name}: {value}");
        }
    }
    for (name, value) in
        [("origin", &*page.url("")), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")]
    {
        assert_eq!(asked("/api/v1/live/history", name, value), 200, "{name}: {value}");
    }
}

#[test]
fn a_page_that_goes_leaves_its_place() {
    let page = page();
    let look = || page.client.get(page.url("/api/v1/live")).send().unwrap();
    let mut looking: Vec<_> = (0..32).map(|_| look()).collect();
    assert!(looking.iter().all(|answer| answer.status() == 200));
    let answer = look();
    assert_eq!(answer.status(), 503);
    assert!(answer.text().unwrap().contains("32 pages"));
    looking.pop();
    let deadline = std::time::Instant::now() + common::SOON;
    while look().status() != 200 {
        assert!(std::time::Instant::now() < deadline, "the place is not free");
    }
}

/// What is no HTTP at all closes its connection, and no other.
#[test]
fn noise_on_the_port_is_survived() {
    let page = serve(Viewer::new().otlp_http("127.0.0.1:0").otlp_grpc("127.0.0.1:0"));
    let ports = [page.viewer.address(), page.viewer.otlp_http().unwrap(), page.viewer.otlp_grpc().unwrap()];
    for (port, noise) in ports.iter().flat_map(|port| {
        [&b"\0\xff\xfe"[..], b"GET", b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n"]
            .map(|noise| (port, noise))
    }) {
        let mut stream = TcpStream::connect(port).unwrap();
        stream.write_all(noise).unwrap();
    }
    assert_eq!(page.json("/stats")["spans"], 0);
}
