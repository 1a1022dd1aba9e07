//! What the process and tokio's runtime use is measured as the system and the runtime themselves have it.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::future::pending;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get as on_get;
use common::{PATIENCE, get, serve_axum, texts};
use futures_util::FutureExt;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, Metric, MetricData, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider, Temporality};
use otelhttp::Telemetry;
use otelhttp::telemetry::{PollsLayer, RuntimeMetrics};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service};

/// A meter provider that exports when it is told to, and what came.
struct Meters {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

/// A metric: its kind and unit, and its values by their attributes.
#[derive(Debug, PartialEq)]
struct Read {
    kind: &'static str,
    unit: String,
    values: BTreeMap<String, f64>,
}

impl Meters {
    fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader =
            PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(3_600)).build();
        Self { provider: SdkMeterProvider::builder().with_reader(reader).build(), exporter }
    }

    fn read(&self) -> BTreeMap<String, Read> {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        self.exporter.get_finished_metrics().unwrap().last().map(all).unwrap_or_default()
    }

    fn value(&self, name: &str) -> f64 {
        value(&self.read(), name)
    }

    /// Reads until the values fulfil this.
    #[track_caller]
    fn until(
        &self,
        what: &str,
        fulfilled: impl Fn(&BTreeMap<String, Read>) -> bool,
    ) -> BTreeMap<String, Read> {
        let start = Instant::now();
        loop {
            let read = self.read();
            if fulfilled(&read) {
                return read;
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}: {read:#?}");
            // A reading is taken anew after a tenth of a second.
            burn(Duration::from_millis(20));
        }
    }
}

fn all(export: &ResourceMetrics) -> BTreeMap<String, Read> {
    let metrics = export.scope_metrics().flat_map(ScopeMetrics::metrics);
    metrics.map(|metric| (metric.name().to_owned(), read(metric))).collect()
}

fn read(metric: &Metric) -> Read {
    macro_rules! values {
        ($points:expr) => {
            $points.map(|point| (label(&texts(point.attributes())), point.value() as f64)).collect()
        };
    }
    macro_rules! sum {
        ($sum:expr) => {
            (if $sum.is_monotonic() { "counter" } else { "level" }, values!($sum.data_points()))
        };
    }
    let (kind, values) = match metric.data() {
        AggregatedMetrics::F64(MetricData::Sum(sum)) => sum!(sum),
        AggregatedMetrics::U64(MetricData::Sum(sum)) => sum!(sum),
        AggregatedMetrics::I64(MetricData::Sum(sum)) => sum!(sum),
        AggregatedMetrics::F64(MetricData::Gauge(gauge)) => ("gauge", values!(gauge.data_points())),
        other => panic!("{} is of an unexpected kind: {other:?}", metric.name()),
    };
    Read { kind, unit: metric.unit().to_owned(), values }
}

fn label(attributes: &BTreeMap<String, String>) -> String {
    let pairs: Vec<_> = attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(" ")
}

#[track_caller]
fn value(read: &BTreeMap<String, Read>, name: &str) -> f64 {
    let read = read.get(name).unwrap_or_else(|| panic!("no {name}: {read:#?}"));
    read.values.values().sum()
}

fn burn(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        black_box((0..1_000).map(black_box).sum::<u64>());
    }
}

const PROCESS: [(&str, &str, &str, &[&str]); 7] = [
    ("process.cpu.time", "counter", "s", &["cpu.mode=system", "cpu.mode=user"]),
    ("process.cpu.utilization", "gauge", "1", &["cpu.mode=system", "cpu.mode=user"]),
    ("process.memory.usage", "level", "By", &[""]),
    ("process.memory.virtual", "level", "By", &[""]),
    ("process.thread.count", "level", "{thread}", &[""]),
    ("process.unix.file_descriptor.count", "level", "{file_descriptor}", &[""]),
    ("process.uptime", "gauge", "s", &[""]),
];

const TOKIO: [(&str, &str, &str, &[&str]); 6] = [
    ("tokio.global_queue.depth", "level", "{task}", &[""]),
    ("tokio.task.count", "level", "{task}", &[""]),
    ("tokio.worker.busy.time", "counter", "s", &[""]),
    ("tokio.worker.count", "level", "{worker}", &[""]),
    ("tokio.worker.park.count", "counter", "{park}", &[""]),
    ("tokio.worker.utilization", "gauge", "1", &[""]),
];

#[cfg(tokio_unstable)]
const UNSTABLE: [(&str, &str, &str, &[&str]); 7] = [
    ("tokio.blocking.queue.depth", "level", "{task}", &[""]),
    ("tokio.blocking.thread.count", "level", "{thread}", &[""]),
    ("tokio.blocking.thread.idle", "level", "{thread}", &[""]),
    ("tokio.local_queue.depth", "level", "{task}", &[""]),
    ("tokio.task.poll.count", "counter", "{poll}", &[""]),
    ("tokio.task.poll.mean_time", "gauge", "s", &[""]),
    ("tokio.worker.steal.count", "counter", "{task}", &[""]),
];

#[cfg(not(tokio_unstable))]
const UNSTABLE: [(&str, &str, &str, &[&str]); 0] = [];

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_metrics_have_their_names_units_kinds_and_attributes() {
    let meters = Meters::new();
    let _guard = RuntimeMetrics::new().observe(&meters.provider);
    // So that there is a mean of polls.
    for _ in 0..100 {
        tokio::spawn(tokio::task::yield_now()).await.unwrap();
    }
    let read = meters.until("shares", |read| read.contains_key("process.cpu.utilization"));
    let read: Vec<_> = read
        .iter()
        .map(|(name, read)| {
            let labels: Vec<_> = read.values.keys().map(String::as_str).collect();
            (name.as_str(), read.kind, read.unit.as_str(), labels)
        })
        .collect();
    let mut expected: Vec<_> = [&PROCESS[..], &TOKIO, &UNSTABLE]
        .concat()
        .into_iter()
        .map(|(name, kind, unit, labels)| (name, kind, unit, labels.to_vec()))
        .collect();
    expected.sort_unstable();
    assert_eq!(read, expected);
}

/// A figure of `/proc/self/status`.
#[cfg(target_os = "linux")]
fn status(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim_start_matches(':').split_ascii_whitespace().next().unwrap().parse().unwrap()
}

/// A reading between two looks at the system that agree.
#[cfg(target_os = "linux")]
#[track_caller]
fn agree(meters: &Meters, name: &str, look: impl Fn() -> f64) {
    let start = Instant::now();
    loop {
        let before = look();
        burn(Duration::from_millis(110));
        let value = meters.value(name);
        if before == look() && value == before {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{name}: {value}, but the system says {before} and {}", look());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_threads_and_files_are_what_proc_says() {
    let meters = Meters::new();
    let _guard = RuntimeMetrics::new().observe(&meters.provider);
    agree(&meters, "process.thread.count", || status("Threads"));
    // The look itself has the folder open.
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count() as f64 - 1.0;
    agree(&meters, "process.unix.file_descriptor.count", files);

    let opened: Vec<_> = (0..40).map(|_| File::open("/proc/self/status").unwrap()).collect();
    agree(&meters, "process.unix.file_descriptor.count", files);
    assert!(meters.value("process.unix.file_descriptor.count") >= 40.0);
    drop(opened);

    let block = black_box(vec![1_u8; 64 << 20]);
    let memory = meters.until("memory", |read| value(read, "process.memory.usage") >= block.len() as f64);
    for (name, key) in [("process.memory.usage", "VmRSS"), ("process.memory.virtual", "VmSize")] {
        let (ours, theirs) = (value(&memory, name), status(key) * 1_024.0);
        // Other tests run beside this one.
        assert!((ours / theirs - 1.0).abs() < 0.5, "{name}: {ours}, but the system says {theirs}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn cpu_time_is_what_the_system_says_and_never_goes_back() {
    // User's and system's, in ticks.
    let look = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
        [fields[11], fields[12]].map(|ticks| ticks.parse::<f64>().unwrap())
    };
    let hertz = std::process::Command::new("getconf").arg("CLK_TCK").output().unwrap().stdout;
    let hertz: f64 = String::from_utf8(hertz).unwrap().trim().parse().unwrap();
    let meters = Meters::new();
    let _guard = RuntimeMetrics::new().observe(&meters.provider);
    let mut last = [0.0, 0.0];
    let start = Instant::now();
    let mut readings = 0;
    // A busy machine gives this thread less of the CPU than it would burn.
    while readings < 5 || last[0] < 0.1 {
        assert!(start.elapsed() < PATIENCE, "{last:?} after {readings} readings");
        readings += 1;
        let before = look();
        burn(Duration::from_millis(120));
        let time = &meters.read()["process.cpu.time"];
        let after = look();
        let time = ["user", "system"].map(|mode| time.values[&format!("cpu.mode={mode}")]);
        for mode in [0, 1] {
            let ticks = (time[mode] * hertz).round();
            let between = before[mode]..=after[mode];
            assert!(between.contains(&ticks), "{ticks} is not within {between:?}");
            assert!(time[mode] >= last[mode], "{time:?} after {last:?}");
        }
        last = time;
    }
}

#[test]
fn a_busy_process_has_a_share_of_the_cpu() {
    let meters = Meters::new();
    let _guard = RuntimeMetrics::new().observe(&meters.provider);
    let cpus = std::thread::available_parallelism().unwrap().get() as f64;
    let start = Instant::now();
    let mut before = meters.read();
    loop {
        burn(Duration::from_millis(150));
        let read = meters.read();
        let passed = |name| value(&read, name) - value(&before, name);
        let expected = passed("process.cpu.time") / passed("process.uptime") / cpus;
        let share = &read["process.cpu.utilization"].values;
        let total: f64 = share.values().sum();
        assert!((0.0..=1.0001 * share.len() as f64).contains(&total), "{share:?}");
        // A reading takes the time more than once, and a busy machine may let it wait between.
        if total > 0.0 && (total / expected - 1.0).abs() < 0.05 {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{share:?} instead of {expected}");
        before = read;
    }
}

#[test]
fn uptime_goes_with_the_clock() {
    let meters = Meters::new();
    let _guard = RuntimeMetrics::new().observe(&meters.provider);
    let (clock, before) = (Instant::now(), meters.value("process.uptime"));
    assert!((0.0..3_600.0).contains(&before), "this test has just begun: {before}");
    burn(Duration::from_millis(300));
    let (after, passed) = (meters.value("process.uptime"), clock.elapsed().as_secs_f64());
    assert!(after - before >= 0.15 && after - before <= passed + 0.2, "{before} and then {after}");
}

fn runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

#[test]
fn workers_and_tasks_are_counted() {
    let (meters, runtime) = (Meters::new(), runtime(3));
    let _guard = RuntimeMetrics::new().runtime_handle(runtime.handle().clone()).observe(&meters.provider);
    let tasks: Vec<_> = (0..50).map(|_| runtime.spawn(pending::<()>())).collect();
    let read = meters.until("50 tasks", |read| value(read, "tokio.task.count") == 50.0);
    assert_eq!(value(&read, "tokio.worker.count"), 3.0);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    meters.until("no task", |read| value(read, "tokio.task.count") == 0.0);
}

#[test]
fn busy_workers_and_parks_are_seen() {
    let (meters, runtime) = (Meters::new(), runtime(2));
    let _guard = RuntimeMetrics::new().runtime_handle(runtime.handle().clone()).observe(&meters.provider);
    let before = meters.read();
    runtime.block_on(async {
        tokio::spawn(async { burn(Duration::from_millis(200)) }).await.unwrap();
    });
    let grown = |read: &BTreeMap<String, Read>, name| value(read, name) - value(&before, name);
    let read = meters.until("a park after the work", |read| {
        grown(read, "tokio.worker.busy.time") >= 0.2 && grown(read, "tokio.worker.park.count") >= 1.0
    });
    // A reading between may have had the work in its share.
    let share = value(&read, "tokio.worker.utilization");
    assert!((0.0..=1.0).contains(&share), "{share}");
}

#[test]
fn what_waits_for_a_runtime_that_does_not_run_is_in_its_queue() {
    let meters = Meters::new();
    let runtime = Builder::new_current_thread().build().unwrap();
    let _guard = RuntimeMetrics::new().runtime_handle(runtime.handle().clone()).observe(&meters.provider);
    let tasks: Vec<_> = (0..7).map(|_| runtime.spawn(async {})).collect();
    let read = meters.until("7 tasks in the queue", |read| value(read, "tokio.global_queue.depth") == 7.0);
    assert_eq!((value(&read, "tokio.task.count"), value(&read, "tokio.worker.count")), (7.0, 1.0));
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    meters.until("an empty queue", |read| value(read, "tokio.global_queue.depth") == 0.0);
}

#[cfg(tokio_unstable)]
#[test]
fn polls_and_the_blocking_pool_are_seen_where_tokio_tells() {
    let (meters, runtime) = (Meters::new(), runtime(1));
    let _guard = RuntimeMetrics::new().runtime_handle(runtime.handle().clone()).observe(&meters.provider);
    let before = value(&meters.read(), "tokio.task.poll.count");
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let blocking = runtime.spawn_blocking(move || wait.recv());
    let read = meters.until("a thread that blocks", |read| {
        let [all, idle] = ["count", "idle"].map(|of| value(read, &format!("tokio.blocking.thread.{of}")));
        all - idle == 1.0
    });
    assert_eq!(value(&read, "tokio.blocking.queue.depth"), 0.0);
    drop(release);
    assert!(runtime.block_on(blocking).unwrap().is_err());
    meters.until("a thread without work", |read| value(read, "tokio.blocking.thread.idle") >= 1.0);

    let work = runtime.spawn(async {
        for _ in 0..50 {
            burn(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
        // They wait in the only worker's own queue until it polls its next task.
        let behind: Vec<_> = (0..20).map(|_| tokio::spawn(async {})).collect();
        burn(Duration::from_millis(150));
        let handle = tokio::runtime::Handle::current();
        (behind.len(), handle.metrics().worker_local_queue_depth(0))
    });
    let (behind, queued) = runtime.block_on(work).unwrap();
    assert!(queued > 0 && queued <= behind, "{queued} of {behind}");
    let read = meters.until("polls", |read| value(read, "tokio.task.poll.count") - before >= 50.0);
    let mean = value(&read, "tokio.task.poll.mean_time");
    assert!(mean > 0.0 && mean < 1.0, "{mean}");
}

#[tokio::test]
async fn the_runtime_in_which_it_begins_is_looked_at() {
    let meters = Meters::new();
    let _guard = RuntimeMetrics::new().observe(&meters.provider);
    let _task = tokio::spawn(pending::<()>());
    let read = meters.until("the task", |read| value(read, "tokio.task.count") == 1.0);
    assert_eq!(value(&read, "tokio.worker.count"), 1.0);
}

#[test]
fn without_a_runtime_there_is_the_process_alone_until_one_is_named() {
    let meters = Meters::new();
    let guard = RuntimeMetrics::new().observe(&meters.provider);
    let read = meters.read();
    assert!(!read.keys().any(|name| name.starts_with("tokio.")), "{read:#?}");
    assert!(value(&read, "process.memory.usage") > 0.0);

    let runtime = runtime(2);
    guard.runtime_handle(runtime.handle().clone());
    assert_eq!(meters.value("tokio.worker.count"), 2.0);
}

#[test]
fn a_runtime_that_has_ended_leaves_its_last_figures() {
    let (meters, runtime) = (Meters::new(), runtime(2));
    let _guard = RuntimeMetrics::new().runtime_handle(runtime.handle().clone()).observe(&meters.provider);
    let _tasks: Vec<_> = (0..5).map(|_| runtime.spawn(pending::<()>())).collect();
    meters.until("5 tasks", |read| value(read, "tokio.task.count") == 5.0);
    drop(runtime);
    let read = meters.until("no task", |read| value(read, "tokio.task.count") == 0.0);
    assert_eq!(value(&read, "tokio.worker.count"), 2.0);
    assert!(value(&read, "process.uptime") > 0.0);
}

#[test]
fn a_reading_that_is_young_enough_serves_again() {
    let meters = Meters::new();
    let _guard = RuntimeMetrics::new().interval(Duration::from_secs(3_600)).observe(&meters.provider);
    let before = meters.value("process.uptime");
    burn(Duration::from_millis(150));
    assert_eq!(meters.value("process.uptime"), before);
}

#[test]
fn after_the_guard_nothing_is_measured() {
    let meters = Meters::new();
    let guard = RuntimeMetrics::new().observe(&meters.provider);
    assert!(!meters.read().is_empty());
    drop(guard);
    let values: Vec<_> = meters.read().into_values().flat_map(|read| read.values).collect();
    assert_eq!(values, []);
}

/// It lives as long as the provider that has it.
struct Marked(#[expect(dead_code, reason = "it is counted")] Arc<()>);

impl PushMetricExporter for Marked {
    async fn export(&self, _metrics: &ResourceMetrics) -> OTelSdkResult {
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

#[test]
fn the_instruments_keep_no_provider_alive() {
    let mark = Arc::new(());
    let provider = SdkMeterProvider::builder().with_periodic_exporter(Marked(mark.clone())).build();
    let guard = RuntimeMetrics::new().observe(&provider);
    provider.force_flush().unwrap();
    drop(provider);
    let start = Instant::now();
    while Arc::strong_count(&mark) > 1 {
        assert!(start.elapsed() < PATIENCE, "the provider is still there");
        std::thread::yield_now();
    }
    drop(guard);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telemetry_measures_until_its_guard_goes() {
    let exporter = InMemoryMetricExporter::default();
    let telemetry = Telemetry::from_vars(|name| name.ends_with("_EXPORTER").then(|| "none".to_owned()));
    let parts = telemetry.metric_exporter(exporter.clone()).runtime_metrics(None).build().unwrap();
    let provider = parts.meter_provider().clone();
    let guard = parts.guard();
    guard.flush().unwrap();
    let read = all(exporter.get_finished_metrics().unwrap().last().unwrap());
    assert_eq!(value(&read, "tokio.worker.count"), 2.0);
    exporter.reset();
    guard.shutdown().unwrap();
    let last = exporter.get_finished_metrics().unwrap();
    assert!(last.last().is_some_and(|export| value(&all(export), "process.uptime") > 0.0), "{last:?}");
    drop(provider);
}

#[test]
fn telemetry_that_is_set_up_before_the_runtime_can_be_told_of_it() {
    let exporter = InMemoryMetricExporter::default();
    let telemetry = Telemetry::from_vars(|name| name.ends_with("_EXPORTER").then(|| "none".to_owned()));
    let telemetry = telemetry.metric_exporter(exporter.clone()).runtime_metrics(None);
    let guard = telemetry.build().unwrap().guard();
    let runtime = runtime(2);
    guard.parts().runtime_handle(runtime.handle().clone());
    guard.flush().unwrap();
    let read = all(exporter.get_finished_metrics().unwrap().last().unwrap());
    assert_eq!(value(&read, "tokio.worker.count"), 2.0);
}

/// The polls of a request, and their time: `(fast, slow)`.
async fn polls(layer: PollsLayer) -> [(f64, f64); 2] {
    let meters = Meters::new();
    let handler = async || {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        burn(Duration::from_millis(30));
    };
    let app = Router::new().route("/", on_get(handler)).layer(layer.meter_provider(meters.provider.clone()));
    get(serve_axum(app).await, "/").await;
    let read = meters.read();
    ["otelhttp.server.poll.count", "otelhttp.server.poll.time"].map(|name| {
        let values = &read[name].values;
        (values["otelhttp.poll.slow=false"], values["otelhttp.poll.slow=true"])
    })
}

#[tokio::test]
async fn a_poll_that_keeps_its_worker_is_slow() {
    let [(fast, slow), (fast_time, slow_time)] =
        polls(PollsLayer::new().threshold(Duration::from_millis(25))).await;
    assert_eq!(fast + slow, 4.0);
    assert!(slow >= 1.0 && slow_time >= 0.03, "{slow} slow polls took {slow_time} s");
    assert!(fast_time < 0.025 * fast.max(1.0), "{fast} fast polls took {fast_time} s");
}

#[tokio::test]
async fn a_poll_is_as_slow_as_the_threshold_says() {
    let [(fast, slow), (_, slow_time)] = polls(PollsLayer::new().threshold(Duration::from_secs(3_600))).await;
    assert_eq!((fast, slow, slow_time), (4.0, 0.0, 0.0));
}

/// A service that is polled once for each call.
fn ready(layer: &PollsLayer) -> impl FnMut() + use<> {
    let mut service = layer.layer(tower::service_fn(|()| async { Ok::<_, std::convert::Infallible>(()) }));
    move || service.call(()).now_or_never().unwrap().unwrap()
}

#[test]
fn the_polls_of_several_layers_are_added_up() {
    let meters = Meters::new();
    let layer =
        || PollsLayer::new().threshold(Duration::from_secs(3_600)).meter_provider(meters.provider.clone());
    let first = layer();
    let always_slow = first.clone().threshold(Duration::ZERO);
    for (layer, calls) in [(&first, 100), (&layer(), 7), (&always_slow, 50)] {
        let mut call = ready(layer);
        (0..calls).for_each(|_| call());
    }
    let read = meters.read();
    let values = &read["otelhttp.server.poll.count"].values;
    let expected = [("otelhttp.poll.slow=false", 107.0), ("otelhttp.poll.slow=true", 50.0)];
    assert_eq!(*values, expected.map(|(slow, count)| (slow.to_owned(), count)).into());
}

#[tokio::test]
async fn counting_the_polls_of_a_request_costs_no_allocation() {
    let meters = Meters::new();
    let mut call = ready(&PollsLayer::new().meter_provider(meters.provider.clone()));
    // The first makes the instruments.
    call();
    assert_eq!(allocation_counter::measure(call).count_total, 0);
}
