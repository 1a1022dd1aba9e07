//! What tokio's runtime does.

use std::time::Duration;

use ::tokio::runtime::{Handle, RuntimeMetrics};

/// One reading; workers are summed up.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokioSample {
    pub(super) workers: u64,
    pub(super) busy: Duration,
    pub(super) parks: u64,
    pub(super) tasks: u64,
    pub(super) global_queue: u64,
    #[cfg(tokio_unstable)]
    pub(super) unstable: Unstable,
}

impl TokioSample {
    /// Also after the end of the runtime, whose last figures these are then.
    pub(super) fn read(handle: &Handle) -> Self {
        let metrics = handle.metrics();
        Self {
            workers: metrics.num_workers() as u64,
            busy: workers(&metrics, RuntimeMetrics::worker_total_busy_duration).sum(),
            parks: workers(&metrics, RuntimeMetrics::worker_park_count).sum(),
            tasks: metrics.num_alive_tasks() as u64,
            global_queue: metrics.global_queue_depth() as u64,
            #[cfg(tokio_unstable)]
            unstable: Unstable::read(&metrics),
        }
    }
}

fn workers<T>(
    metrics: &RuntimeMetrics,
    read: impl Fn(&RuntimeMetrics, usize) -> T,
) -> impl Iterator<Item = T> {
    (0..metrics.num_workers()).map(move |worker| read(metrics, worker))
}

/// What tokio tells where it was built with `--cfg tokio_unstable`.
#[cfg(tokio_unstable)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Unstable {
    pub(super) local_queues: u64,
    pub(super) polls: u64,
    /// Of all polls lately, the busier workers' counting more.
    pub(super) mean_poll: Option<Duration>,
    pub(super) steals: u64,
    pub(super) blocking_threads: u64,
    pub(super) idle_blocking_threads: u64,
    pub(super) blocking_queue: u64,
}

#[cfg(tokio_unstable)]
impl Unstable {
    fn read(metrics: &RuntimeMetrics) -> Self {
        let polls = workers(metrics, RuntimeMetrics::worker_poll_count).sum();
        let weighted = |metrics: &RuntimeMetrics, worker| {
            metrics.worker_mean_poll_time(worker).as_secs_f64() * metrics.worker_poll_count(worker) as f64
        };
        let time: f64 = workers(metrics, weighted).sum();
        Self {
            local_queues: workers(metrics, RuntimeMetrics::worker_local_queue_depth).sum::<usize>() as u64,
            polls,
            mean_poll: (polls > 0).then(|| Duration::try_from_secs_f64(time / polls as f64).ok()).flatten(),
            steals: workers(metrics, RuntimeMetrics::worker_steal_count).sum(),
            blocking_threads: metrics.num_blocking_threads() as u64,
            idle_blocking_threads: metrics.num_idle_blocking_threads() as u64,
            blocking_queue: metrics.blocking_queue_depth() as u64,
        }
    }
}
