use serde::Serialize;

use super::micros;
use crate::store::{Data, FRESH, Failure, Running, Second, Series, Store};

const IN_FLIGHT: &str = "http.server.active_requests";
const CPU: &str = "process.cpu.utilization";
const MEMORY: &str = "process.memory.usage";
const BUSY: &str = "tokio.worker.utilization";
/// All that a second shows of what processes measure of themselves.
pub(crate) const MEASURED: [&str; 4] = [IN_FLIGHT, CPU, MEMORY, BUSY];

/// One second.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tick {
    pub(crate) time: u64,
    pub(crate) requests: u32,
    failures: u32,
    p50: Option<u64>,
    p95: Option<u64>,
    calls: u32,
    call_failures: u32,
    in_flight: Option<f64>,
    cpu: Option<f64>,
    memory: Option<f64>,
    busy: Option<f64>,
    spans: u32,
    revision: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct History {
    ticks: Vec<Tick>,
    failures: Vec<WrittenFailure>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct WrittenFailure {
    why: &'static str,
    time: u64,
    service: String,
    name: String,
    duration: u64,
    trace: String,
    span: String,
    kind: &'static str,
    message: String,
}

impl WrittenFailure {
    fn new(failure: &Failure) -> Self {
        Self {
            why: if failure.is_slow { "slow" } else { "error" },
            time: micros(failure.time),
            service: failure.service.to_string(),
            name: failure.name.to_string(),
            duration: failure.duration,
            trace: failure.trace.to_string(),
            span: failure.span.to_string(),
            kind: failure.kind.name(),
            message: failure.message.clone(),
        }
    }
}

/// The seconds that are over, and the newest failures.
pub(crate) fn history(store: &mut Store, running: &Running, now: u64) -> History {
    store.live.advance(now);
    let seconds: Vec<Second> =
        store.live.seconds().filter(|second| second.time < now / 1_000_000_000).cloned().collect();
    let ticks = seconds.iter().map(|second| tick(store, running, second, now)).collect();
    let failures = store.live.failures().rev().map(WrittenFailure::new).collect();
    History { ticks, failures }
}

/// Those that came after this number, oldest first, and the number of the last.
pub(crate) fn failures(store: &Store, after: u64) -> (Vec<WrittenFailure>, u64) {
    let new = store.live.failures().filter(|failure| failure.number > after);
    (new.map(WrittenFailure::new).collect(), store.live.failed())
}

/// What the process measures of itself is shown with the second in which it was measured, or as it was last measured.
pub(crate) fn tick(store: &Store, running: &Running, second: &Second, now: u64) -> Tick {
    let is_now = second.time + 2 >= now / 1_000_000_000;
    let until = (second.time + 1).saturating_mul(1_000_000_000);
    let served = running.iter().filter(|(_, span)| span.kind.is_served()).count();
    let measured = || sum(store, IN_FLIGHT, until);
    let in_flight = if is_now && served > 0 { Some(served as f64) } else { measured() };
    let quantile = |part: f64| second.durations.as_ref().and_then(|durations| durations.quantile(part));
    Tick {
        time: second.time * 1_000_000,
        requests: second.requests,
        failures: second.failures,
        p50: quantile(0.5),
        p95: quantile(0.95),
        calls: second.calls,
        call_failures: second.call_failures,
        in_flight: in_flight.or_else(|| (is_now && running.len() > 0).then_some(0.0)),
        cpu: sum(store, CPU, until),
        memory: sum(store, MEMORY, until),
        busy: sum(store, BUSY, until),
        spans: second.spans,
        revision: store.revision,
    }
}

/// The last values of the instruments of a name until then, over all their series.
fn sum(store: &Store, name: &str, until: u64) -> Option<f64> {
    let last = |series: &Series| {
        let mut points = series.points.iter().rev();
        let point = points.find(|point| point.time <= until && point.time.saturating_add(FRESH) >= until)?;
        match &point.data {
            Data::Number(number) => Some(*number),
            Data::Distribution(_) => None,
        }
    };
    let series = store.metrics.named(name).flat_map(|(_, instrument)| instrument.series.values());
    series.filter(|series| series.is_level()).filter_map(last).reduce(|one, other| one + other)
}
