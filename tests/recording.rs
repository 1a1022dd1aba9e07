//! What is recorded can be chosen, added to and named: hooks, the handle, captures, proxies.

mod common;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get as on_get;
use bytes::Bytes;
use common::*;
use http::{HeaderValue, Request, Response};
use http_body_util::{Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use otelhttp::{Network, Observe, PeerAddr, ServerSpan, TrustedProxies};
use tower::{Layer, ServiceExt};

const DURATION: &str = "http.server.request.duration";
const PARENT: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";

async fn hello(_: Request<Incoming>) -> Response<Full<Bytes>> {
    Response::new(text("hello"))
}

/// Calls a service in process, where the request must be made by hand.
async fn call_in_process(layer: otelhttp::ServerLayer, request: Request<()>) -> http::HeaderMap {
    let service = layer.layer(tower::service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    }));
    service.oneshot(request).await.unwrap().into_parts().0.headers
}

#[tokio::test]
async fn hooks_see_the_heads_and_have_the_last_word() {
    let telemetry = Telemetry::new();
    let layer = telemetry
        .server()
        .on_request(|head, span| {
            assert_eq!(head.uri.path(), "/x");
            span.set_attribute(KeyValue::new("app.step", "request"));
            span.set_attribute(KeyValue::new("app.size", 1));
            span.set_metric_attribute(KeyValue::new("app.tenant", "acme"));
        })
        .on_response(|head, span| {
            assert_eq!(head.status, 200);
            span.set_attribute(KeyValue::new("app.step", "response"));
            span.rename("shop");
        });
    get(serve_fn(layer, hello).await, "/x").await;
    let span = telemetry.span().await;
    assert_eq!(span.name, "shop");
    assert_eq!(attribute(&span, "app.step").as_deref(), Some("response"));
    assert_eq!(attribute(&span, "app.size").as_deref(), Some("1"));
    assert_eq!(attribute(&span, "app.tenant"), None);
    let expected = [
        ("http.request.method", "GET"),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
        ("app.tenant", "acme"),
    ];
    assert_attributes(&telemetry.points(DURATION)[0].attributes, &expected);
}

#[tokio::test]
async fn the_handle_adds_to_span_and_metrics_and_gives_the_context() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.tracer_provider.tracer("app");
    let handler = move |span: ServerSpan| async move {
        span.set_attribute(KeyValue::new("app.items", 3));
        span.set_metric_attribute(KeyValue::new("app.tenant", "acme"));
        span.error("cart_empty");
        let cx = span.context();
        let spawned = tokio::spawn(async move { drop(tracer.start_with_context("spawned", &cx)) });
        spawned.await.unwrap();
        assert_eq!(span.context().span().span_context(), Context::current().span().span_context());
    };
    get(serve_axum(Router::new().route("/", on_get(handler)).layer(telemetry.server())).await, "/").await;
    let spans = telemetry.spans(2).await;
    assert_eq!(spans[0].parent_span_id, spans[1].span_context.span_id());
    assert_eq!(spans[1].status, NO_DESCRIPTION);
    assert_eq!(attribute(&spans[1], "error.type").as_deref(), Some("cart_empty"));
    assert_eq!(attribute(&spans[1], "app.items").as_deref(), Some("3"));
    let point = telemetry.points(DURATION).remove(0);
    assert_eq!((&*point.attributes["app.tenant"], &*point.attributes["error.type"]), ("acme", "cart_empty"));
}

#[tokio::test]
async fn a_key_given_at_the_start_is_never_written_again() {
    let telemetry = Telemetry::new();
    let layer = telemetry.server().capture_request_headers(["x-in"]).on_request(|_, span| {
        for key in ["url.path", "user_agent.original", "http.request.header.x-in", "network.protocol.version"]
        {
            span.set_attribute(KeyValue::new(key, "mine"));
        }
        span.set_attribute(KeyValue::new("http.response.status_code", 299));
        span.set_attribute(KeyValue::new("server.port", 1));
    });
    get_with(serve_fn(layer, hello).await, "/x", "user-agent: curl\r\nx-in: 1\r\n").await;
    // `texts` in the harness refuses a key that stands twice.
    let span = telemetry.span().await;
    for (key, value) in [
        ("url.path", "/x"),
        ("user_agent.original", "curl"),
        ("http.request.header.x-in", "[\"1\"]"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "299"),
        ("server.port", "1"),
    ] {
        assert_eq!(attribute(&span, key).as_deref(), Some(value), "{key}");
    }
}

#[tokio::test]
async fn an_error_gets_the_name_that_the_hook_gives_it() {
    #[derive(Debug)]
    struct Mine;
    impl std::fmt::Display for Mine {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("token=s3cret")
        }
    }
    impl std::error::Error for Mine {}

    for (named, described, error_type, status) in [
        (true, false, "mine", NO_DESCRIPTION),
        (false, false, "_OTHER", NO_DESCRIPTION),
        (false, true, "_OTHER", Status::error("token=s3cret")),
    ] {
        let telemetry = Telemetry::new();
        let layer = telemetry.server().error_descriptions(described).on_error(move |error, span| {
            if named && error.is::<Mine>() {
                span.error("mine");
            }
        });
        let of_service = layer
            .clone()
            .layer(tower::service_fn(|_: Request<()>| async { Err::<Response<Empty<Bytes>>, _>(Mine) }));
        of_service.oneshot(Request::new(())).await.unwrap_err();
        let frames = || StreamBody::new(futures_util::stream::iter([Err::<Frame<Bytes>, _>(Mine)]));
        let of_body = layer.layer(tower::service_fn(move |_: Request<()>| async move {
            Ok::<_, Infallible>(Response::new(frames()))
        }));
        let response = of_body.oneshot(Request::new(())).await.unwrap();
        http_body_util::BodyExt::collect(response.into_body()).await.unwrap_err();
        for span in telemetry.spans(2).await {
            assert_eq!(
                (attribute(&span, "error.type").as_deref(), &span.status),
                (Some(error_type), &status)
            );
        }
    }
}

#[tokio::test]
async fn a_boxed_error_is_looked_into() {
    let telemetry = Telemetry::new();
    let failing = tower::service_fn(|_: Request<()>| async {
        let error = io::Error::from(io::ErrorKind::ConnectionRefused);
        Err::<Response<Empty<Bytes>>, Box<dyn std::error::Error + Send + Sync>>(error.into())
    });
    telemetry.server().layer(failing).oneshot(Request::new(())).await.unwrap_err();
    assert_eq!(attribute(&telemetry.span().await, "error.type").as_deref(), Some("connect"));
}

#[tokio::test]
async fn headers_are_recorded_by_name_only() {
    let telemetry = Telemetry::new();
    let layer = telemetry
        .server()
        .capture_request_headers(["X-List", "x-odd", "x-absent", "no header"])
        .capture_response_headers(["x-reply", "set-cookie"]);
    let service = layer.layer(tower::service_fn(|_: Request<()>| async {
        let mut cookie = HeaderValue::from_static("s3cret");
        cookie.set_sensitive(true);
        let response =
            Response::builder().header("x-reply", "a").header("set-cookie", cookie).header("x-other", "b");
        Ok::<_, Infallible>(response.body(Empty::<Bytes>::new()).unwrap())
    }));
    let request = Request::builder()
        .header("x-list", "1")
        .header("x-list", "2")
        .header("x-odd", HeaderValue::from_bytes(b"a\xffb").unwrap())
        .header("authorization", "s3cret");
    service.oneshot(request.body(()).unwrap()).await.unwrap();
    let span = telemetry.span().await;
    for (key, value) in [
        ("http.request.header.x-list", Some("[\"1\",\"2\"]")),
        ("http.request.header.x-odd", Some("[\"a\u{fffd}b\"]")),
        ("http.request.header.x-absent", None),
        ("http.response.header.x-reply", Some("[\"a\"]")),
        ("http.response.header.set-cookie", Some("[\"REDACTED\"]")),
        ("http.response.header.x-other", None),
    ] {
        assert_eq!(attribute(&span, key).as_deref(), value, "{key}");
    }
    assert!(!telemetry.everything().contains("s3cret"));
    let at_start = texts(&telemetry.started()[0].attributes);
    assert!(at_start.contains_key("http.request.header.x-list"), "a sampler sees it");
}

#[tokio::test]
async fn what_is_not_observed_still_passes_the_context_on() {
    for (observe, spans, measured) in
        [(Observe::All, 1, 1), (Observe::MetricsOnly, 0, 1), (Observe::Nothing, 0, 0), (false.into(), 0, 0)]
    {
        let telemetry = Telemetry::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let layer = telemetry.server().observe(move |_| observe).on_request(move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let handler = |_| async {
            let in_head = Context::current().span().span_context().trace_id();
            let body = futures_util::stream::once(async move {
                assert_eq!(Context::current().span().span_context().trace_id(), in_head);
                Ok::<_, Infallible>(Frame::data(Bytes::from(in_head.to_string())))
            });
            Response::new(StreamBody::new(body))
        };
        let answer = get_with(serve_fn(layer, handler).await, "/x", PARENT).await;
        assert!(answer.contains("0af7651916cd43dd8448eb211c80319c"), "{answer}");
        assert_eq!(telemetry.spans(spans).await.len(), spans);
        assert_eq!(telemetry.points(DURATION).len(), measured);
        assert_eq!(telemetry.active("http.server.active_requests"), 0.0);
        assert_eq!(calls.load(Ordering::Relaxed), measured, "hooks are for what is recorded");
    }
}

#[tokio::test]
async fn a_span_that_is_not_made_leaves_its_parent_alone() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.tracer_provider.tracer("app");
    let cx = Context::current_with_span(tracer.start("mine"));
    let guard = cx.clone().attach();
    call_in_process(telemetry.server().observe(|_| Observe::MetricsOnly), Request::new(())).await;
    drop(guard);
    assert!(cx.span().is_recording(), "it is not ours to end");
    assert!(telemetry.spans_now().is_empty());
}

#[tokio::test]
async fn an_unsampled_request_is_measured_with_its_route() {
    let telemetry = Telemetry::with_sampler(opentelemetry_sdk::trace::Sampler::AlwaysOff);
    let app = Router::new().route("/users/{id}", on_get(|| async { "hello" })).layer(telemetry.server());
    get(serve_axum(app).await, "/users/7").await;
    assert!(telemetry.spans_now().is_empty());
    assert_eq!(telemetry.points(DURATION)[0].attributes["http.route"], "/users/{id}");
}

#[tokio::test]
async fn the_browser_is_told_the_span_if_asked_to() {
    let telemetry = Telemetry::new();
    let headers = call_in_process(telemetry.server(), Request::new(())).await;
    assert!(headers.is_empty(), "off by default");
    let headers = call_in_process(telemetry.server().server_timing(true), Request::new(())).await;
    let span = telemetry.spans(2).await.remove(1);
    let (trace, span) = (span.span_context.trace_id(), span.span_context.span_id());
    assert_eq!(headers["server-timing"], format!("traceparent;desc=\"00-{trace}-{span}-01\""));
}

#[tokio::test]
async fn proxies_are_believed_as_far_as_they_are_trusted() {
    let peer: SocketAddr = "10.0.0.1:50000".parse().unwrap();
    let networks = TrustedProxies::Networks(vec![Network::new([10, 0, 0, 0].into(), 8)]);
    for (trusted, client, server, scheme) in [
        (TrustedProxies::None, "10.0.0.1", "inner.example", "http"),
        (TrustedProxies::Hops(1), "10.0.0.2", "shop.example", "https"),
        (TrustedProxies::Hops(2), "192.0.2.7", "shop.example", "https"),
        (networks, "192.0.2.7", "shop.example", "https"),
    ] {
        let telemetry = Telemetry::new();
        let request = Request::builder()
            .header("host", "inner.example")
            .header("x-forwarded-for", "192.0.2.7, 10.0.0.2")
            .header("x-forwarded-host", "shop.example")
            .header("x-forwarded-proto", "https")
            .extension(PeerAddr::new(peer));
        call_in_process(telemetry.server().trusted_proxies(trusted), request.body(()).unwrap()).await;
        let expected = [
            ("http.request.method", "GET"),
            ("url.path", "/"),
            ("url.scheme", scheme),
            ("server.address", server),
            ("client.address", client),
            ("network.peer.address", "10.0.0.1"),
            ("network.peer.port", "50000"),
            ("network.protocol.version", "1.1"),
            ("http.response.status_code", "200"),
        ];
        assert_span(&telemetry.span().await, SpanKind::Server, "GET", Status::Unset, &expected);
        assert_eq!(telemetry.points(DURATION)[0].attributes["url.scheme"], scheme);
    }
}

#[tokio::test]
async fn the_scheme_is_what_the_server_was_told() {
    let telemetry = Telemetry::new();
    call_in_process(telemetry.server().scheme(http::uri::Scheme::HTTPS), Request::new(())).await;
    assert_eq!(attribute(&telemetry.span().await, "url.scheme").as_deref(), Some("https"));
    // `http` keeps a scheme that is not written in small letters as it was written.
    let telemetry = Telemetry::new();
    let written = "HTTPS".parse().unwrap();
    call_in_process(telemetry.server().scheme(written), Request::new(())).await;
    assert_eq!(attribute(&telemetry.span().await, "url.scheme").as_deref(), Some("https"));
}

#[tokio::test]
async fn further_query_keys_can_be_secret() {
    let telemetry = Telemetry::new();
    let request = Request::builder().uri("/?token=s3cret&sig=shown");
    call_in_process(telemetry.server().sensitive_query_keys(["token"]), request.body(()).unwrap()).await;
    let query = attribute(&telemetry.span().await, "url.query");
    assert_eq!(query.as_deref(), Some("token=REDACTED&sig=shown"));
}

#[tokio::test]
async fn what_the_request_tells_beats_what_the_server_was_told() {
    let telemetry = Telemetry::new();
    let layer =
        || telemetry.server().scheme(http::uri::Scheme::HTTPS).trusted_proxies(TrustedProxies::Hops(1));
    let absolute = Request::builder().uri("http://shop.example/").body(()).unwrap();
    call_in_process(layer(), absolute).await;
    call_in_process(layer(), Request::builder().header("x-forwarded-proto", "http").body(()).unwrap()).await;
    for span in telemetry.spans(2).await {
        assert_eq!(attribute(&span, "url.scheme").as_deref(), Some("http"));
    }
}

#[tokio::test]
async fn a_caller_is_not_told_another_ones_span() {
    let telemetry = Telemetry::new();
    let layer = telemetry.server().server_timing(true).observe(|_| Observe::MetricsOnly);
    let request = Request::builder().header("traceparent", &PARENT[13..68]);
    assert!(call_in_process(layer, request.body(()).unwrap()).await.is_empty());
}

#[tokio::test]
async fn a_user_agent_that_is_marked_sensitive_is_not_recorded() {
    let telemetry = Telemetry::new();
    let mut agent = HeaderValue::from_static("s3cret");
    agent.set_sensitive(true);
    call_in_process(telemetry.server(), Request::builder().header("user-agent", agent).body(()).unwrap())
        .await;
    assert_eq!(attribute(&telemetry.span().await, "user_agent.original"), None);
    assert!(!telemetry.everything().contains("s3cret"));
}

#[tokio::test]
async fn a_public_endpoint_begins_a_trace_whatever_is_current_around_it() {
    let telemetry = Telemetry::new();
    let around = Context::current_with_span(telemetry.tracer_provider.tracer("app").start("around"));
    let guard = around.clone().attach();
    call_in_process(telemetry.server().public_endpoint(true), Request::new(())).await;
    let suppressed = around.with_telemetry_suppressed().attach();
    call_in_process(telemetry.server().public_endpoint(true), Request::new(())).await;
    drop(suppressed);
    drop(guard);
    let span = telemetry.span().await;
    assert_ne!(span.span_context.trace_id(), around.span().span_context().trace_id());
    assert_eq!(span.parent_span_id, opentelemetry::SpanId::INVALID);
    assert!(span.links.is_empty(), "the span around it is no caller");
}

#[tokio::test]
async fn hooks_are_not_called_for_what_nobody_records() {
    let telemetry = Telemetry::with_sampler(opentelemetry_sdk::trace::Sampler::AlwaysOff);
    let calls = Arc::new(AtomicUsize::new(0));
    let count = || {
        let calls = calls.clone();
        move || {
            calls.fetch_add(1, Ordering::Relaxed);
        }
    };
    let (request, response) = (count(), count());
    let inner = telemetry.server().on_request(move |_, _| request()).on_response(move |_, _| response());
    let (request, response) = (count(), count());
    let outer = telemetry
        .server()
        .metrics(false)
        .on_request(move |_, _| request())
        .on_response(move |_, _| response());
    let service = tower::service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    outer.layer(inner.layer(service)).oneshot(Request::new(())).await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_inner_of_two_layers_names_the_error_that_it_sees() {
    let telemetry = Telemetry::new();
    let failing =
        tower::service_fn(|_: Request<()>| async { Err::<Response<Empty<Bytes>>, _>(io::Error::other("x")) });
    let inner = telemetry.server().on_error(|_, span| span.error("mine"));
    telemetry.server().layer(inner.layer(failing)).oneshot(Request::new(())).await.unwrap_err();
    assert_eq!(attribute(&telemetry.span().await, "error.type").as_deref(), Some("mine"));
}

#[tokio::test]
async fn a_hook_may_use_the_handle() {
    let telemetry = Telemetry::new();
    let uses = |head: &http::request::Parts| {
        let span = head.extensions.get::<ServerSpan>()?;
        span.set_attribute(KeyValue::new("app.seen", true));
        Some("/x".to_owned())
    };
    let service = tower::service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let service = telemetry.server().layer(telemetry.server().route(uses).layer(service));
    // A task of its own thread, so that a lock that is taken twice fails the test and does not hang it.
    let (done, called) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        futures_util::future::FutureExt::now_or_never(service.oneshot(Request::new(()))).unwrap().unwrap();
        done.send(()).unwrap();
    });
    called.recv_timeout(PATIENCE).unwrap();
    let span = telemetry.span().await;
    assert_eq!((&*span.name, attribute(&span, "app.seen").as_deref()), ("GET /x", Some("true")));
}

#[tokio::test]
async fn a_header_is_captured_once_and_an_absent_one_may_be_set() {
    let telemetry = Telemetry::new();
    let layer = telemetry.server().capture_request_headers(["x-a", "X-A", "x-b"]).on_request(|_, span| {
        span.set_attribute(KeyValue::new("http.request.header.x-b", "mine"));
    });
    call_in_process(layer, Request::builder().header("x-a", "1").body(()).unwrap()).await;
    let span = telemetry.span().await;
    assert_eq!(attribute(&span, "http.request.header.x-a").as_deref(), Some("[\"1\"]"));
    assert_eq!(attribute(&span, "http.request.header.x-b").as_deref(), Some("mine"));
}

#[tokio::test]
async fn a_meter_provider_that_was_given_away_is_kept_alive() {
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
    let exporter = InMemoryMetricExporter::default();
    let reader =
        PeriodicReader::builder(exporter.clone()).with_interval(std::time::Duration::from_secs(3_600));
    let provider = SdkMeterProvider::builder().with_reader(reader.build()).build();
    let layer = Telemetry::new().server().meter_provider(provider);
    call_in_process(layer.clone(), Request::new(())).await;
    // The last that has it: the provider is shut down, and sends what it has.
    drop(layer);
    assert_eq!(exporter.get_finished_metrics().unwrap().len(), 1);
}

#[tokio::test]
async fn a_layer_without_a_trace_counts_a_request_once() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.tracer_provider.tracer("app");
    let service = tower::service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let inner = telemetry.server().layer(service);
    let between = tower::service_fn(move |request: Request<()>| {
        let cx = Context::current_with_span(tracer.start("between"));
        opentelemetry::trace::FutureExt::with_context(inner.clone().oneshot(request), cx)
    });
    let outer = telemetry.server().observe(|_| Observe::MetricsOnly).layer(between);
    outer.oneshot(Request::new(())).await.unwrap();
    assert_eq!(telemetry.points(DURATION).iter().map(|point| point.count).sum::<u64>(), 1);
}
