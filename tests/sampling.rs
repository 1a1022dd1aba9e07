//! The samplers of traces, behind the layers and over sockets.

mod common;

use std::collections::BTreeMap;

use axum::Router;
use axum::routing::{get as on_get, post as on_post};
use common::*;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::trace::ShouldSample;
use otelhttp::sampling::{LimitSampler, RouteSampler};
use otelhttp::{ClientLayer, ServerLayer};
use tower::{Layer, ServiceExt};

/// One token an hour: none comes while a test runs.
const HOURLY: f64 = 1.0 / 3_600.0;

const SAMPLED: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";

fn shop() -> Router {
    Router::new()
        .route("/health", on_get(|| async { "well" }))
        .route("/checkout", on_post(|| async { "paid" }).get(|| async { "cart" }))
        .route("/users/{id}", on_get(|| async { "somebody" }))
        .route("/users/me", on_get(|| async { "you" }))
        .nest_service("/files", Router::new().route("/{name}", on_get(|| async { "a file" })))
}

fn rules() -> RouteSampler {
    RouteSampler::new(1.0).never("/health").never("GET /checkout").never("/users/{id}").never("/files/{name}")
}

/// Which of these requests have a span.
async fn seen(sampler: impl ShouldSample + 'static, outside: bool, requests: &[(&str, &str)]) -> Vec<String> {
    let telemetry = Telemetry::with_sampler(sampler);
    let address = if outside {
        serve(telemetry.server().layer(shop().into_service())).await
    } else {
        serve(shop().layer(telemetry.server())).await
    };
    for (method, path) in requests {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 0\r\n");
        let answer = raw(address, format!("{head}connection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
    }
    let spans = telemetry.spans_now();
    let seen = |key: &str, span| attribute(span, key).unwrap();
    spans.iter().map(|span| seen("http.request.method", span) + " " + &seen("url.path", span)).collect()
}

const REQUESTS: [(&str, &str); 6] = [
    ("GET", "/health"),
    ("POST", "/checkout"),
    ("GET", "/checkout"),
    ("GET", "/users/7"),
    ("GET", "/users/me"),
    ("GET", "/files/x"),
];

#[tokio::test]
async fn inside_of_the_router_a_rule_is_about_its_route() {
    assert_eq!(seen(rules(), false, &REQUESTS).await, ["POST /checkout", "GET /users/me"]);
}

#[tokio::test]
async fn outside_of_the_router_a_rule_is_about_the_path() {
    assert_eq!(seen(rules(), true, &REQUESTS).await, ["POST /checkout"]);
}

#[tokio::test]
async fn the_rest_keeps_its_share_and_the_rules_theirs() {
    const COUNT: u32 = 2_000;
    let telemetry = Telemetry::with_sampler(RouteSampler::new(0.05).never("/health").always("/checkout"));
    let app = shop().layer(telemetry.server()).into_service::<axum::body::Body>();
    for path in ["/health", "/checkout", "/users/7"] {
        for _ in 0..COUNT {
            let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
            app.clone().oneshot(request).await.unwrap();
        }
    }
    let mut counts = BTreeMap::new();
    for span in telemetry.spans_now() {
        *counts.entry(span.name.to_string()).or_insert(0) += 1;
    }
    let rest = counts.remove("GET /users/{id}").unwrap_or(0);
    assert_eq!(counts, BTreeMap::from([("GET /checkout".to_owned(), COUNT)]));
    // The SDK's ids are random: 100 are expected, and eight standard deviations, 78, are exceeded once in
    // a thousand million million runs.
    assert!((22..=178).contains(&rest), "{rest} of {COUNT}");
}

#[tokio::test]
async fn a_callers_decision_is_kept_and_children_follow() {
    let telemetry = Telemetry::with_sampler(LimitSampler::new(HOURLY).burst(1).of(rules()));
    let (tracer, client) = (telemetry.tracer_provider.tracer("handler"), telemetry.client());
    let address = serve_fn(telemetry.server(), move |_| {
        tracer.in_span("work", |_| {});
        let answer = tower::service_fn(|_: http::Request<()>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(text("hello")))
        });
        let call = ClientLayer::layer(&client, answer).oneshot(http::Request::new(()));
        async move { call.await.unwrap() }
    })
    .await;
    // Sampled by the caller, though no rule would and no token is left after the first.
    for count in [3, 6] {
        get_with(address, "/health", SAMPLED).await;
        telemetry.spans(count).await;
    }
    // Not sampled by the caller, though no rule is about it and there is a token.
    get_with(address, "/else", &SAMPLED.replace("-01", "-00")).await;
    telemetry.spans(6).await;
    // Nobody has decided.
    get(address, "/health").await;
    get(address, "/else").await;
    telemetry.spans(9).await;
    get(address, "/else").await;
    telemetry.spans(9).await;
}

#[tokio::test]
async fn strangers_do_not_decide_at_a_public_endpoint() {
    let telemetry = Telemetry::with_sampler(rules());
    let layer = telemetry.server().public_endpoint(true);
    let address = serve(shop().layer(layer)).await;
    get_with(address, "/health", SAMPLED).await;
    get_with(address, "/users/me", &SAMPLED.replace("-01", "-00")).await;
    assert_eq!(telemetry.span().await.name, "GET /users/me");
}

#[tokio::test]
async fn of_many_requests_at_once_the_burst_is_recorded() {
    let telemetry = Telemetry::with_sampler(LimitSampler::new(HOURLY).burst(10));
    let address = serve(shop().layer(telemetry.server())).await;
    let requests = (0..100).map(|_| tokio::spawn(get(address, "/users/7")));
    for request in requests.collect::<Vec<_>>() {
        assert!(request.await.unwrap().starts_with("HTTP/1.1 200"));
    }
    telemetry.spans(10).await;
    // Measured they are all.
    assert_eq!(telemetry.points("http.server.request.duration")[0].count, 100);
}

/// A caller that leaves the decision open is no caller that has said no.
#[cfg(all(feature = "b3", feature = "xray"))]
#[tokio::test]
async fn a_decision_that_was_left_open_is_made() {
    use otelhttp::propagation::{B3, XRay};

    const B3_IDS: &str = "b3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
    const XRAY_IDS: &str =
        "x-amzn-trace-id: Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331";
    for (sampler, expected) in [(RouteSampler::new(1.0), 2), (RouteSampler::new(0.0), 0)] {
        let telemetry = Telemetry::with_sampler(LimitSampler::new(f64::INFINITY).of(sampler));
        let b3 = serve(shop().layer(telemetry.server().propagator(B3::single()))).await;
        let xray = serve(shop().layer(telemetry.server().propagator(XRay::new()))).await;
        get_with(b3, "/users/me", &format!("{B3_IDS}\r\n")).await;
        get_with(xray, "/users/me", &format!("{XRAY_IDS};Sampled=?\r\n")).await;
        let spans = telemetry.spans(expected).await;
        assert!(spans.iter().all(|span| span.parent_span_id.to_string() == "b7ad6b7169203331"));
        get_with(b3, "/users/me", &format!("{B3_IDS}-0\r\n")).await;
        get_with(xray, "/users/me", &format!("{XRAY_IDS};Sampled=0\r\n")).await;
        telemetry.spans(expected).await;
    }
}

/// Only the layers of servers are asked about routes.
#[tokio::test]
async fn a_trace_that_begins_with_something_else_is_the_rest() {
    let telemetry = Telemetry::with_sampler(RouteSampler::new(0.0).always("/x"));
    let answer = tower::service_fn(|_: http::Request<()>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(text("hello")))
    });
    let client = telemetry.client().layer(answer);
    client.oneshot(http::Request::get("http://shop.example/x").body(()).unwrap()).await.unwrap();
    assert!(telemetry.spans_now().is_empty());
    let server: ServerLayer = telemetry.server();
    let address = serve_fn(server, |_| async { http::Response::new(text("hello")) }).await;
    get(address, "/x").await;
    telemetry.span().await;
}
