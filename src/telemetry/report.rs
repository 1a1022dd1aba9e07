//! Where the few messages go that a user must see: a variable that is ignored, an outage, what was lost.

use std::collections::HashSet;
use std::fmt;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use crate::guest::contain;

/// How many different messages about variables are remembered, so that none is told twice.
const REMEMBERED: usize = 256;

type Tell = dyn Fn(&str) + Send + Sync;

/// Tells a message to whoever listens.
#[derive(Clone)]
pub(crate) struct Reports {
    tell: Arc<Tell>,
    told: Arc<Mutex<HashSet<Arc<str>>>>,
}

impl Reports {
    pub(crate) fn to(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { tell: Arc::new(tell), told: Arc::default() }
    }

    pub(crate) fn tell(&self, message: &str) {
        contain("the receiver of a warning", || (self.tell)(message));
    }

    /// A variable that several signals read is told once.
    pub(crate) fn tell_once(&self, message: String) {
        let message = Arc::from(message);
        if self.is_news(&message) {
            self.tell(&message);
        }
    }

    fn is_news(&self, message: &Arc<str>) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < REMEMBERED && told.insert(message.clone())
    }
}

impl Default for Reports {
    fn default() -> Self {
        Self::to(to_the_log_or_stderr)
    }
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reports").finish_non_exhaustive()
    }
}

/// A program that has no logger loses spans too, and should learn of it.
fn to_the_log_or_stderr(message: &str) {
    #[cfg(feature = "internal-logs")]
    if log::log_enabled!(target: "otelhttp", log::Level::Warn) {
        log::warn!(target: "otelhttp", "{message}");
        return;
    }
    // `eprintln!` panics where nobody reads any more.
    _ = writeln!(std::io::stderr(), "otelhttp: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_about_a_variable_is_told_once_and_others_each_time() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hear = heard.clone();
        let reports = Reports::to(move |message| hear.lock().unwrap().push(message.to_owned()));
        for _ in 0..2 {
            reports.tell_once("a variable".to_owned());
            reports.tell("an outage");
        }
        assert_eq!(*heard.lock().unwrap(), ["a variable", "an outage", "an outage"]);
    }

    #[test]
    fn a_receiver_may_cause_a_message_itself() {
        let reports = Arc::new(Mutex::new(Reports::default()));
        let (again, heard) = (reports.clone(), Arc::new(Mutex::new(Vec::new())));
        let hear = heard.clone();
        let first = Reports::to(move |message| {
            hear.lock().unwrap().push(message.to_owned());
            let reports = again.lock().unwrap().clone();
            reports.tell_once("its own".to_owned());
        });
        *reports.lock().unwrap() = first.clone();
        // A lock that is held meanwhile would never be free.
        let (done, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            first.tell_once("a variable".to_owned());
            done.send(()).unwrap();
        });
        ended.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
        assert_eq!(*heard.lock().unwrap(), ["a variable", "its own"]);
    }

    #[test]
    fn a_receiver_that_panics_takes_nobody_down() {
        Reports::to(|_| panic!("on purpose")).tell("a message");
    }
}
