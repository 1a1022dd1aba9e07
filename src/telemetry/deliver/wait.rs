//! Waiting for futures on a thread, and not for ever.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

/// Polls the future on this thread until it is ready or it is too late. The deadline is asked for each time
/// that somebody unparks the thread, so it may come nearer meanwhile.
pub(crate) fn until<T>(deadline: impl Fn() -> Instant, future: impl Future<Output = T>) -> Option<T> {
    let unpark = Arc::new(Unpark { thread: std::thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(unpark.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        let left = deadline().saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        if !unpark.woken.swap(false, Ordering::AcqRel) {
            std::thread::park_timeout(left);
            unpark.woken.store(false, Ordering::Release);
        }
    }
}

/// Polls them all side by side, and hands each output on as it comes; nothing if the future panicked.
pub(crate) async fn each<T>(
    futures: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>,
    mut done: impl FnMut(usize, Option<T>),
) {
    let mut futures: Vec<_> = futures.into_iter().map(Some).collect();
    std::future::poll_fn(|cx| {
        for (index, slot) in futures.iter_mut().enumerate() {
            let Some(future) = slot else { continue };
            let output = match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                Ok(Poll::Pending) => continue,
                Ok(Poll::Ready(output)) => Some(output),
                Err(_panic) => None,
            };
            *slot = None;
            done(index, output);
        }
        if futures.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// An unpark may be taken by somebody else: an exporter that blocks parks on this thread too.
struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_output_comes_back_and_what_is_never_ready_is_given_up() {
        let soon = || Instant::now() + Duration::from_secs(60);
        assert_eq!(until(soon, async { 7 }), Some(7));
        let over = Instant::now();
        assert_eq!(until(|| over, std::future::pending::<()>()), None);
    }

    #[test]
    fn a_wake_up_is_not_lost_to_one_that_parks_on_this_thread() {
        let (ready, waker) = (AtomicBool::new(false), std::sync::Mutex::new(None));
        let first = std::future::poll_fn(|cx| {
            *waker.lock().unwrap() = Some(cx.waker().clone());
            if ready.load(Ordering::Acquire) { Poll::Ready(1) } else { Poll::Pending }
        });
        let second = async {
            ready.store(true, Ordering::Release);
            waker.lock().unwrap().take().unwrap().wake();
            // As `block_on` does: it takes what was meant for the first one.
            std::thread::park();
            2
        };
        let end = Instant::now() + Duration::from_secs(5);
        let mut outputs = Vec::new();
        let done = |_, output| outputs.push(output);
        assert!(until(|| end, each(vec![Box::pin(first), Box::pin(second)], done)).is_some());
        assert_eq!(outputs, [Some(2), Some(1)]);
        assert!(Instant::now() < end, "it was asked when it was too late");
    }

    #[test]
    fn each_is_polled_while_another_waits_and_a_panic_is_its_own() {
        let mut outputs = Vec::new();
        let futures: Vec<Pin<Box<dyn Future<Output = u8> + Send>>> = vec![
            Box::pin(std::future::pending()),
            Box::pin(async { panic!("on purpose") }),
            Box::pin(async { 3 }),
        ];
        let over = Instant::now();
        until(|| over, each(futures, |index, output| outputs.push((index, output))));
        assert_eq!(outputs, [(1, None), (2, Some(3))]);
    }
}
