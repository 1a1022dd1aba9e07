//! reqwest-middleware: the same layer as a middleware, the last of them, so that each retry of
//! another one is a span of its own.
//!
//! It calls a little server of its own, which is busy twice before it answers.
//!
//! Run with: `cargo run --example reqwest_middleware --features reqwest-middleware`

#[path = "support/console.rs"]
mod console;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use axum::http::{Extensions, StatusCode};
use axum::{Router, routing::get};
use otelhttp::{AttemptsLayer, ClientLayer, UrlTemplate};
use reqwest::{Client, Request, Response};
use reqwest_middleware::{ClientBuilder, Middleware, Next, Result};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let _console = console::install();
    let address = serve().await?;

    let client = ClientBuilder::new(Client::new())
        // Outside of the retries, to count them: `http.request.resend_count`.
        .with(AttemptsLayer::new())
        .with(Retry)
        .with(ClientLayer::new())
        .build();

    // The span is named `GET /users/{id}`, and the metrics are labelled with it.
    let request = client.get(format!("http://{address}/users/7"));
    let response = request.with_extension(UrlTemplate::new("/users/{id}")).send().await?;
    println!("{}", response.text().await?);
    println!("\nThe metrics:");
    Ok(())
}

/// Three attempts at most. The crate `reqwest-retry` has one that waits between them.
struct Retry;

#[async_trait]
impl Middleware for Retry {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        for _ in 0..2 {
            let Some(copy) = request.try_clone() else { break };
            let response = next.clone().run(copy, extensions).await?;
            if !response.status().is_server_error() {
                return Ok(response);
            }
        }
        next.run(request, extensions).await
    }
}

async fn serve() -> std::io::Result<SocketAddr> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let user = || async {
        let busy = CALLS.fetch_add(1, Ordering::Relaxed) < 2;
        if busy { Err(StatusCode::SERVICE_UNAVAILABLE) } else { Ok("user 7") }
    };
    let app = Router::new().route("/users/{id}", get(user));
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}
