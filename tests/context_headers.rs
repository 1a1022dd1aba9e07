//! A trace goes on through a server as W3C Trace Context and Baggage say, or begins anew.

mod common;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;

use common::*;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::SpanData;
use otelhttp::{ClientLayer, ServerLayer};
use tower::{Layer, ServiceExt};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
const PARENT: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";

/// A server whose handler calls on, and answers with the headers that went out.
struct Gateway {
    telemetry: Telemetry,
    address: SocketAddr,
    seen: usize,
}

/// What became of one request.
struct Passed {
    server: SpanData,
    client: SpanData,
    outgoing: Outgoing,
}

impl Gateway {
    /// Nothing is given to the layers and no propagator is global.
    async fn new() -> Self {
        Self::with(|layer| layer, |layer| layer).await
    }

    async fn with(
        server: impl FnOnce(ServerLayer) -> ServerLayer,
        client: impl FnOnce(ClientLayer) -> ClientLayer,
    ) -> Self {
        Self::sending(server, client, "").await
    }

    /// The handler's own request has these headers.
    async fn sending(
        server: impl FnOnce(ServerLayer) -> ServerLayer,
        client: impl FnOnce(ClientLayer) -> ClientLayer,
        own_headers: &'static str,
    ) -> Self {
        let telemetry = Telemetry::new();
        let client = client(telemetry.client());
        let address = serve_fn(server(telemetry.server()), move |_| {
            let next = client.layer(tower::service_fn(told));
            async move {
                let request = Outgoing::parse(own_headers).0.into_iter();
                let request = request
                    .fold(Request::get("http://next.example/x"), |request, (name, value)| {
                        request.header(name, value)
                    });
                next.oneshot(request.body(()).unwrap()).await.unwrap().map(BodyExt::boxed)
            }
        })
        .await;
        Self { telemetry, address, seen: 0 }
    }

    async fn outgoing(&self, headers: &str) -> Outgoing {
        let answer = get_with(self.address, "/x", headers).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{headers:?}: {answer}");
        Outgoing::parse(body)
    }

    async fn pass(&mut self, headers: &str) -> Passed {
        let outgoing = self.outgoing(headers).await;
        self.seen += 2;
        let mut spans = self.telemetry.spans(self.seen).await.split_off(self.seen - 2);
        let position = spans.iter().position(|span| span.span_kind == SpanKind::Server).unwrap();
        let server = spans.remove(position);
        Passed { server, client: spans.remove(0), outgoing }
    }
}

async fn told(request: Request<()>) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    let lines =
        request.headers().iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
    Ok(Response::new(Full::from(lines.collect::<String>())))
}

/// The header lines that the handler's client sent.
#[derive(Debug, PartialEq)]
struct Outgoing(Vec<(String, String)>);

impl Outgoing {
    fn parse(lines: &str) -> Self {
        let split =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(lines.lines().map(|line| split(line).unwrap()).collect())
    }

    fn lines(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Of a header that is sent once or not at all.
    fn line(&self, name: &str) -> Option<&str> {
        let lines = self.lines(name);
        assert!(lines.len() <= 1, "{name} is doubled: {lines:?}");
        lines.first().copied()
    }

    fn members(&self, name: &str) -> Vec<&str> {
        members(self.line(name).unwrap_or_default())
    }
}

fn members(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|member| !member.is_empty()).collect()
}

fn traceparent(span: &SpanData, flags: &str) -> String {
    format!("00-{}-{}-{flags}", span.span_context.trace_id(), span.span_context.span_id())
}

/// What the specification asks for.
#[derive(Clone, Debug)]
enum Outcome {
    /// The caller's trace goes on, with these flags and these members of `tracestate`.
    Kept { flags: &'static str, state: String },
    /// A trace begins, and nothing of the caller's is sent on.
    NewRoot,
}

use Outcome::NewRoot;

fn kept(state: impl Into<String>) -> Outcome {
    Outcome::Kept { flags: "01", state: state.into() }
}

impl Outcome {
    fn verify(&self, Passed { server, client, outgoing }: &Passed) -> Result<(), String> {
        let check = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
        check(
            client.parent_span_id == server.span_context.span_id(),
            "the client's span is below the server's",
        )?;
        check(outgoing.lines("traceparent").len() == 1, "one traceparent is sent")?;
        check(outgoing.lines("tracestate").len() <= 1, "one tracestate at most is sent")?;
        check(outgoing.line("tracestate") != Some(""), "no empty tracestate is sent")?;
        let (flags, state) = match self {
            Self::Kept { flags, state } => {
                let trace = TraceId::from_hex(TRACE).unwrap();
                check(server.span_context.trace_id() == trace, "the trace goes on")?;
                check(
                    server.parent_span_id == SpanId::from_hex(SPAN).unwrap(),
                    "the parent is the caller's span",
                )?;
                check(server.parent_span_is_remote, "the parent is remote")?;
                (*flags, state.as_str())
            }
            Self::NewRoot => {
                let trace = server.span_context.trace_id().to_string();
                check(server.parent_span_id == SpanId::INVALID, "a root has no parent")?;
                check(!trace.starts_with(&TRACE[..30]), "the trace is a new one")?;
                ("01", "")
            }
        };
        check(outgoing.lines("traceparent") == [traceparent(client, flags)], "the client's ids are sent")?;
        check(outgoing.members("tracestate") == members(state), "the members of the state are sent")
    }
}

type Case = (&'static str, Vec<(String, Outcome)>);

fn states(states: &[(&str, Outcome)]) -> Vec<(String, Outcome)> {
    let line = |state: &str| format!("{PARENT}tracestate: {state}\r\n");
    states.iter().map(|(state, outcome)| (line(state), outcome.clone())).collect()
}

fn parents(parents: &[(&str, Outcome)]) -> Vec<(String, Outcome)> {
    parents.iter().map(|(parent, outcome)| (format!("traceparent: {parent}\r\n"), outcome.clone())).collect()
}

/// The cases of the W3C's test suite for traceparent, from the specification (Level 2).
fn parent_cases() -> Vec<Case> {
    let parent = |version: &str, trace: &str, span: &str, flags: &str| {
        (format!("traceparent: {version}-{trace}-{span}-{flags}\r\n"), NewRoot)
    };
    let zeros = "0".repeat(32);
    let (long_trace, long_span) = (format!("{TRACE}0"), format!("{SPAN}0"));
    let names = |names: &[&str], outcome: fn() -> Outcome| -> Vec<_> {
        names.iter().map(|name| (PARENT.replace("traceparent", name), outcome())).collect()
    };
    let known = &PARENT["traceparent: ".len()..PARENT.len() - 2];
    let other = known.replace(SPAN, "b7ad6b7169203332");
    vec![
        ("neither header", vec![(String::new(), NewRoot)]),
        ("traceparent alone", parents(&[(known, kept(""))])),
        (
            "traceparent twice",
            vec![
                (format!("{PARENT}{PARENT}"), NewRoot),
                (format!("{PARENT}traceparent: {other}\r\n"), NewRoot),
                (format!("{PARENT}traceparent: \r\n"), NewRoot),
                (format!("{PARENT}tracestate: foo=1\r\n{PARENT}"), NewRoot),
            ],
        ),
        ("traceparent misspelt", names(&["trace-parent", "trace.parent", "traceparent2"], || NewRoot)),
        ("traceparent in any case", names(&["TraceParent", "TrAcEpArEnT", "TRACEPARENT"], || kept(""))),
        (
            "version 00 with more",
            parents(&[
                (&format!("{known}."), NewRoot),
                (&format!("{known}-"), NewRoot),
                (&format!("{known}-what-the-future-will-be-like"), NewRoot),
            ]),
        ),
        (
            "version cc",
            parents(&[
                (&known.replacen("00", "cc", 1), kept("")),
                (&(known.replacen("00", "cc", 1) + "-what-the-future-will-be-like"), kept("")),
                (&(known.replacen("00", "01", 1) + "-"), kept("")),
                (&(known.replacen("00", "cc", 1) + ".what-the-future-will-be-like"), NewRoot),
                (&(known.replacen("00", "cc", 1) + "1"), NewRoot),
            ]),
        ),
        ("version ff", vec![parent("ff", TRACE, SPAN, "01")]),
        (
            "illegal characters in the version",
            vec![
                parent(".0", TRACE, SPAN, "01"),
                parent("0.", TRACE, SPAN, "01"),
                parent("+0", TRACE, SPAN, "01"),
                parent("CC", TRACE, SPAN, "01"),
            ],
        ),
        ("version too long", vec![parent("000", TRACE, SPAN, "01"), parent("0000", TRACE, SPAN, "01")]),
        ("version too short", vec![parent("0", TRACE, SPAN, "01"), parent("", TRACE, SPAN, "01")]),
        ("trace id of zeros", vec![parent("00", &zeros, SPAN, "01")]),
        (
            "illegal characters in the trace id",
            vec![
                parent("00", &format!(".{}", &TRACE[1..]), SPAN, "01"),
                parent("00", &format!("{}.", &TRACE[..31]), SPAN, "01"),
                parent("00", &format!("+{}", &TRACE[1..]), SPAN, "01"),
                parent("00", &TRACE.to_uppercase(), SPAN, "01"),
            ],
        ),
        ("trace id too long", vec![parent("00", &long_trace, SPAN, "01")]),
        ("trace id too short", vec![parent("00", &TRACE[1..], SPAN, "01"), parent("00", "", SPAN, "01")]),
        ("parent id of zeros", vec![parent("00", TRACE, &zeros[..16], "01")]),
        (
            "illegal characters in the parent id",
            vec![
                parent("00", TRACE, &format!(".{}", &SPAN[1..]), "01"),
                parent("00", TRACE, &format!("{}.", &SPAN[..15]), "01"),
                parent("00", TRACE, &format!("+{}", &SPAN[1..]), "01"),
                parent("00", TRACE, &SPAN.to_uppercase(), "01"),
            ],
        ),
        ("parent id too long", vec![parent("00", TRACE, &long_span, "01")]),
        ("parent id too short", vec![parent("00", TRACE, &SPAN[1..], "01"), parent("00", TRACE, "", "01")]),
        (
            "illegal characters in the flags",
            vec![
                parent("00", TRACE, SPAN, ".0"),
                parent("00", TRACE, SPAN, "0."),
                parent("00", TRACE, SPAN, "+1"),
                parent("00", TRACE, SPAN, "0A"),
            ],
        ),
        ("flags too long", vec![parent("00", TRACE, SPAN, "001")]),
        (
            "flags too short",
            vec![
                parent("00", TRACE, SPAN, "1"),
                parent("00", TRACE, SPAN, ""),
                (format!("traceparent: 00-{TRACE}-{SPAN}\r\n"), NewRoot),
            ],
        ),
        (
            "white space around traceparent",
            parents(&[
                (&format!("   {known}"), kept("")),
                (&format!("\t{known}"), kept("")),
                (&format!("{known}  "), kept("")),
                (&format!("{known}\t"), kept("")),
                (&format!("\t {known} \t"), kept("")),
            ]),
        ),
        ("unknown flags", parents(&[(&format!("00-{TRACE}-{SPAN}-f9"), kept(""))])),
        (
            "the random flag",
            parents(&[(
                &format!("00-{TRACE}-{SPAN}-03"),
                Outcome::Kept { flags: "03", state: String::new() },
            )]),
        ),
    ]
}

/// The cases of the W3C's test suite for tracestate, from the specification (Level 2).
fn state_cases() -> Vec<Case> {
    let lines = |lines: &[&str]| -> String {
        lines.iter().fold(PARENT.to_owned(), |headers, line| headers + "tracestate: " + line + "\r\n")
    };
    let same = |same: &[&str]| states(&same.iter().map(|state| (*state, kept(*state))).collect::<Vec<_>>());
    let dropped =
        |dropped: &[&str]| states(&dropped.iter().map(|state| (*state, kept(""))).collect::<Vec<_>>());
    let many: Vec<String> = (0..33).map(|n| format!("bar{n:02}={n:02}")).collect();
    let (full, over) = (many[..32].join(","), many.join(","));
    let letters = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let characters: String = (' '..='~').filter(|character| !",=".contains(*character)).collect();
    let ows = "foo=1 \t , \t bar=2, \t baz=3";
    vec![
        (
            "tracestate without traceparent",
            vec![
                ("tracestate: foo=1\r\n".to_owned(), NewRoot),
                ("tracestate: foo=1,bar=2\r\n".to_owned(), NewRoot),
                ("traceparent: 00-nonsense-01\r\ntracestate: foo=1\r\n".to_owned(), NewRoot),
            ],
        ),
        ("both headers", same(&["foo=1,bar=2"])),
        (
            "tracestate misspelt",
            ["trace-state", "trace.state"]
                .map(|name| (format!("{PARENT}{name}: foo=1\r\n"), kept("")))
                .to_vec(),
        ),
        (
            "tracestate in any case",
            ["TraceState", "TrAcEsTaTe", "TRACESTATE"]
                .map(|name| (format!("{PARENT}{name}: foo=1\r\n"), kept("foo=1")))
                .to_vec(),
        ),
        (
            "an empty line of tracestate",
            vec![
                (lines(&["foo=1", ""]), kept("foo=1")),
                (lines(&["", "foo=1"]), kept("foo=1")),
                (lines(&["foo=1", "", "bar=2"]), kept("foo=1,bar=2")),
                (lines(&[""]), kept("")),
                (lines(&["  \t"]), kept("")),
            ],
        ),
        (
            "several lines of tracestate",
            vec![
                (
                    lines(&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"]),
                    kept("foo=1,bar=2,rojo=1,congo=2,baz=3"),
                ),
                (lines(&["z=1", "a=2"]), kept("z=1,a=2")),
            ],
        ),
        (
            "repeated keys",
            [same(&["foo=1,foo=1", "foo=1,foo=2"]), vec![(lines(&["foo=1", "foo=2"]), kept("foo=1,foo=2"))]]
                .concat(),
        ),
        (
            "all characters that are allowed",
            same(&[&format!("{letters}=v{characters}v"), &format!("{letters}@a-z0-9_-*/=v{characters}v")]),
        ),
        (
            "white space around members",
            [
                states(&[(ows, kept("foo=1,bar=2,baz=3"))]),
                states(&[("foo=1\t,bar=2", kept("foo=1,bar=2"))]),
                states(&[
                    (" foo=1", kept("foo=1")),
                    ("\tfoo=1", kept("foo=1")),
                    ("foo=1 \t ", kept("foo=1")),
                ]),
            ]
            .concat(),
        ),
        ("empty members", states(&[("foo=1,", kept("foo=1")), ("foo=1,,bar=2", kept("foo=1,bar=2"))])),
        ("illegal characters in a key", dropped(&["foo =1", "FOO=1", "foo.bar=1", "foo=1,B=2"])),
        ("illegal beginnings of a key", dropped(&["@foo=1,bar=2", "_foo=1", "=1", "foo"])),
        (
            "keys that Level 2 allows",
            same(&["0foo=1", "foo@=1,bar=2", "foo@@bar=1,bar=2", "foo@bar@baz=1,bar=2"]),
        ),
        ("the limit of members", [same(&[&full]), dropped(&[&over])].concat()),
        (
            "the limit of a key",
            [
                same(&[
                    &format!("{}=1", "z".repeat(256)),
                    &format!("{}@{}=1", "t".repeat(241), "v".repeat(14)),
                ]),
                dropped(&[&format!("foo=1,{}=1", "z".repeat(257))]),
            ]
            .concat(),
        ),
        ("illegal values", dropped(&["foo=bar=baz", "foo=,bar=3", "foo=1,bar="])),
    ]
}

fn cases() -> Vec<Case> {
    let cases = [parent_cases(), state_cases()].concat();
    assert_eq!(cases.len(), 41);
    assert_eq!(cases.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len(), 41);
    cases
}

/// What went wrong in which cases.
async fn failures(gateway: &mut Gateway) -> Vec<(&'static str, String)> {
    let mut failures = Vec::new();
    for (name, requests) in cases() {
        let mut failure = None;
        for (headers, outcome) in requests {
            let passed = gateway.pass(&headers).await;
            if let Err(what) = outcome.verify(&passed) {
                failure
                    .get_or_insert(format!("not so: {what}: {headers:?} {outcome:?} {:?}", passed.outgoing));
            }
        }
        failures.extend(failure.map(|failure| (name, failure)));
    }
    failures
}

#[tokio::test]
async fn our_propagator_passes_every_case_of_the_w3c() {
    let failures = failures(&mut Gateway::new().await).await;
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test]
async fn the_propagator_of_the_sdk_passes_at_least_38_cases_behind_our_extractor() {
    fn stock() -> TextMapCompositePropagator {
        TextMapCompositePropagator::new(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
        ])
    }
    let mut gateway =
        Gateway::with(|layer| layer.propagator(stock()), |layer| layer.propagator(stock())).await;
    let failures = failures(&mut gateway).await;
    assert!(cases().len() - failures.len() >= 38, "{failures:#?}");
    // What is left is what it does not know of Level 2, and a system id of 14 characters.
    let known = ["keys that Level 2 allows", "the limit of a key", "the random flag"];
    assert!(failures.iter().all(|(name, _)| known.contains(name)), "{failures:#?}");
}

#[tokio::test]
async fn the_span_of_a_server_that_goes_on_is_whole() {
    let Passed { server, client, outgoing } = Gateway::new().await.pass(PARENT).await;
    let expected = [
        ("http.request.method", "GET"),
        ("url.path", "/x"),
        ("url.scheme", "http"),
        ("server.address", "shop.example"),
        ("client.address", "127.0.0.1"),
        ("network.peer.address", "127.0.0.1"),
        ("network.peer.port", "*"),
        ("network.local.address", "127.0.0.1"),
        ("network.local.port", "*"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
    ];
    assert_span(&server, SpanKind::Server, "GET", Status::Unset, &expected);
    assert!(server.links.is_empty());
    let expected = [
        ("http.request.method", "GET"),
        ("server.address", "next.example"),
        ("server.port", "80"),
        ("url.full", "http://next.example/x"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
    ];
    assert_span(&client, SpanKind::Client, "GET", Status::Unset, &expected);
    assert_eq!(outgoing, Outgoing(vec![("traceparent".to_owned(), traceparent(&client, "01"))]));
}

#[tokio::test]
async fn a_state_that_nobody_changed_goes_on_to_the_letter() {
    let mut gateway = Gateway::new().await;
    for state in ["foo=1 \t , \t bar=2, \t baz=3", "foo=1,,bar=2", "a@b@c=1,foo@=2", "foo=1,foo=2"] {
        let passed = gateway.pass(&format!("{PARENT}tracestate: {state}\r\n")).await;
        assert_eq!(passed.outgoing.line("tracestate"), Some(state));
    }
}

#[tokio::test]
async fn a_traceparent_that_is_not_ascii_begins_a_trace() {
    let mut gateway = Gateway::new().await;
    for headers in [PARENT.replace("0af7", "\u{fc}f7"), PARENT.replace("-01", "-0\u{e9}")] {
        NewRoot.verify(&gateway.pass(&headers).await).unwrap();
    }
    let passed = gateway.pass(&format!("{PARENT}tracestate: foo=\u{e9}\r\n")).await;
    kept("").verify(&passed).unwrap();
}

#[tokio::test]
async fn a_caller_that_does_not_sample_is_believed_and_the_ids_go_on() {
    let gateway = Gateway::new().await;
    for flags in ["00", "02"] {
        let headers = PARENT.replace("-01", &format!("-{flags}")) + "tracestate: foo=1 , a@b@c=2\r\n";
        let outgoing = gateway.outgoing(&headers).await;
        let parent = outgoing.line("traceparent").unwrap();
        assert_eq!((&parent[..36], &parent[52..]), (&*format!("00-{TRACE}-"), &*format!("-{flags}")));
        assert_ne!(&parent[36..52], "0000000000000000");
        assert_eq!(outgoing.line("tracestate"), Some("foo=1 , a@b@c=2"));
    }
    assert!(gateway.telemetry.spans_now().is_empty());
    assert_eq!(gateway.telemetry.points("http.server.request.duration")[0].count, 2);
    assert_eq!(gateway.telemetry.points("http.client.request.duration")[0].count, 2);
}

#[tokio::test]
async fn the_random_flag_ends_with_its_trace() {
    let mut gateway = Gateway::with(|layer| layer.public_endpoint(true), |layer| layer).await;
    let passed = gateway.pass(&PARENT.replace("-01", "-03")).await;
    NewRoot.verify(&passed).unwrap();
    // Nor does a caller who does not sample keep a new trace from being sampled.
    NewRoot.verify(&gateway.pass(&PARENT.replace("-01", "-02")).await).unwrap();
}

#[tokio::test]
async fn a_request_that_is_not_observed_passes_the_context_on() {
    let gateway = Gateway::with(|layer| layer.observe(|_| false), |layer| layer).await;
    let headers = format!("{PARENT}tracestate: foo=1\r\nbaggage: tenant=acme\r\n");
    let outgoing = gateway.outgoing(&headers).await;
    let client = gateway.telemetry.span().await;
    assert_eq!(client.span_kind, SpanKind::Client);
    assert_eq!(client.parent_span_id, SpanId::from_hex(SPAN).unwrap());
    assert_eq!(outgoing.line("traceparent"), Some(&*traceparent(&client, "01")));
    assert_eq!(outgoing.line("tracestate"), Some("foo=1"));
    assert_eq!(outgoing.line("baggage"), Some("tenant=acme"));
}

#[tokio::test]
async fn headers_that_are_there_already_are_replaced() {
    const OWN: &str = "traceparent: 00-00000000000000000000000000000001-0000000000000001-00\r\n\
                       traceparent: 00-00000000000000000000000000000002-0000000000000002-00\r\n\
                       tracestate: mine=1\r\ntracestate: mine=2\r\nbaggage: mine=1\r\nx-mine: 1\r\n";
    let mut gateway = Gateway::sending(|layer| layer, |layer| layer, OWN).await;
    for (state, baggage) in [(None, None), (Some("foo=1"), Some("tenant=acme"))] {
        let line = |name: &str, value: Option<&str>| value.map(|value| format!("{name}: {value}\r\n"));
        let headers = [Some(PARENT.to_owned()), line("tracestate", state), line("baggage", baggage)];
        let Passed { client, outgoing, .. } =
            gateway.pass(&headers.map(Option::unwrap_or_default).concat()).await;
        assert_eq!(outgoing.lines("traceparent"), [traceparent(&client, "01")]);
        assert_eq!(outgoing.lines("tracestate"), Vec::from_iter(state));
        assert_eq!(outgoing.lines("baggage"), Vec::from_iter(baggage));
        assert_eq!(outgoing.lines("x-mine"), ["1"]);
    }
}

#[tokio::test]
async fn a_public_endpoint_links_its_caller_and_takes_nothing_else_of_it() {
    let mut gateway = Gateway::with(|layer| layer.public_endpoint(true), |layer| layer).await;
    let headers = format!("{PARENT}tracestate: foo=1\r\nbaggage: tenant=acme\r\n");
    let passed = gateway.pass(&headers).await;
    NewRoot.verify(&passed).unwrap();
    assert_eq!(passed.outgoing.lines("baggage"), [""; 0]);
    let links: Vec<_> = passed.server.links.iter().map(|link| &link.span_context).collect();
    let [link] = links[..] else { panic!("{links:?}") };
    assert_eq!(
        (link.trace_id().to_string(), link.span_id().to_string()),
        (TRACE.to_owned(), SPAN.to_owned())
    );
    assert!(link.is_remote() && link.is_sampled());
    assert_eq!(link.trace_state().get("foo"), Some("1"));
    assert!(passed.client.links.is_empty());
}

#[tokio::test]
async fn a_public_endpoint_without_a_valid_caller_links_nobody() {
    let mut gateway = Gateway::with(|layer| layer.public_endpoint(true), |layer| layer).await;
    for headers in ["", "baggage: tenant=acme\r\n", "traceparent: 00-nonsense-01\r\n"] {
        let passed = gateway.pass(headers).await;
        NewRoot.verify(&passed).unwrap();
        assert!(passed.server.links.is_empty(), "{headers:?}");
        assert_eq!(passed.outgoing.lines("baggage"), [""; 0]);
    }
}

#[tokio::test]
async fn an_endpoint_is_public_for_those_of_whom_it_is_said() {
    let public =
        |layer: ServerLayer| layer.public_endpoint_if(|head| !head.headers.contains_key("x-internal"));
    let mut gateway = Gateway::with(public, |layer| layer).await;
    let stranger = gateway.pass(PARENT).await;
    NewRoot.verify(&stranger).unwrap();
    assert_eq!(stranger.server.links.len(), 1);
    let colleague = gateway.pass(&format!("{PARENT}x-internal: 1\r\ntracestate: foo=1\r\n")).await;
    kept("foo=1").verify(&colleague).unwrap();
    assert!(colleague.server.links.is_empty());
}

#[tokio::test]
async fn lines_of_baggage_are_joined() {
    let mut gateway = Gateway::new().await;
    let lines = "baggage: a=1;level=gold, b=%C3%BC\r\nbaggage: \r\nBaggage: c=3\r\n";
    let passed = gateway.pass(&format!("{PARENT}{lines}")).await;
    assert_eq!(passed.outgoing.members("baggage"), ["a=1;level=gold", "b=%C3%BC", "c=3"]);
    kept("").verify(&passed).unwrap();
    // It needs no trace.
    let passed = gateway.pass("baggage: a=1\r\nbaggage: b=2\r\n").await;
    assert_eq!(passed.outgoing.members("baggage"), ["a=1", "b=2"]);
}

#[tokio::test]
async fn baggage_over_the_limits_is_cut() {
    let mut gateway = Gateway::new().await;
    // Ten on a line: hyper reads 100 lines at most.
    let members: Vec<String> = (0..100).map(|n| format!("k{n:03}=v")).collect();
    let lines =
        members.chunks(10).map(|members| format!("baggage: {}\r\n", members.join(","))).collect::<String>();
    let passed = gateway.pass(&format!("{PARENT}{lines}")).await;
    assert_eq!(passed.outgoing.members("baggage"), members[..64]);
    kept("").verify(&passed).unwrap();

    let long = format!("baggage: a=1\r\nbaggage: b={}\r\nbaggage: c=3\r\n", "x".repeat(8_200));
    let passed = gateway.pass(&format!("{PARENT}{long}")).await;
    assert_eq!(passed.outgoing.members("baggage"), ["a=1"]);
    kept("").verify(&passed).unwrap();
}

#[tokio::test]
async fn malformed_baggage_loses_only_its_own_members() {
    let mut gateway = Gateway::new().await;
    for (line, forwarded) in [
        ("a=1,nonsense,b=2", &["a=1", "b=2"][..]),
        ("=1, = ,;;,b c=1,d=4", &["d=4"]),
        ("nonsense", &[]),
        (",,,", &[]),
        ("", &[]),
    ] {
        let passed = gateway.pass(&format!("{PARENT}baggage: {line}\r\n")).await;
        assert_eq!(passed.outgoing.members("baggage"), forwarded, "{line:?}");
        assert_ne!(passed.outgoing.line("baggage"), Some(""));
        kept("").verify(&passed).unwrap();
    }
}
