//! Instrumentation is a guest in its user's program: what others hang into it (hooks, propagators,
//! span processors) must not take a request down.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs foreign code. If it panics the panic ends here and is told to the log, and the answer is
/// nothing.
pub(crate) fn contain<T>(what: &'static str, foreign: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(foreign)) {
        Ok(answer) => Some(answer),
        Err(panic) => {
            // The logger is foreign too, and so is what was thrown: its end may throw again.
            let told = catch_unwind(AssertUnwindSafe(|| {
                warn(format_args!("{what} panicked; the program goes on without it"));
                drop(panic);
            }));
            std::mem::forget(told);
            None
        }
    }
}

/// One of our few warnings. Silent without the feature `internal-logs`.
pub(crate) fn warn(message: std::fmt::Arguments<'_>) {
    #[cfg(feature = "internal-logs")]
    log::warn!(target: "otelhttp", "{message}");
    #[cfg(not(feature = "internal-logs"))]
    let _ = message;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_contained_and_an_answer_comes_through() {
        assert_eq!(contain("a test", || -> u8 { panic!("on purpose") }), None);
        assert_eq!(contain("a test", || 1), Some(1));
    }

    #[test]
    fn a_panic_that_throws_again_when_it_is_dropped_is_contained() {
        struct Again;
        impl Drop for Again {
            fn drop(&mut self) {
                panic!("on purpose, again")
            }
        }
        assert_eq!(contain("a test", || -> u8 { std::panic::panic_any(Again) }), None);
    }
}
