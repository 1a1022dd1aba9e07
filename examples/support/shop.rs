//! A shop whose page asks a second service, and one visit to it: two server spans and the client span between
//! them, over real sockets. The examples of backends share it; nothing in it knows where the spans go.

use std::error::Error;
use std::net::Ipv4Addr;

use axum::http::StatusCode;
use axum::{Router, routing::get};
use otelhttp::ServerLayer;
use otelhttp::reqwest::RequestBuilderExt;
use reqwest::Client;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Serves the shop, visits it, and waits until the spans of the visit have ended.
pub(crate) async fn one_visit() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (client, stock) = (Client::new(), format!("{url}/stock/7"));
    let app = Router::new()
        .route("/", get(move || page(client, stock)))
        .route("/stock/{item}", get(async || "three are left"))
        .layer(ServerLayer::new());

    let (closed, closing) = oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async { _ = closing.await });
    let server = tokio::spawn(server.into_future());
    let answer = Client::new().get(url).header("connection", "close").send().await?.text().await?;
    eprintln!("The shop says: {answer}.");
    drop(closed);
    Ok(server.await??)
}

async fn page(client: Client, stock: String) -> Result<String, StatusCode> {
    let ask = async || client.get(stock).traced().send().await?.text().await;
    ask().await.map_err(|_| StatusCode::BAD_GATEWAY)
}
