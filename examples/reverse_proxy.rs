//! A reverse proxy: the server layer around the client layer.
//!
//! The client's span is a child of the server's, and what the proxy calls continues the same trace:
//! three spans for one request, two of them made here and one by the server behind.
//!
//! Run with: `cargo run --example reverse_proxy`

#[path = "support/console.rs"]
mod console;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;
use axum::{Router, routing::get};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use otelhttp::{ClientLayer, ClientService, ServerLayer, TrustedProxies};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt};

type Upstream = (SocketAddr, ClientService<Client<HttpConnector, Body>>);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client = ServiceBuilder::new().layer(ClientLayer::new()).service(client);
    let upstream: Upstream = (behind().await?, client);
    let proxy = Router::new().fallback(forward).layer(ServerLayer::new()).with_state(upstream);

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    println!("Try: curl http://{}/users/7. Ctrl-C here prints the metrics.", listener.local_addr()?);
    let proxy = proxy.into_make_service_with_connect_info::<SocketAddr>();
    let interrupted = async { tokio::signal::ctrl_c().await.expect("Ctrl-C can be waited for") };
    axum::serve(listener, proxy).with_graceful_shutdown(interrupted).await?;
    Ok(())
}

async fn forward(
    State((address, client)): State<Upstream>,
    ConnectInfo(caller): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Result<Response, StatusCode> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let uri = format!("http://{address}{path}").parse::<Uri>().map_err(|_| StatusCode::BAD_REQUEST)?;
    *request.uri_mut() = uri;
    let caller = HeaderValue::try_from(caller.ip().to_string()).expect("an address can be in a header");
    request.headers_mut().append("x-forwarded-for", caller);
    // A real proxy also takes out the headers that are for one hop only (`connection`, `te`).
    let response = client.oneshot(request).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    // The body is passed on as it comes; both spans end with it.
    Ok(response.map(Body::new))
}

/// The server behind the proxy, on a port of its own.
async fn behind() -> std::io::Result<SocketAddr> {
    // The proxy is ours, so what it says of the caller is true.
    let layer = ServerLayer::new().trusted_proxies(TrustedProxies::Hops(1));
    let app = Router::new().route("/users/{id}", get(async || "a user\n")).layer(layer);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}
