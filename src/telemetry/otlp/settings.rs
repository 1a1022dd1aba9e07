//! `OTEL_EXPORTER_OTLP_*`: how to export, and what with. A signal's own variable beats the one of all.

use std::time::Duration;

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::endpoint::Endpoint;
use super::tls::Certificates;
use crate::telemetry::Error;
use crate::telemetry::environment::{Environment, Signal, decoded};

const PREFIX: &str = "OTEL_EXPORTER_OTLP_";

/// What the exporter of one signal is told.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) protocol: Protocol,
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    pub(crate) certificates: Certificates,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

impl Settings {
    pub(crate) fn read(environment: &Environment, signal: Signal) -> Result<Self, Error> {
        // "The default protocol SHOULD be http/protobuf."
        let protocols = [("grpc", Protocol::Grpc), ("http/protobuf", Protocol::Http)];
        let protocol = first(signal, "PROTOCOL", |name| environment.chosen(name, &protocols));
        let protocol = protocol.unwrap_or(Protocol::Http);
        let compressions = [("gzip", true), ("none", false)];
        let gzip = first(signal, "COMPRESSION", |name| environment.chosen(name, &compressions));
        let timeout = first(signal, "TIMEOUT", |name| environment.lasting(name));
        Ok(Self {
            protocol,
            endpoint: Endpoint::read(environment, signal, protocol)?,
            headers: headers(environment, signal),
            timeout: timeout.unwrap_or(Duration::from_secs(10)),
            gzip: gzip.unwrap_or(false),
            certificates: Certificates::read(environment, signal),
        })
    }
}

/// The signal's own variable and the one of all.
pub(super) fn variables(signal: Signal, name: &str) -> [String; 2] {
    [signal.variable(PREFIX, name), format!("{PREFIX}{name}")]
}

/// What the first of the two variables says that makes sense.
pub(super) fn first<T>(signal: Signal, name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    variables(signal, name).into_iter().find_map(|name| read(&name))
}

/// "Key-value pairs to be used as headers", percent-encoded. What is malformed is left out, and not repeated:
/// it may be a secret.
fn headers(environment: &Environment, signal: Signal) -> HeaderMap {
    let [own, common] = variables(signal, "HEADERS");
    let Some((variable, value)) = environment.first([&own, &common]) else { return HeaderMap::new() };
    let mut headers = HeaderMap::new();
    for member in value.split(',').map(str::trim).filter(|member| !member.is_empty()) {
        match header(member) {
            Some((name, _)) if is_ours(&name) => {
                environment.ignore(variable, format_args!("the header {name} in it is not for users to set"));
            }
            Some((name, value)) => _ = headers.insert(name, value),
            None => environment.ignore(variable, "a part of it is not name=value, percent-encoded"),
        }
    }
    headers
}

/// What says how a message is sent. Another value would break it.
fn is_ours(name: &HeaderName) -> bool {
    const OURS: [HeaderName; 10] = [
        CONNECTION,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        CONTENT_TYPE,
        EXPECT,
        HOST,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    OURS.contains(name) || name.as_str().starts_with("grpc-")
}

fn header(member: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = member.split_once('=')?;
    let mut value = HeaderValue::from_str(&decoded(value.trim())?).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::super::super::environment::tests::environment;
    use super::*;

    fn read(variables: &[(&'static str, &'static str)]) -> (Settings, Vec<String>) {
        let (environment, told) = environment(variables);
        let settings = Settings::read(&environment, Signal::Traces).unwrap();
        let told = told.lock().unwrap().clone();
        (settings, told)
    }

    #[test]
    fn nothing_said_it_is_http_within_ten_seconds() {
        let (settings, told) = read(&[]);
        assert_eq!((settings.protocol, settings.gzip), (Protocol::Http, false));
        assert_eq!(settings.timeout, Duration::from_secs(10));
        assert!(settings.headers.is_empty() && told.is_empty());
    }

    #[test]
    fn a_variable_of_the_signal_beats_the_one_of_all_unless_it_makes_no_sense() {
        let (settings, told) = read(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "GRPC"),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "7"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"),
        ]);
        assert_eq!((settings.protocol, settings.gzip), (Protocol::Grpc, false));
        assert_eq!(settings.timeout, Duration::from_millis(7));
        assert!(settings.headers.contains_key("b") && !settings.headers.contains_key("a"));
        let expected =
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT is ignored: \"soon\" is not a number of milliseconds above 0";
        assert_eq!(told, [expected]);
    }

    #[test]
    fn headers_that_would_break_a_message_are_told_and_left_out() {
        let value = "Host=evil,content-length=3,transfer-encoding=chunked,connection=close,te=x,content-type=x,\
                     content-encoding=br,grpc-timeout=1n,x-tenant=a";
        let (settings, told) = read(&[("OTEL_EXPORTER_OTLP_HEADERS", value)]);
        assert_eq!(settings.headers.keys().collect::<Vec<_>>(), ["x-tenant"]);
        assert_eq!(told.len(), 8, "{told:?}");
        assert_eq!(
            told[0],
            "OTEL_EXPORTER_OTLP_HEADERS is ignored: the header host in it is not for users to set"
        );
    }

    #[test]
    fn headers_are_decoded_and_malformed_ones_are_not_repeated() {
        let value =
            "api-key = s%20e=cret , Authorization=Bearer%20token,secret,bad name=secret,x=%zz,y=a%0ab";
        let (settings, told) = read(&[("OTEL_EXPORTER_OTLP_HEADERS", value)]);
        assert_eq!(settings.headers["api-key"], "s e=cret");
        assert_eq!(settings.headers["authorization"], "Bearer token");
        assert_eq!(settings.headers.len(), 2);
        assert!(settings.headers.values().all(HeaderValue::is_sensitive));
        assert!(told.len() == 1 && !told[0].contains("secret"), "{told:?}");
        assert!(!format!("{settings:?}").contains("cret"), "{settings:?}");
    }
}
