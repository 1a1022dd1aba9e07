//! Where to export to.

use std::fmt;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use super::settings::{Protocol, first, variables};
use crate::telemetry::Error;
use crate::telemetry::environment::{Environment, Signal, decoded};

/// A URL without credentials.
pub(crate) struct Endpoint {
    pub(crate) uri: Uri,
    protocol: Protocol,
    /// What must not be told of it: the values of its query, and the user and password that stood in it.
    pub(super) secrets: Vec<String>,
}

impl Endpoint {
    pub(super) fn read(environment: &Environment, signal: Signal, protocol: Protocol) -> Result<Self, Error> {
        let [own, common] = variables(signal, "ENDPOINT");
        let call = call(signal, protocol);
        let Some((variable, value)) = environment.first([&own, &common]) else {
            let port = if protocol == Protocol::Grpc { 4317 } else { 4318 };
            let uri = format!("http://localhost:{port}{call}").parse().expect("it is a URL");
            return Ok(Self { uri, protocol, secrets: Vec::new() });
        };
        let value = match protocol {
            Protocol::Grpc if !value.contains("://") => format!("{}://{value}", scheme(environment, signal)),
            _ => value,
        };
        let given = Given::parse(&value).ok_or_else(|| {
            Error::configuration(format!(
                "{variable} must be a URL that begins with http:// or https://, of a host and, if any, a port \
                 from 1 to 65535"
            ))
        })?;
        if given.credentials.is_some() {
            let instead = variables(signal, "HEADERS");
            environment
                .ignore(variable, format_args!("its user and password are; {} is for those", instead[1]));
        }
        let uri = match protocol {
            // A method of gRPC is all of the path.
            Protocol::Grpc => given.at(call),
            // "The URL MUST be used as-is without any modification."
            Protocol::Http if variable == own => given.at(given.path.as_str()),
            // "http://example.com:4318/v1/traces" from "http://example.com:4318/" and from the same without
            // the last slash.
            Protocol::Http => given.at(&format!("{}{call}", given.path.path().trim_end_matches('/'))),
        };
        Ok(Self { uri, protocol, secrets: given.secrets() })
    }
}

/// For messages: a query may hold a key, and a method says nothing new.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", Authority::as_str);
        let path = if self.protocol == Protocol::Grpc { "" } else { self.uri.path() };
        write!(f, "{scheme}://{authority}{path}")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// "Whether to enable client transport security for the exporter's gRPC connection. This option only applies
/// to OTLP/gRPC when an endpoint is provided without the `http` or `https` scheme."
fn scheme(environment: &Environment, signal: Signal) -> Scheme {
    let choices = [("true", true), ("false", false)];
    let insecure = first(signal, "INSECURE", |name| environment.chosen(name, &choices));
    if insecure.unwrap_or(false) { Scheme::HTTP } else { Scheme::HTTPS }
}

/// The end of the URL that a signal has.
fn call(signal: Signal, protocol: Protocol) -> &'static str {
    match (protocol, signal) {
        (Protocol::Http, Signal::Traces) => "/v1/traces",
        (Protocol::Http, Signal::Metrics) => "/v1/metrics",
        (Protocol::Http, Signal::Logs) => "/v1/logs",
        (Protocol::Grpc, Signal::Traces) => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        (Protocol::Grpc, Signal::Metrics) => {
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
        }
        (Protocol::Grpc, Signal::Logs) => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

/// The parts of a URL that somebody wrote.
struct Given {
    scheme: Scheme,
    authority: Authority,
    path: PathAndQuery,
    credentials: Option<String>,
}

impl Given {
    fn parse(value: &str) -> Option<Self> {
        let parts = value.parse::<Uri>().ok()?.into_parts();
        let scheme = parts.scheme.filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme))?;
        let written = parts.authority?;
        let (credentials, authority): (_, Authority) = match written.as_str().rsplit_once('@') {
            Some((credentials, authority)) => (Some(credentials.to_owned()), authority.parse().ok()?),
            None => (None, written),
        };
        let host = authority.host();
        let port_is_fine = authority.as_str() == host || authority.port_u16().is_some_and(|port| port > 0);
        if host.is_empty() || !port_is_fine {
            return None;
        }
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        Some(Self { scheme, authority, path, credentials })
    }

    /// As they are written and as they are meant.
    fn secrets(&self) -> Vec<String> {
        let query = self.path.query().unwrap_or_default().split('&');
        let values = query.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let written = values.chain(self.credentials.as_deref());
        written.flat_map(|text| [Some(text.to_owned()), decoded(text)]).flatten().collect()
    }

    fn at(&self, path: &str) -> Uri {
        let builder = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        builder.path_and_query(path).build().expect("its parts are those of a URL")
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::environment::tests::environment;
    use super::*;

    const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const OWN: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

    fn read(protocol: Protocol, variables: &[(&'static str, &'static str)]) -> Result<String, Error> {
        let (environment, _) = environment(variables);
        Ok(Endpoint::read(&environment, Signal::Traces, protocol)?.uri.to_string())
    }

    #[test]
    fn http_adds_the_signal_to_the_url_of_all_and_nothing_to_its_own() {
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[], "http://localhost:4318/v1/traces"),
            (&[(ALL, "http://c:4318")], "http://c:4318/v1/traces"),
            (&[(ALL, "https://c/")], "https://c/v1/traces"),
            (&[(ALL, "https://c/otlp/")], "https://c/otlp/v1/traces"),
            (&[(OWN, "https://c")], "https://c/"),
            (&[(OWN, "https://c/x?key=1"), (ALL, "http://d")], "https://c/x?key=1"),
            (&[(ALL, "http://user:secret@c:1")], "http://c:1/v1/traces"),
            (&[(ALL, "http://[::1]:4318")], "http://[::1]:4318/v1/traces"),
        ];
        for (variables, expected) in cases {
            assert_eq!(read(Protocol::Http, variables).unwrap(), expected);
        }
    }

    #[test]
    fn grpc_has_its_method_for_a_path_and_tls_unless_told() {
        let method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
        let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
        let secure = ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "FALSE");
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[], "http://localhost:4317"),
            (&[(ALL, "http://c:1/path")], "http://c:1"),
            (&[(ALL, "c:1")], "https://c:1"),
            (&[(ALL, "c:1"), insecure], "http://c:1"),
            (&[(ALL, "c:1"), insecure, secure], "https://c:1"),
            (&[(ALL, "https://c:1"), insecure], "https://c:1"),
        ];
        for (variables, expected) in cases {
            assert_eq!(read(Protocol::Grpc, variables).unwrap(), format!("{expected}{method}"));
        }
    }

    #[test]
    fn what_is_no_url_is_an_error_that_names_the_variable_and_no_secret() {
        let ports =
            ["http://c:99999", "http://c:", "http://:4318", "http://c:0", "http://c:x", "http://::1:4318"];
        let others = ["collector:4318", "ftp://c", "http://", "secret", "http://user:secret@", "://"];
        for value in ports.into_iter().chain(others) {
            let error = read(Protocol::Http, &[(ALL, value)]).unwrap_err();
            assert!(error.is_configuration());
            assert!(error.to_string().contains(ALL) && !error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_message_shows_neither_credentials_nor_the_query() {
        let (environment, told) = environment(&[(OWN, "http://user:secret@c/x?key=se%63ret")]);
        let endpoint = Endpoint::read(&environment, Signal::Traces, Protocol::Http).unwrap();
        assert_eq!(endpoint.to_string(), "http://c/x");
        assert_eq!(endpoint.secrets, ["se%63ret", "secret", "user:secret", "user:secret"]);
        let told = told.lock().unwrap();
        assert!(told.len() == 1 && !told[0].contains("secret"), "{told:?}");
    }
}
