//! The servers, each set up as its own documentation does.

use axum::Router;
use opentelemetry::global;
use tower::layer::layer_fn;
use tower_http_opentelemetry::extract::AxumHttpRouteExtractor;
use tracing::Level;

use crate::floor::Floor;
use crate::{Metrics, Setting, work};

/// `with_state`, as `axum::serve` does it: without, axum applies every layer anew on each request.
pub(crate) fn router(subject: &str, setting: Setting) -> Router {
    instrumented(subject, setting).with_state(())
}

fn instrumented(subject: &str, setting: Setting) -> Router {
    let app = work::router();
    match subject {
        "bare" => app,
        "floor" => app.layer(layer_fn(Floor)),
        "otelhttp" => app.layer(otelhttp::ServerLayer::new()),
        "opentelemetry-instrumentation-tower" => {
            app.layer(opentelemetry_instrumentation_tower::http::server::Layer::new())
        }
        "tower-otel" => tower_otel(app, setting),
        "axum-tracing-opentelemetry" => {
            app.layer(axum_tracing_opentelemetry::middleware::OtelAxumLayer::default())
        }
        "tower-http-opentelemetry" => app.layer(
            tower_http_opentelemetry::http::server::HttpServerTelemetryLayer::new()
                .with_http_route_extractor(AxumHttpRouteExtractor),
        ),
        "axum-otel" => app.layer(
            tower_http_06::trace::TraceLayer::new_for_http()
                .make_span_with(axum_otel::AxumOtelSpanCreator::new().level(Level::INFO))
                .on_response(axum_otel::AxumOtelOnResponse::new().level(Level::INFO))
                .on_failure(axum_otel::AxumOtelOnFailure::new()),
        ),
        "TraceLayer" => app.layer(tower_http::trace::TraceLayer::new_for_http()),
        "fastrace-axum" => app.layer(fastrace_axum::FastraceLayer::default()),
        other => panic!("{other} is no server"),
    }
}

/// Its metrics are a layer of their own, which is left out where nobody wants them.
fn tower_otel(app: Router, setting: Setting) -> Router {
    let app = app.layer(tower_otel::trace::HttpLayer::server(Level::INFO));
    match setting.metrics {
        Metrics::On => app.layer(tower_otel::metrics::HttpLayer::server(&global::meter("peers"))),
        Metrics::Off => app,
    }
}
