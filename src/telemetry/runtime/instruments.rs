//! The instruments, which ask the sampler.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::process::CpuTime;
use super::sampler::{Sample, Sampler, Utilization};

const CPU_MODE: &str = "cpu.mode";
const USER: &str = "user";
const SYSTEM: &str = "system";

pub(super) fn register(meter: &Meter, sampler: &Arc<Sampler>) {
    let make = Make { meter, sampler };
    cpu(&make);
    process(&make);
    tokio(&make);
    #[cfg(tokio_unstable)]
    unstable(&make);
}

fn cpu(make: &Make<'_>) {
    let time = make.meter.f64_observable_counter("process.cpu.time").with_unit("s");
    let observe = make.observing(|sample, observer| match sample.process.cpu {
        Some(CpuTime::Total(total)) => observer.observe(total.as_secs_f64(), &[]),
        Some(CpuTime::ByMode { user, system }) => {
            by_mode(observer, user.as_secs_f64(), system.as_secs_f64());
        }
        None => {}
    });
    time.with_description("Total CPU seconds broken down by different CPU modes.")
        .with_callback(observe)
        .build();
    let utilization = make.meter.f64_observable_gauge("process.cpu.utilization").with_unit("1");
    let observe = make.observing(|sample, observer| match sample.cpu_utilization {
        Some(Utilization::Total(total)) => observer.observe(total, &[]),
        Some(Utilization::ByMode { user, system }) => by_mode(observer, user, system),
        None => {}
    });
    let description = "Difference in process.cpu.time since the last measurement, divided by the elapsed time \
                       and number of CPUs available to the process.";
    utilization.with_description(description).with_callback(observe).build();
}

fn by_mode(observer: &dyn AsyncInstrument<f64>, user: f64, system: f64) {
    observer.observe(user, &[KeyValue::new(CPU_MODE, USER)]);
    observer.observe(system, &[KeyValue::new(CPU_MODE, SYSTEM)]);
}

fn process(make: &Make<'_>) {
    make.level("process.memory.usage", "By", "The amount of physical memory in use.", |sample| {
        sample.process.memory
    });
    make.level("process.memory.virtual", "By", "The amount of committed virtual memory.", |sample| {
        sample.process.virtual_memory
    });
    make.level("process.thread.count", "{thread}", "Process threads count.", |sample| sample.process.threads);
    make.level(
        "process.unix.file_descriptor.count",
        "{file_descriptor}",
        "Number of UNIX file descriptors in use by the process.",
        |sample| sample.process.file_descriptors,
    );
    make.gauge("process.uptime", "s", "The time the process has been running.", |sample| {
        Some(sample.process.uptime.as_secs_f64())
    });
}

fn tokio(make: &Make<'_>) {
    make.level("tokio.worker.count", "{worker}", "The threads that run tasks.", |sample| {
        Some(sample.tokio?.workers)
    });
    let time = make.meter.f64_observable_counter("tokio.worker.busy.time").with_unit("s");
    let observe = make.observing(|sample, observer| {
        if let Some(tokio) = sample.tokio {
            observer.observe(tokio.busy.as_secs_f64(), &[]);
        }
    });
    time.with_description("How long workers were busy, all together.").with_callback(observe).build();
    make.gauge(
        "tokio.worker.utilization",
        "1",
        "The share of their time that workers were busy.",
        |sample| sample.worker_utilization,
    );
    make.count("tokio.worker.park.count", "{park}", "How often workers had nothing to do.", |sample| {
        Some(sample.tokio?.parks)
    });
    make.level("tokio.task.count", "{task}", "The tasks that have not ended.", |sample| {
        Some(sample.tokio?.tasks)
    });
    make.level("tokio.global_queue.depth", "{task}", "The tasks that wait for any worker.", |sample| {
        Some(sample.tokio?.global_queue)
    });
}

#[cfg(tokio_unstable)]
fn unstable(make: &Make<'_>) {
    make.level("tokio.local_queue.depth", "{task}", "The tasks that wait for their worker.", |sample| {
        Some(sample.tokio?.unstable.local_queues)
    });
    make.count("tokio.task.poll.count", "{poll}", "How often tasks were polled.", |sample| {
        Some(sample.tokio?.unstable.polls)
    });
    make.gauge("tokio.task.poll.mean_time", "s", "How long a poll took lately.", |sample| {
        Some(sample.tokio?.unstable.mean_poll?.as_secs_f64())
    });
    make.count(
        "tokio.worker.steal.count",
        "{task}",
        "The tasks that workers took from each other.",
        |sample| Some(sample.tokio?.unstable.steals),
    );
    make.level("tokio.blocking.thread.count", "{thread}", "The threads for blocking work.", |sample| {
        Some(sample.tokio?.unstable.blocking_threads)
    });
    make.level("tokio.blocking.thread.idle", "{thread}", "Those of them that have none.", |sample| {
        Some(sample.tokio?.unstable.idle_blocking_threads)
    });
    make.level("tokio.blocking.queue.depth", "{task}", "The blocking work that waits.", |sample| {
        Some(sample.tokio?.unstable.blocking_queue)
    });
}

struct Make<'m> {
    meter: &'m Meter,
    sampler: &'m Arc<Sampler>,
}

impl Make<'_> {
    /// What can go up and down, and can be added up over processes.
    fn level(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        read: fn(&Sample) -> Option<u64>,
    ) {
        let builder = self.meter.i64_observable_up_down_counter(name).with_unit(unit);
        let observe = self.observing(move |sample, observer| {
            if let Some(value) = read(sample) {
                observer.observe(i64::try_from(value).unwrap_or(i64::MAX), &[]);
            }
        });
        builder.with_description(description).with_callback(observe).build();
    }

    fn count(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        read: fn(&Sample) -> Option<u64>,
    ) {
        let builder = self.meter.u64_observable_counter(name).with_unit(unit);
        let observe = self.observing(move |sample, observer| {
            if let Some(value) = read(sample) {
                observer.observe(value, &[]);
            }
        });
        builder.with_description(description).with_callback(observe).build();
    }

    fn gauge(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        read: fn(&Sample) -> Option<f64>,
    ) {
        let builder = self.meter.f64_observable_gauge(name).with_unit(unit);
        let observe = self.observing(move |sample, observer| {
            if let Some(value) = read(sample) {
                observer.observe(value, &[]);
            }
        });
        builder.with_description(description).with_callback(observe).build();
    }

    fn observing<T>(
        &self,
        tell: impl Fn(&Sample, &dyn AsyncInstrument<T>) + Send + Sync + 'static,
    ) -> impl Fn(&dyn AsyncInstrument<T>) + Send + Sync + 'static
    where
        T: 'static,
    {
        let sampler = self.sampler.clone();
        move |observer| {
            if let Some(sample) = sampler.sample() {
                tell(&sample, observer);
            }
        }
    }
}
