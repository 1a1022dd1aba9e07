//! Bound instruments record what plain ones do.
#![cfg(feature = "bound-instruments")]

mod common;

use std::convert::Infallible;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get as on_get;
use common::*;
use http::Request;
use http_body_util::{BodyExt, Full};
use opentelemetry::KeyValue;
use otelhttp::ServerSpan;
use tower::{Layer, ServiceExt};

const METRICS: [&str; 8] = [
    "http.server.request.duration",
    "http.server.active_requests",
    "http.server.request.body.size",
    "http.server.response.body.size",
    "http.client.request.duration",
    "http.client.active_requests",
    "http.client.request.body.size",
    "http.client.response.body.size",
];

/// The same exchanges of all kinds, and the points that they leave.
async fn points(bound: bool) -> Vec<(&'static str, Vec<Point>)> {
    let telemetry = Telemetry::new();
    let app = Router::new()
        .route("/users/{id}", on_get(async || "hello"))
        .route("/broken", on_get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route(
            "/named/{n}",
            on_get(async |span: ServerSpan| span.set_metric_attribute(KeyValue::new("app.x", true))),
        )
        .layer(telemetry.server().body_size_metrics(true).bound_instruments(bound));
    for path in ["/users/1", "/users/2", "/broken", "/named/1", "/lost"] {
        let app = app.clone();
        let service = tower::service_fn(move |request: Request<Full<bytes::Bytes>>| {
            app.clone().oneshot(request.map(axum::body::Body::new))
        });
        let client = telemetry.client().body_size_metrics(true).bound_instruments(bound).layer(service);
        let request = Request::get(format!("http://shop.example{path}")).header("content-length", "2");
        let response = client.oneshot(request.body(text("hi")).unwrap()).await;
        let response = response.unwrap_or_else(|never: Infallible| match never {});
        response.into_body().collect().await.unwrap();
    }
    // More series than have a place: these are recorded plainly.
    for number in 0..600 {
        let uri = format!("http://host{number}.example/");
        let service =
            tower::service_fn(|_: Request<()>| async { Ok::<_, Infallible>(http::Response::new(text("x"))) });
        let client = telemetry.client().bound_instruments(bound).layer(service);
        client
            .oneshot(Request::get(uri).body(()).unwrap())
            .await
            .unwrap()
            .into_body()
            .collect()
            .await
            .unwrap();
    }
    let sorted = |metric| {
        let mut points = telemetry.points(metric);
        points.sort_by(|a, b| a.attributes.cmp(&b.attributes));
        // Durations are not the same twice.
        points.iter_mut().filter(|_| metric.ends_with("duration")).for_each(|point| point.sum = 0.0);
        points
    };
    METRICS.map(|metric| (metric, sorted(metric))).into()
}

#[tokio::test]
async fn the_points_are_the_same_with_and_without() {
    let plain = points(false).await;
    for (metric, points) in &plain {
        assert!(!points.is_empty(), "{metric}");
    }
    assert_eq!(points(true).await, plain);
}

#[tokio::test]
async fn one_layer_with_more_series_than_places_records_them_all() {
    let telemetry = Telemetry::new();
    let service =
        tower::service_fn(|_: Request<()>| async { Ok::<_, Infallible>(http::Response::new(text("x"))) });
    let client = telemetry.client().layer(service);
    for round in 1..=2 {
        for number in 0..600 {
            let request = Request::get(format!("http://host{number}.example/")).body(()).unwrap();
            let response = client.clone().oneshot(request).await.unwrap();
            response.into_body().collect().await.unwrap();
        }
        let points = telemetry.points("http.client.request.duration");
        assert_eq!(points.len(), 600);
        assert!(points.iter().all(|point| point.count == round), "round {round}");
    }
    assert_eq!(telemetry.active("http.client.active_requests"), 0.0);
}
