//! A plain hyper server, without a framework: the layer goes around a Tower service, and the service
//! into hyper.
//!
//! What a framework would know is told by hand: who called (`PeerAddr`) and which route it is.
//!
//! Run with: `cargo run --example hyper_server`

#[path = "support/console.rs"]
mod console;

use std::convert::Infallible;
use std::error::Error;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use otelhttp::{PeerAddr, ServerLayer};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let service = ServiceBuilder::new().layer(ServerLayer::new().route(route)).service(service_fn(answer));

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    println!("Try: curl http://{0}/greet/Ada; curl http://{0}/lost", listener.local_addr()?);
    println!("Ctrl-C here prints the metrics.");
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let local = stream.local_addr()?;
        let service = ServiceBuilder::new()
            .map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(PeerAddr::new(peer).local(local));
                request
            })
            .service(service.clone());
        tokio::spawn(async move {
            let connection = auto::Builder::new(TokioExecutor::new());
            let service = TowerToHyperService::new(service);
            if let Err(error) = connection.serve_connection(TokioIo::new(stream), service).await {
                eprintln!("a connection broke: {error}");
            }
        });
    }
}

/// A template with few values: it names the span and is a label of the metrics.
fn route(head: &Parts) -> Option<String> {
    head.uri.path().starts_with("/greet/").then(|| "/greet/{name}".to_owned())
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match request.uri().path().strip_prefix("/greet/") {
        Some(name) => (StatusCode::OK, format!("Hello, {name}!\n")),
        None => (StatusCode::NOT_FOUND, "nothing here\n".to_owned()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}
