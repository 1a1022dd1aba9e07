//! What just may be decoded takes no more than was said, and is decoded one after the other.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Page, pack, send, serve, within};
use opentelemetry_proto::tonic::trace::v1::Span;
use otelhttp_viewer::Viewer;
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;
const BODY: usize = 16 * MIB;
/// What may be decoded at one time.
const MOST: usize = 384 * MIB;
/// With all bodies that wait, are unpacked or are on their way, and what the test itself holds.
const BOUND: usize = 512 * MIB;

/// What the heap held at most while this was done, beyond what it held before.
fn peak(of: impl FnOnce()) -> usize {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    of();
    HEAP.peak_usage() - before
}

/// The allocator counts for the whole process, so one comes after the other.
#[test]
fn the_heaviest_have_a_bound() {
    let page = serve(Viewer::new());
    the_limit_is_one_of_what_is_decoded(&page);
    of_many_at_once_one_is_decoded(&page);
}

fn spans(count: usize) -> Vec<u8> {
    pack(&within(1, &within(2, &[2 << 3 | 2, 0].repeat(count))))
}

fn status(page: &Page, packed: &[u8]) -> u16 {
    send(page, "/v1/traces", "application/x-protobuf", packed).0
}

fn the_limit_is_one_of_what_is_decoded(page: &Page) {
    // With one more the list would double its room.
    let mut count = 4;
    while 3 * size_of::<Span>() * count <= MOST {
        count *= 2;
    }
    let packed = spans(count);
    // They are decoded, and none of them has an id.
    let peak = peak(|| assert_eq!(status(page, &packed), 200));
    println!("{count} empty spans: at most {peak} bytes");
    assert!((MOST / 3..BOUND).contains(&peak), "{peak} bytes at one time");
    assert_eq!(status(page, &spans(count + 1)), 413);
}

/// A span that has one of each takes more than a thousand bytes, of twelve: as many as may be, and a text that fills the body.
fn heaviest() -> Vec<u8> {
    let event = within(11, &[3 << 3 | 2, 0]);
    let one_of_each = within(2, &[&[9 << 3 | 2, 0, 13 << 3 | 2, 0], &*event].concat());
    let spans = one_of_each.repeat(1 << 18);
    let text = vec![b'x'; BODY - spans.len() - 64];
    pack(&within(1, &[within(2, &spans), within(3, &text)].concat()))
}

/// All of them are taken in, some after they were told to come again.
fn of_many_at_once_one_is_decoded(page: &Page) {
    const CLIENTS: usize = 8;
    let packed = heaviest();
    let again = AtomicUsize::new(0);
    let client = || {
        while status(page, &packed) != 200 {
            again.fetch_add(1, Ordering::Relaxed);
        }
    };
    let one = peak(|| assert_eq!(status(page, &packed), 200));
    let peak = peak(|| {
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(client);
            }
        });
    });
    println!("the heaviest takes {one} bytes, and {CLIENTS} at once {peak}; {again:?} came again");
    assert!(one > MOST * 9 / 10, "{one} bytes only");
    assert!(peak < BOUND, "{peak} bytes at one time");
}
