//! Waiting for futures on a thread, and not for ever.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

/// Polls the future on this thread until it is ready or it is too late. The deadline is asked for each time
/// that somebody unparks the thread, so it may come nearer meanwhile.
pub(crate) fn until<T>(deadline: impl Fn() -> Instant, future: impl Future<Output = T>) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
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
        std::thread::park_timeout(left);
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

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
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
