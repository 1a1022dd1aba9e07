//! Why there is no answer.

use std::error::Error;

/// What the error's sources say, which is what went wrong, and a hint if it is a frequent mistake.
///
/// They are of the connection, below HTTP, and hold nothing of what was sent.
pub(super) fn why(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        source = error.source();
    }
    let why = if texts.is_empty() { error.to_string() } else { texts.join(": ") };
    let hint = hint(&why);
    why + hint
}

/// By texts, since the libraries have no public types for these. `tests/telemetry_trouble.rs` meets them all.
fn hint(why: &str) -> &'static str {
    let is = |text: &&str| why.contains(*text);
    if ["InvalidContentType"].iter().any(is) {
        "; does it speak TLS? What does not begins with http://"
    } else if ["UnknownIssuer", "self-signed"].iter().any(is) {
        "; OTEL_EXPORTER_OTLP_CERTIFICATE names a file of certificates to trust"
    } else if ["invalid HTTP version", "frame with invalid size"].iter().any(is) {
        "; does it speak this protocol? TLS begins with https://, and OTEL_EXPORTER_OTLP_PROTOCOL is grpc or \
         http/protobuf"
    } else {
        ""
    }
}
