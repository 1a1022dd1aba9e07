use std::collections::VecDeque;

use super::size;
use crate::model::Log;

/// The newest log records, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Logs {
    records: VecDeque<Log>,
    costs: usize,
    /// How many came before the first that is here.
    gone: u64,
    most: usize,
    most_bytes: usize,
}

impl Logs {
    pub(super) fn new(most: usize, most_bytes: usize) -> Self {
        Self { records: VecDeque::new(), costs: 0, gone: 0, most, most_bytes }
    }

    /// Tells how many had to go for it. `None`: it is too large to be kept.
    pub(super) fn push(&mut self, log: Log) -> Option<usize> {
        if log.cost as usize > self.most_bytes / 4 {
            return None;
        }
        self.costs += log.cost as usize;
        self.records.push_back(log);
        let before = self.records.len();
        while self.records.len() > self.most || self.bytes() > self.most_bytes {
            self.evict();
        }
        Some(before - self.records.len())
    }

    fn evict(&mut self) {
        let log = self.records.pop_front().expect("only what is there is too much");
        self.costs -= log.cost as usize;
        self.gone += 1;
        if self.records.capacity() > 4 * self.records.len() + 64 {
            self.records.shrink_to(2 * self.records.len());
        }
    }

    /// Newest first, each with its number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Log)> {
        let numbered = self.records.iter().enumerate().rev();
        numbered.map(|(place, log)| (self.gone + place as u64, log))
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn bytes(&self) -> usize {
        size::vec::<Log>(self.records.capacity()) + self.costs
    }
}
