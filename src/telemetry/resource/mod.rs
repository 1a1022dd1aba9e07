//! What all spans, metrics and logs say of the process.

mod container;
mod process;

use super::environment::{Environment, decoded};
use crate::semconv::SCHEMA_URL;
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{ResourceDetector, TelemetryResourceDetector};

const SERVICE_NAME: &str = "service.name";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// What was detected, what the variables say instead, and what the program says instead of those.
pub(crate) fn resource(environment: &Environment, given: Vec<KeyValue>) -> Resource {
    let said = attributes(environment);
    let name = environment.value("OTEL_SERVICE_NAME").map(|name| KeyValue::new(SERVICE_NAME, name));
    let telemetry = TelemetryResourceDetector.detect();
    let telemetry = telemetry.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let detected = process::attributes().chain(container::id()).chain(telemetry);
    Resource::builder_empty()
        .with_schema_url(detected, SCHEMA_URL)
        .with_attributes(said)
        .with_attributes(name)
        .with_attributes(given)
        .build()
}

/// "Key-value pairs to be used as resource attributes", percent-encoded as in W3C Baggage.
///
/// "In case of any error, e.g. failure during the decoding process, the entire environment variable value
/// SHOULD be discarded and an error SHOULD be reported."
fn attributes(environment: &Environment) -> Vec<KeyValue> {
    let Some(value) = environment.value(ATTRIBUTES) else { return Vec::new() };
    let members = value.split(',').map(str::trim).filter(|member| !member.is_empty());
    let attributes: Option<Vec<_>> = members.map(attribute).collect();
    attributes.unwrap_or_else(|| {
        environment.ignore(ATTRIBUTES, "it must be of the form key=value,key=value, percent-encoded");
        Vec::new()
    })
}

fn attribute(member: &str) -> Option<KeyValue> {
    let (key, value) = member.split_once('=')?;
    let key = decoded(key.trim())?;
    let value = decoded(value.trim())?;
    (!key.is_empty()).then(|| KeyValue::new(Key::from(key), Value::from(value)))
}

#[cfg(test)]
mod tests {
    use super::super::environment::tests::environment;
    use super::*;

    fn value(resource: &Resource, key: &'static str) -> Option<String> {
        resource.get(&Key::from_static_str(key)).map(|value| value.to_string())
    }

    #[test]
    fn code_beats_the_variable_of_the_name_which_beats_the_attributes() {
        let (environment, told) = environment(&[
            (ATTRIBUTES, "service.name=by attributes, deployment.environment.name=a%2Cb ,x=y"),
            ("OTEL_SERVICE_NAME", "by name"),
        ]);
        let resource = resource(&environment, vec![KeyValue::new("x", "code")]);
        assert_eq!(value(&resource, SERVICE_NAME).as_deref(), Some("by name"));
        assert_eq!(value(&resource, "deployment.environment.name").as_deref(), Some("a,b"));
        assert_eq!(value(&resource, "x").as_deref(), Some("code"));
        assert_eq!(value(&resource, "telemetry.sdk.language").as_deref(), Some("rust"));
        assert_eq!(resource.schema_url(), Some(SCHEMA_URL));
        let given = vec![KeyValue::new(SERVICE_NAME, "code")];
        assert_eq!(value(&super::resource(&environment, given), SERVICE_NAME).as_deref(), Some("code"));
        assert!(told.lock().unwrap().is_empty());
    }

    #[test]
    fn malformed_attributes_are_ignored_as_a_whole_and_not_repeated() {
        for value in ["a=b,secret", "a=b,=secret", "a=%zz", "a=b,c=%2", "a=%ff"] {
            let (environment, told) = environment(&[(ATTRIBUTES, value)]);
            assert_eq!(attributes(&environment), []);
            let told = told.lock().unwrap();
            assert!(told.len() == 1 && !told[0].contains("secret"), "{told:?}");
        }
    }

    #[test]
    fn nothing_said_the_process_is_found() {
        let (environment, _) = environment(&[]);
        let resource = resource(&environment, Vec::new());
        let name = value(&resource, SERVICE_NAME).unwrap();
        assert!(name.starts_with("unknown_service:otelhttp"), "{name}");
        assert_eq!(value(&resource, "process.pid"), Some(std::process::id().to_string()));
        assert_eq!(value(&resource, "service.instance.id").unwrap().len(), 36);
    }
}
