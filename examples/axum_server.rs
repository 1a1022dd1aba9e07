//! An axum server: one line records a span and the metrics of each request.
//!
//! A span lasts until the end of the response's body, so `/countdown` has one of three seconds.
//!
//! Run with: `cargo run --example axum_server`

#[path = "support/console.rs"]
mod console;

use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use futures_util::stream;
use otelhttp::ServerLayer;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let app = Router::new()
        .route("/users/{id}", get(async |Path(id): Path<u32>| format!("user {id}\n")))
        .route("/countdown", get(countdown))
        .route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        // Added last, it is the outermost layer and sees what the client sees.
        .layer(ServerLayer::new());

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("listening on {url}");
    println!("Try: curl {url}/users/7; curl -N {url}/countdown; curl -i {url}/broken; curl -i {url}/lost");
    println!("and interrupt /countdown to see a cancelled request. Ctrl-C here prints the metrics.");

    // With the addresses of the callers, which become `client.address` and `network.peer.*`.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let interrupted = async { tokio::signal::ctrl_c().await.expect("Ctrl-C can be waited for") };
    axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    Ok(())
}

/// One line each second.
async fn countdown() -> Body {
    Body::from_stream(stream::unfold(3, async |left| {
        tokio::time::sleep(Duration::from_secs(u64::from(left > 0))).await;
        (left > 0).then(|| (Ok::<_, Infallible>(format!("{left}\n")), left - 1))
    }))
}
