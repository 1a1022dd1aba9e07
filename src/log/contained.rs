use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::LocalKey;

/// What OpenTelemetry answers to the line that is being written, or nothing if it panics.
///
/// It asks for the current context, which is gone at the end of a thread, where destructors may still write lines.
/// Nobody is told, since that would be another line. The hook that prints the panic may write one too, and a second
/// panic in there would end the process: what is `inside` of another asks nothing.
pub(super) fn contained<T>(inside: &'static LocalKey<Cell<bool>>, ask: impl FnOnce() -> T) -> Option<T> {
    if inside.replace(true) {
        return None;
    }
    let answer = catch_unwind(AssertUnwindSafe(ask));
    inside.set(false);
    // The end of what was thrown may throw again.
    answer.map_err(std::mem::forget).ok()
}
