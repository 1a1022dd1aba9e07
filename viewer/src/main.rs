//! The viewer beside your programs: they send OTLP, you look at <http://127.0.0.1:8700>.
// Tests may: there a panic is the message.
#![warn(clippy::unwrap_used)]

use std::process::ExitCode;

use otelhttp_viewer::{Serving, Viewer};

const HELP: &str = "\
See the traces, metrics and logs of your programs, with nothing installed.

Usage: otelhttp-viewer [options]

  --listen ADDRESS      where the page is            [127.0.0.1:8700]
  --otlp-http ADDRESS   where OTLP/HTTP is taken     [127.0.0.1:4318]; `off` for the page's address alone
  --otlp-grpc ADDRESS   where OTLP/gRPC is taken     [127.0.0.1:4317]; `off` for nowhere
  --memory MIB          what may be kept, in MiB     [64]
  --spans COUNT         how many spans may be kept   [200000]
  --host NAME           a name under which the viewer is reached; may be repeated
  --token TOKEN         ask for this token. Addresses other than loopback always ask for one
  --import FILE         a file to begin with: OTLP JSON or protobuf, Jaeger JSON; may be repeated
  --help, --version

Nothing is written to disk. Programs send to it with OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
";

/// What the command line says.
struct Options {
    viewer: Viewer,
    listen: String,
    files: Vec<String>,
}

enum Wanted {
    Serve(Box<Options>),
    Text(String),
}

fn main() -> ExitCode {
    match wanted(std::env::args().skip(1)) {
        Ok(Wanted::Text(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Wanted::Serve(options)) => serve(*options),
        Err(problem) => failed(&problem),
    }
}

fn failed(problem: &str) -> ExitCode {
    eprintln!("otelhttp-viewer: {problem}");
    ExitCode::FAILURE
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut viewer = Viewer::new();
    let (mut listen, mut files) = ("127.0.0.1:8700".to_owned(), Vec::new());
    let (mut http, mut grpc) = ("127.0.0.1:4318".to_owned(), "127.0.0.1:4317".to_owned());
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        match name.as_str() {
            "--help" | "-h" => return Ok(Wanted::Text(HELP.to_owned())),
            "--version" | "-V" => {
                return Ok(Wanted::Text(format!("otelhttp-viewer {}\n", env!("CARGO_PKG_VERSION"))));
            }
            _ => {}
        }
        let mut value =
            || inline.clone().or_else(|| arguments.next()).ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--listen" => listen = value()?,
            "--otlp-http" => http = value()?,
            "--otlp-grpc" => grpc = value()?,
            "--memory" => viewer = viewer.memory(number(&name, &value()?)?.saturating_mul(1 << 20)),
            "--spans" => viewer = viewer.spans(number(&name, &value()?)?),
            "--host" => viewer = viewer.host(value()?),
            "--token" => viewer = viewer.token(value()?),
            "--import" => files.push(value()?),
            _ => return Err(format!("{name} is not an option; --help lists them")),
        }
    }
    viewer = if http == "off" { viewer } else { viewer.otlp_http(http) };
    viewer = if grpc == "off" { viewer } else { viewer.otlp_grpc(grpc) };
    Ok(Wanted::Serve(Box::new(Options { viewer, listen, files })))
}

fn number(name: &str, value: &str) -> Result<usize, String> {
    value.parse().map_err(|_| format!("{name} must be a whole number, not {value:?}"))
}

fn serve(options: Options) -> ExitCode {
    let Options { viewer, listen, files } = options;
    let serving = match viewer.serve(&*listen) {
        Ok(serving) => serving,
        Err(error) => return failed(&error.to_string()),
    };
    for file in files {
        match serving.import(&file) {
            Ok(spans) => println!("{file}: {spans} spans"),
            Err(error) => return failed(&error.to_string()),
        }
    }
    say_where(&serving);
    wait_for_interrupt()
}

fn say_where(serving: &Serving) {
    println!("Open {}", serving.url());
    if let Some(address) = serving.otlp_http() {
        println!("OTLP over HTTP: http://{address}");
    }
    if let Some(address) = serving.otlp_grpc() {
        println!("OTLP over gRPC: http://{address}");
    }
    if let Some(token) = serving.token() {
        println!("Programs send OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{token}");
    }
}

fn wait_for_interrupt() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let waited = runtime.and_then(|runtime| runtime.block_on(tokio::signal::ctrl_c()));
    match waited {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("cannot wait for Ctrl-C: {error}")),
    }
}
