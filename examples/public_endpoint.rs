//! A server whose callers are strangers, behind one proxy of ours.
//!
//! A stranger's trace is only linked, not continued, and so cannot decide what is sampled here. The
//! proxy is believed when it says who called. The browser is told the trace of its page. Health
//! checks are counted, but make no spans.
//!
//! Run with: `cargo run --example public_endpoint`

#[path = "support/console.rs"]
mod console;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use axum::http::request::Parts;
use axum::{Router, routing::get};
use otelhttp::{Observe, ServerLayer, TrustedProxies};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let layer = ServerLayer::new()
        .public_endpoint(true)
        // Counted from the right: the last entry of `x-forwarded-for` is the proxy's, and anything
        // before it is only what the caller wrote.
        .trusted_proxies(TrustedProxies::Hops(1))
        // `server-timing: traceparent;desc="00-…"`
        .server_timing(true)
        .observe(observe);
    let app = Router::new()
        .route("/", get(async || "hello\n"))
        .route("/healthz", get(async || "well\n"))
        .layer(layer);

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("listening on {url}");
    println!("Try: curl -i {url}/ -H 'x-forwarded-for: 6.6.6.6, 203.0.113.7' \\");
    println!("       -H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'");
    println!("     curl {url}/healthz");
    println!("Ctrl-C here prints the metrics.");
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let interrupted = async { tokio::signal::ctrl_c().await.expect("Ctrl-C can be waited for") };
    axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    Ok(())
}

fn observe(head: &Parts) -> Observe {
    if head.uri.path() == "/healthz" { Observe::MetricsOnly } else { Observe::All }
}
