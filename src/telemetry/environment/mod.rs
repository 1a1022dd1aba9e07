//! The variables of OpenTelemetry's specification, read through one function.
//!
//! The SDK and its exporter read some of them by themselves, from the process. Whatever they would read is
//! given to them from here, so that a program that brings its own function is asked alone.

mod batches;
mod exporters;
mod limits;
mod percent;
mod sampler;

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

pub use exporters::{Exporter, Signal};
pub(crate) use percent::decoded;

use super::report::Reports;

/// How much of a value is repeated in a message.
const SHOWN: usize = 64;

type Read = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where variables are read from, and where it is told that one makes no sense.
#[derive(Clone)]
pub(crate) struct Environment {
    read: Arc<Read>,
    pub(crate) reports: Reports,
}

impl Environment {
    pub(crate) fn new(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { read: Arc::new(read), reports: Reports::default() }
    }

    pub(crate) fn of_the_process() -> Self {
        // What is not Unicode is read all the same, so that it is told that it makes no sense.
        Self::new(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
    }

    /// "The SDK MUST interpret an empty value of an environment variable the same way as when the variable
    /// is unset." Blanks around a value are not part of it.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let value = (self.read)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// The first of these that is set, and its name.
    pub(crate) fn first<'n>(&self, names: [&'n str; 2]) -> Option<(&'n str, String)> {
        names.into_iter().find_map(|name| Some((name, self.value(name)?)))
    }

    /// "If the user provides a value the SDK does not recognize, the SDK MUST generate a warning and
    /// gracefully ignore the setting."
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.ignore(name, format_args!("{:?} is not {expected}", shown(&value)));
        }
        parsed
    }

    /// "All values are case-insensitive": of those that name one of several things.
    pub(crate) fn chosen<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let named = |value: &str| choices.iter().find(|(choice, _)| choice.eq_ignore_ascii_case(value));
        let known: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
        self.parsed(name, &format!("one of {}", known.join(", ")), |value| Some(named(value)?.1))
    }

    /// "Any value that represents a Boolean MUST be set to true only by the case-insensitive string `true`."
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.chosen(name, &[("true", true), ("false", false)]).unwrap_or(false)
    }

    pub(crate) fn count(&self, name: &str) -> Option<usize> {
        self.parsed(name, "a number above 0", |value| value.parse().ok().filter(|count| *count > 0))
    }

    pub(crate) fn milliseconds(&self, name: &str) -> Option<Duration> {
        self.parsed(name, "a number of milliseconds", |value| {
            value.parse().ok().map(|milliseconds: u32| Duration::from_millis(milliseconds.into()))
        })
    }

    /// Of something that lasts longer than no time at all.
    pub(crate) fn lasting(&self, name: &str) -> Option<Duration> {
        self.parsed(name, "a number of milliseconds above 0", |value| {
            let milliseconds = value.parse().ok().filter(|milliseconds: &u32| *milliseconds > 0)?;
            Some(Duration::from_millis(milliseconds.into()))
        })
    }

    /// Tells that a variable is not followed.
    pub(crate) fn ignore(&self, name: &str, why: impl Display) {
        self.reports.tell_once(format!("{name} is ignored: {why}"));
    }

    /// "This environment variable MUST disable the SDK for all signals."
    pub(crate) fn is_disabled(&self) -> bool {
        self.flag("OTEL_SDK_DISABLED")
    }
}

impl fmt::Debug for Environment {
    /// Without the values, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

/// As much of a value as is shown.
pub(crate) fn shown(value: &str) -> &str {
    let mut end = value.len().min(SHOWN);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use super::*;

    /// An environment of these variables, and what is told about them.
    pub(crate) fn environment(
        variables: &[(&'static str, &'static str)],
    ) -> (Environment, Arc<Mutex<Vec<String>>>) {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        let mut environment = Environment::new(move |name| variables.get(name).map(ToString::to_string));
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        environment.reports = Reports::to(move |message| tell.lock().unwrap().push(message.to_owned()));
        (environment, told)
    }

    #[test]
    fn an_empty_value_is_none_and_blanks_are_cut() {
        let (environment, told) = environment(&[("EMPTY", ""), ("BLANK", " \t"), ("WORD", " a word ")]);
        assert_eq!(environment.value("EMPTY"), None);
        assert_eq!(environment.value("BLANK"), None);
        assert_eq!(environment.value("MISSING"), None);
        assert_eq!(environment.value("WORD").as_deref(), Some("a word"));
        assert!(!environment.flag("EMPTY"));
        assert!(told.lock().unwrap().is_empty());
    }

    #[test]
    fn choices_and_flags_know_no_case_and_unknown_ones_are_told_once() {
        let (environment, told) = environment(&[("YES", "TrUe"), ("ODD", "yes"), ("CHOICE", "B")]);
        assert!(environment.flag("YES"));
        assert_eq!(environment.chosen("CHOICE", &[("a", 1), ("b", 2)]), Some(2));
        assert!(!environment.flag("ODD"));
        assert!(!environment.flag("ODD"));
        assert_eq!(*told.lock().unwrap(), ["ODD is ignored: \"yes\" is not one of true, false"]);
    }

    #[test]
    fn numbers_are_whole_and_counts_above_zero() {
        let (environment, told) = environment(&[
            ("FIVE", "5"),
            ("ZERO", "0"),
            ("NEGATIVE", "-1"),
            ("WORD", "many"),
            ("HUGE", "99999999999999999999999"),
        ]);
        assert_eq!(environment.count("FIVE"), Some(5));
        assert_eq!(environment.milliseconds("FIVE"), Some(Duration::from_millis(5)));
        assert_eq!(environment.milliseconds("ZERO"), Some(Duration::ZERO));
        for name in ["ZERO", "NEGATIVE", "WORD", "HUGE"] {
            assert_eq!(environment.count(name), None, "{name}");
            assert_eq!(environment.lasting(name), None, "{name}");
        }
        assert_eq!(told.lock().unwrap().len(), 8);
    }

    #[test]
    fn a_message_shows_the_beginning_of_a_value() {
        assert_eq!(shown(&"ä".repeat(100)), "ä".repeat(SHOWN / 2));
        assert_eq!(shown("short"), "short");
    }
}
