//! One program for one subject in one mode, so that its cost can be counted from outside.

mod client;
mod floor;
mod loopback;
pub mod scale;
mod server;
mod setting;
mod telemetry;
mod work;

pub use setting::{Metrics, Mode, Setting};

/// Reads the arguments, sends the requests, and prints a line of `name=value`.
///
/// `start` is called after the warm-up; what it returns is called with the number of requests after the last
/// one and tells what one has cost.
pub fn run<F: FnOnce(u32) -> String>(start: impl FnOnce() -> F) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [subject, mode, metrics, requests] = arguments.as_slice() else {
        panic!("expected SUBJECT MODE METRICS REQUESTS, got {arguments:?}");
    };
    let setting = Setting { mode: Mode::parse(mode), metrics: Metrics::parse(metrics) };
    let telemetry = telemetry::configure(subject, setting);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if requests == "serve" {
        return runtime.block_on(loopback::serve(server::router(subject, setting)));
    }
    let requests = requests.parse().expect("a number of requests");
    let stopwatch = work::Stopwatch { start, requests };
    let cost = runtime.block_on(async {
        if subject.starts_with("client-") {
            client::run(subject, setting, stopwatch).await
        } else if subject.starts_with("reqwest-") {
            loopback::run(subject, setting, stopwatch).await
        } else {
            stopwatch.run(server::router(subject, setting), || work::request(setting)).await
        }
    });
    println!("{cost} {}", telemetry.finish(requests));
}
