//! hyper-util's client: one line records a span and the metrics of each call, and sends the trace
//! along.
//!
//! It calls a little server of its own, which answers with the `traceparent` that it was sent.
//!
//! Run with: `cargo run --example hyper_client --features hyper-util`
//!
//! The feature lets hyper-util's errors be told apart and finds the address that was connected to.

#[path = "support/console.rs"]
mod console;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, routing::get};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use otelhttp::{ClientLayer, UrlTemplate};
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let address = serve().await?;

    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let mut client = ServiceBuilder::new().layer(ClientLayer::new()).service(client);

    for url in [
        format!("http://{address}/users/7"),
        // 4xx is an error on the client's side.
        format!("http://{address}/users/0?token=1&sig=secret"),
        // Nobody listens on port 1: the error has a class, `connect`.
        "http://127.0.0.1:1/users/7".to_owned(),
    ] {
        println!("\nGET {url}");
        let request = Request::get(url)
            // The span is named `GET /users/{id}`, and the metrics are labelled with it.
            .extension(UrlTemplate::new("/users/{id}"))
            .body(Empty::new())?;
        match client.ready().await?.call(request).await {
            // The span ends with the body, not with its head.
            Ok(response) => {
                println!("{}", String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()));
            }
            Err(error) => println!("{error}"),
        }
    }
    println!("\nThe metrics:");
    Ok(())
}

async fn serve() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/users/{id}", get(user));
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

async fn user(Path(id): Path<u32>, headers: HeaderMap) -> Result<String, StatusCode> {
    if id == 0 {
        return Err(StatusCode::NOT_FOUND);
    }
    Ok(format!("user {id}, asked for with traceparent {:?}", headers.get("traceparent")))
}
