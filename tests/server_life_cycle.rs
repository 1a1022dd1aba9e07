//! A server span lives until the end of the body, however the request ends, and ends exactly once.

mod common;
use common::*;
#[tokio::test]
async fn a_response_that_is_sent_ends_its_span_unset() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server(), |_| async { http::Response::new(text("hello")) }).await;
    let answer = get(address, "/x?a=b").await;
    assert!(answer.ends_with("hello"), "{answer}");
    assert_span(
        &telemetry.span().await,
        opentelemetry::trace::SpanKind::Server,
        "GET",
        opentelemetry::trace::Status::Unset,
        &[
            ("http.request.method", "GET"),
            ("url.path", "/x"),
            ("url.query", "a=b"),
            ("url.scheme", "http"),
            ("server.address", "shop.example"),
            ("client.address", "127.0.0.1"),
            ("network.peer.address", "127.0.0.1"),
            ("network.peer.port", "*"),
            ("network.local.address", "127.0.0.1"),
            ("network.local.port", "*"),
            ("network.protocol.version", "1.1"),
            ("http.response.status_code", "200"),
        ],
    );
}
