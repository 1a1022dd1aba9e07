//! The layer as a middleware of reqwest-middleware, with retries and other middlewares around it and
//! inside of it.
#![cfg(feature = "reqwest-middleware")]

mod common;
#[path = "common/reqwest.rs"]
mod with;

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use common::client::{answers, assert_client, assert_failed, assert_measured, assert_nowhere};
use common::client::{assert_settled, says};
use common::{NO_DESCRIPTION, Telemetry, attribute, soon, text};
use http::{Extensions, Response};
use opentelemetry::trace::Status;
use otelhttp::{AttemptsLayer, UrlTemplate};
use reqwest::Request;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next, Result};
use tower::{Layer, ServiceExt};
use with::{get, plain};

const OK: (&str, &str) = ("http.response.status_code", "200");

fn traced(telemetry: &Telemetry) -> ClientWithMiddleware {
    ClientBuilder::new(plain()).with(telemetry.client()).build()
}

#[tokio::test]
async fn a_response_read_whole_ends_its_span_unset() {
    let telemetry = Telemetry::new();
    let address = says("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    let url = format!("http://{address}/x");
    let bare = soon("an answer", plain().get(&url).send()).await.unwrap();
    let response = soon("an answer", traced(&telemetry).get(&url).send()).await.unwrap();
    assert!(telemetry.spans_now().is_empty());
    assert_eq!(format!("{response:?}"), format!("{bare:?}"));
    assert_eq!(response.remote_addr(), bare.remote_addr());
    assert_eq!(response.content_length(), bare.content_length());
    assert_eq!(soon("the body", response.text()).await.unwrap(), "hello");
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[OK]);
    assert_measured(&telemetry, &span);
}

/// Sends a request until it is answered without a 5xx.
struct Retry;

#[async_trait::async_trait]
impl Middleware for Retry {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<reqwest::Response> {
        loop {
            let response = next.clone().run(request.try_clone().unwrap(), extensions).await?;
            if !response.status().is_server_error() {
                return Ok(response);
            }
        }
    }
}

#[tokio::test]
async fn each_retry_is_a_span_and_counted_if_asked_for() {
    for counts in [false, true] {
        let telemetry = Telemetry::new();
        let attempts = std::sync::Arc::new(AtomicU32::new(0));
        let address = answers(move |_| {
            let last = attempts.fetch_add(1, Ordering::Relaxed) % 3 == 2;
            Response::builder().status(if last { 200 } else { 503 }).body(text("hello")).unwrap()
        })
        .await;
        let client = ClientBuilder::new(plain());
        let client = if counts { client.with(AttemptsLayer::new()) } else { client };
        let client = client.with(Retry).with(telemetry.client()).build();
        // The same extensions, and a count of their own each time.
        let mut extensions = Extensions::new();
        extensions.insert(UrlTemplate::new("/{x}"));
        for _ in 0..2 {
            let request = get(format!("http://{address}/x"));
            let response = client.execute_with_extensions(request, &mut extensions).await.unwrap();
            assert_eq!(soon("the body", response.text()).await.unwrap(), "hello");
        }
        let spans = telemetry.spans(6).await;
        let counts = if counts { ["", "1", "2"] } else { [""; 3] };
        for (span, count) in spans.iter().zip(counts.iter().cycle()) {
            let resent = attribute(span, "http.request.resend_count");
            assert_eq!((resent.as_deref().unwrap_or(""), &*span.name), (*count, "GET /{x}"));
        }
        assert_settled(&telemetry, 6, 6);
    }
}

#[tokio::test]
async fn an_error_of_reqwest_is_named_and_handed_on() {
    let telemetry = Telemetry::new();
    let address = says("SSH-2.0-OpenSSH_9.6\r\n\r\n").await;
    let url = format!("http://user:pa55word@{address}/x?sig=s3cret");
    let bare = plain().execute(get(&url)).await.unwrap_err();
    let error = traced(&telemetry).execute(get(&url)).await.unwrap_err();
    let Error::Reqwest(error) = error else { panic!("{error:?}") };
    assert_eq!(with::answers(&error), with::answers(&bare));
    let span = telemetry.span().await;
    let shown = format!("http://REDACTED:REDACTED@{address}/x?sig=REDACTED");
    assert_failed(&span, address, "protocol", &[("url.full", shown.as_str())]);
    assert_measured(&telemetry, &span);
    assert_nowhere(&telemetry, &["pa55word", "s3cret"]);
}

/// A middleware that fails.
struct Fails;

#[async_trait::async_trait]
impl Middleware for Fails {
    async fn handle(&self, _: Request, _: &mut Extensions, _: Next<'_>) -> Result<reqwest::Response> {
        Err(Error::middleware(io::Error::new(io::ErrorKind::TimedOut, "of http://u:s3cret@h/")))
    }
}

/// One whose error nobody knows.
struct Strange;

#[async_trait::async_trait]
impl Middleware for Strange {
    async fn handle(&self, _: Request, _: &mut Extensions, _: Next<'_>) -> Result<reqwest::Response> {
        Err(Error::middleware("s3cret".parse::<u8>().unwrap_err()))
    }
}

#[tokio::test]
async fn an_error_of_a_middleware_further_in_is_named_without_its_text() {
    let address = ([127, 0, 0, 1], 1).into();
    let request = || get(format!("http://{address}/x"));

    let telemetry = Telemetry::new();
    let client = ClientBuilder::new(plain()).with(telemetry.client()).with(Fails).build();
    assert!(client.execute(request()).await.unwrap_err().is_middleware());
    assert_failed(&telemetry.span().await, address, "timeout", &[]);
    assert_nowhere(&telemetry, &["s3cret"]);

    let telemetry = Telemetry::new();
    let client = ClientBuilder::new(plain()).with(telemetry.client()).with(Strange).build();
    assert!(client.execute(request()).await.unwrap_err().is_middleware());
    let span = telemetry.span().await;
    assert_client(&span, address, NO_DESCRIPTION, &[("error.type", "_OTHER")]);
}

#[tokio::test]
async fn a_client_with_middlewares_is_a_service_for_the_layer_too() {
    let telemetry = Telemetry::new();
    let address = answers(|_| Response::new(text("hello"))).await;
    let service = telemetry.client().layer(ClientWithMiddleware::from(plain()));
    let response = soon("an answer", service.oneshot(get(format!("http://{address}/x")))).await.unwrap();
    assert_eq!(soon("the body", response.text()).await.unwrap(), "hello");
    assert_client(&telemetry.span().await, address, Status::Unset, &[OK]);
}
