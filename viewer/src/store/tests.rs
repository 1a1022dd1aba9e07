use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use opentelemetry::trace::SpanId;
use proptest::prelude::*;

use super::*;
use crate::model::{Attribute, Kind, Resource, Scope, Status, Value};

const SECOND: u64 = 1_000_000_000;

/// A span in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Made {
    trace: u128,
    id: u64,
    parent: u64,
    name: u8,
    duration: u64,
    is_error: bool,
    text: usize,
}

impl Made {
    fn span(self, store: &mut Store) -> Span {
        let mut draft = Draft::new(&mut store.interner);
        let resource = Resource { service: "shop".into(), attributes: [].into() };
        let scope =
            Scope { name: "".into(), version: "".into(), schema_url: "".into(), attributes: [].into() };
        let value = draft.text(&format!("{}-{}-{}", self.trace, self.id, "x".repeat(self.text)));
        let attribute = Attribute { key: draft.text("key"), value: Value::Text(value) };
        draft.owns(shared::<Attribute>(1));
        Span {
            id: SpanId::from(self.id),
            parent: SpanId::from(self.parent),
            remote: None,
            kind: Kind::Server,
            status: if self.is_error { Status::Error } else { Status::Unset },
            start: SECOND,
            end: SECOND + self.duration,
            name: draft.text(["a", "b", "c"][usize::from(self.name % 3)]),
            message: None,
            resource: Arc::new(resource),
            scope: Arc::new(scope),
            attributes: [attribute].into(),
            more: None,
            cost: draft.cost() as u32,
        }
    }

    fn insert(self, store: &mut Store) -> bool {
        let span = self.span(store);
        store.insert(TraceId::from(self.trace), span, SECOND)
    }
}

fn made() -> impl Strategy<Value = Made> {
    let ids = (1u128..40, 1u64..30, 0u64..30);
    let rest = (any::<u8>(), 0u64..2_000_000_000, prop::bool::weighted(0.1), 0usize..3_000);
    (ids, rest).prop_map(|((trace, id, parent), (name, duration, is_error, text))| Made {
        trace,
        id,
        parent,
        name,
        duration,
        is_error,
        text,
    })
}

fn limits(spans: usize) -> Limits {
    Limits { bytes: Limits::LEAST, spans, spans_per_trace: 20, ..Limits::DEFAULT }
}

/// The spans that are there, by their traces.
fn held(store: &Store) -> HashSet<(TraceId, SpanId)> {
    store.traces.iter().flat_map(|trace| trace.spans.iter().map(|span| (trace.id, span.id))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_is_never_past_its_bounds(spans in prop::collection::vec(made(), 1..400), most in 1usize..60) {
        let mut store = Store::new(limits(most));
        for made in spans {
            made.insert(&mut store);
            prop_assert!(store.traces.spans() <= most.max(1));
            prop_assert!(store.bytes() <= store.limits.kept());
            prop_assert!(store.traces.iter().all(|trace| trace.spans.len() <= 20));
        }
    }

    /// Children before parents, late ones, doubled ones, parents that never come.
    #[test]
    fn in_any_order_the_same_is_there(spans in prop::collection::vec(made(), 1..200), seed in any::<u64>()) {
        let mut distinct: HashMap<(u128, u64), Made> = HashMap::new();
        spans.iter().for_each(|made| {
            distinct.entry((made.trace, made.id)).or_insert(*made);
        });
        let mut shuffled: Vec<Made> = distinct.values().copied().chain(distinct.values().copied()).collect();
        shuffled.sort_by_key(|made| (made.trace as u64 ^ made.id << 7 ^ made.duration).wrapping_mul(seed | 1));
        let mut store = Store::new(Limits { spans_per_trace: 1_000, ..limits(10_000) });
        shuffled.iter().for_each(|made| assert!(made.insert(&mut store)));
        let expected = distinct.keys().map(|(trace, id)| (TraceId::from(*trace), SpanId::from(*id))).collect();
        prop_assert_eq!(held(&store), expected);
        prop_assert_eq!((store.evicted().spans, store.dropped.spans), (0, 0));
    }

    /// What is gone is accounted for, and what is there was offered.
    #[test]
    fn nothing_is_lost_without_being_counted(spans in prop::collection::vec(made(), 1..400), most in 1usize..60) {
        let mut store = Store::new(limits(most));
        let mut duplicates = 0;
        for made in &spans {
            let id = (TraceId::from(made.trace), SpanId::from(made.id));
            duplicates += u64::from(held(&store).contains(&id));
            made.insert(&mut store);
        }
        let gone = store.evicted().spans + store.dropped.spans + duplicates;
        prop_assert_eq!(store.traces.spans() as u64 + gone, spans.len() as u64);
        prop_assert_eq!(store.received.spans, spans.len() as u64);
        let offered: HashSet<_> = spans.iter().map(|made| (TraceId::from(made.trace), SpanId::from(made.id))).collect();
        prop_assert!(held(&store).is_subset(&offered));
    }

    /// Of traces without samples the oldest go, and none of the others.
    #[test]
    fn the_oldest_go_first(count in 200u128..400, most in 60usize..100) {
        let mut store = Store::new(limits(most));
        (1..=count).for_each(|trace| assert!(quick(trace).insert(&mut store)));
        let newest: Vec<u128> = (1..=count).rev().take(store.traces.recent().count()).collect();
        let recent: Vec<TraceId> = store.traces.recent().map(|trace| trace.id).collect();
        prop_assert_eq!(recent, newest.into_iter().map(TraceId::from).collect::<Vec<_>>());
        prop_assert_eq!(store.traces.spans(), most);
    }

    /// The counts that are kept agree with what is there, whatever has come and gone.
    #[test]
    fn what_is_counted_is_there(spans in prop::collection::vec(made(), 1..400), most in 1usize..60) {
        let mut store = Store::new(limits(most));
        spans.iter().for_each(|made| {
            made.insert(&mut store);
        });
        prop_assert_eq!(store.traces.spans(), store.traces.iter().map(|trace| trace.spans.len()).sum::<usize>());
        prop_assert_eq!(store.traces.len(), store.traces.iter().count());
        prop_assert_eq!(store.traces.kept_count(), store.traces.kept().count());
        prop_assert!(store.traces.iter().all(|trace| store.traces.get(trace.id).is_some_and(|it| it.sequence == trace.sequence)));
        prop_assert!(store.traces.kept().all(|trace| trace.pins > 0), "a trace is kept without a sample");
        // Each sample is of a trace that is there.
        for key in spans.iter().map(|made| Key::of(&made.span(&mut Store::new(limits(1))))) {
            let samples = store.traces.operations.get(&key);
            let all = samples.iter().flat_map(|samples| {
                samples.slowest.iter().map(|(_, sample)| sample).chain(&samples.failed).chain(samples.buckets.iter().flatten())
            });
            for sample in all {
                prop_assert!(store.traces.get(sample.trace).is_some_and(|trace| trace.spans.iter().any(|s| s.id == sample.span)));
            }
        }
    }
}

fn quick(trace: u128) -> Made {
    Made { trace, id: 1, parent: 0, name: 0, duration: 50, is_error: false, text: 0 }
}

#[test]
fn the_slow_and_the_failed_stay_longer() {
    let mut store = Store::new(limits(100));
    let slow = Made { duration: 3 * SECOND, ..quick(1) };
    let failed = Made { is_error: true, ..quick(2) };
    [slow, failed].into_iter().for_each(|made| assert!(made.insert(&mut store)));
    (10..2_000).for_each(|trace| assert!(quick(trace).insert(&mut store)));
    for trace in [1, 2] {
        assert!(store.traces.get(TraceId::from(trace)).is_some_and(|trace| trace.is_kept), "{trace}");
    }
    // Ten that are slower and ten that failed later take their places; the ages of latency are the newest of each.
    (2_000..2_020).for_each(|trace| {
        let made = Made { duration: 4 * SECOND, is_error: true, ..quick(trace) };
        assert!(made.insert(&mut store));
    });
    (3_000..4_000).for_each(|trace| assert!(quick(trace).insert(&mut store)));
    for trace in [1, 2] {
        assert!(store.traces.get(TraceId::from(trace)).is_none(), "{trace}");
    }
}

/// From so many spans on, ids are looked up in a table.
#[test]
fn a_large_trace_is_the_same_in_any_order() {
    let span = |id: u64| Made { id, duration: id * 31 % 97, ..quick(1) };
    let mut orders = [(1..=96).collect::<Vec<u64>>(), (1..=96).rev().collect()];
    orders.iter_mut().for_each(|order| order.extend(1..=96));
    for order in orders {
        let mut store = Store::new(Limits { spans_per_trace: 1_000, ..limits(1_000) });
        assert!(order.iter().all(|id| span(*id).insert(&mut store)));
        let trace = store.traces.get(TraceId::from(1)).unwrap();
        let distinct: HashSet<SpanId> = trace.spans.iter().map(|span| span.id).collect();
        assert_eq!((trace.spans.len(), distinct.len()), (96, 96));
        assert_eq!((trace.start, trace.end), (SECOND, SECOND + 96));
    }
}

#[test]
fn a_trace_that_is_full_refuses_and_says_so() {
    let mut store = Store::new(limits(1_000));
    let taken = (1..=25).filter(|id| Made { id: *id, ..quick(1) }.insert(&mut store)).count();
    assert_eq!(taken, 20);
    let trace = store.traces.get(TraceId::from(1)).unwrap();
    assert_eq!((trace.spans.len(), trace.refused, store.dropped.spans), (20, 5, 5));
}

#[test]
fn a_trace_does_not_push_out_all_others() {
    let mut store = Store::new(Limits { spans_per_trace: usize::MAX, spans: usize::MAX, ..limits(0) });
    quick(1).insert(&mut store);
    let large = |id| Made { id, text: 2_900, ..quick(2) };
    (1..5_000).for_each(|id| {
        large(id).insert(&mut store);
    });
    assert!(store.traces.get(TraceId::from(1)).is_some());
    assert!(store.dropped.spans > 0);
}

/// A kept trace goes when its last sample is replaced, and its place has another before its turn in the list has come.
#[test]
fn a_place_that_has_another_trace_is_not_taken_for_the_one_that_was_kept() {
    let mut store = Store::new(limits(100));
    let slow = |trace, duration| Made { duration, ..quick(trace) };
    (1..=10).for_each(|trace| assert!(slow(trace, 2 * SECOND).insert(&mut store)));
    (100..400).for_each(|trace| assert!(quick(trace).insert(&mut store)));
    assert!(store.traces.get(TraceId::from(1)).is_some_and(|trace| trace.is_kept));
    // These take the samples, and with the traces that come after them the places.
    (11..=30).for_each(|trace| assert!(slow(trace, 3 * SECOND).insert(&mut store)));
    assert!(store.traces.get(TraceId::from(1)).is_none());
    (400..450).for_each(|trace| assert!(quick(trace).insert(&mut store)));
    assert!(store.traces.stale() > 0, "nothing is tested");
    assert!(store.traces.kept().all(|trace| trace.is_kept));
    let newest = TraceId::from(449);
    let recent: Vec<TraceId> = store.traces.recent().map(|trace| trace.id).collect();
    while store.traces.kept_count() > 0 {
        assert!(store.traces.evict_kept());
    }
    assert!(!store.traces.evict_kept() && store.traces.get(newest).is_some());
    assert_eq!(store.traces.recent().map(|trace| trace.id).collect::<Vec<_>>(), recent);
}

/// Those that are gone have no end, if the oldest of those that are kept stays for ever.
#[test]
fn the_list_of_the_kept_does_not_grow_by_those_that_are_gone() {
    let mut store = Store::new(limits(60));
    let slow = |trace| Made { duration: SECOND, ..quick(trace) };
    assert!(Made { name: 1, ..slow(1) }.insert(&mut store));
    let mut most = 0;
    // Each is kept as one of the newest of its operation, until four are newer.
    for round in 1..=300 {
        assert!(slow(round * 100).insert(&mut store));
        (1..70).for_each(|other| assert!(Made { name: 2, ..quick(round * 100 + other) }.insert(&mut store)));
        most = most.max(store.traces.stale());
        assert!(store.traces.stale() <= store.traces.kept_count() + 64, "{most}");
    }
    assert!(most > 32, "nothing is tested: {most}");
    assert!(store.traces.get(TraceId::from(1)).is_some_and(|trace| trace.is_kept));
}

#[test]
fn what_is_kept_as_a_sample_has_its_share() {
    let mut store = Store::new(limits(1_000));
    for trace in 1..3_000 {
        let span = Made { text: 9_000, ..quick(trace) }.span(&mut store);
        let name = format!("{}", trace % 30).into();
        assert!(store.insert(TraceId::from(trace), Span { name, ..span }, SECOND));
        let kept: usize = store.traces.kept().map(Trace::bytes).sum();
        assert!(kept <= store.limits.kept() / 4, "{kept} bytes");
    }
    assert!(store.traces.kept_count() > 10);
    assert_eq!(store.traces.len(), store.traces.iter().count());
}

/// It would push out all that are kept.
#[test]
fn a_trace_larger_than_that_share_is_not_kept() {
    let mut store = Store::new(limits(200));
    assert!(Made { duration: 3 * SECOND, ..quick(1) }.insert(&mut store));
    let large = |id| Made { id, name: 1, duration: 4 * SECOND, text: 60_000, ..quick(2) };
    assert!((1..=20).all(|id| large(id).insert(&mut store)));
    assert!(store.traces.get(TraceId::from(2)).unwrap().bytes() > store.limits.kept() / 4);
    (10..1_000).for_each(|trace| assert!(quick(trace).insert(&mut store)));
    let is_kept = |trace: u128| store.traces.get(TraceId::from(trace)).is_some_and(|trace| trace.is_kept);
    assert_eq!([1, 2].map(is_kept), [true, false]);
}

#[test]
fn what_was_cleared_is_gone_and_counted() {
    let mut store = Store::new(limits(1_000));
    let empty = store.bytes();
    (1..500).for_each(|trace| assert!(quick(trace).insert(&mut store)));
    assert!(Made { is_error: true, ..quick(500) }.insert(&mut store));
    let (received, revision) = (store.received.spans, store.revision);
    store.clear(SECOND);
    assert_eq!((store.traces.len(), store.received.spans), (0, received));
    assert!(store.revision > revision);
    assert_eq!(store.bytes(), empty);
    // Who has been told of the first failure has not been told of this one.
    assert!(Made { is_error: true, ..quick(1) }.insert(&mut store));
    assert_eq!(store.live.failures().map(|failure| failure.number).collect::<Vec<_>>(), [2]);
}

#[test]
fn metrics_and_logs_have_their_share() {
    let mut store = Store::new(Limits { points: 1_000, logs: 100, ..limits(1_000) });
    for n in 0..5_000u64 {
        let attributes = [Attribute { key: "n".into(), value: Value::Int((n % 7) as i64) }].into();
        let measurement = Measurement { attributes, cost: 100, ..measured::measurement(n, n as f64) };
        assert!(store.measure(&measured::header("n"), measurement));
        assert!(store.metrics.points() <= 1_000);
    }
    assert_eq!(store.metrics.series(), 7);
    assert_eq!(store.metrics.points() as u64 + store.evicted().points, 5_000);
    let held: usize =
        store.metrics.instruments.values().flat_map(|it| it.series.values()).map(|it| it.points.len()).sum();
    assert_eq!(held, store.metrics.points());
}

/// To look through all series for each point would take minutes for what one request may hold.
#[test]
fn many_series_are_seldom_looked_through() {
    let mut metrics = Metrics::new(1_000, 1 << 30);
    let evicting = |n: &i64| {
        let attributes = [Attribute { key: "n".into(), value: Value::Int(*n) }].into();
        let measurement = Measurement { attributes, cost: 100, ..measured::measurement(*n as u64, 1.0) };
        let evicted = metrics.push(&measured::header("n"), measurement);
        evicted.unwrap() > 0
    };
    let times = (0..10_000).filter(evicting).count();
    assert!((1..=100).contains(&times), "{times} times");
    assert!(metrics.points() > 800, "{} points", metrics.points());
}

/// The seconds go on, whatever the clock does, and late spans find theirs.
#[test]
fn the_seconds_go_on() {
    let mut live = Live::new();
    let times = |live: &Live| -> Vec<u64> { live.seconds().map(|second| second.time).collect() };
    for now in [1_000, 1_001, 1_100, 5_000, 4_990, 100] {
        live.advance(now * SECOND);
        let last = if now == 4_990 { 5_000 } else { now };
        let first = (last + 1u64).saturating_sub(300).max(1);
        assert_eq!(times(&live), (first..=last).collect::<Vec<_>>(), "{now}");
    }
    let mut store = Store::new(limits(10));
    let span = quick(1).span(&mut store);
    live.advance(250 * SECOND);
    live.add(
        TraceId::from(1),
        &Span { start: 200 * SECOND, end: 201 * SECOND, ..span.clone() },
        false,
        250 * SECOND,
    );
    live.add(TraceId::from(1), &Span { start: 200 * SECOND, end: 900 * SECOND, ..span }, false, 250 * SECOND);
    let requests: Vec<(u64, u32)> = live
        .seconds()
        .filter(|second| second.requests > 0)
        .map(|second| (second.time, second.requests))
        .collect();
    assert_eq!(requests, [(201, 1)]);
}

#[test]
fn a_second_is_told_again_when_it_has_changed() {
    let mut live = Live::new();
    live.advance(100 * SECOND);
    let new = |live: &mut Live, before| live.take_new(before).iter().map(|it| it.time).collect::<Vec<_>>();
    assert_eq!(new(&mut live, 100), [98, 99]);
    assert_eq!(new(&mut live, 101), [100]);
    assert_eq!(new(&mut live, 101), [] as [u64; 0]);
    let late = quick(1).span(&mut Store::new(limits(1)));
    live.add(TraceId::from(1), &Span { end: 99 * SECOND, ..late }, false, 100 * SECOND);
    assert_eq!(new(&mut live, 101), [99]);
}

/// They are told apart by all that their resources say, libraries by all that their scopes say.
#[test]
fn processes_and_libraries_have_series_of_their_own() {
    let resource = |process| {
        let instance = Attribute { key: "service.instance.id".into(), value: Value::Int(process) };
        Arc::new(Resource { service: "shop".into(), attributes: [instance].into() })
    };
    let scope = |name: &str, version: &str| {
        Arc::new(Scope { name: name.into(), version: version.into(), ..Scope::default() })
    };
    let mut metrics = Metrics::new(1_000, 1 << 20);
    let senders = [(1, "a", "1"), (2, "a", "1"), (1, "a", "1"), (1, "b", "1"), (1, "b", "2"), (2, "a", "1")];
    for (process, name, version) in senders {
        let sender = Sender::new(resource(process)).with(scope(name, version));
        let measurement = Measurement { sender, ..measured::measurement(1, 1.0) };
        assert_eq!(metrics.push(&measured::header("n"), measurement), Some(0));
    }
    assert_eq!((metrics.series(), metrics.points()), (4, 6));
}

#[test]
fn the_newest_log_records_stay() {
    let span = quick(1).span(&mut Store::new(limits(1)));
    let record = |time| Log {
        time,
        severity: 9,
        level: "INFO".into(),
        body: Value::Empty,
        event: None,
        trace: TraceId::INVALID,
        span: SpanId::INVALID,
        resource: span.resource.clone(),
        scope: span.scope.clone(),
        attributes: [].into(),
        cost: 1_000,
    };
    // By their number, and by what they take: half a mebibyte here.
    for (most, least, expected) in [(100, 100, 100), (10_000, 300, 600)] {
        let mut store = Store::new(Limits { logs: most, ..limits(10) });
        assert!((0..2_000).all(|time| store.log(record(time))));
        let times: Vec<u64> = store.logs.iter().map(|(_, log)| log.time).collect();
        assert!((least..=expected).contains(&times.len()), "{}", times.len());
        assert_eq!(times, (0..2_000).rev().take(times.len()).collect::<Vec<_>>());
        assert_eq!(store.evicted().logs + times.len() as u64, 2_000);
    }
}
