use std::collections::HashMap;

use super::live::SECONDS;
use super::metrics::{Data, Identity, Instrument, Point, Series, Shape};
use super::{Limits, Live, Store};

const SECOND: u64 = 1_000_000_000;
/// A measurement that is older says nothing about a second.
pub(crate) const FRESH: u64 = 120 * SECOND;

/// What the tiles are made of, copied out of the store, so that nobody waits while they are made.
#[derive(Debug)]
pub(crate) struct Recent {
    live: Live,
    revision: u64,
    limits: Limits,
    /// By the names of instruments, as they are asked for: those of one name are one here, however many there are.
    series: Vec<(&'static str, Vec<Measured>)>,
    /// How many rows were looked at.
    pub(crate) scanned: u64,
}

/// When one series said what, as far as that is a number.
type Measured = Vec<(u64, Option<f64>)>;

impl Store {
    /// The seconds, and what these instruments measured in them.
    pub(crate) fn recent(&self, names: &[&'static str], now: u64) -> Recent {
        let since = now.saturating_sub((SECONDS + 1) * SECOND + FRESH);
        let named = |name| self.metrics.named(name).flat_map(|(_, instrument)| instrument.series.values());
        let points: usize = names.iter().flat_map(|name| named(name)).map(|series| series.points.len()).sum();
        let rows = points + self.live.seconds().count() + self.live.failures().count();
        Recent {
            live: self.live.clone(),
            revision: self.revision,
            limits: self.limits,
            series: names.iter().map(|name| (*name, measured(named(name), since))).collect(),
            scanned: rows as u64,
        }
    }
}

fn measured<'a>(series: impl Iterator<Item = &'a Series>, since: u64) -> Vec<Measured> {
    let number = |point: &Point| match &point.data {
        Data::Number(number) => (point.time, Some(*number)),
        Data::Distribution(_) => (point.time, None),
    };
    let recent =
        |series: &Series| series.points.iter().filter(|point| point.time >= since).map(number).collect();
    series.filter(|series| series.is_level()).map(recent).collect()
}

impl Recent {
    /// A store with nothing else in it. Of each name it has one series, whose points are the sums at the ends of the
    /// seconds: to sum them up for each second anew would take as many looks as there are points, for each.
    pub(crate) fn into_store(self) -> Store {
        let ends: Vec<u64> =
            self.live.seconds().map(|second| (second.time + 1).saturating_mul(SECOND)).collect();
        let mut store = Store { live: self.live, revision: self.revision, ..Store::new(self.limits) };
        for (name, series) in self.series {
            let mut sums = vec![None; ends.len()];
            series.into_iter().for_each(|measured| add(&mut sums, &ends, measured));
            let points = ends.iter().zip(sums).map(|(end, sum)| Point { time: *end, data: data(sum) });
            let series = HashMap::from([(0, Series::summed(points.collect()))]);
            let identity = Identity { name: name.into(), shape: Shape::Gauge, unit: "".into() };
            store.metrics.instruments.insert(identity, Instrument::new("".into(), series));
        }
        store
    }
}

/// What was not measured is a point too, or an older one would be taken for it.
fn data(sum: Option<f64>) -> Data {
    sum.map_or_else(|| Data::Distribution(Box::default()), Data::Number)
}

/// Adds what a series had said last at each of these times.
fn add(sums: &mut [Option<f64>], ends: &[u64], mut measured: Measured) {
    measured.sort_by_key(|(time, _)| *time);
    let mut said = measured.into_iter().peekable();
    let mut last = None;
    for (sum, end) in sums.iter_mut().zip(ends) {
        while let Some(next) = said.next_if(|(time, _)| time <= end) {
            last = Some(next);
        }
        let number =
            last.filter(|(time, _)| time.saturating_add(FRESH) >= *end).and_then(|(_, number)| number);
        if let Some(number) = number {
            *sum = Some(sum.unwrap_or(0.0) + number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attribute, Attributes, Value};
    use crate::query;
    use crate::store::{Course, Header, Measurement, Shape, measured};

    const NOW: u64 = 1_764_417_067 * SECOND;
    const GAUGE: &str = "process.memory.usage";

    fn attribute(key: &str, value: &str) -> Attributes {
        [Attribute { key: key.into(), value: Value::Text(value.into()) }].into()
    }

    fn measure(store: &mut Store, name: &str, attributes: Attributes, time: u64, number: f64) {
        let measurement = Measurement { attributes, ..measured::measurement(time, number) };
        assert!(store.measure(&measured::header(name), measurement));
    }

    /// Some that are dense, some that are not, some that are idle, and some that end.
    fn filled() -> Store {
        let mut store = Store::new(Limits::DEFAULT);
        for series in 0..20_u64 {
            for second in (series..300).rev().step_by(series as usize + 1) {
                let time = NOW - second * SECOND - series * 7_000_000;
                measure(
                    &mut store,
                    GAUGE,
                    attribute("n", &series.to_string()),
                    time,
                    (series * second) as f64,
                );
            }
        }
        for second in [250, 20] {
            measure(
                &mut store,
                "http.server.active_requests",
                attribute("n", "1"),
                NOW - second * SECOND,
                3.0,
            );
            measure(&mut store, "tokio.worker.utilization", attribute("n", "1"), NOW - second * SECOND, 0.25);
        }
        for (mode, second) in [("user", 290), ("user", 200), ("idle", 3), ("user", 3)] {
            let name = "process.cpu.utilization";
            measure(&mut store, name, attribute("cpu.mode", mode), NOW - second * SECOND, 0.5);
        }
        store.live.advance(NOW);
        store
    }

    /// The answer is that of the whole store, whichever of its rows it takes.
    #[test]
    fn the_seconds_are_the_same_without_the_rest_of_the_store() {
        let mut store = filled();
        let running = Limits::DEFAULT.new_running();
        let written = |store: &mut Store| {
            serde_json::to_value(query::history(store, &running, NOW)).expect("it is plain")
        };
        let recent = store.recent(&query::MEASURED, NOW).into_store();
        let (all, few) = (written(&mut store), written(&mut { recent }));
        let ticks = |of: &serde_json::Value| of["ticks"].as_array().expect("it is a list").clone();
        let (all, few) = (ticks(&all), ticks(&few));
        assert_eq!(all.len(), SECONDS as usize - 1);
        for (one, other) in all.iter().zip(&few) {
            assert_eq!(one, other);
        }
        let latest = all[all.len() - 2].as_object().expect("it is an object");
        for tile in ["inFlight", "cpu", "memory", "busy"] {
            assert!(latest[tile].is_number(), "{tile}: {latest:?}");
        }
        let cpu = |second: usize| all[all.len() - second]["cpu"].as_f64();
        assert_eq!([295, 285, 100, 60, 2].map(cpu), [None, Some(0.5), Some(0.5), None, Some(0.5)]);
    }

    /// What is told in deltas is how much changed, and not how much there is.
    #[test]
    fn a_delta_is_not_taken_for_a_level() {
        let name = "http.server.active_requests";
        let mut store = Store::new(Limits::DEFAULT);
        measure(&mut store, name, attribute("n", "1"), NOW - 20 * SECOND, 3.0);
        let level = measured::header(name);
        let course = Course { is_monotonic: false, is_cumulative: Some(false) };
        let identity = Identity { shape: Shape::Sum, ..level.identity.clone() };
        let delta = Header { course, identity, ..level };
        assert!(store.measure(&delta, measured::measurement(NOW - 10 * SECOND, 100.0)));
        store.live.advance(NOW);
        let running = Limits::DEFAULT.new_running();
        let recent = store.recent(&query::MEASURED, NOW).into_store();
        for mut store in [store, recent] {
            let history =
                serde_json::to_value(query::history(&mut store, &running, NOW)).expect("it is plain");
            assert_eq!(history["ticks"][SECONDS as usize - 5]["inFlight"], 3.0);
        }
    }

    /// However many series there are, a second has one point.
    #[test]
    fn many_series_become_one() {
        let mut store = Store::new(Limits::DEFAULT);
        for series in 0..2_000 {
            (0..5)
                .for_each(|n| measure(&mut store, GAUGE, attribute("n", &series.to_string()), NOW - n, 1.0));
        }
        store.live.advance(NOW);
        let recent = store.recent(&[GAUGE], NOW);
        assert_eq!(recent.scanned, 10_000 + SECONDS);
        let recent = recent.into_store();
        let (_, instrument) = recent.metrics.named(GAUGE).next().expect("it is there");
        let series = &instrument.series;
        let points: usize = series.values().map(|series| series.points.len()).sum();
        assert_eq!((series.len(), points), (1, SECONDS as usize));
    }

    /// Nor do instruments of one name that differ in the rest take a point for each second.
    #[test]
    fn many_units_become_one() {
        let mut store = Store::new(Limits::DEFAULT);
        for unit in 0..2_000 {
            let gauge = measured::header(GAUGE);
            let identity = Identity { unit: unit.to_string().into(), ..gauge.identity };
            let header = Header { identity, ..gauge };
            assert!(store.measure(&header, measured::measurement(NOW - SECOND, 1.0)));
        }
        store.live.advance(NOW);
        let recent = store.recent(&[GAUGE], NOW).into_store();
        let instruments = recent.metrics.named(GAUGE);
        let series: Vec<&Series> = instruments.flat_map(|(_, of)| of.series.values()).collect();
        let points: usize = series.iter().map(|series| series.points.len()).sum();
        assert_eq!((series.len(), points), (1, SECONDS as usize));
        let last = series[0].points.back().map(|point| &point.data);
        assert!(matches!(last, Some(Data::Number(2_000.0))), "{last:?}");
    }
}
