//! What a request may cost, in instructions over the same request without a layer.
//!
//! `cargo bench --bench budget --all-features` counts them under valgrind, prints the table and fails
//! where a budget is exceeded. `-- SUBJECT MODE REQUESTS` sends so many requests in process, for a look
//! with other tools.

#[path = "../tests/common/cost.rs"]
mod cost;

use std::convert::Infallible;
use std::process::{Command, ExitCode};

use axum::body::Body;
use cost::{configure, finish, request, router, upstream};
use http::{Request, Response};
use otelhttp::{ClientLayer, ServerLayer};
use tower::{Layer, Service};

struct Budget {
    subject: &'static str,
    base: &'static str,
    mode: &'static str,
    /// What it may take more than its base.
    at_most: u64,
    /// What the design asks for.
    aim: u64,
}

const fn budget(subject: &'static str, mode: &'static str, at_most: u64, aim: u64) -> Budget {
    let base = if matches!(subject.as_bytes(), b"client") { "upstream" } else { "bare" };
    Budget { subject, base, mode, at_most, aim }
}

const BUDGETS: [Budget; 5] = [
    budget("server", "sampled", 9_650, 7_500),
    budget("server", "unsampled", 8_300, 5_000),
    budget("server", "unconfigured", 4_550, 3_300),
    budget("unbound", "sampled", 15_000, 12_500),
    budget("client", "sampled", 8_050, 8_000),
];
/// Compilers and the C library differ a little.
const SLACK_PERCENT: u64 = 5;
const REQUESTS: u64 = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.as_slice() {
        [] => check(),
        [subject, mode, requests] => {
            send(subject, mode, requests.parse().expect("a number of requests")).await;
            ExitCode::SUCCESS
        }
        _ => panic!("SUBJECT MODE REQUESTS, or nothing"),
    }
}

fn check() -> ExitCode {
    println!("| subject | mode | instructions | at most | aim |\n|---|---|---:|---:|---:|");
    let mut exceeded = false;
    for Budget { subject, base, mode, at_most, aim } in BUDGETS {
        let more = instructions(subject, mode).saturating_sub(instructions(base, mode));
        println!("| {subject} | {mode} | +{more} | {at_most} | {aim} |");
        exceeded |= more > at_most * (100 + SLACK_PERCENT) / 100;
    }
    if exceeded { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Of one request: the difference between N and 2N takes off what is done once.
fn instructions(subject: &str, mode: &str) -> u64 {
    let [once, twice] = [REQUESTS, 2 * REQUESTS].map(|requests| collected(subject, mode, requests));
    (twice - once) / REQUESTS
}

fn collected(subject: &str, mode: &str, requests: u64) -> u64 {
    let this = std::env::current_exe().expect("a program knows where it is");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args([subject, mode, &requests.to_string()])
        .output()
        .expect("valgrind is needed to count instructions");
    let told = String::from_utf8_lossy(&output.stderr);
    let line = told.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    line.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("valgrind counts nothing: {told}"))
}

async fn send(subject: &str, mode: &str, requests: u64) {
    if mode != "unconfigured" {
        configure();
    }
    let is_sampled = mode != "unsampled";
    match subject {
        "bare" => repeat(router().with_state(()), is_sampled, requests).await,
        "server" => server(ServerLayer::new(), is_sampled, requests).await,
        "unbound" => server(ServerLayer::new().bound_instruments(false), is_sampled, requests).await,
        "upstream" => repeat(upstream(), is_sampled, requests).await,
        "client" => repeat(ClientLayer::new().layer(upstream()), is_sampled, requests).await,
        other => panic!("{other} is no subject"),
    }
}

async fn server(layer: ServerLayer, is_sampled: bool, requests: u64) {
    repeat(router().layer(layer).with_state(()), is_sampled, requests).await;
}

async fn repeat<S, B>(mut service: S, is_sampled: bool, requests: u64)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body,
{
    for _ in 0..requests {
        finish(&mut service, request(is_sampled)).await;
    }
}
