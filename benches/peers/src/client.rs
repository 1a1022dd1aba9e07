//! The clients that wrap a service, in process.

use opentelemetry::global;
use tower::Layer;
use tower_http_opentelemetry::http::client::HttpClientTelemetryLayer;
use tracing::Level;

use crate::work::{Stopwatch, plain_request, upstream};
use crate::{Metrics, Setting, telemetry};

pub(crate) async fn run<S, F>(subject: &str, setting: Setting, stopwatch: Stopwatch<S>) -> String
where
    S: FnOnce() -> F,
    F: FnOnce(u32) -> String,
{
    let _parent = telemetry::v33::enter_parent(setting);
    let request = || plain_request("http://shop.example/users/7");
    match subject {
        "client-bare" => stopwatch.run(upstream(), request).await,
        "client-otelhttp" => stopwatch.run(otelhttp::ClientLayer::new().layer(upstream()), request).await,
        "client-tower-otel" => {
            let traced = tower_otel::trace::HttpLayer::client(Level::INFO).layer(upstream());
            match setting.metrics {
                Metrics::On => {
                    let metered = tower_otel::metrics::HttpLayer::client(&global::meter("peers"));
                    stopwatch.run(metered.layer(traced), request).await
                }
                Metrics::Off => stopwatch.run(traced, request).await,
            }
        }
        "client-tower-http-opentelemetry" => {
            stopwatch.run(HttpClientTelemetryLayer::new().layer(upstream()), request).await
        }
        other => panic!("{other} is no client"),
    }
}
