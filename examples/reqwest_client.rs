//! reqwest: one word records a span and the metrics of a call, and sends the trace along.
//!
//! It calls a little server of its own, which answers with the `traceparent` that it was sent.
//!
//! Run with: `cargo run --example reqwest_client --features reqwest`

#[path = "support/console.rs"]
mod console;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Redirect;
use axum::{Router, routing::get};
use otelhttp::ClientLayer;
use otelhttp::reqwest::RequestBuilderExt;
use reqwest::Client;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let address = serve().await?;
    let client = Client::new();
    // Made once: what is configured differs from the defaults of `traced`.
    let captures = ClientLayer::new().capture_response_headers(["content-type"]);

    for url in [
        format!("http://{address}/users/7"),
        // 4xx is an error on the client's side. A signature in a URL is not recorded.
        format!("http://{address}/users/0?token=1&sig=secret"),
        // reqwest follows the redirect; the span tells where it led.
        format!("http://{address}/users/me"),
        // Nobody listens on port 1: the error has a class, `connect`.
        "http://127.0.0.1:1/users/7".to_owned(),
    ] {
        println!("\nGET {url}");
        // The span is named `GET /users/{id}`, and the metrics are labelled with it.
        let request = client.get(url).traced_with(&captures).url_template("/users/{id}");
        match request.send().await {
            // The span ends with the body, not with its head.
            Ok(response) => println!("{}", response.text().await?),
            Err(error) => println!("{error}"),
        }
    }

    println!("\nWith the defaults it is one word:");
    client.get(format!("http://{address}/users/7")).traced().send().await?.text().await?;
    println!("\nThe metrics:");
    Ok(())
}

async fn serve() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let me = get(|| async { Redirect::temporary("/users/7") });
    let app = Router::new().route("/users/me", me).route("/users/{id}", get(user));
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

async fn user(Path(id): Path<u32>, headers: HeaderMap) -> Result<String, StatusCode> {
    if id == 0 {
        return Err(StatusCode::NOT_FOUND);
    }
    Ok(format!("user {id}, asked for with traceparent {:?}", headers.get("traceparent")))
}
