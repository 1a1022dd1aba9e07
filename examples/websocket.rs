//! A WebSocket: the request's span ends with the 101, the connection has a span of its own.
//!
//! It is linked to the request's, and what is done for a message is a span below it.
//!
//! Run with: `cargo run --example websocket --features ws`

#[path = "support/console.rs"]
mod console;

use std::error::Error;
use std::net::Ipv4Addr;

use axum::extract::WebSocketUpgrade;
use axum::extract::ws::Message;
use axum::response::Response;
use axum::{Router, routing::any};
use futures_util::{SinkExt, StreamExt};
use opentelemetry::global;
use opentelemetry::trace::Tracer;
use otelhttp::websocket::TracedWebSocket;
use otelhttp::{ServerLayer, ServerSpan};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite;

// On one thread a connection has ended before its client sees the end.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let console = console::install();
    let app = Router::new().route("/shout/{room}", any(accept)).layer(ServerLayer::new());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("ws://{}/shout/7", listener.local_addr()?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let server = tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(stopped).into_future());

    let (mut client, _) = tokio_tungstenite::connect_async(url).await?;
    for word in ["hello", "world"] {
        client.send(tungstenite::Message::text(word)).await?;
        if let Some(answer) = client.next().await {
            println!("{word} -> {}", answer?);
        }
    }
    client.close(None).await?;
    // Until the server has said goodbye too.
    while client.next().await.is_some() {}
    drop((client, stop));
    server.await??;
    drop(console);
    Ok(())
}

async fn accept(span: ServerSpan, upgrade: WebSocketUpgrade) -> Response {
    span.websocket(upgrade).on_upgrade(shout)
}

async fn shout(mut socket: TracedWebSocket) {
    let tracer = global::tracer("shout");
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let shouted = tracer.in_span("shout", |_| text.to_uppercase());
        if socket.send(shouted.into()).await.is_err() {
            break;
        }
    }
}
