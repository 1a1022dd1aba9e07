//! Retries of tower around reqwest: each attempt is a span, and from the second on it says which.
//!
//! It calls a little server of its own, which is busy twice before it answers.
//!
//! Run with: `cargo run --example retries --features reqwest`

#[path = "support/console.rs"]
mod console;

use std::error::Error;
use std::future::Ready;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::StatusCode;
use axum::{Router, routing::get};
use otelhttp::{AttemptsLayer, ClientLayer};
use reqwest::{Client, Method, Request, Response};
use tokio::net::TcpListener;
use tower::retry::Policy;
use tower::{Service, ServiceBuilder, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let address = serve().await?;

    let mut client = ServiceBuilder::new()
        // Outside of the retries, to count them: `http.request.resend_count`.
        .layer(AttemptsLayer::new())
        .retry(Twice(2))
        // Inside of them, to see each.
        .layer(ClientLayer::new())
        .service(Client::new());

    let request = Request::new(Method::GET, format!("http://{address}/users/7").parse()?);
    let response = client.ready().await?.call(request).await?;
    println!("{}", response.text().await?);
    println!("\nThe metrics:");
    Ok(())
}

/// Sends a request again, so many times, if the server says that it is its fault.
#[derive(Clone)]
struct Twice(u8);

impl Policy<Request, Response, reqwest::Error> for Twice {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request, result: &mut Result<Response, reqwest::Error>) -> Option<Ready<()>> {
        let failed = result.as_ref().is_ok_and(|response| response.status().is_server_error());
        self.0 = self.0.checked_sub(u8::from(failed))?;
        failed.then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        request.try_clone()
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
