//! Why there is no answer.

use std::error::Error as _;

use hyper_util::client::legacy::Error;

/// What the error's sources say, which is what went wrong, and a hint if it is a frequent mistake.
///
/// They are of the connection, below HTTP, and hold nothing of what was sent.
pub(super) fn why(error: &Error, answered_before: bool) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        source = error.source();
    }
    let mut why = if texts.is_empty() { error.to_string() } else { texts.join(": ") };
    if error.is_connect() {
        why.push_str(hint(&why));
    } else if !answered_before {
        // It listens, and has never said anything that makes sense.
        why.push_str(
            "; does it speak this protocol? TLS begins with https://, and OTEL_EXPORTER_OTLP_PROTOCOL is grpc \
             or http/protobuf",
        );
    }
    why
}

/// By texts, since a connector's errors have no public types. The tests meet them all.
fn hint(why: &str) -> &'static str {
    if why.contains("InvalidContentType") {
        "; does it speak TLS? What does not begins with http://"
    } else if why.contains("UnknownIssuer") {
        "; OTEL_EXPORTER_OTLP_CERTIFICATE names a file of certificates to trust"
    } else {
        ""
    }
}
