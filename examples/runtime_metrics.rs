//! What the process and tokio's runtime use, each second, while a server answers: one of its handlers computes for
//! too long, which is seen as slow polls and busy workers.
//!
//! Run with: `cargo run --example runtime_metrics --features telemetry`, with `ROUNDS=10` before it for more of them

use std::error::Error;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use axum::{Router, routing::get};
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use otelhttp::telemetry::{ConsoleFormat, PollsLayer};
use otelhttp::{ServerLayer, Telemetry};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `None`: a reading whenever metrics are exported, which to the console is each second then.
    let _telemetry =
        Telemetry::from_vars(variable).console_format(ConsoleFormat::Tree).runtime_metrics(None).install()?;

    let app = Router::new()
        .route("/primes", get(async || primes()))
        .layer(PollsLayer::new())
        .layer(ServerLayer::new());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/primes", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, app).into_future());

    let rounds: u64 = std::env::var("ROUNDS").map_or(Ok(3), |rounds| rounds.parse())?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(rounds) {
        client.get(url.parse()?).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// In a real server this belongs into `spawn_blocking`.
fn primes() -> String {
    let is_prime = |&number: &u32| (2..number).all(|divisor| number % divisor != 0);
    (2..10_000).filter(is_prime).count().to_string()
}

/// Those of the process; without any the metrics alone are written, to the console.
fn variable(name: &str) -> Option<String> {
    let otherwise = match name {
        "OTEL_METRICS_EXPORTER" => Some("console"),
        "OTEL_TRACES_EXPORTER" | "OTEL_LOGS_EXPORTER" => Some("none"),
        _ => None,
    };
    std::env::var(name).ok().or(otherwise.map(str::to_owned))
}
