//! The same as `peers`, under an allocator that counts: prints the allocations and bytes of one request.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    peers::run(|| {
        let before = GLOBAL.stats();
        move |requests| {
            let change = GLOBAL.stats() - before;
            let each = |count: usize| count as f64 / f64::from(requests);
            let (count, bytes) = (change.allocations + change.reallocations, change.bytes_allocated);
            format!("allocs={:.2} bytes={:.0}", each(count), each(bytes))
        }
    });
}
