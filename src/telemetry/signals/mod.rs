//! What was chosen for each of the three signals, and the provider that is built of it.

mod logs;
mod metrics;
mod traces;
mod watched;

use opentelemetry_sdk::Resource;

pub(super) use logs::Logs;
pub(super) use metrics::Metrics;
pub(super) use traces::Traces;

use super::console::ConsoleFormat;
use super::deliver::{Batches, Means};
use super::driver::Driver;
use super::environment::{Environment, Exporter, Signal};

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
}

/// Which exporters were chosen in code.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) always: Option<Vec<Exporter>>,
    pub(super) otherwise: Option<Vec<Exporter>>,
}

impl Site {
    /// Code beats the variables, and those beat the defaults. A program that brings an exporter of its own
    /// means that one, unless a variable asks for another.
    fn exporters(&self, signal: Signal, has_its_own: bool) -> Vec<Exporter> {
        if let Some(always) = &self.choice.always {
            return always.clone();
        }
        if let Some(named) = self.environment.exporters(signal) {
            return named;
        }
        if self.environment.names_an_endpoint(signal) {
            return vec![Exporter::Otlp];
        }
        match &self.choice.otherwise {
            Some(otherwise) => otherwise.clone(),
            None if has_its_own => Vec::new(),
            None => vec![Exporter::Otlp],
        }
    }

    fn means(&self, batches: Batches, variable: &'static str) -> Means {
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

    #[test]
    fn code_beats_variables_and_those_beat_defaults() {
        use Exporter::{Console, Otlp};
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
        let named = ("OTEL_TRACES_EXPORTER", "console");
        let unknown = ("OTEL_TRACES_EXPORTER", "zipkin");
        let cases: &[(&[(&'static str, &'static str)], Option<Exporter>, bool, &[Exporter])] = &[
            (&[], None, false, &[Otlp]),
            (&[], None, true, &[]),
            (&[], Some(Console), false, &[Console]),
            (&[endpoint], Some(Console), true, &[Otlp]),
            (&[endpoint, named], None, true, &[Console]),
            (&[unknown], None, false, &[Otlp]),
            (&[unknown], None, true, &[]),
        ];
        for (variables, otherwise, has_its_own, expected) in cases {
            let (environment, _) = environment(variables);
            let choice = Choice { always: None, otherwise: otherwise.map(|exporter| vec![exporter]) };
            let mut site = Site {
                environment,
                driver: Driver::start().unwrap(),
                resource: Resource::builder_empty().build(),
                choice,
                console: ConsoleFormat::Detect,
            };
            assert_eq!(site.exporters(Signal::Traces, *has_its_own), *expected, "{variables:?}");
            site.choice.always = Some(vec![Console, Otlp]);
            assert_eq!(site.exporters(Signal::Traces, *has_its_own), [Console, Otlp], "{variables:?}");
        }
    }
}
