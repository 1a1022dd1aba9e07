//! An outage is told when it begins and when it is over, however many batches it takes with it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::telemetry::report::Reports;

/// Whether things go as they should.
#[derive(Debug)]
pub(crate) struct Outage {
    /// What is told when it begins, before the reason.
    trouble: String,
    /// What is told when it is over, before how long it was.
    relief: String,
    reports: Reports,
    /// Since when it lasts, and what was lost in it.
    lasting: Mutex<Option<(Instant, u64)>>,
}

impl Outage {
    /// Of exports to one place.
    pub(crate) fn of_exports(what: &str, whither: &str, reports: Reports) -> Self {
        let trouble = format!("{what} cannot be exported to {whither}");
        Self::new(trouble, format!("{what} are exported to {whither} again"), reports)
    }

    pub(crate) fn new(trouble: String, relief: String, reports: Reports) -> Self {
        Self { trouble, relief, reports, lasting: Mutex::default() }
    }

    /// Something was lost.
    pub(crate) fn goes_on(&self, lost: u64, why: &str) {
        if self.adds(lost) {
            return;
        }
        *self.lasting() = Some((Instant::now(), lost));
        self.reports.tell(&format!("{}: {why}", self.trouble));
    }

    /// Adds what was lost because of an outage, if there is one.
    pub(crate) fn adds(&self, lost: u64) -> bool {
        self.lasting().as_mut().is_some_and(|(_, already)| {
            *already += lost;
            true
        })
    }

    /// All is well.
    pub(crate) fn is_over(&self) {
        let Some((since, lost)) = self.lasting().take() else { return };
        let lost = if lost == 0 { String::new() } else { format!("; {lost} were lost meanwhile") };
        self.reports.tell(&format!("{}, after {:.1} s{lost}", self.relief, since.elapsed().as_secs_f64()));
    }

    fn lasting(&self) -> MutexGuard<'_, Option<(Instant, u64)>> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_outage_is_told_once_with_what_was_lost_in_it() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hear = heard.clone();
        let reports = Reports::to(move |message| hear.lock().unwrap().push(message.to_owned()));
        let outage = Outage::of_exports("spans", "http://here", reports);
        outage.is_over();
        assert!(!outage.adds(5), "there is no outage yet");
        for _ in 0..3 {
            outage.goes_on(10, "nobody listens");
        }
        assert!(outage.adds(5));
        outage.is_over();
        outage.is_over();
        let heard = heard.lock().unwrap();
        assert_eq!(heard[0], "spans cannot be exported to http://here: nobody listens");
        assert!(heard[1].starts_with("spans are exported to http://here again, after 0."), "{heard:?}");
        assert!(heard[1].ends_with("35 were lost meanwhile"), "{heard:?}");
        assert_eq!(heard.len(), 2);
    }
}
