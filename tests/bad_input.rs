//! No input, no hook and no telemetry pipeline takes a request down.

mod common;

use std::any::Any;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use common::*;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceState};
use opentelemetry::{Context, KeyValue, SpanId, TraceId};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData, SpanProcessor,
};
use otelhttp::propagation::{Baggage, HeaderExtractor, HeaderInjector, TraceContext};
use otelhttp::{ClientLayer, Network, PeerAddr, ServerLayer, TrustedProxies};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use tower::{Layer, ServiceExt};

const HEADERS: [&str; 10] = [
    "traceparent",
    "tracestate",
    "baggage",
    "host",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "user-agent",
    "content-length",
];

/// Where to begin: what is nearly right goes further in than noise does.
const SAMPLES: [&str; 20] = [
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more",
    "foo=1,bar@baz=2, \t a@b@c=3",
    "a=1;p=q,b=%C3%BC%,c=%zz",
    "shop.example:8080",
    "[fe80::1%25en0]:65535",
    "user:pass@[::1]:",
    "for=\"[::1]:42\";host=\"a\\\"b\";proto=https, for=unknown;by=_x",
    "::1, 1.2.3.4:5, _hidden, unknown",
    "https, http",
    "curl/8",
    "18446744073709551616",
    "5",
    "",
    ",",
    ";",
    "=",
    "\"",
    "\\",
    "%",
];

fn cases(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Any byte that a value of a header may have.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![4 => 0x20_u8..=0x7e, 1 => 0x80_u8..=0xff, 1 => Just(b'\t'), 2 => select(&b",;=:-\"\\[]%@."[..])]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let noise = proptest::collection::vec(byte(), 0..120);
    let edits = proptest::collection::vec((any::<Index>(), byte(), 0..3_u8), 0..4);
    let nearly = (select(&SAMPLES[..]), edits).prop_map(|(sample, edits)| {
        let mut bytes = sample.as_bytes().to_vec();
        for (at, byte, what) in edits {
            let at = at.index(bytes.len() + 1);
            match what {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ if at < bytes.len() => bytes[at] = byte,
                _ => {}
            }
        }
        bytes
    });
    let long =
        (select(&SAMPLES[..]), 1..400_usize).prop_map(|(sample, times)| sample.repeat(times).into_bytes());
    prop_oneof![4 => noise, 6 => nearly, 1 => long]
}

/// Lines of the headers that are read, in any number.
fn lines() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    proptest::collection::vec((select(&HEADERS[..]), value()), 0..12)
}

fn trusted() -> impl Strategy<Value = TrustedProxies> {
    let everybody = ["0.0.0.0", "::"].map(|network| Network::new(network.parse().unwrap(), 0)).to_vec();
    select(vec![
        TrustedProxies::None,
        TrustedProxies::Hops(1),
        TrustedProxies::Hops(2),
        TrustedProxies::Hops(3),
        TrustedProxies::Hops(usize::MAX),
        TrustedProxies::Networks(everybody),
        TrustedProxies::Networks(vec![Network::new([127, 0, 0, 0].into(), 8)]),
    ])
}

/// Everything on that reads a request.
fn curious(telemetry: &Telemetry, trusted: TrustedProxies) -> ServerLayer {
    telemetry
        .server()
        .trusted_proxies(trusted)
        .capture_request_headers(HEADERS)
        .body_size_metrics(true)
        .server_timing(true)
        .error_descriptions(true)
}

async fn answer<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(text("hello")))
}

/// A request that every layer sees on its way through a gateway. The handler's 200 comes back.
fn pass(telemetry: &Telemetry, trusted: TrustedProxies, mut request: Request<()>) -> SpanData {
    let before = telemetry.spans_now().len();
    let client = telemetry.client().capture_request_headers(HEADERS).layer(tower::service_fn(answer));
    let server = curious(telemetry, trusted).layer(tower::service_fn(move |mut request: Request<()>| {
        // The method and the target go on, as a proxy would have it.
        request.extensions_mut().clear();
        client.clone().oneshot(request)
    }));
    request.extensions_mut().insert(PeerAddr::new(SocketAddr::from(([127, 0, 0, 1], 1))));
    let connect = request.method() == Method::CONNECT;
    let response = server.oneshot(request).now_or_never().unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().now_or_never().unwrap().unwrap();
    assert_eq!(body.to_bytes(), "hello");
    let mut spans = telemetry.spans_now().split_off(before);
    let position = spans.iter().position(|span| span.span_kind == SpanKind::Server).unwrap();
    let server = spans.remove(position);
    assert_eq!(spans.len(), 1, "one span of the server and one of the client");
    assert_eq!(spans[0].span_kind, SpanKind::Client);
    assert_eq!(telemetry.active("http.server.active_requests"), 0.0);
    assert_eq!(attribute(&server, "http.response.status_code").as_deref(), Some("200"));
    assert!(server.span_context.is_valid() && (connect || server.end_time >= server.start_time));
    server
}

fn headers(lines: &[(&'static str, Vec<u8>)]) -> HeaderMap {
    let value = |value: &[u8]| HeaderValue::from_bytes(value).unwrap();
    lines.iter().map(|(name, bytes)| (HeaderName::from_static(name), value(bytes))).collect()
}

/// At worst a new root; at best the caller's trace, and no other.
#[track_caller]
fn assert_parent(span: &SpanData, headers: &HeaderMap) {
    if span.parent_span_id != SpanId::INVALID {
        let parent = headers.get_all("traceparent").iter().collect::<Vec<_>>();
        let [parent] = parent[..] else { panic!("a repeated parent was believed") };
        let ids = format!("-{}-{}-", span.span_context.trace_id(), span.parent_span_id);
        assert!(parent.to_str().unwrap().contains(&ids), "{parent:?} {ids}");
    }
}

#[test]
fn no_header_takes_a_request_down() {
    let telemetry = Telemetry::new();
    let run = cases(256).run(&(lines(), trusted()), |(lines, trusted)| {
        let headers = headers(&lines);
        let mut request = Request::get("/x").body(()).unwrap();
        *request.headers_mut() = headers.clone();
        assert_parent(&pass(&telemetry, trusted, request), &headers);
        Ok(())
    });
    run.unwrap();
}

#[test]
fn no_method_and_no_target_takes_a_request_down() {
    let telemetry = Telemetry::new();
    let method = prop_oneof![
        "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}",
        select(&["CONNECT", "HEAD", "get", "QUERY", "_OTHER", "HTTP"][..]).prop_map(str::to_owned),
    ];
    let method = method.prop_map(|method| Method::from_bytes(method.as_bytes()).unwrap());
    let target = prop_oneof![
        "/[!-~]{0,60}",
        "/\\?[!-~]{0,60}",
        "/x\\?(sig|Signature|AWSAccessKeyId|&|=|%|a){0,12}",
        "(http|https|ftp)://([a-z]{0,4}(:[a-z]{0,3})?@)?(\\[::1\\]|[a-z.]{1,8})(:[0-9]{0,6})?/[!-~]{0,20}",
        "[a-z.]{1,8}:[0-9]{1,6}",
        Just("*".to_owned()),
        proptest::collection::vec(any::<u8>(), 1..60)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ];
    let target = target.prop_filter_map("no URI", |target| Uri::try_from(target).ok());
    let run = cases(256).run(&(method, target, trusted()), |(method, uri, trusted)| {
        // What answers a CONNECT with 200 has become a tunnel, which has no body to be read here.
        let request = Request::builder().method(method.clone()).uri(uri).body(()).unwrap();
        let span = pass(&telemetry, trusted, request);
        let known = ["GET", "HEAD", "CONNECT", "QUERY", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];
        let name = known.into_iter().find(|known| *known == method.as_str());
        assert_eq!(span.name, name.unwrap_or("HTTP"));
        Ok(())
    });
    run.unwrap();
}

#[test]
fn no_bytes_on_a_socket_take_a_request_down() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let telemetry = Telemetry::new();
    let layers =
        [TrustedProxies::Hops(2), TrustedProxies::Networks(vec![Network::new([127, 0, 0, 0].into(), 8)])];
    let addresses = layers.map(|trusted| {
        runtime.block_on(serve_fn(curious(&telemetry, trusted), |_| async { Response::new(text("hello")) }))
    });
    // The length of the body is hyper's business.
    let lines = lines().prop_map(|mut lines| {
        lines.retain(|(name, value)| *name != "content-length" && value.len() < 4_000);
        lines
    });
    let ended = std::cell::Cell::new(0);
    let run = cases(96).run(&(lines, any::<Index>(), "[A-Z]{1,12}"), |(lines, server, method)| {
        let method = if method == "CONNECT" { "GET" } else { &*method };
        let mut request = format!("{method} /x HTTP/1.1\r\nconnection: close\r\n").into_bytes();
        for (name, value) in &lines {
            request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        request.extend(b"\r\n");
        let answer = runtime.block_on(raw(addresses[server.index(2)], &request));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        ended.set(ended.get() + 1);
        let span = runtime.block_on(telemetry.spans(ended.get())).pop().unwrap();
        let trimmed = |value: &[u8]| value.trim_ascii().to_vec();
        let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, trimmed(value))).collect();
        assert_parent(&span, &headers(&lines));
        texts(&span.attributes);
        Ok(())
    });
    run.unwrap();
    assert_eq!(telemetry.active("http.server.active_requests"), 0.0);
}

#[test]
fn the_extractor_hands_on_nothing_that_is_malformed() {
    let lines = proptest::collection::vec((select(&HEADERS[..3]), value()), 0..8);
    let run = cases(256).run(&(lines, ".{0,20}"), |(lines, key)| {
        let headers = headers(&lines);
        let extractor = HeaderExtractor::new(&headers);
        for name in HEADERS.into_iter().chain([key.as_str()]) {
            assert_eq!(extractor.get(name).is_some(), extractor.get_all(name).is_some(), "{name}");
        }
        assert!(extractor.get("tracestate") != Some("") && extractor.get("traceparent") != Some(""));
        assert!(extractor.keys().len() <= 3);
        if let Some(parent) = extractor.get("traceparent") {
            let parent = parent.trim_matches([' ', '\t']);
            assert!(parent.len() >= 55 && parent.is_ascii() && !parent.starts_with("ff"), "{parent}");
            assert_eq!(headers.get_all("traceparent").iter().count(), 1);
        }
        assert!(extractor.get("baggage").is_none_or(|baggage| baggage.len() <= 8_192));
        Ok(())
    });
    run.unwrap();
}

#[test]
fn trace_context_sends_what_it_can_read_again() {
    let near = value().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = prop_oneof![2 => near, 1 => ".{0,80}"];
    let run = cases(256).run(&(text.clone(), text), |(parent, state)| {
        let carrier = HashMap::from([("traceparent".to_owned(), parent), ("tracestate".to_owned(), state)]);
        let read = |carrier: &HashMap<String, String>| {
            TraceContext::new().extract_with_context(&Context::new(), carrier)
        };
        let cx = read(&carrier);
        let mut headers = HeaderMap::new();
        TraceContext::new().inject_context(&cx, &mut HeaderInjector::new(&mut headers));
        assert_eq!(headers.contains_key("traceparent"), cx.span().span_context().is_valid());
        let sent: HashMap<String, String> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        assert_eq!(read(&sent).span().span_context(), cx.span().span_context());
        Ok(())
    });
    run.unwrap();
}

#[test]
fn baggage_sends_what_it_can_read_again() {
    let near = value().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text =
        prop_oneof![2 => near, 1 => ".{0,80}", 1 => "([a-c]=[ -~\u{e4}]{0,6}(;[ -~\u{e4}]{0,6})?,){0,9}"];
    let run = cases(256).run(&text, |text| {
        let read = |text: String| {
            Baggage::new()
                .extract_with_context(&Context::new(), &HashMap::from([("baggage".to_owned(), text)]))
        };
        let sent = |cx: &Context| {
            let mut headers = HeaderMap::new();
            Baggage::new().inject_context(cx, &mut HeaderInjector::new(&mut headers));
            headers.get("baggage").map(|value| value.to_str().unwrap().to_owned())
        };
        let cx = read(text);
        let Some(once) = sent(&cx) else {
            assert!(cx.baggage().is_empty(), "{:?}", cx.baggage());
            return Ok(());
        };
        assert!(once.len() <= 8_192);
        let again = read(once.clone());
        assert_eq!(again.baggage().len(), cx.baggage().len().min(once.split(',').count()));
        for (key, (value, _)) in again.baggage() {
            assert_eq!(cx.baggage().get(key), Some(value));
        }
        assert_eq!(sent(&again), Some(once));
        Ok(())
    });
    run.unwrap();
}

/// An error that cannot even be printed.
struct Unprintable;

impl fmt::Display for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose")
    }
}

/// Never answers, always unwinds.
fn dies<T>() -> T {
    panic!("on purpose")
}

#[tokio::test]
async fn a_hook_of_a_server_that_panics_is_contained() {
    type Hooked = (&'static str, fn(ServerLayer) -> ServerLayer);
    let hooks: [Hooked; 5] = [
        ("observe", |layer| layer.observe(|_| dies::<bool>())),
        ("route", |layer| layer.route(|_| dies())),
        ("on_request", |layer| layer.on_request(|_, _| dies())),
        ("on_response", |layer| layer.on_response(|_, _| dies())),
        ("public_endpoint_if", |layer| layer.public_endpoint_if(|_| dies())),
    ];
    for (hook, hooked) in hooks {
        let telemetry = Telemetry::new();
        let address = serve_fn(hooked(telemetry.server()), |_| async { Response::new(text("hello")) }).await;
        assert!(get(address, "/x").await.ends_with("hello"), "{hook}");
        let span = telemetry.span().await;
        assert_eq!(attribute(&span, "http.response.status_code").as_deref(), Some("200"), "{hook}");
        assert_eq!(attribute(&span, "error.type"), None, "{hook}");
        assert_eq!(telemetry.active("http.server.active_requests"), 0.0, "{hook}");
        assert_eq!(telemetry.points("http.server.request.duration")[0].count, 1, "{hook}");
    }
}

#[tokio::test]
async fn a_hook_of_a_client_that_panics_is_contained() {
    type Hooked = (&'static str, fn(ClientLayer) -> ClientLayer);
    let hooks: [Hooked; 5] = [
        ("observe", |layer| layer.observe(|_| dies::<bool>())),
        ("on_request", |layer| layer.on_request(|_, _| dies())),
        ("on_response", |layer| layer.on_response(|_, _| dies())),
        ("inject_if", |layer| layer.inject_if(|_| dies())),
        ("metric_server_address", |layer| layer.metric_server_address(|_| dies())),
    ];
    for (hook, hooked) in hooks {
        let telemetry = Telemetry::new();
        let service = hooked(telemetry.client()).layer(tower::service_fn(answer));
        let request = Request::get("http://shop.example/x").body(()).unwrap();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello", "{hook}");
        let span = telemetry.span().await;
        assert_eq!(attribute(&span, "http.response.status_code").as_deref(), Some("200"), "{hook}");
        let points = telemetry.points("http.client.request.duration");
        assert_eq!(points[0].attributes["server.address"], "shop.example", "{hook}");
        assert_eq!(telemetry.active("http.client.active_requests"), 0.0, "{hook}");
    }
}

#[tokio::test]
async fn a_hook_that_guards_something_and_panics_is_the_cautious_one() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let telemetry = Telemetry::new();
    let server = telemetry.server().public_endpoint_if(|_| dies()).layer(tower::service_fn(answer));
    let request = Request::builder().header("traceparent", PARENT).body(()).unwrap();
    drop(server.oneshot(request).await.unwrap());
    let span = telemetry.span().await;
    assert_ne!(span.span_context.trace_id().to_string(), &PARENT[3..35], "a stranger is not trusted");
    assert_eq!(span.links.len(), 1);

    let client = telemetry.client().inject_if(|_| dies()).layer(tower::service_fn(|request: Request<()>| {
        assert!(request.headers().is_empty(), "a stranger is told nothing");
        answer(request)
    }));
    drop(client.oneshot(Request::new(())).await.unwrap());
    assert_eq!(attribute(&telemetry.spans(2).await[1], "http.response.status_code").as_deref(), Some("200"));
}

#[tokio::test]
async fn on_error_that_panics_and_an_error_that_cannot_be_printed_are_contained() {
    fn hook(_: &dyn Any, _: &otelhttp::SpanWriter<'_>) {
        dies::<()>();
    }
    let telemetry = Telemetry::new();
    let service = tower::service_fn(|_: Request<()>| async { Err::<Response<Full<Bytes>>, _>(Unprintable) });
    let server = telemetry.server().on_error(hook).error_descriptions(true).layer(service);
    let client = telemetry.client().on_error(hook).error_descriptions(true).layer(service);
    assert!(server.oneshot(Request::new(())).await.is_err());
    assert!(client.oneshot(Request::new(())).await.is_err());
    for span in telemetry.spans(2).await {
        assert_eq!(attribute(&span, "error.type").as_deref(), Some("_OTHER"));
        assert_eq!(span.status, NO_DESCRIPTION);
    }
    assert_eq!(telemetry.active("http.server.active_requests"), 0.0);
}

/// A part of a telemetry pipeline that panics where it is told to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Broken {
    Sampler,
    OnStart,
    OnEnd,
    Extract,
    Inject,
    Fields,
}

impl Broken {
    fn here(self, place: Self) {
        assert_ne!(self, place, "on purpose");
    }

    fn tracer_provider(self) -> SdkTracerProvider {
        SdkTracerProvider::builder().with_sampler(self).with_span_processor(self).build()
    }
}

impl ShouldSample for Broken {
    fn should_sample(
        &self,
        _parent: Option<&Context>,
        _trace_id: TraceId,
        _name: &str,
        _kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        self.here(Self::Sampler);
        SamplingResult {
            decision: SamplingDecision::RecordAndSample,
            attributes: Vec::new(),
            trace_state: TraceState::NONE,
        }
    }
}

impl SpanProcessor for Broken {
    fn on_start(&self, _span: &mut Span, _cx: &Context) {
        self.here(Self::OnStart);
    }

    fn on_end(&self, _span: SpanData) {
        self.here(Self::OnEnd);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl TextMapPropagator for Broken {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        self.here(Self::Inject);
        TraceContext::new().inject_context(cx, injector);
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        self.here(Self::Extract);
        TraceContext::new().extract_with_context(cx, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.here(Self::Fields);
        FieldIter::new(&[])
    }
}

#[tokio::test]
async fn a_telemetry_pipeline_that_panics_is_contained() {
    for broken in
        [Broken::Sampler, Broken::OnStart, Broken::OnEnd, Broken::Extract, Broken::Inject, Broken::Fields]
    {
        let telemetry = Telemetry::new();
        let server = telemetry.server().tracer_provider(broken.tracer_provider()).propagator(broken);
        let client = telemetry.client().tracer_provider(broken.tracer_provider()).propagator(broken);
        let client = client.layer(tower::service_fn(answer));
        let address = serve_fn(server, move |_| {
            let request = Request::get("http://next.example/x").body(()).unwrap();
            let response = client.clone().oneshot(request);
            async move { response.await.unwrap() }
        })
        .await;
        let parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
        for _ in 0..2 {
            let answer = get_with(address, "/x", parent).await;
            assert!(answer.ends_with("hello"), "{broken:?}: {answer}");
        }
        for side in ["server", "client"] {
            assert_eq!(telemetry.points(&format!("http.{side}.request.duration"))[0].count, 2, "{broken:?}");
            assert_eq!(telemetry.active(&format!("http.{side}.active_requests")), 0.0, "{broken:?}");
        }
    }
}

#[tokio::test]
async fn a_propagator_that_panics_leaves_the_caller_unknown() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server().propagator(Broken::Extract), |_| async {
        Response::new(Full::<Bytes>::default())
    })
    .await;
    get_with(address, "/x", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n").await;
    assert_eq!(telemetry.span().await.parent_span_id, SpanId::INVALID);
}
