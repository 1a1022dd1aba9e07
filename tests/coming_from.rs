//! The right-hand sides of the pages for those who come from OpenTracing, OpenCensus and Go's otelhttp, and what comes out.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::get as on_get;
use common::client::request;
use common::*;
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    FutureExt, Link, Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue, SpanId, global};
use opentelemetry_sdk::metrics::{
    Aggregation, InMemoryMetricExporter, Instrument, PeriodicReader, SdkMeterProvider, Stream,
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, ShouldSample, SpanData};
use otelhttp::propagation::{self, B3, GrpcTraceBin, TraceContext};
use otelhttp::reqwest::RequestBuilderExt;
use otelhttp::sampling::{LimitSampler, RouteSampler};
use otelhttp::{ClientLayer, ServerLayer, ServerSpan, connect};
use tower::{Layer, ServiceExt};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A page without what makes no difference: white space, and the commas that rustfmt adds.
fn bare(code: &str) -> String {
    let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
    code.replace(",)", ")").replace(",]", "]")
}

/// What stands between backticks in the last column of the tables, if it is a call.
fn calls(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.contains("| here |"));
    let cells = rows.map(|row| row.replace("\\|", "\u{1}"));
    let cells =
        cells.map(|row| row.trim_end_matches(" |").rsplit(" | ").next().unwrap().replace('\u{1}', "|"));
    let codes: Vec<String> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    codes.into_iter().filter(|code| code.contains("::") || code.contains('(')).collect()
}

#[test]
fn every_right_hand_side_is_run_here() {
    let here = bare(include_str!("coming_from.rs"));
    for (name, page, count) in [
        ("opentracing", include_str!("../src/docs/coming_from/opentracing.md"), 34),
        ("opencensus", include_str!("../src/docs/coming_from/opencensus.md"), 38),
        ("go_otelhttp", include_str!("../src/docs/coming_from/go_otelhttp.md"), 19),
    ] {
        let calls = calls(page);
        assert_eq!(calls.len(), count, "{name}: {calls:#?}");
        for call in calls {
            assert!(here.contains(&bare(&call)), "{name}: `{call}` is not run");
        }
    }
}

/// A context with the caller's span.
fn caller() -> Context {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", PARENT.parse().unwrap());
    propagation::extract(&Context::new(), &headers)
}

fn is_below(span: &SpanData, parent: &opentelemetry::trace::SpanContext) -> bool {
    span.parent_span_id == parent.span_id() && span.span_context.trace_id() == parent.trace_id()
}

/// The one test that uses the global provider: all others give theirs.
#[tokio::test]
async fn what_uses_the_global_provider() {
    let telemetry = Telemetry::new();
    let provider = &telemetry.tracer_provider;
    // Nothing is set: no span comes of it.
    assert!(!global::tracer("shop").start("work").span_context().is_valid());
    global::set_tracer_provider(provider.clone());
    let tracer = global::tracer("shop");
    tracer.start("work").end();
    let span = telemetry.span().await;
    assert_eq!((&*span.name, span.instrumentation_scope.name()), ("work", "shop"));

    let url = format!("http://{}/x", answers_hello().await);
    let client = reqwest::Client::new();
    assert_eq!(client.get(url).traced().send().await.unwrap().text().await.unwrap(), "hello");
    let span = telemetry.spans(2).await.remove(1);
    assert_eq!((&span.span_kind, &*span.name), (&SpanKind::Client, "GET"));

    let connector = connect::tcp(HttpConnector::new());
    let client: HyperClient<_> = Client::builder(TokioExecutor::new()).build(connector);
    let url = format!("http://{}/x", answers_hello().await);
    let response = ClientLayer::new().layer(client).oneshot(request(url)).await.unwrap();
    response.into_body().collect().await.unwrap();
    let spans = telemetry.spans(4).await;
    assert_eq!((&*spans[2].name, &*spans[3].name), ("tcp", "GET"));
    assert!(is_below(&spans[2], &spans[3].span_context));
}

#[tokio::test]
async fn parents_and_references() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.tracer_provider.tracer("shop");
    let cx = caller();
    let _current = cx.clone().attach();
    let cause = tracer.start_with_context("cause", &Context::new()).span_context().clone();

    tracer.start_with_context("work", &Context::new()).end();
    tracer.start("work").end();
    tracer.start_with_context("work", &cx).end();
    let follows = |cause| tracer.span_builder("work").with_links(vec![Link::with_context(cause)]);
    follows(cause.clone()).start(&tracer).end();
    follows(cause.clone()).start_with_context(&tracer, &Context::new()).end();

    let spans = telemetry.spans(6).await;
    let caller = cx.span().span_context().clone();
    assert_eq!(spans[1].parent_span_id, SpanId::INVALID);
    assert_ne!(spans[1].span_context.trace_id(), caller.trace_id());
    assert!(is_below(&spans[2], &caller) && is_below(&spans[3], &caller) && is_below(&spans[4], &caller));
    assert_eq!(spans[5].parent_span_id, SpanId::INVALID);
    for span in &spans[4..] {
        assert_eq!(span.links.iter().map(|link| &link.span_context).collect::<Vec<_>>(), [&cause]);
    }
}

#[tokio::test]
async fn the_current_span() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.tracer_provider.tracer("shop");
    let work = || {
        let tracer = &tracer;
        async move {
            tokio::task::yield_now().await;
            Context::current().span().set_attribute(KeyValue::new("app.found", true));
            tracer.start("below").end();
        }
    };
    let span = tracer.start("outer");
    let cx = Context::current_with_span(span);
    {
        let _current = cx.clone().attach();
        tracer.start("below").end();
    }
    work().with_context(cx).await;
    let spans = telemetry.spans(3).await;
    let outer = &spans[2];
    assert_span(outer, SpanKind::Internal, "outer", Status::Unset, &[("app.found", "true")]);
    assert!(spans[..2].iter().all(|span| is_below(span, &outer.span_context)));
}

#[tokio::test]
async fn what_a_span_is_told() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.tracer_provider.tracer("shop");
    let begun = SystemTime::now() - Duration::from_secs(60);
    let (earlier, later) = (begun + Duration::from_secs(1), begun + Duration::from_secs(3));
    let error = std::io::Error::other("sold out");
    let cause = caller().span().span_context().clone();

    let builder = tracer.span_builder("work").with_start_time(earlier);
    builder.start(&tracer).end();
    let builder = tracer.span_builder("work").with_attributes([KeyValue::new("app.items", 3)]);
    builder.start(&tracer).end();
    for builder in [
        tracer.span_builder("work").with_kind(SpanKind::Producer),
        tracer.span_builder("work").with_kind(SpanKind::Client),
    ] {
        builder.start(&tracer).end();
    }
    let mut span = tracer.start("work");
    span.set_attribute(KeyValue::new("app.tenant", "acme"));
    span.update_name("better");
    span.set_status(Status::error("sold out"));
    span.add_event("cache miss", vec![KeyValue::new("items", 3)]);
    span.add_event_with_timestamp("cache hit", earlier, vec![]);
    span.add_event("message", vec![KeyValue::new("size", 512)]);
    span.record_error(&error);
    span.add_link(cause, vec![]);
    let known = span.span_context().clone();
    span.end_with_timestamp(later);
    span.end();

    let spans = telemetry.spans(5).await;
    assert_eq!(spans[0].start_time, earlier);
    assert_span(&spans[1], SpanKind::Internal, "work", Status::Unset, &[("app.items", "3")]);
    assert_span(&spans[2], SpanKind::Producer, "work", Status::Unset, &[]);
    assert_span(&spans[3], SpanKind::Client, "work", Status::Unset, &[]);
    let span = &spans[4];
    assert_eq!((&span.span_context, span.end_time), (&known, later));
    assert_eq!((&*span.name, &span.status), ("better", &Status::error("sold out")));
    assert_attributes(&texts(&span.attributes), &[("app.tenant", "acme")]);
    let events: Vec<_> = span.events.iter().map(|event| (&*event.name, texts(&event.attributes))).collect();
    let with = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    assert_eq!(events[0], ("cache miss", with("items", "3")));
    assert_eq!(events[1], ("cache hit", BTreeMap::new()));
    assert_eq!(span.events.events[1].timestamp, earlier);
    assert_eq!(events[2], ("message", with("size", "512")));
    assert_eq!(events[3].0, "exception");
    assert_eq!(events[3].1["exception.message"], "sold out");
    assert_eq!(span.links.links[0].span_context.span_id().to_string(), SPAN);
}

#[test]
fn across_processes() {
    let (mut headers, mut message) = (HeaderMap::new(), HashMap::new());
    let cx = caller();
    let cx = cx.with_baggage([KeyValue::new("tenant", "acme")]);
    propagation::inject(&cx, &mut headers);
    propagation::inject_into(&cx, &mut message);
    assert_eq!((&headers["traceparent"], &*message["traceparent"]), (&PARENT.parse().unwrap(), PARENT));
    let found = [
        propagation::extract(&Context::new(), &headers),
        propagation::extract_from(&Context::new(), &message),
    ];
    for cx in found {
        assert_eq!(cx.span().span_context().trace_id().to_string(), TRACE);
        assert_eq!(cx.baggage().get("tenant").unwrap().as_str(), "acme");
    }
}

/// A provider of spans that nobody sees.
fn deaf() -> SdkTracerProvider {
    SdkTracerProvider::builder().build()
}

/// The span and the duration of one request to a server with this layer.
async fn served(layer: ServerLayer, headers: &str) -> (SpanData, BTreeMap<String, String>) {
    let telemetry = Telemetry::new();
    let layer = layer.tracer_provider(telemetry.tracer_provider.clone());
    let layer = layer.meter_provider(telemetry.meter_provider.clone());
    let address = serve_fn(layer, |_| async { Response::new(text("hello")) }).await;
    get_with(address, "/users/7", headers).await;
    let span = telemetry.span().await;
    let points = telemetry.points("http.server.request.duration");
    (span, points.into_iter().next().map(|point| point.attributes).unwrap_or_default())
}

#[tokio::test]
async fn a_server_and_its_names() {
    let (span, _) = served(ServerLayer::new(), "").await;
    assert_eq!((&span.span_kind, &*span.name), (&SpanKind::Server, "GET"));

    let layer = ServerLayer::new().on_request(|_, span| span.rename("mine"));
    assert_eq!(served(layer, "").await.0.name, "mine");

    let layer = ServerLayer::new().route(|_| Some("/users/{id}".to_owned()));
    let (span, labels) = served(layer, "").await;
    assert_eq!((&*span.name, &*labels["http.route"]), ("GET /users/{id}", "/users/{id}"));

    let attribute_of = |span: &SpanData| attribute(span, "app.tenant");
    let layer =
        ServerLayer::new().on_request(|_, span| span.set_attribute(KeyValue::new("app.tenant", "acme")));
    assert_eq!(attribute_of(&served(layer, "").await.0).as_deref(), Some("acme"));

    let layer = ServerLayer::new()
        .on_request(|_, span| span.set_metric_attribute(KeyValue::new("app.tenant", "acme")));
    let (span, labels) = served(layer, "").await;
    assert_eq!((attribute_of(&span), &*labels["app.tenant"]), (None, "acme"));
}

#[tokio::test]
async fn a_server_that_is_asked_what_to_record() {
    let telemetry = Telemetry::new();
    let provider = &telemetry.tracer_provider;
    let meters = &telemetry.meter_provider;
    let app =
        || Router::new().route("/health", on_get(|| async {})).route("/users/{id}", on_get(|| async {}));
    for layer in [
        ServerLayer::new().observe(|head| head.uri.path() != "/health").tracer_provider(provider.clone()),
        ServerLayer::new().tracer_provider(provider.clone()).observe(|head| head.uri.path() != "/health"),
        ServerLayer::new().meter_provider(meters.clone()).tracer_provider(deaf()),
    ] {
        let address = serve(app().layer(layer)).await;
        for path in ["/health", "/users/7"] {
            get(address, path).await;
        }
    }
    let names: Vec<_> = telemetry.spans(2).await.into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["GET /users/{id}"; 2]);
    assert_eq!(telemetry.points("http.server.request.duration").len(), 2);
}

#[tokio::test]
async fn a_public_server() {
    let caller = format!("traceparent: {PARENT}\r\n");
    let friend = format!("{caller}x-internal: 1\r\n");
    let some = || ServerLayer::new().public_endpoint_if(|head| !head.headers.contains_key("x-internal"));
    for (layer, headers, public) in [
        (ServerLayer::new(), &caller, false),
        (ServerLayer::new().public_endpoint(true), &caller, true),
        (some(), &caller, true),
        (some(), &friend, false),
    ] {
        let (span, _) = served(layer, headers).await;
        assert_eq!(span.span_context.trace_id().to_string() != TRACE, public);
        let links = span.links.iter().filter(|link| link.span_context.span_id().to_string() == SPAN);
        assert_eq!(links.count(), usize::from(public));
    }
}

#[tokio::test]
async fn a_server_with_another_format() {
    let b3 = format!("X-B3-TraceId: {TRACE}\r\nX-B3-SpanId: {SPAN}\r\nX-B3-Sampled: 1\r\n");
    let census = "grpc-trace-bin: AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE\r\n";
    for (layer, headers) in [
        (ServerLayer::new().propagator(B3::multi()), &*b3),
        (ServerLayer::new().propagator(TraceContext::new()), &format!("traceparent: {PARENT}\r\n")),
        (ServerLayer::new().propagator(GrpcTraceBin::new()), census),
    ] {
        let (span, _) = served(layer, headers).await;
        let ids = (span.span_context.trace_id().to_string(), span.parent_span_id.to_string());
        assert_eq!(ids, (TRACE.to_owned(), SPAN.to_owned()), "{headers}");
    }
}

#[tokio::test]
async fn a_handler_and_its_span() {
    let telemetry = Telemetry::new();
    let handler = |span: ServerSpan| async move {
        let cause = caller().span().span_context().clone();
        span.set_attribute(KeyValue::new("app.items", 3));
        span.set_metric_attribute(KeyValue::new("app.tenant", "acme"));
        span.set_route("/users/{id}");
        Context::current().span().add_link(cause, vec![]);
        Context::current().span().set_attribute(KeyValue::new("app.by", "hand"));
    };
    let address = serve(Router::new().fallback(handler).layer(telemetry.server())).await;
    get(address, "/users/7").await;
    let span = telemetry.span().await;
    assert_eq!(span.name, "GET /users/{id}");
    let attributes =
        [attribute(&span, "app.items"), attribute(&span, "app.by"), attribute(&span, "app.tenant")];
    assert_eq!(attributes, [Some("3".to_owned()), Some("hand".to_owned()), None]);
    assert_eq!(span.links.links[0].span_context.span_id().to_string(), SPAN);
    let labels = &telemetry.points("http.server.request.duration")[0].attributes;
    assert_eq!((&*labels["app.tenant"], &*labels["http.route"]), ("acme", "/users/{id}"));
}

type HyperClient<C> = Client<C, http_body_util::Full<bytes::Bytes>>;

async fn answers_hello() -> SocketAddr {
    client::answers(|_| Response::new(text("hello"))).await
}

#[tokio::test]
async fn a_client() {
    let telemetry = Telemetry::new();
    let url = format!("http://{}/x", answers_hello().await);
    let provider = &telemetry.tracer_provider;
    let layer = ClientLayer::new();
    let layer = layer.tracer_provider(provider.clone());
    let client: HyperClient<_> = Client::builder(TokioExecutor::new()).build_http();
    let response = layer.layer(client).oneshot(request(&url)).await.unwrap();
    response.into_body().collect().await.unwrap();
    let span = telemetry.span().await;
    assert_eq!((&span.span_kind, &*span.name), (&SpanKind::Client, "GET"));
}

#[tokio::test]
async fn metrics_without_registration() {
    let telemetry = Telemetry::new();
    for (layer, expected) in [
        (ServerLayer::new().metrics(true), (1, 0)),
        (ServerLayer::new().body_size_metrics(true), (2, 1)),
        (ServerLayer::new().metrics(false), (2, 1)),
    ] {
        let layer = layer.meter_provider(telemetry.meter_provider.clone()).tracer_provider(deaf());
        let address = serve_fn(layer, |_| async { Response::new(text("hello")) }).await;
        get(address, "/x").await;
        let count = |metric| telemetry.points(metric).iter().map(|point| point.count).sum::<u64>();
        let counts = (count("http.server.request.duration"), count("http.server.response.body.size"));
        assert_eq!(counts, expected);
    }
    let layer = ClientLayer::new().body_size_metrics(true);
    let layer = layer.meter_provider(telemetry.meter_provider.clone()).tracer_provider(deaf());
    let client = client::http1_client(&layer);
    let response = client.oneshot(client::get_x(answers_hello().await)).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!(telemetry.points("http.client.response.body.size")[0].sum, 5.0);
    assert_eq!(telemetry.points("http.client.request.duration")[0].count, 1);
}

#[tokio::test]
async fn views_and_measures() {
    let exporter = InMemoryMetricExporter::default();
    let view = |instrument: &Instrument| {
        let aggregation =
            Aggregation::ExplicitBucketHistogram { boundaries: vec![1.0, 2.0], record_min_max: true };
        let stream = Stream::builder().with_aggregation(aggregation).build();
        (instrument.name() == "items").then(|| stream.unwrap())
    };
    let builder = SdkMeterProvider::builder().with_view(view);
    let provider = builder.with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    let meter = provider.meter("shop");
    meter.u64_histogram("items").build().record(3, &[]);
    provider.force_flush().unwrap();
    let exports = format!("{:?}", exporter.get_finished_metrics().unwrap());
    assert!(exports.contains("items") && exports.contains("[1.0, 2.0]"), "{exports}");
}

#[tokio::test]
async fn samplers() {
    fn taken(sampler: impl ShouldSample + 'static) -> usize {
        let exporter = InMemorySpanExporter::default();
        let builder = SdkTracerProvider::builder().with_sampler(sampler);
        let provider = builder.with_simple_exporter(exporter.clone()).build();
        let tracer = provider.tracer("shop");
        for path in ["/health", "/checkout"] {
            for _ in 0..100 {
                let attributes =
                    [KeyValue::new("http.request.method", "GET"), KeyValue::new("url.path", path)];
                let builder = tracer.span_builder("GET").with_kind(SpanKind::Server);
                builder.with_attributes(attributes).start(&tracer).end();
            }
        }
        exporter.get_finished_spans().unwrap().len()
    }
    assert_eq!(taken(Sampler::AlwaysOn), 200);
    assert_eq!(taken(Sampler::AlwaysOff), 0);
    // 10 are expected of 200; 50 would be thirteen standard deviations more.
    assert!(taken(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(0.05)))) < 50);
    assert_eq!(taken(RouteSampler::new(0.05).never("/health").always("/checkout")), 100);
    // A second's worth, and what the rate brings while this runs.
    assert!((100..=200).contains(&taken(LimitSampler::new(100.0))));

    let exporter = InMemorySpanExporter::default();
    let builder = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff);
    let provider = builder.with_simple_exporter(exporter.clone()).build();
    provider.tracer("shop").start("work").end();
    assert!(exporter.get_finished_spans().unwrap().is_empty());

    let seen = exporter.clone();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    provider.tracer("shop").start("work").end();
    provider.force_flush().unwrap();
    assert_eq!(seen.get_finished_spans().unwrap()[0].name, "work");
}
