//! The phases of a new connection: DNS and TCP are spans below the request that waits for them, and what
//! is open is counted.
//!
//! It calls a little server of its own twice. The second call finds the connection of the first, so it
//! has no phases. TLS is one wrapper more: `connect::tls` around the connector that does it.
//!
//! Run with: `cargo run --example connect --features connect`

#[path = "support/console.rs"]
mod console;

use std::error::Error;
use std::net::Ipv4Addr;

use axum::{Router, routing::get};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{HttpConnector, dns::GaiResolver};
use hyper_util::rt::TokioExecutor;
use otelhttp::{ClientLayer, connect};
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let port = serve().await?;

    let connector = connect::tcp(HttpConnector::new_with_resolver(connect::dns(GaiResolver::new())));
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    let mut client = ServiceBuilder::new().layer(ClientLayer::new()).service(client);

    for url in [
        format!("http://localhost:{port}/"),
        format!("http://localhost:{port}/"),
        // It does not resolve, so nothing is connected.
        "http://nowhere.invalid/".to_owned(),
    ] {
        println!("\nGET {url}");
        let request = Request::get(url).body(Empty::new())?;
        match client.ready().await?.call(request).await {
            Ok(response) => {
                println!("{}", String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()));
            }
            Err(error) => println!("{error}"),
        }
    }
    println!("\nThe metrics, with `http.client.open_connections` among them:");
    Ok(())
}

async fn serve() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let app = Router::new().route("/", get(|| async { "hello" }));
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(port)
}
