//! An outage is told when it begins and when it is over, however many batches it takes with it, and however often
//! it comes and goes meanwhile.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::telemetry::report::Reports;

/// What comes and goes more often than this is one outage.
const CALM: Duration = Duration::from_secs(30);

/// Whether things go as they should.
#[derive(Debug)]
pub(crate) struct Outage {
    /// What is told when it begins, before the reason.
    trouble: String,
    /// What is told when it is over, before how long it was.
    relief: String,
    reports: Reports,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lasting: Option<Lasting>,
    /// When the last one was over.
    over: Option<Instant>,
}

/// An outage.
#[derive(Debug)]
struct Lasting {
    since: Instant,
    lost: u64,
    told: bool,
    /// It came soon after another, and its end is believed only when things have been well for a while.
    again: bool,
    well_since: Option<Instant>,
}

impl Outage {
    /// Of exports to one place.
    pub(crate) fn of_exports(what: &str, whither: &str, reports: Reports) -> Self {
        let trouble = format!("{what} cannot be exported to {whither}");
        Self::new(trouble, format!("{what} are exported to {whither} again"), reports)
    }

    pub(crate) fn new(trouble: String, relief: String, reports: Reports) -> Self {
        Self { trouble, relief, reports, state: Mutex::default() }
    }

    /// Something was lost.
    pub(crate) fn goes_on(&self, lost: u64, why: &str) {
        self.goes_on_at(Instant::now(), lost, why);
    }

    /// Adds what was lost because of an outage, if there is one.
    pub(crate) fn adds(&self, lost: u64) -> bool {
        self.state().lasting.as_mut().is_some_and(|lasting| {
            lasting.lost += lost;
            true
        })
    }

    /// All is well.
    pub(crate) fn is_over(&self) {
        self.is_over_at(Instant::now());
    }

    fn goes_on_at(&self, now: Instant, lost: u64, why: &str) {
        let mut state = self.state();
        let again = state.over.is_some_and(|over| now.duration_since(over) < CALM);
        let new = || Lasting { since: now, lost: 0, told: false, again, well_since: None };
        let lasting = state.lasting.get_or_insert_with(new);
        lasting.lost += lost;
        lasting.well_since = None;
        // One that has just been told of is told of again only if it stays.
        let tells = !lasting.told && (!lasting.again || now.duration_since(lasting.since) >= CALM);
        lasting.told |= tells;
        drop(state);
        if tells {
            self.reports.tell(&format!("{}: {why}", self.trouble));
        }
    }

    fn is_over_at(&self, now: Instant) {
        let mut state = self.state();
        let well = state.lasting.as_mut().is_some_and(|lasting| {
            let well_since = *lasting.well_since.get_or_insert(now);
            !lasting.again || now.duration_since(well_since) >= CALM
        });
        let over = if well { state.lasting.take() } else { None };
        let Some(Lasting { since, lost, told, .. }) = over else { return };
        state.over = Some(now);
        drop(state);
        if told || lost > 0 {
            let lasted = now.duration_since(since).as_secs_f64();
            let lost = if lost == 0 { String::new() } else { format!("; {lost} were lost meanwhile") };
            self.reports.tell(&format!("{}, after {lasted:.1} s{lost}", self.relief));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    type Heard = Arc<Mutex<Vec<String>>>;

    fn outage() -> (Outage, Heard) {
        let heard = Heard::default();
        let hear = heard.clone();
        let reports = Reports::to(move |message| hear.lock().unwrap().push(message.to_owned()));
        (Outage::of_exports("spans", "http://here", reports), heard)
    }

    #[test]
    fn what_comes_and_goes_is_one_outage() {
        let (outage, heard) = outage();
        let begin = Instant::now();
        let at = |second| begin + Duration::from_secs(second);
        for second in 0..20 {
            outage.goes_on_at(at(2 * second), 1, "some are too old");
            outage.is_over_at(at(2 * second + 1));
        }
        // It began, was over and came back, which is told when it has lasted.
        let told = heard.lock().unwrap().clone();
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[0], told[2]);
        outage.is_over_at(at(68));
        assert_eq!(heard.lock().unwrap().len(), 3, "it was not over for long");
        outage.is_over_at(at(70));
        let told = heard.lock().unwrap().clone();
        assert_eq!(
            told[3..],
            ["spans are exported to http://here again, after 68.0 s; 19 were lost meanwhile"]
        );
        // Later it is news.
        outage.goes_on_at(at(200), 1, "nobody listens");
        outage.is_over_at(at(201));
        assert_eq!(heard.lock().unwrap().len(), 6);
    }

    #[test]
    fn an_outage_is_told_once_with_what_was_lost_in_it() {
        let (outage, heard) = outage();
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
