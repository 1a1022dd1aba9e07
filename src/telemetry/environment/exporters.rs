//! Which exporters the variables name.

use super::Environment;

/// An exporter that comes with this crate.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exporter {
    /// OpenTelemetry's protocol, to a collector or to any backend that speaks it: `otlp`.
    Otlp,
    /// The standard output: `console`.
    Console,
}

/// What is exported.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Measurements.
    Metrics,
    /// Logs.
    Logs,
}

impl Signal {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// Its variable of this name: `OTEL_EXPORTER_OTLP_` and `ENDPOINT` make
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`.
    pub(crate) fn variable(self, prefix: &str, name: &str) -> String {
        let signal = match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        };
        format!("{prefix}{signal}_{name}")
    }
}

impl Environment {
    /// The exporters that are named for a signal: nothing if none is that there is.
    ///
    /// "The SDK MAY accept a comma-separated list to enable setting multiple exporters."
    pub(crate) fn exporters(&self, signal: Signal) -> Option<Vec<Exporter>> {
        let variable = signal.variable("OTEL_", "EXPORTER");
        let value = self.value(&variable)?;
        let (mut exporters, mut any) = (Vec::new(), false);
        for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let exporter = match name.to_ascii_lowercase().as_str() {
                "otlp" => Some(Exporter::Otlp),
                "console" => Some(Exporter::Console),
                "none" => None,
                _ => {
                    let name = super::shown(name);
                    let known = "otlp, console and none are; others are added in code";
                    self.reports.tell_once(format!("{variable}: {name:?} is not built in, {known}"));
                    continue;
                }
            };
            any = true;
            exporters.extend(exporter.filter(|exporter| !exporters.contains(exporter)));
        }
        any.then_some(exporters)
    }

    /// Whether somebody has said where OTLP goes to.
    pub(crate) fn names_an_endpoint(&self, signal: Signal) -> bool {
        let own = signal.variable("OTEL_EXPORTER_OTLP_", "ENDPOINT");
        self.first([&own, "OTEL_EXPORTER_OTLP_ENDPOINT"]).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::environment;
    use super::*;

    #[test]
    fn lists_are_read_in_any_case_and_order_and_duplicates_are_dropped() {
        let cases: [(&str, Option<&[Exporter]>, usize); 9] = [
            ("", None, 0),
            ("otlp", Some(&[Exporter::Otlp]), 0),
            ("none", Some(&[]), 0),
            ("Console , OTLP,console", Some(&[Exporter::Console, Exporter::Otlp]), 0),
            ("none,otlp", Some(&[Exporter::Otlp]), 0),
            ("zipkin", None, 1),
            ("zipkin,otlp", Some(&[Exporter::Otlp]), 1),
            (",,", None, 0),
            ("zipkin,jaeger,zipkin", None, 2),
        ];
        for (value, expected, messages) in cases {
            let (environment, told) = environment(&[("OTEL_TRACES_EXPORTER", value)]);
            assert_eq!(environment.exporters(Signal::Traces).as_deref(), expected, "{value:?}");
            assert_eq!(environment.exporters(Signal::Logs), None);
            assert_eq!(told.lock().unwrap().len(), messages, "{value:?}");
        }
    }
}
