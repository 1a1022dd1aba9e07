//! `peers SUBJECT MODE METRICS REQUESTS` sends so many requests and prints the nanoseconds of one.
//!
//! With `serve` for REQUESTS it serves on loopback, prints the port, and ends when its input ends.

use std::time::Instant;

fn main() {
    peers::run(|| {
        let begin = Instant::now();
        move |requests| format!("ns={:.1}", begin.elapsed().as_secs_f64() * 1e9 / f64::from(requests))
    });
}
