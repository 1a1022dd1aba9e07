//! The context goes out with each attempt as the client's span, whatever stood in the request before,
//! and nothing else of the request is changed.
#![cfg(feature = "hyper-util")]

mod common;

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use common::client::*;
use common::*;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header, request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::context::FutureExt;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SpanData};
use otelhttp::propagation::Propagators;
use otelhttp::{AttemptsLayer, ClientLayer, Observe, ServerSpan, UrlTemplate};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::follow_redirect::policy::Limited;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// What another program has sent us.
fn remote(flags: TraceFlags) -> Context {
    let trace_id = TraceId::from_hex(TRACE).unwrap();
    let state = TraceState::from_key_value([("vendor", "1")]).unwrap();
    let span = SpanContext::new(trace_id, SpanId::from_hex(CALLER).unwrap(), flags, true, state);
    Context::new().with_remote_span_context(span)
}

type Heads = Arc<Mutex<Vec<request::Parts>>>;

/// A server that keeps the heads of its requests.
async fn recorder() -> (SocketAddr, Heads) {
    let heads = Heads::default();
    let recorded = heads.clone();
    let address = answers(move |request| {
        heads.lock().unwrap().push(request.into_parts().0);
        Response::new(text("hello"))
    })
    .await;
    (address, recorded)
}

/// The headers that a server gets of a request that goes through this layer.
async fn sent(layer: &ClientLayer, more: &[(&'static str, &str)]) -> (SocketAddr, HeaderMap) {
    let (address, heads) = recorder().await;
    let mut request = get_x(address);
    for (name, value) in more {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    drain(http1_client(layer), request).await;
    let headers = heads.lock().unwrap().remove(0).headers;
    (address, headers)
}

/// Sends a request and reads the response to its end.
async fn drain<S, Q, B>(service: S, request: Request<Q>) -> StatusCode
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let response = soon("a head", service.oneshot(request)).await.unwrap();
    let status = response.status();
    soon("a body", response.into_body().collect()).await.unwrap();
    status
}

fn lines<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

fn traceparent(span: &SpanContext) -> String {
    format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8())
}

const NO_LINES: [&str; 0] = [];

#[tokio::test]
async fn the_server_hears_of_the_client_span() {
    let telemetry = Telemetry::new();
    let (address, headers) = sent(&telemetry.client(), &[]).await;
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[("http.response.status_code", "200")]);
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    assert_eq!(lines(&headers, "traceparent"), [traceparent(&span.span_context)]);
    assert_eq!(lines(&headers, "tracestate"), NO_LINES);
    assert_eq!(lines(&headers, "baggage"), NO_LINES);
}

#[tokio::test]
async fn the_span_is_below_the_current_one_and_takes_its_state_and_baggage_on() {
    let telemetry = Telemetry::new();
    let cx = remote(TraceFlags::SAMPLED).with_baggage([KeyValue::new("tenant", "acme")]);
    let (_, headers) = sent(&telemetry.client(), &[]).with_context(cx).await;
    let span = telemetry.span().await;
    assert_eq!(span.span_context.trace_id().to_string(), TRACE);
    assert_eq!(span.parent_span_id.to_string(), CALLER);
    assert_eq!(lines(&headers, "traceparent"), [traceparent(&span.span_context)]);
    assert_eq!(lines(&headers, "tracestate"), ["vendor=1"]);
    assert_eq!(lines(&headers, "baggage"), ["tenant=acme"]);
}

/// What a program has put into a request that it forwards.
const STALE: [(&str, &str); 6] = [
    ("traceparent", "00-11111111111111111111111111111111-2222222222222222-00"),
    ("traceparent", "00-33333333333333333333333333333333-4444444444444444-01"),
    ("tracestate", "stale=1"),
    ("tracestate", "older=2"),
    ("baggage", "stale=1"),
    ("baggage", "older=2"),
];

#[tokio::test]
async fn what_the_request_said_of_a_context_is_replaced() {
    let telemetry = Telemetry::new();
    let cx = remote(TraceFlags::SAMPLED).with_baggage([KeyValue::new("tenant", "acme")]);
    let (_, headers) = sent(&telemetry.client(), &STALE).with_context(cx).await;
    let span = telemetry.span().await;
    assert_eq!(lines(&headers, "traceparent"), [traceparent(&span.span_context)]);
    assert_eq!(lines(&headers, "tracestate"), ["vendor=1"]);
    assert_eq!(lines(&headers, "baggage"), ["tenant=acme"]);
    // By nothing, where the context has none.
    let telemetry = Telemetry::new();
    let (_, headers) = sent(&telemetry.client(), &STALE).await;
    let span = telemetry.span().await;
    assert_eq!(lines(&headers, "traceparent"), [traceparent(&span.span_context)]);
    assert_eq!(lines(&headers, "tracestate"), NO_LINES);
    assert_eq!(lines(&headers, "baggage"), NO_LINES);
}

#[tokio::test]
async fn a_propagator_of_the_users_touches_its_own_headers_only() {
    let telemetry = Telemetry::new();
    let layer = telemetry.client().propagator(TraceContextPropagator::new());
    let (_, headers) = sent(&layer, &STALE).await;
    let span = telemetry.span().await;
    assert_eq!(lines(&headers, "traceparent"), [traceparent(&span.span_context)]);
    assert_eq!(lines(&headers, "tracestate"), NO_LINES);
    assert_eq!(lines(&headers, "baggage"), ["stale=1", "older=2"]);
}

#[tokio::test]
async fn strangers_are_not_told_of_the_trace() {
    for (host, told) in [("127.0.0.1", true), ("stranger.example", false)] {
        let telemetry = Telemetry::new();
        let layer = telemetry.client().inject_if(move |uri| uri.host() == Some(host));
        let cx = remote(TraceFlags::SAMPLED).with_baggage([KeyValue::new("tenant", "acme")]);
        let (address, headers) = sent(&layer, &[]).with_context(cx).await;
        for name in ["traceparent", "tracestate", "baggage"] {
            assert_eq!(headers.contains_key(name), told, "{name} to {host}");
        }
        let span = telemetry.span().await;
        assert_client(&span, address, Status::Unset, &[("http.response.status_code", "200")]);
        assert_measured(&telemetry, &span);
    }
}

#[tokio::test]
async fn strangers_are_not_told_of_a_trace_that_was_in_the_request_either() {
    let layer = || Telemetry::new().client().inject_if(|_| false);
    let (_, headers) = sent(&layer(), &STALE).await;
    for name in ["traceparent", "tracestate", "baggage"] {
        assert_eq!(lines(&headers, name), NO_LINES, "{name}");
    }
    let (_, headers) = sent(&layer().propagator(TraceContextPropagator::new()), &STALE).await;
    assert_eq!(lines(&headers, "traceparent"), NO_LINES);
    assert_eq!(lines(&headers, "baggage"), ["stale=1", "older=2"], "it is not this propagator's");
}

#[tokio::test]
async fn baggage_that_fits_into_no_header_is_not_sent_empty() {
    let telemetry = Telemetry::new();
    let cx = Context::new().with_baggage([KeyValue::new("long", "\u{fc}".repeat(2_000))]);
    let (_, headers) = sent(&telemetry.client(), &[]).with_context(cx).await;
    assert_eq!(lines(&headers, "baggage"), NO_LINES);
}

#[tokio::test]
async fn nothing_is_recorded_or_sent_while_telemetry_is_suppressed() {
    let telemetry = Telemetry::new();
    let cx = remote(TraceFlags::SAMPLED).with_telemetry_suppressed();
    let (_, headers) = sent(&telemetry.client(), &[]).with_context(cx).await;
    for name in ["traceparent", "tracestate", "baggage"] {
        assert_eq!(lines(&headers, name), NO_LINES);
    }
    assert!(telemetry.started().is_empty());
    assert!(telemetry.points(CLIENT_DURATION).is_empty());
    assert!(telemetry.points(CLIENT_ACTIVE).is_empty());
}

#[tokio::test]
async fn the_current_context_goes_on_where_no_span_is_made() {
    for (observe, measurements) in [(Observe::Nothing, 0), (Observe::MetricsOnly, 1)] {
        let telemetry = Telemetry::new();
        let layer = telemetry.client().observe(move |_| observe);
        let cx = remote(TraceFlags::SAMPLED).with_baggage([KeyValue::new("tenant", "acme")]);
        let (_, headers) = sent(&layer, &STALE).with_context(cx).await;
        assert_eq!(lines(&headers, "traceparent"), [format!("00-{TRACE}-{CALLER}-01")]);
        assert_eq!(lines(&headers, "tracestate"), ["vendor=1"]);
        assert_eq!(lines(&headers, "baggage"), ["tenant=acme"]);
        assert!(telemetry.started().is_empty());
        assert_settled(&telemetry, 0, measurements);
    }
}

#[tokio::test]
async fn a_request_may_be_let_out_by_a_word() {
    let telemetry = Telemetry::new();
    let layer = telemetry.client().observe(|parts| parts.uri.path() != "/x");
    let (_, headers) = sent(&layer, &[]).with_context(remote(TraceFlags::SAMPLED)).await;
    assert_eq!(lines(&headers, "traceparent"), [format!("00-{TRACE}-{CALLER}-01")]);
    assert!(telemetry.started().is_empty());
    assert_settled(&telemetry, 0, 0);
}

#[tokio::test]
async fn the_current_context_goes_on_where_nothing_is_configured() {
    let cx = remote(TraceFlags::SAMPLED).with_baggage([KeyValue::new("tenant", "acme")]);
    let (_, headers) = sent(&ClientLayer::new(), &STALE).with_context(cx).await;
    assert_eq!(lines(&headers, "traceparent"), [format!("00-{TRACE}-{CALLER}-01")]);
    assert_eq!(lines(&headers, "tracestate"), ["vendor=1"]);
    assert_eq!(lines(&headers, "baggage"), ["tenant=acme"]);
    // Without one there is nothing to say.
    let (_, headers) = sent(&ClientLayer::new(), &[]).await;
    for name in ["traceparent", "tracestate", "baggage"] {
        assert_eq!(lines(&headers, name), NO_LINES);
    }
}

#[tokio::test]
async fn what_is_not_sampled_still_holds_the_trace_together() {
    // A caller that does not sample.
    let telemetry = Telemetry::new();
    let (_, headers) = sent(&telemetry.client(), &[]).with_context(remote(TraceFlags::default())).await;
    let sent_parent = lines(&headers, "traceparent")[0];
    assert!(sent_parent.starts_with(&format!("00-{TRACE}-")), "{sent_parent}");
    assert!(sent_parent.ends_with("-00"), "{sent_parent}");
    assert_eq!(lines(&headers, "tracestate"), ["vendor=1"]);
    assert_settled(&telemetry, 0, 1);
    // A sampler that says no: there are ids all the same.
    let telemetry = Telemetry::with_sampler(Sampler::AlwaysOff);
    let (_, headers) = sent(&telemetry.client(), &STALE).await;
    let [sent_parent] = lines(&headers, "traceparent")[..] else { panic!("{headers:?}") };
    assert!(!STALE.iter().any(|(_, stale)| *stale == sent_parent));
    assert!(sent_parent.starts_with("00-") && sent_parent.ends_with("-00"), "{sent_parent}");
    assert_settled(&telemetry, 0, 1);
}

#[tokio::test]
async fn the_rest_of_the_request_goes_out_as_it_came() {
    #[derive(Clone, Debug, PartialEq)]
    struct Mine(u8);

    let telemetry = Telemetry::new();
    let head = Arc::new(Mutex::new(None));
    let keeps = {
        let head = head.clone();
        service_fn(move |request: Request<Full<Bytes>>| {
            let head = head.clone();
            async move {
                let (parts, body) = request.into_parts();
                *head.lock().unwrap() = Some((parts, body.collect().await.unwrap().to_bytes()));
                Ok::<_, Infallible>(Response::new(text("hello")))
            }
        })
    };
    let request = Request::put("http://user@127.0.0.1:1/x?a=b")
        .version(http::Version::HTTP_2)
        .header("x-b", "1")
        .header("x-a", "2")
        .header("x-b", "3")
        .extension(Mine(7))
        .body(text("payload"))
        .unwrap();
    drain(telemetry.client().layer(keeps), request.clone()).await;
    let (mut parts, body) = head.lock().unwrap().take().unwrap();
    let span = telemetry.span().await;
    assert_eq!(parts.headers.remove("traceparent").unwrap(), traceparent(&span.span_context).as_str());
    assert_eq!(&parts.headers, request.headers());
    assert_eq!(parts.uri, *request.uri());
    assert_eq!(parts.method, *request.method());
    assert_eq!(parts.version, request.version());
    assert_eq!(parts.extensions.get(), Some(&Mine(7)));
    assert_eq!(body, "payload");
}

#[tokio::test]
async fn a_request_that_is_sent_often_gets_the_context_of_each_time() {
    let telemetry = Telemetry::new();
    let (address, heads) = recorder().await;
    let client = http1_client(&telemetry.client());
    let request = get_x(address);
    for _ in 0..3 {
        drain(client.clone(), request.clone()).await;
    }
    assert!(request.headers().is_empty());
    let spans = telemetry.spans(3).await;
    let heads = heads.lock().unwrap();
    for (head, span) in heads.iter().zip(&spans) {
        assert_client(span, address, Status::Unset, &[("http.response.status_code", "200")]);
        assert_eq!(lines(&head.headers, "traceparent"), [traceparent(&span.span_context)]);
    }
    assert_eq!(traces(&spans).len(), 3);
}

fn traces(spans: &[SpanData]) -> HashSet<TraceId> {
    spans.iter().map(|span| span.span_context.trace_id()).collect()
}

/// Sends again what was answered by a 503.
#[derive(Clone)]
struct Unavailable;

impl<B: Clone, R, E> tower::retry::Policy<Request<B>, Response<R>, E> for Unavailable {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<B>,
        result: &mut Result<Response<R>, E>,
    ) -> Option<std::future::Ready<()>> {
        let again = matches!(result, Ok(response) if response.status() == 503);
        again.then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}

/// A server that is there with the third request, and keeps their heads.
async fn third_time_lucky() -> (SocketAddr, Heads) {
    let heads = Heads::default();
    let recorded = heads.clone();
    let address = answers(move |request| {
        let mut heads = heads.lock().unwrap();
        heads.push(request.into_parts().0);
        let mut response = Response::new(text("hello"));
        if heads.len() % 3 != 0 {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    })
    .await;
    (address, recorded)
}

fn hyper_client() -> HyperClient {
    legacy::Client::builder(TokioExecutor::new()).build_http()
}

#[tokio::test]
async fn each_retry_is_a_span_of_its_own_and_is_counted() {
    let telemetry = Telemetry::new();
    let (address, heads) = third_time_lucky().await;
    let client = ServiceBuilder::new()
        .layer(AttemptsLayer::new())
        .retry(Unavailable)
        .layer(telemetry.client())
        .service(hyper_client());
    // Each request is counted for itself.
    for round in 0..2 {
        let cx = remote(TraceFlags::SAMPLED);
        assert_eq!(drain(client.clone(), get_x(address)).with_context(cx).await, 200);
        let spans = telemetry.spans(3 * (round + 1)).await.split_off(3 * round);
        for (span, (code, resent)) in spans.iter().zip([("503", ""), ("503", "1"), ("200", "2")]) {
            let (status, error) = if code == "200" { (Status::Unset, "") } else { (NO_DESCRIPTION, code) };
            let expected = [
                ("http.response.status_code", code),
                ("error.type", error),
                ("http.request.resend_count", resent),
            ];
            assert_client(span, address, status, &expected);
            assert_eq!(span.parent_span_id.to_string(), CALLER);
        }
        let heads = heads.lock().unwrap();
        for (head, span) in heads[3 * round..].iter().zip(&spans) {
            assert_eq!(lines(&head.headers, "traceparent"), [traceparent(&span.span_context)]);
        }
    }
    assert_settled(&telemetry, 6, 6);
}

#[tokio::test]
async fn retries_that_nobody_counts_have_no_count() {
    let telemetry = Telemetry::new();
    let (address, _) = third_time_lucky().await;
    let client = ServiceBuilder::new().retry(Unavailable).layer(telemetry.client()).service(hyper_client());
    assert_eq!(drain(client, get_x(address)).await, 200);
    for span in telemetry.spans(3).await {
        assert_eq!(attribute(&span, "http.request.resend_count"), None);
    }
    assert_settled(&telemetry, 3, 3);
}

#[tokio::test]
async fn retries_inside_of_the_layer_are_one_span() {
    let telemetry = Telemetry::new();
    let (address, heads) = third_time_lucky().await;
    let client = ServiceBuilder::new().layer(telemetry.client()).retry(Unavailable).service(hyper_client());
    assert_eq!(drain(client, get_x(address)).await, 200);
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[("http.response.status_code", "200")]);
    for head in heads.lock().unwrap().iter() {
        assert_eq!(lines(&head.headers, "traceparent"), [traceparent(&span.span_context)]);
    }
}

/// `/3` leads to `/2` and so on to `/0`.
async fn redirects() -> (SocketAddr, Heads) {
    let heads = Heads::default();
    let recorded = heads.clone();
    let address = answers(move |request| {
        let (parts, _) = request.into_parts();
        let left: u32 = parts.uri.path()[1..].parse().unwrap();
        heads.lock().unwrap().push(parts);
        let mut response = Response::new(text("hello"));
        if left > 0 {
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(header::LOCATION, format!("/{}", left - 1).parse().unwrap());
        }
        response
    })
    .await;
    (address, recorded)
}

#[tokio::test]
async fn each_redirect_is_a_span_of_its_own_and_is_counted() {
    // Once, twice, and more than is allowed.
    for (redirections, last) in [(0, 200), (1, 200), (2, 200), (3, 302)] {
        let telemetry = Telemetry::new();
        let (address, heads) = redirects().await;
        let client = ServiceBuilder::new()
            .layer(AttemptsLayer::new())
            .layer(FollowRedirectLayer::with_policy(Limited::new(2)))
            .layer(telemetry.client())
            .service(hyper_client());
        let request = request(format_args!("http://{address}/{redirections}"));
        assert_eq!(drain(client, request).await, last);
        let requests = heads.lock().unwrap().len();
        assert_eq!(requests, usize::min(redirections + 1, 3));
        for (resent, span) in telemetry.spans(requests).await.iter().enumerate() {
            let left = redirections - resent;
            let url = format!("http://{address}/{left}");
            let count = resent.to_string();
            let expected = [
                ("url.full", url.as_str()),
                ("http.response.status_code", if left == 0 { "200" } else { "302" }),
                ("http.request.resend_count", if resent == 0 { "" } else { &count }),
            ];
            assert_client(span, address, Status::Unset, &expected);
            let heads = heads.lock().unwrap();
            assert_eq!(lines(&heads[resent].headers, "traceparent"), [traceparent(&span.span_context)]);
        }
        assert_settled(&telemetry, requests, requests as u64);
    }
}

#[tokio::test]
async fn a_template_makes_the_name_and_is_a_label() {
    let telemetry = Telemetry::new();
    let (address, _) = recorder().await;
    let mut request = get_x(address);
    request.extensions_mut().insert(UrlTemplate::new("/{letter}"));
    drain(http1_client(&telemetry.client()), request).await;
    let span = telemetry.span().await;
    let (url, port) = (format!("http://{address}/x"), address.port().to_string());
    let expected = [
        ("http.request.method", "GET"),
        ("url.full", url.as_str()),
        ("url.template", "/{letter}"),
        ("server.address", "127.0.0.1"),
        ("server.port", port.as_str()),
        ("network.peer.address", "127.0.0.1"),
        ("network.peer.port", port.as_str()),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
    ];
    assert_span(&span, SpanKind::Client, "GET /{letter}", Status::Unset, &expected);
    assert_measured(&telemetry, &span);
    let labels = &telemetry.points(CLIENT_DURATION)[0].attributes;
    assert_eq!(labels.get("url.template").map(String::as_str), Some("/{letter}"));
}

#[tokio::test]
async fn a_template_and_a_count_are_for_the_first_layer_that_meets_them() {
    let telemetry = Telemetry::new();
    let inner =
        telemetry.client().body_size_metrics(true).layer(service_fn(|request: Request<Full<Bytes>>| async {
            Ok::<_, Infallible>(Response::new(request.into_body()))
        }));
    let outer = telemetry.client().observe(|_| false).layer(service_fn(move |request: Request<_>| {
        inner.clone().oneshot(request.map(|_| Full::default()))
    }));
    let client = otelhttp::RequestBodyLayer::new().layer(outer);
    let request = Request::get("http://shop.example/x").extension(UrlTemplate::new("/{letter}"));
    drain(client, request.body(text("hello")).unwrap()).await;
    assert_eq!(telemetry.span().await.name, "GET");
    assert!(telemetry.points("http.client.request.body.size").is_empty());
}

/// Says where a request goes that came in origin form.
fn to(address: SocketAddr) -> impl Fn(Request<Incoming>) -> Request<Incoming> + Clone {
    move |mut request| {
        *request.uri_mut() = Uri::try_from(format!("http://{address}{}", request.uri().path())).unwrap();
        request
    }
}

/// Finds a span by its kind and its parent.
#[track_caller]
fn below<'s>(spans: &'s [SpanData], kind: &SpanKind, parent: SpanId) -> &'s SpanData {
    let mut found = spans.iter().filter(|span| span.span_kind == *kind && span.parent_span_id == parent);
    let span = found.next().unwrap_or_else(|| panic!("no {kind:?} below {parent} in {spans:#?}"));
    assert!(found.next().is_none(), "two of {kind:?} below {parent}");
    span
}

#[tokio::test]
async fn a_reverse_proxy_makes_one_trace() {
    let telemetry = Telemetry::new();
    let backend = serve_fn(telemetry.server(), |_| async { Response::new(text("hello")) }).await;
    let client: legacy::Client<HttpConnector, Incoming> =
        legacy::Client::builder(TokioExecutor::new()).build_http();
    let proxy = ServiceBuilder::new()
        .map_request(to(backend))
        .layer(telemetry.server())
        .layer(telemetry.client())
        .service(client);
    let caller = format!("traceparent: 00-{TRACE}-{CALLER}-01\r\ntracestate: vendor=1\r\n");
    assert!(get_with(serve(proxy).await, "/x", &caller).await.ends_with("hello"));
    let spans = telemetry.spans(3).await;
    let outer = below(&spans, &SpanKind::Server, SpanId::from_hex(CALLER).unwrap());
    let client = below(&spans, &SpanKind::Client, outer.span_context.span_id());
    let inner = below(&spans, &SpanKind::Server, client.span_context.span_id());
    assert_eq!(traces(&spans), HashSet::from([TraceId::from_hex(TRACE).unwrap()]));
    assert_client(client, backend, Status::Unset, &[("http.response.status_code", "200")]);
    assert_eq!(inner.span_context.trace_state().header(), "vendor=1");
    assert_settled(&telemetry, 3, 1);
    assert_eq!(telemetry.points("http.server.request.duration").iter().map(|p| p.count).sum::<u64>(), 2);
    assert_eq!(telemetry.active("http.server.active_requests"), 0.0);
}

#[tokio::test]
async fn a_gateway_in_one_process_makes_two_server_spans() {
    let telemetry = Telemetry::new();
    let inner = Router::new().route("/{letter}", get(|| async { "hello" })).layer(telemetry.server());
    let gateway = ServiceBuilder::new().layer(telemetry.server()).layer(telemetry.client()).service(inner);
    assert!(common::get(serve(gateway).await, "/x").await.ends_with("hello"));
    let spans = telemetry.spans(3).await;
    let outer = below(&spans, &SpanKind::Server, SpanId::INVALID);
    let client = below(&spans, &SpanKind::Client, outer.span_context.span_id());
    let inner = below(&spans, &SpanKind::Server, client.span_context.span_id());
    assert_eq!(traces(&spans).len(), 1);
    // The route is the inner one's alone.
    assert_eq!((&*outer.name, attribute(outer, "http.route")), ("GET", None));
    assert_eq!(inner.name, "GET /{letter}");
    assert_eq!(attribute(inner, "http.route").as_deref(), Some("/{letter}"));
    let expected = [
        ("http.request.method", "GET"),
        ("url.full", "http://shop.example/x"),
        ("server.address", "shop.example"),
        ("server.port", "80"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
    ];
    assert_span(client, SpanKind::Client, "GET", Status::Unset, &expected);
    assert_settled(&telemetry, 3, 1);
    assert_eq!(telemetry.points("http.server.request.duration").iter().map(|p| p.count).sum::<u64>(), 2);
    assert_eq!(telemetry.active("http.server.active_requests"), 0.0);
}

#[tokio::test]
async fn the_handle_of_a_server_does_not_go_out() {
    for observe in [Observe::All, Observe::MetricsOnly, Observe::Nothing] {
        let telemetry = Telemetry::new();
        let seen = service_fn(|request: Request<Incoming>| async move {
            let seen = request.extensions().get::<ServerSpan>().is_some();
            Ok::<_, Infallible>(Response::new(text(if seen { "seen" } else { "not seen" })))
        });
        let gateway = ServiceBuilder::new()
            .layer(telemetry.server())
            .layer(telemetry.client().observe(move |_| observe))
            .service(seen);
        assert!(common::get(serve(gateway).await, "/x").await.ends_with("not seen"));
    }
}

#[tokio::test]
async fn a_call_further_in_is_no_attempt_of_the_outer_one() {
    let telemetry = Telemetry::new();
    let answer =
        service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(Response::new(text("hello"))) });
    // A gateway in one process forwards the request as it is.
    let gateway = ServiceBuilder::new().layer(telemetry.server()).layer(telemetry.client()).service(answer);
    let client = ServiceBuilder::new().layer(AttemptsLayer::new()).layer(telemetry.client()).service(gateway);
    drain(client, request("http://127.0.0.1:1/x")).await;
    for span in telemetry.spans(3).await {
        assert_eq!(attribute(&span, "http.request.resend_count"), None, "{:?}", span.span_kind);
    }
}

/// Keeps the baggage in the house, and is a stand-in for the default propagators otherwise.
#[derive(Debug)]
struct NoBaggageOut(Propagators);

impl TextMapPropagator for NoBaggageOut {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        self.0.inject_context(&cx.with_cleared_baggage(), injector);
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        self.0.extract_with_context(cx, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.0.fields()
    }
}

#[tokio::test]
async fn a_propagator_that_stands_around_the_default_is_asked() {
    let (address, heads) = recorder().await;
    let telemetry = Telemetry::new();
    let client = telemetry.client().propagator(NoBaggageOut(Propagators::default()));
    let cx = Context::new().with_baggage([KeyValue::new("secret", "yes")]);
    http1_client(&client).oneshot(get_x(address)).with_context(cx).await.unwrap();
    let head = heads.lock().unwrap().pop().unwrap();
    assert!(head.headers.contains_key("traceparent"));
    assert!(!head.headers.contains_key("baggage"), "{:?}", head.headers);
}
