//! Server-sent events: the span of the request ends with the last event, not with the head.
//!
//! What is done for an event is a span below it, and a reader that goes away cancels it.
//!
//! Run with: `cargo run --example sse`

#[path = "support/console.rs"]
mod console;

use std::convert::Infallible;
use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::response::Sse;
use axum::response::sse::Event;
use axum::{Router, routing::get};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use opentelemetry::global;
use opentelemetry::trace::Tracer;
use otelhttp::ServerLayer;
use tokio::net::TcpListener;

// On one thread a request has ended before its client sees the end.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let app = Router::new().route("/ticks", get(async || Sse::new(ticks()))).layer(ServerLayer::new());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, app).into_future());

    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let mut body = client.get(format!("http://{address}/ticks").parse()?).await?.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            print!("{}", String::from_utf8_lossy(&data));
        }
    }
    Ok(())
}

/// Three events, each 200 milliseconds after the one before.
fn ticks() -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(0, async |count| {
        if count == 3 {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let tick = global::tracer("ticks").in_span("tick", |_| format!("tick {count}"));
        Some((Ok(Event::default().data(tick)), count + 1))
    })
}
