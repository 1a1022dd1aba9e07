//! Distributed tracing in ten minutes: a little site that calls itself, and what its traces look
//! like.
//!
//! `/home` starts a call to `/async` that nobody waits for, sleeps a little, calls `/service` and
//! answers. `/async` and `/service` both call `/db`, which asks a real SQLite database; every fifth
//! query fails. Server and client are instrumented with one line each (`ServerLayer` around axum,
//! `traced` on reqwest), and all calls go over real sockets. So one click makes one trace of 11 spans.
//!
//! Run with: `cargo run --example quickstart`
//!
//! Each trace is printed as a tree. To send them to a collector instead:
//!
//! ```text
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 cargo run --example quickstart
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc \
//!     cargo run --example quickstart
//! ```
//!
//! `PORT` is the port to listen on (0 for any), `FAIL_EVERY` says which queries fail (0 for none).

mod database;
mod site;

use std::error::Error;
use std::net::Ipv4Addr;

use otelhttp::Telemetry;
use otelhttp::telemetry::{ConsoleFormat, Exporter, Signal};
use tokio::net::TcpListener;

use crate::database::Database;
use crate::site::Site;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = number("PORT", 8700)?;
    let fail_every = number("FAIL_EVERY", 5)?;
    // To the terminal, unless a variable says otherwise.
    let telemetry = Telemetry::from_env()
        .service_name("quickstart")
        .default_exporters([Signal::Traces], [Exporter::Console])
        .default_exporters([Signal::Metrics, Signal::Logs], [])
        .console_format(ConsoleFormat::Tree)
        .install()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    let site = Site::new(address, Database::open(fail_every.into())?);

    println!("listening on http://{address}");
    println!("Open http://{address}/ and click, or: curl http://{address}/home");
    println!("{}\n", where_to_look());
    let interrupted = async { tokio::signal::ctrl_c().await.expect("Ctrl-C can be waited for") };
    axum::serve(listener, site.router()).with_graceful_shutdown(interrupted).await?;
    // The last spans may still wait to be sent.
    telemetry.shutdown()?;
    Ok(())
}

fn where_to_look() -> String {
    match std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Ok(collector) => format!("The traces go to {collector}; the last ones when you press Ctrl-C."),
        Err(_) => "Each trace is printed here when its last span has ended.".to_owned(),
    }
}

fn number(variable: &str, default: u16) -> Result<u16, String> {
    match std::env::var(variable) {
        Ok(value) => value.parse().map_err(|_| format!("{variable} must be a number, not {value:?}")),
        Err(_) => Ok(default),
    }
}
