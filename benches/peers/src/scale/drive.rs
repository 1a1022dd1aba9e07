//! Sends the requests.

use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use tokio::runtime::Builder;
use tower::Service;

use super::gate::Gate;
use super::load::{Load, Requests};
use super::subject::Subject;
use super::{app, telemetry};

/// What has come of the requests.
pub(super) struct Done {
    /// Requests per second, of all threads together.
    pub(super) rate: f64,
    pub(super) spans: u64,
    /// Bytes that each of the last requests in flight held.
    pub(super) heap: usize,
}

impl Done {
    fn and(self, other: Self) -> Self {
        Self {
            rate: self.rate + other.rate,
            spans: self.spans + other.spans,
            heap: self.heap.max(other.heap),
        }
    }
}

/// Each thread sends its share of the requests.
pub(super) fn run(subject: Subject, load: Load, requests: usize, live: fn() -> usize) -> Done {
    let gate = Arc::new(Gate::default());
    let router = subject.around(app::router(load, &gate));
    let worker = || Worker { router: router.clone(), source: Requests::new(load), gate: gate.clone(), live };
    let start = &Barrier::new(load.threads());
    let share = requests / load.threads();
    thread::scope(|scope| {
        let workers = (0..load.threads()).map(|_| worker());
        let threads: Vec<_> =
            workers.map(|worker| scope.spawn(move || worker.work(start, load, share))).collect();
        let done = threads.into_iter().map(|thread| thread.join().expect("a thread that ends well"));
        done.reduce(Done::and).expect("a thread")
    })
}

/// What one thread has.
struct Worker {
    router: Router,
    source: Requests,
    gate: Arc<Gate>,
    live: fn() -> usize,
}

impl Worker {
    fn work(self, start: &Barrier, load: Load, requests: usize) -> Done {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        start.wait();
        let begin = Instant::now();
        let heap = runtime.block_on(async {
            match load {
                Load::InFlight(width) => self.send_together(requests, width).await,
                _ => self.send_in_turn(requests).await,
            }
        });
        let rate = requests as f64 / begin.elapsed().as_secs_f64();
        Done { rate, spans: telemetry::spans_of_this_thread(), heap }
    }

    async fn send_in_turn(mut self, requests: usize) -> usize {
        for _ in 0..requests {
            send(&mut self.router, self.source.next()).await;
        }
        0
    }

    /// Tells the bytes that each request of the last round held while all of them waited.
    async fn send_together(mut self, requests: usize, width: usize) -> usize {
        let mut heap = 0;
        for _ in 0..requests / width {
            heap = self.round(width).await / width;
        }
        heap
    }

    async fn round(&mut self, width: usize) -> usize {
        let before = (self.live)();
        let calls: Vec<_> = (0..width).map(|_| self.call()).map(tokio::spawn).collect();
        self.gate.is_waited_at_by(width).await;
        let held = (self.live)() - before;
        self.gate.open();
        for call in calls {
            call.await.expect("a call that ends well");
        }
        held
    }

    fn call(&mut self) -> impl Future<Output = ()> + use<> {
        let (mut router, request) = (self.router.clone(), self.source.next());
        async move { send(&mut router, request).await }
    }
}

async fn send(router: &mut Router, request: Request<Body>) {
    let Ok(response) = router.call(request).await;
    assert!(response.status().is_success(), "{}", response.status());
    let mut body = pin!(response.into_body());
    while let Some(frame) = body.frame().await {
        frame.expect("a frame");
    }
}
