//! What is yours on span and metrics: attributes, captured headers, another name, an error.
//!
//! Hooks see the head of every request and response. A handler that knows more takes a `ServerSpan`.
//!
//! Run with: `cargo run --example custom_attributes`

#[path = "support/console.rs"]
mod console;

use std::error::Error;
use std::net::Ipv4Addr;

use axum::extract::Path;
use axum::http::{StatusCode, request, response};
use axum::{Router, routing::get};
use opentelemetry::KeyValue;
use otelhttp::{ServerLayer, ServerSpan, SpanWriter};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let layer = ServerLayer::new()
        .capture_request_headers(["x-request-id"])
        .capture_response_headers(["content-type"])
        .on_request(tenant)
        .on_response(dead_link);
    let app = Router::new()
        .route("/checkout/{items}", get(checkout))
        .route("/reports/{kind}", get(report))
        .layer(layer);

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("listening on {url}");
    println!("Try: curl -H 'x-tenant: acme' -H 'x-request-id: 42' {url}/checkout/3");
    println!("     curl {url}/checkout/300; curl {url}/reports/daily; curl {url}/lost");
    println!("Ctrl-C here prints the metrics.");
    let interrupted = async { tokio::signal::ctrl_c().await.expect("Ctrl-C can be waited for") };
    axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    Ok(())
}

/// A span may have any value; a metric only one of few, since each value makes a series of its own.
fn tenant(head: &request::Parts, span: &SpanWriter<'_>) {
    let tenant = head.headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok()).unwrap_or("none");
    span.set_attribute(KeyValue::new("app.tenant", tenant.to_owned()));
    span.set_metric_attribute(KeyValue::new("app.paid", tenant == "acme"));
}

/// A server's 404 is no error by itself. Here it is: all links to this server are made by us.
fn dead_link(head: &response::Parts, span: &SpanWriter<'_>) {
    if head.status == StatusCode::NOT_FOUND {
        span.error("dead_link");
    }
}

async fn checkout(span: ServerSpan, Path(items): Path<u32>) -> (StatusCode, &'static str) {
    span.set_attribute(KeyValue::new("app.cart.items", i64::from(items)));
    if items > 100 {
        span.error("sold_out");
        return (StatusCode::CONFLICT, "sold out\n");
    }
    (StatusCode::OK, "thank you\n")
}

/// One route for two things that should be told apart.
async fn report(span: ServerSpan, Path(kind): Path<String>) -> &'static str {
    if kind == "daily" {
        span.rename("daily report");
    } else {
        span.rename("other report");
    }
    "all is well\n"
}
