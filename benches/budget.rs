//! One program for one subject in one mode, so that its cost can be counted from outside.
//!
//! `budget SUBJECT MODE REQUESTS` sends so many requests, in process. The difference between two runs
//! with different numbers is the cost of the requests alone.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use http::{Request, Response};
use http_body_util::BodyExt;
use opentelemetry::{Context, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};
use otelhttp::{ClientLayer, ServerLayer};
use tower::{Layer, Service};

/// A processor to which a span costs nothing more.
#[derive(Debug)]
struct Forget;

impl SpanProcessor for Forget {
    fn on_start(&self, _span: &mut Span, _cx: &Context) {}
    fn on_end(&self, _span: SpanData) {}
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn router() -> Router {
    Router::new().route("/users/{id}", get(|Path(id): Path<String>| async move { id }))
}

fn upstream()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone {
    tower::service_fn(|request: Request<Body>| async { Ok(Response::new(request.into_body())) })
}

fn request(flags: &str) -> Request<Body> {
    Request::get("http://shop.example/users/7")
        .header("traceparent", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-", flags].concat())
        .header("host", "shop.example")
        .header("accept", "*/*")
        .header("accept-encoding", "gzip")
        .header("accept-language", "en")
        .header("user-agent", "curl/8.0")
        .body(Body::empty())
        .expect("a request")
}

async fn run<S, B>(mut service: S, flags: &str, requests: u32)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body,
{
    for _ in 0..requests {
        std::future::poll_fn(|cx| service.poll_ready(cx)).await.expect("infallible");
        let response = service.call(request(flags)).await.expect("infallible");
        let mut body = std::pin::pin!(response.into_body());
        while body.frame().await.is_some() {}
    }
}

fn configure() {
    global::set_tracer_provider(SdkTracerProvider::builder().with_span_processor(Forget).build());
    let reader =
        PeriodicReader::builder(InMemoryMetricExporter::default()).with_interval(Duration::from_secs(3_600));
    global::set_meter_provider(SdkMeterProvider::builder().with_reader(reader.build()).build());
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [subject, mode, requests] = arguments.as_slice() else {
        // `cargo bench` and `cargo test` start it without arguments.
        return;
    };
    let requests = requests.parse().expect("a number of requests");
    let flags = if mode == "unsampled" { "00" } else { "01" };
    if mode != "unconfigured" {
        configure();
    }
    match subject.as_str() {
        "bare" => run(router().with_state(()), flags, requests).await,
        "server" => run(router().layer(ServerLayer::new()).with_state(()), flags, requests).await,
        "upstream" => run(upstream(), flags, requests).await,
        "client" => run(ClientLayer::new().layer(upstream()), flags, requests).await,
        other => panic!("{other} is no subject"),
    }
}
