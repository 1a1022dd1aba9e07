//! A global provider that is replaced while the program runs is followed.

mod common;

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use common::Telemetry;
use http::{Request, Response};
use http_body_util::Empty;
use opentelemetry::global;
use otelhttp::ServerLayer;
use tower::{Layer, ServiceExt};

fn set(telemetry: &Telemetry) {
    global::set_tracer_provider(telemetry.tracer_provider.clone());
    global::set_meter_provider(telemetry.meter_provider.clone());
}

fn measured(telemetry: &Telemetry) -> u64 {
    telemetry.points("http.server.request.duration").iter().map(|point| point.count).sum()
}

#[tokio::test]
async fn a_provider_that_was_shut_down_gives_way_to_the_next() {
    let service = ServerLayer::new().layer(tower::service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    }));
    let request = || async { drop(service.clone().oneshot(Request::new(())).await.unwrap()) };

    let (first, second) = (Telemetry::new(), Telemetry::new());
    set(&first);
    request().await;
    request().await;
    assert_eq!((first.spans_now().len(), measured(&first)), (2, 2));

    first.tracer_provider.shutdown().unwrap();
    set(&second);
    // This one finds the old provider silent; from the next on the new one is asked.
    request().await;
    request().await;
    assert_eq!(second.spans_now().len(), 1);

    // The meter is looked at every second: the time is what is promised here.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let before = measured(&second);
    request().await;
    assert_eq!(measured(&second), before + 1);
    assert_eq!(second.spans_now().len(), 2);
}
