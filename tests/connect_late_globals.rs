//! Connectors that were wrapped before the global providers were set record once they are.
//!
//! Alone in its file, for the globals are the process's.
#![cfg(feature = "connect")]

mod common;

use common::client::*;
use common::*;
use http_body_util::BodyExt;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::global;
use otelhttp::connect;
use tower::{Service, ServiceExt};

#[tokio::test]
async fn a_connector_that_was_wrapped_early_records_once_the_providers_are_set() {
    let telemetry = Telemetry::new();
    let address = answers(|_| http::Response::new(text("hello"))).await;
    let connector = connect::tcp(HttpConnector::new_with_resolver(connect::system_dns()));
    let mut client = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    let mut call = async || {
        let request = request(format_args!("http://localhost:{}/x", address.port()));
        let response = client.ready().await.unwrap().call(request).await.unwrap();
        soon("a body", response.into_body().collect()).await.unwrap();
    };
    call().await;
    global::set_tracer_provider(telemetry.tracer_provider.clone());
    global::set_meter_provider(telemetry.meter_provider.clone());
    call().await;
    let spans = telemetry.spans(2).await;
    assert_eq!([&*spans[0].name, &*spans[1].name], ["dns", "tcp"]);
    soon("the connection to close", async {
        while telemetry.points("http.client.connection.duration").is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(telemetry.active("http.client.open_connections"), 0.0);
}
