//! Distributed tracing in ten minutes: a little site that calls itself, and what its traces look
//! like.
//!
//! `/home` starts a call to `/async` that nobody waits for, sleeps a little, calls `/service` and
//! answers. `/async` and `/service` both call `/db`, which asks a real SQLite database; every fifth
//! query fails. Server and client are instrumented with one line each (`ServerLayer` around axum,
//! `traced` on reqwest), and all calls go over real sockets. So one click makes one trace of 11 spans.
//!
//! Run with: `cargo run --example quickstart`, and open the viewer at <http://127.0.0.1:8700>. One trace is there already.
//!
//! To have each trace printed as a tree instead, or sent to a collector:
//!
//! ```text
//! OTEL_TRACES_EXPORTER=console cargo run --example quickstart
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 cargo run --example quickstart
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc \
//!     cargo run --example quickstart
//! ```
//!
//! `PORT` and `VIEWER_PORT` are the ports to listen on (0 for any), `FAIL_EVERY` says which queries fail (0 for none).

mod database;
mod site;

use std::error::Error;
use std::net::Ipv4Addr;

use otelhttp::Telemetry;
use otelhttp::telemetry::{ConsoleFormat, Exporter, Guard, Signal};
use otelhttp_viewer::{Serving, Viewer};
use tokio::net::TcpListener;

use crate::database::Database;
use crate::site::Site;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (port, viewer_port) = (number("PORT", 8701)?, number("VIEWER_PORT", 8700)?);
    let fail_every = number("FAIL_EVERY", 5)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    let elsewhere = ["OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT"].into_iter().find(is_set);
    let viewer = match elsewhere {
        Some(_) => None,
        None => Some(Viewer::new().serve((Ipv4Addr::LOCALHOST, viewer_port))?),
    };
    let telemetry = telemetry(viewer.as_ref())?;
    let site = Site::new(address, Database::open(fail_every.into())?);

    println!("listening on http://{address}");
    println!("Open http://{address}/ and click, or: curl http://{address}/home");
    if let Some(variable) = elsewhere {
        // Without its value, which may hold credentials.
        println!("The traces go where {variable} says; the last ones when you press Ctrl-C.\n");
    }
    if let Some(viewer) = &viewer {
        println!("See the traces at {}\n", viewer.url());
        // So that there is something to see.
        tokio::spawn(reqwest::get(format!("http://{address}/home")));
    }
    let interrupted = async { tokio::signal::ctrl_c().await.expect("Ctrl-C can be waited for") };
    axum::serve(listener, site.router()).with_graceful_shutdown(interrupted).await?;
    // The last spans may still wait to be sent.
    telemetry.shutdown()?;
    Ok(())
}

/// To the viewer, or to where the variables say: the console shows trees.
fn telemetry(viewer: Option<&Serving>) -> Result<Guard, Box<dyn Error>> {
    let telemetry = Telemetry::from_env().service_name("quickstart").runtime_metrics(None);
    let telemetry = match viewer {
        Some(viewer) => telemetry
            .default_exporters(Signal::ALL, [])
            .span_processor(viewer.span_processor())
            .metric_reader(viewer.metric_reader())
            .log_processor(viewer.log_processor()),
        None => telemetry
            .default_exporters([Signal::Traces], [Exporter::Console])
            .default_exporters([Signal::Metrics, Signal::Logs], [])
            .console_format(ConsoleFormat::Tree),
    };
    Ok(telemetry.install()?)
}

fn is_set(variable: &&str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.to_string_lossy().trim().is_empty())
}

fn number(variable: &str, default: u16) -> Result<u16, String> {
    match std::env::var(variable) {
        Ok(value) if !value.is_empty() => {
            value.parse().map_err(|_| format!("{variable} must be a number, not {value:?}"))
        }
        _ => Ok(default),
    }
}
