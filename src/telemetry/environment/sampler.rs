//! `OTEL_TRACES_SAMPLER`.

use opentelemetry_sdk::trace::{Sampler, ShouldSample};

use super::Environment;

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

impl Environment {
    /// The sampler that is named, or `parentbased_always_on`.
    pub(crate) fn sampler(&self) -> Box<dyn ShouldSample> {
        let choices = [
            ("always_on", (false, Some(1.0))),
            ("always_off", (false, Some(0.0))),
            ("traceidratio", (false, None)),
            ("parentbased_always_on", (true, Some(1.0))),
            ("parentbased_always_off", (true, Some(0.0))),
            ("parentbased_traceidratio", (true, None)),
        ];
        let (parent_based, ratio) = self.chosen(NAME, &choices).unwrap_or((true, Some(1.0)));
        let root = match ratio {
            Some(1.0) => Sampler::AlwaysOn,
            Some(_) => Sampler::AlwaysOff,
            None => Sampler::TraceIdRatioBased(self.ratio()),
        };
        Box::new(if parent_based { Sampler::ParentBased(Box::new(root)) } else { root })
    }

    /// "Sampling probability, a number in the [0..1] range. Default is 1.0 if unset."
    fn ratio(&self) -> f64 {
        let within = |value: &str| value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        self.parsed(ARGUMENT, "a number from 0 to 1", within).unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::environment;
    use super::*;

    #[test]
    fn samplers_are_found_by_their_names() {
        let cases = [
            ("", "", "ParentBased(AlwaysOn)", 0),
            ("always_on", "", "AlwaysOn", 0),
            ("Always_OFF", "", "AlwaysOff", 0),
            ("traceidratio", "0.25", "TraceIdRatioBased(0.25)", 0),
            ("parentbased_traceidratio", "1", "ParentBased(TraceIdRatioBased(1.0))", 0),
            ("parentbased_always_off", "", "ParentBased(AlwaysOff)", 0),
            ("traceidratio", "", "TraceIdRatioBased(1.0)", 0),
            ("traceidratio", "1.5", "TraceIdRatioBased(1.0)", 1),
            ("traceidratio", "NaN", "TraceIdRatioBased(1.0)", 1),
            ("jaeger_remote", "", "ParentBased(AlwaysOn)", 1),
        ];
        for (name, argument, expected, messages) in cases {
            let (environment, told) = environment(&[(NAME, name), (ARGUMENT, argument)]);
            assert_eq!(format!("{:?}", environment.sampler()), expected, "{name} {argument}");
            assert_eq!(told.lock().unwrap().len(), messages, "{name} {argument}");
        }
    }
}
