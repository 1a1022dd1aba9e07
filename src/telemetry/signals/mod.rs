//! What was chosen for each of the three signals, and the provider that is built of it.

mod logs;
mod metrics;
mod traces;
mod watched;

use std::time::Duration;

use opentelemetry_sdk::Resource;

pub(super) use logs::Logs;
pub(super) use metrics::Metrics;
pub(super) use traces::Traces;

use super::console::ConsoleFormat;
use super::deliver::{Batches, Means};
use super::driver::Driver;
use super::environment::{Environment, Exporter, Signal};

/// A console shows things while they happen.
const SOON: Duration = Duration::from_millis(200);

/// What a setter adds to one of the SDK's builders.
type Change<B> = Box<dyn FnOnce(B) -> B + Send>;

/// What all three are built of.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) environment: Environment,
    pub(super) driver: Driver,
    pub(super) resource: Resource,
    pub(super) choice: Choice,
    pub(super) console: ConsoleFormat,
    /// How long a batch waits, whatever the variables say.
    pub(super) batch_delay: Option<Duration>,
}

/// Which exporters were chosen in code, for each signal; what was said last counts.
#[derive(Debug, Default)]
pub(super) struct Choice {
    always: Vec<(Signal, Vec<Exporter>)>,
    otherwise: Vec<(Signal, Vec<Exporter>)>,
}

impl Choice {
    pub(super) fn always(&mut self, signals: impl IntoIterator<Item = Signal>, exporters: &[Exporter]) {
        self.always.extend(signals.into_iter().map(|signal| (signal, each_once(exporters))));
    }

    pub(super) fn otherwise(&mut self, signals: impl IntoIterator<Item = Signal>, exporters: &[Exporter]) {
        self.otherwise.extend(signals.into_iter().map(|signal| (signal, each_once(exporters))));
    }
}

/// One that is named twice does not export everything twice.
fn each_once(exporters: &[Exporter]) -> Vec<Exporter> {
    let mut once = Vec::new();
    for exporter in exporters {
        if !once.contains(exporter) {
            once.push(*exporter);
        }
    }
    once
}

fn last(chosen: &[(Signal, Vec<Exporter>)], signal: Signal) -> Option<Vec<Exporter>> {
    let (_, exporters) = chosen.iter().rfind(|(of, _)| *of == signal)?;
    Some(exporters.clone())
}

impl Site {
    /// Code beats the variables, and those beat the defaults. A program that brings an exporter of its own
    /// means that one, unless a variable asks for another.
    fn exporters(&self, signal: Signal, has_its_own: bool) -> Vec<Exporter> {
        let named = || self.environment.exporters(signal);
        let somewhere = || self.environment.names_an_endpoint(signal).then(|| vec![Exporter::Otlp]);
        last(&self.choice.always, signal)
            .or_else(named)
            .or_else(somewhere)
            .or_else(|| last(&self.choice.otherwise, signal))
            .unwrap_or_else(|| if has_its_own { Vec::new() } else { vec![Exporter::Otlp] })
    }

    fn means(&self, mut batches: Batches, variable: &'static str) -> Means {
        batches.delay = self.batch_delay.unwrap_or(batches.delay);
        Means { batches, variable, driver: self.driver.clone(), reports: self.environment.reports.clone() }
    }
}

fn changed<B>(builder: B, changes: Vec<Change<B>>) -> B {
    changes.into_iter().fold(builder, |builder, change| change(builder))
}

#[cfg(test)]
mod tests {
    use super::super::environment::tests::environment;
    use super::*;

    fn site(variables: &[(&'static str, &'static str)], choice: Choice) -> Site {
        let (environment, _) = environment(variables);
        let (driver, resource) = (Driver::start().unwrap(), Resource::builder_empty().build());
        Site { environment, driver, resource, choice, console: ConsoleFormat::Detect, batch_delay: None }
    }

    #[test]
    fn variables_beat_defaults() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
        let named = ("OTEL_TRACES_EXPORTER", "console");
        let unknown = ("OTEL_TRACES_EXPORTER", "zipkin");
        let (console, otlp) = (Some(Exporter::Console), Some(Exporter::Otlp));
        let cases = [
            (vec![], None, false, otlp),
            (vec![], None, true, None),
            (vec![], console, false, console),
            (vec![endpoint], console, true, otlp),
            (vec![endpoint, named], None, true, console),
            (vec![unknown], None, false, otlp),
            (vec![unknown], None, true, None),
        ];
        for (variables, otherwise, has_its_own, expected) in cases {
            let mut choice = Choice::default();
            choice.otherwise(otherwise.map(|_| Signal::Traces), otherwise.as_slice());
            choice.otherwise([Signal::Logs], &[]);
            let chosen = site(&variables, choice).exporters(Signal::Traces, has_its_own);
            assert_eq!(chosen, expected.as_slice(), "{variables:?}");
        }
    }

    #[test]
    fn code_beats_variables_and_the_last_word_counts() {
        let mut choice = Choice::default();
        choice.always(Signal::ALL, &[Exporter::Otlp]);
        choice
            .always([Signal::Logs, Signal::Traces], &[Exporter::Console, Exporter::Otlp, Exporter::Console]);
        let site = site(&[("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")], choice);
        assert_eq!(site.exporters(Signal::Traces, true), [Exporter::Console, Exporter::Otlp]);
        assert_eq!(site.exporters(Signal::Metrics, true), [Exporter::Otlp]);
    }
}
