//! The same as `scale`, under an allocator that counts: prints the bytes that one request in flight holds.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    peers::scale::run(|| {
        let stats = GLOBAL.stats();
        stats.bytes_allocated - stats.bytes_deallocated
    });
}
