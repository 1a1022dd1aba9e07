//! A call of gRPC: what is learnt of it, and how it ends.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderMap, StatusCode, header, response};
use opentelemetry::KeyValue;
use opentelemetry::trace::TraceContextExt;

use super::finish::Findings;
use super::{Exchange, Late, Outcome, Owner};
use crate::config::{Config, Place};
use crate::guest::contain;
use crate::metrics::RpcEnd;
use crate::semconv::error::{Failure, PANIC};
use crate::semconv::grpc::{self, Code, MESSAGE_HEADER, RpcMethod, STATUS_HEADER, TIMEOUT_HEADER};
use crate::semconv::{ERROR_TYPE, RPC_STATUS_CODE};

/// What makes a call one of gRPC.
#[derive(Debug)]
pub(crate) struct Rpc {
    pub(crate) method: RpcMethod,
    timeout: Option<Duration>,
    /// The response is none of gRPC's.
    foreign: AtomicBool,
    /// The first that comes is the one that counts.
    answer: OnceLock<Answer>,
}

/// What the server said of the end.
#[derive(Debug)]
struct Answer {
    code: Code,
    message: String,
}

impl Rpc {
    pub(crate) fn new(method: RpcMethod, request: &HeaderMap) -> Box<Self> {
        let timeout = request.get(TIMEOUT_HEADER).and_then(grpc::timeout);
        Box::new(Self { method, timeout, foreign: AtomicBool::new(false), answer: OnceLock::new() })
    }

    /// "If `rpc.method` is [...] `_OTHER`, the span name SHOULD be `{rpc.system.name}`."
    pub(crate) fn span_name(&self) -> Cow<'static, str> {
        self.method.name().map_or(Cow::Borrowed(grpc::SYSTEM), |method| Cow::Owned(method.to_string()))
    }

    /// Notes a head, which has the status where there are no messages: "Trailers-Only".
    pub(super) fn answered(&self, parts: &response::Parts) {
        let is_grpc = parts.headers.get(header::CONTENT_TYPE).is_some_and(grpc::is_grpc);
        self.foreign.store(!is_grpc, Ordering::Relaxed);
        self.note(&parts.headers);
    }

    pub(super) fn note(&self, headers: &HeaderMap) {
        let Some(status) = headers.get(STATUS_HEADER) else { return };
        let message = headers.get(MESSAGE_HEADER).filter(|message| !message.is_sensitive());
        let message = message.map(grpc::message).unwrap_or_default();
        let _ = self.answer.set(Answer { code: Code::of_header(status), message });
    }

    /// The status of the call: the server's, or what a client makes of an end without one.
    fn code(&self, outcome: &Outcome, status: Option<StatusCode>, elapsed: Duration) -> Code {
        if let Outcome::Failed(failure) = outcome {
            return failure.code.unwrap_or_else(|| Code::of_class(&failure.error_type));
        }
        if let Some(answer) = self.answer.get() {
            return answer.code;
        }
        let is_foreign = self.foreign.load(Ordering::Relaxed);
        match (outcome, status) {
            // "Application error: server threw an exception" is `UNKNOWN`.
            (Outcome::Panicked, _) => Code::Unknown,
            (_, Some(status)) if is_foreign || status != StatusCode::OK => Code::of_http(status),
            (Outcome::Dropped, _) if self.timeout.is_some_and(|timeout| grpc::is_over(timeout, elapsed)) => {
                Code::DeadlineExceeded
            }
            (Outcome::Dropped, _) => Code::Cancelled,
            // "Servers MUST send a status": trailers are missing.
            _ => Code::Unknown,
        }
    }

    /// Nothing if the call did not fail. What the user says of it is believed, but for a panic.
    ///
    /// "If response status code was sent or received and status indicates an error [...] `error.type`
    /// SHOULD be set to the string representation of the status code."
    fn verdict(
        &self,
        config: &Config,
        outcome: &Outcome,
        code: Code,
        said: Option<&Failure>,
    ) -> Option<Failure> {
        let happened = match outcome {
            Outcome::Panicked => return Some(Failure::named(PANIC)),
            // One that has no other name than its status is a status.
            Outcome::Failed(failure) if failure.error_type != code.name() => Some(Failure::clone(failure)),
            _ => code.is_error(config.side).then(|| {
                let answer = self.answer.get().filter(|_| config.rpc_status_messages);
                let message = answer.map(|answer| answer.message.clone()).unwrap_or_default();
                Failure { description: Cow::Owned(message), ..Failure::named(code.name()) }
            }),
        };
        let Some(said) = said else { return happened };
        let description = happened.map_or(Cow::Borrowed(""), |happened| happened.description);
        Some(Failure { error_type: said.error_type.clone(), description, code: None })
    }
}

impl Exchange {
    /// Where the headers of the request stand.
    pub(crate) fn request_place(&self) -> Place {
        if self.rpc.is_some() { Place::Rpc } else { Place::Http }
    }

    /// Where the headers of the response stand. "Trailers-Only → HTTP-Status Content-Type Trailers".
    pub(super) fn response_place(&self, headers: &HeaderMap) -> Place {
        match self.rpc {
            None => Place::Http,
            Some(_) if headers.contains_key(STATUS_HEADER) => Place::RpcTrailer,
            Some(_) => Place::Rpc,
        }
    }

    /// Notes what follows the messages.
    pub(super) fn observe_trailers(&self, config: &Config, trailers: &HeaderMap) {
        if self.rpc.is_some() && self.is_recorded() {
            for attribute in config.response_headers.attributes(trailers, Place::RpcTrailer) {
                self.say(|late| late.set_attribute(attribute));
            }
        }
    }
}

impl Owner {
    /// Not inlined, for the sake of HTTP.
    #[inline(never)]
    pub(super) fn finish_rpc(&self, rpc: &Rpc, mut late: Late, elapsed: Duration) {
        let exchange = &*self.exchange;
        let config = &*exchange.config;
        let code = rpc.code(&self.outcome, self.status, elapsed);
        let verdict = rpc.verdict(config, &self.outcome, code, late.error.as_ref());
        let error = verdict.as_ref().map(|verdict| verdict.error_type.clone());
        if let Some((instruments, _)) = exchange.instruments() {
            let further = std::mem::take(&mut late.metric_attributes);
            let end = RpcEnd { method: &rpc.method, code, error: error.clone(), further };
            contain("a meter", || instruments.record_rpc(&exchange.cx, elapsed, &exchange.labels, end));
        }
        if exchange.records() {
            contain("a span processor", || {
                let span = exchange.cx.span();
                if let Some(name) = late.name {
                    span.update_name(name);
                }
                let findings = Findings::new(&span, &late.attributes);
                findings.tell(KeyValue::new(RPC_STATUS_CODE, code.name()));
                if let Some(error) = error {
                    findings.tell(KeyValue::new(ERROR_TYPE, error));
                }
                exchange.tell_peer(&findings);
                exchange.end_span(&span, &late.attributes, verdict.as_ref(), elapsed);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::config::Side;

    fn rpc(request: &[(&'static str, &str)]) -> Box<Rpc> {
        Rpc::new(RpcMethod::Unknown, &headers(request))
    }

    fn headers(headers: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        headers.iter().map(header).collect()
    }

    fn failed(error_type: &'static str, code: Option<Code>) -> Outcome {
        Outcome::Failed(Box::new(Failure { code, ..Failure::named(error_type) }))
    }

    /// The code, and the errors of a server and of a client.
    fn ends(rpc: &Rpc, outcome: &Outcome, status: Option<u16>, after: Duration) -> [Option<String>; 3] {
        let code = rpc.code(outcome, status.map(|status| StatusCode::from_u16(status).unwrap()), after);
        let error =
            |side| rpc.verdict(&Config::new(side), outcome, code, None).map(|it| it.error_type.into_owned());
        [Some(code.name().to_owned()), error(Side::Server), error(Side::Client)]
    }

    #[test]
    fn the_table_of_endings() {
        use Outcome::{Complete, Dropped, Panicked};
        let grpc = ("content-type", "application/grpc");
        let code = |code| ("grpc-status", code);
        let no = None::<u16>;
        for (head, outcome, status, expected) in [
            (&[grpc, code("0")][..], &Complete, Some(200), ["OK", "", ""]),
            (&[grpc, code("5")], &Complete, Some(200), ["NOT_FOUND", "", "NOT_FOUND"]),
            (&[grpc, code("13")], &Complete, Some(200), ["INTERNAL", "INTERNAL", "INTERNAL"]),
            (&[grpc, code("1")], &Complete, Some(200), ["CANCELLED", "", "CANCELLED"]),
            (&[grpc, code("banana")], &Complete, Some(200), ["UNKNOWN", "UNKNOWN", "UNKNOWN"]),
            (&[grpc, code("0")], &Dropped, Some(200), ["OK", "", ""]),
            (&[grpc, code("5")], &Complete, Some(404), ["NOT_FOUND", "", "NOT_FOUND"]),
            (&[grpc], &Complete, Some(200), ["UNKNOWN", "UNKNOWN", "UNKNOWN"]),
            (&[grpc], &Dropped, Some(200), ["CANCELLED", "", "CANCELLED"]),
            (&[grpc], &Dropped, Some(503), ["UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"]),
            (&[], &Complete, Some(503), ["UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"]),
            (&[], &Dropped, Some(200), ["UNKNOWN", "UNKNOWN", "UNKNOWN"]),
            (&[], &Complete, Some(404), ["UNIMPLEMENTED", "UNIMPLEMENTED", "UNIMPLEMENTED"]),
            (&[], &Dropped, no, ["CANCELLED", "", "CANCELLED"]),
            (&[], &Panicked, no, ["UNKNOWN", "panic", "panic"]),
            (&[], &failed("connect", None), no, ["UNAVAILABLE", "connect", "connect"]),
            (&[], &failed("timeout", None), no, ["DEADLINE_EXCEEDED", "timeout", "timeout"]),
            (&[grpc], &failed("body", None), Some(200), ["UNKNOWN", "body", "body"]),
            (&[grpc], &failed("body", Some(Code::Internal)), Some(200), ["INTERNAL", "body", "body"]),
            (&[], &failed("NOT_FOUND", Some(Code::NotFound)), no, ["NOT_FOUND", "", "NOT_FOUND"]),
            (&[], &failed("_OTHER", None), no, ["UNKNOWN", "_OTHER", "_OTHER"]),
        ] {
            let rpc = rpc(&[]);
            if let Some(status) = status {
                let mut response = http::Response::builder().status(status).body(()).unwrap();
                *response.headers_mut() = headers(head);
                rpc.answered(&response.into_parts().0);
            }
            let ends = ends(&rpc, outcome, status, Duration::ZERO);
            let ends = ends.map(Option::unwrap_or_default);
            assert_eq!(ends, expected, "{head:?} {outcome:?} {status:?}");
        }
    }

    #[test]
    fn the_first_status_counts() {
        let rpc = rpc(&[]);
        rpc.note(&headers(&[("grpc-message", "no status yet")]));
        rpc.note(&headers(&[("grpc-status", "13"), ("grpc-message", "disk%20full")]));
        rpc.note(&headers(&[("grpc-status", "0")]));
        let verdict =
            rpc.verdict(&Config::new(Side::Server), &Outcome::Complete, Code::Internal, None).unwrap();
        assert_eq!((&*verdict.error_type, &*verdict.description), ("INTERNAL", "disk full"));
        assert_eq!(rpc.code(&Outcome::Complete, None, Duration::ZERO), Code::Internal);
    }

    #[test]
    fn who_goes_when_the_time_is_over_did_not_cancel() {
        let rpc = rpc(&[("grpc-timeout", "100m")]);
        let ends = |after| ends(&rpc, &Outcome::Dropped, None, Duration::from_millis(after));
        let ends = |after| ends(after).map(Option::unwrap_or_default);
        assert_eq!(ends(50), ["CANCELLED", "", "CANCELLED"]);
        assert_eq!(ends(100), ["DEADLINE_EXCEEDED"; 3]);
    }

    #[test]
    fn what_the_user_says_is_believed_but_for_a_panic() {
        let rpc = rpc(&[]);
        let said = Failure::named("mine");
        let config = Config::new(Side::Server);
        let named = |outcome: &Outcome, code| rpc.verdict(&config, outcome, code, Some(&said));
        assert_eq!(named(&Outcome::Complete, Code::Ok).unwrap().error_type, "mine");
        assert_eq!(named(&Outcome::Complete, Code::Internal).unwrap().error_type, "mine");
        assert_eq!(named(&Outcome::Panicked, Code::Unknown).unwrap().error_type, PANIC);
    }
}
