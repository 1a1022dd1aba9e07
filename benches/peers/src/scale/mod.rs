//! The same request under a load that grows in one dimension and is the smallest in all others.

mod app;
mod drive;
mod gate;
mod load;
mod subject;
mod telemetry;

use load::Load;
use subject::Subject;

/// Reads the arguments, sends the requests, and prints a line of `name=value`.
///
/// `live` tells how many bytes of the heap are in use, where somebody counts them.
pub fn run(live: fn() -> usize) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [subject, dimension, size, requests] = arguments.as_slice() else {
        panic!("expected SUBJECT DIMENSION SIZE REQUESTS, got {arguments:?}");
    };
    let (subject, load) = (Subject::parse(subject), Load::parse(dimension, size));
    let requests = requests.parse().expect("a number of requests");
    let telemetry = telemetry::configure(subject);
    let done = drive::run(subject, load, requests, live);
    println!("rate={:.0} heap={} spans={} {}", done.rate, done.heap, done.spans, telemetry.finish());
}
