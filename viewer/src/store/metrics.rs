mod measurement;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::size;
use crate::model::{Attributes, Resource, Scope, Text, find};

pub(crate) use measurement::{
    Course, Data, Distribution, Exemplar, Header, Identity, Measurement, Point, Sender, Shape,
};

/// The newest points of each series that are kept: ten minutes of seconds.
const POINTS: usize = 600;
const EXEMPLARS: usize = 8;

#[derive(Debug)]
pub(crate) struct Instrument {
    pub(crate) description: Text,
    pub(crate) series: HashMap<u64, Series>,
    /// What the table of them takes. It tells a lower capacity when some have gone, and is as large as before.
    table: usize,
}

impl Instrument {
    pub(super) fn new(description: Text, series: HashMap<u64, Series>) -> Self {
        let table = size::table::<(u64, Series)>(series.capacity());
        Self { description, series, table }
    }

    /// Tells by how much the table has grown.
    fn grown(&mut self) -> usize {
        let table = size::table::<(u64, Series)>(self.series.capacity()).max(self.table);
        table - std::mem::replace(&mut self.table, table)
    }
}

#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) course: Course,
    pub(crate) resource: Arc<Resource>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) attributes: Attributes,
    pub(crate) points: VecDeque<Point>,
    pub(crate) exemplars: VecDeque<Exemplar>,
    /// Of its attributes and points, on the heap.
    cost: usize,
}

/// What was measured lately.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) instruments: BTreeMap<Identity, Instrument>,
    hasher: RandomState,
    points: usize,
    bytes: usize,
    most_points: usize,
    most_bytes: usize,
}

impl Metrics {
    pub(super) fn new(most_points: usize, most_bytes: usize) -> Self {
        let (instruments, hasher) = (BTreeMap::new(), RandomState::new());
        Self { instruments, hasher, points: 0, bytes: 0, most_points, most_bytes }
    }

    /// Tells how many points had to go for it. `None`: it is too large to be kept.
    pub(super) fn push(&mut self, header: &Header, measurement: Measurement) -> Option<usize> {
        let bytes = measurement.point.bytes() + measurement.cost;
        if bytes > self.most_bytes / 16 {
            return None;
        }
        let key = self.hasher.hash_one((header.course, measurement.sender.digest, &measurement.attributes));
        if !self.instruments.contains_key(&header.identity) {
            let instrument = Instrument::new(header.description.clone(), HashMap::new());
            self.bytes += instrument_bytes(&header.identity, &instrument);
            self.instruments.insert(header.identity.clone(), instrument);
        }
        let instrument = self.instruments.get_mut(&header.identity).expect("it has just been inserted");
        let series = instrument.series.entry(key).or_insert_with(|| {
            self.bytes += measurement.cost;
            Series::new(header.course, &measurement)
        });
        let evicted = usize::from(series.points.len() == POINTS);
        let cost = series.cost;
        series.push(measurement);
        self.points += 1 - evicted;
        self.bytes += series.cost;
        self.bytes -= cost;
        self.bytes += instrument.grown();
        Some(evicted + self.bound())
    }

    /// All that have this name.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Identity, &'a Instrument)> {
        let first = Identity { name: name.into(), shape: Shape::Gauge, unit: "".into() };
        self.instruments.range(first..).take_while(move |(identity, _)| &*identity.name == name)
    }

    /// The longest series give their oldest points.
    fn bound(&mut self) -> usize {
        let mut evicted = 0;
        while self.points > self.most_points || self.bytes > self.most_bytes {
            let longest = self.longest();
            if longest.is_empty() {
                break;
            }
            evicted += longest.into_iter().map(|(identity, key)| self.shorten(&identity, key)).sum::<usize>();
        }
        evicted
    }

    /// An eighth of all series, since looking through all for each point that comes would be too much where there are many.
    fn longest(&self) -> Vec<(Identity, u64)> {
        let all = self.instruments.iter().flat_map(|(identity, instrument)| {
            let ranked = |(key, series): (&u64, &Series)| (Reverse(series.points.len()), series.last(), *key);
            instrument.series.iter().map(ranked).map(move |rank| (rank, identity))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        all.truncate(all.len().div_ceil(8));
        all.into_iter().map(|((.., key), identity)| (identity.clone(), key)).collect()
    }

    fn shorten(&mut self, identity: &Identity, key: u64) -> usize {
        let instrument = self.instruments.get_mut(identity).expect("it was just found");
        let series = instrument.series.get_mut(&key).expect("it was just found");
        let before = series.cost;
        let count = series.points.len().div_ceil(4);
        series.forget(count);
        self.points -= count;
        self.bytes -= before - series.cost;
        if series.points.is_empty() {
            self.bytes -= series.cost;
            instrument.series.remove(&key);
        }
        if instrument.series.is_empty() {
            self.bytes -= instrument.table + instrument_bytes(identity, instrument);
            self.instruments.remove(identity);
        }
        count
    }

    pub(crate) fn series(&self) -> usize {
        self.instruments.values().map(|instrument| instrument.series.len()).sum()
    }

    pub(crate) fn points(&self) -> usize {
        self.points
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// With its place in the tree, which is not full, and the texts, were they not shared.
fn instrument_bytes(identity: &Identity, instrument: &Instrument) -> usize {
    let texts = size::text(&identity.name) + size::text(&instrument.description) + size::text(&identity.unit);
    2 * size_of::<(Identity, Instrument)>() + texts
}

impl Series {
    fn new(course: Course, measurement: &Measurement) -> Self {
        Self {
            course,
            resource: measurement.sender.resource.clone(),
            scope: measurement.sender.scope.clone(),
            attributes: measurement.attributes.clone(),
            points: VecDeque::new(),
            exemplars: VecDeque::new(),
            cost: measurement.cost,
        }
    }

    /// One that stands for others, and has nothing of theirs but the sum.
    pub(super) fn summed(points: VecDeque<Point>) -> Self {
        let course = Course { is_monotonic: false, is_cumulative: None };
        let resource = Arc::new(Resource { service: "".into(), attributes: [].into() });
        let (scope, exemplars) = (Arc::default(), VecDeque::new());
        Self { course, resource, scope, attributes: [].into(), points, exemplars, cost: 0 }
    }

    fn push(&mut self, measurement: Measurement) {
        if self.points.len() == POINTS {
            self.forget(1);
        }
        let mut point = measurement.point;
        self.share_bounds(&mut point);
        let before = size::vec::<Point>(self.points.capacity());
        self.cost += point.bytes() - size_of::<Point>();
        self.points.push_back(point);
        self.cost += size::vec::<Point>(self.points.capacity()) - before;
        let before = size::vec::<Exemplar>(self.exemplars.capacity());
        for exemplar in measurement.exemplars {
            if self.exemplars.len() == EXEMPLARS {
                self.exemplars.pop_front();
            }
            self.exemplars.push_back(exemplar);
        }
        self.cost += size::vec::<Exemplar>(self.exemplars.capacity()) - before;
    }

    /// The bounds are the same in each point. They are counted with each all the same.
    fn share_bounds(&self, point: &mut Point) {
        if let (Data::Distribution(new), Some(Point { data: Data::Distribution(last), .. })) =
            (&mut point.data, self.points.back())
            && new.bounds == last.bounds
        {
            new.bounds = last.bounds.clone();
        }
    }

    fn forget(&mut self, count: usize) {
        for point in self.points.drain(..count) {
            self.cost -= point.bytes() - size_of::<Point>();
        }
    }

    /// Its last value says how much there is now: not of the time of a processor that was idle, nor of what only changed.
    pub(crate) fn is_level(&self) -> bool {
        let is_idle = find(&self.attributes, "cpu.mode").is_some_and(|mode| mode.as_text() == Some("idle"));
        !is_idle && self.course.is_cumulative != Some(false)
    }

    pub(crate) fn last(&self) -> u64 {
        self.points.back().map_or(0, |point| point.time)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A gauge.
    pub(crate) fn header(name: &str) -> Header {
        let identity = Identity { name: name.into(), shape: Shape::Gauge, unit: "".into() };
        let course = Course { is_monotonic: false, is_cumulative: None };
        Header { identity, description: "".into(), course }
    }

    /// A shop measured this number then.
    pub(crate) fn measurement(time: u64, number: f64) -> Measurement {
        let resource = Arc::new(Resource { service: "shop".into(), attributes: [].into() });
        Measurement {
            sender: Sender::new(resource),
            attributes: [].into(),
            point: Point { time, data: Data::Number(number) },
            exemplars: Vec::new(),
            cost: 0,
        }
    }
    /// A table may tell a lower capacity after some have gone than it has room for.
    #[test]
    fn what_has_gone_takes_nothing() {
        let mut metrics = Metrics::new(1_000, 1 << 20);
        for _ in 0..100 {
            // As many as a table of 32 places takes.
            for process in 0..28 {
                let instance =
                    crate::model::Attribute { key: "n".into(), value: crate::model::Value::Int(process) };
                let resource = Arc::new(Resource { service: "shop".into(), attributes: [instance].into() });
                let measurement = Measurement { sender: Sender::new(resource), ..measurement(1, 1.0) };
                assert_eq!(metrics.push(&header("n"), measurement), Some(0));
            }
            let keys: Vec<u64> = metrics.instruments[&header("n").identity].series.keys().copied().collect();
            keys.into_iter().for_each(|key| assert_eq!(metrics.shorten(&header("n").identity, key), 1));
            assert_eq!((metrics.points(), metrics.bytes()), (0, 0));
        }
    }
}
