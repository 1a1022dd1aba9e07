//! What is measured of gRPC calls.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use opentelemetry::metrics::{Histogram, Meter};
use opentelemetry::{KeyValue, StringValue};

use super::{DURATION_BOUNDARIES, Labels};
use crate::config::Side;
use crate::semconv::attributes::put;
use crate::semconv::grpc::{Code, RpcMethod, SYSTEM};
use crate::semconv::intern::Text;
use crate::semconv::{
    ERROR_TYPE, OTHER, RPC_METHOD, RPC_STATUS_CODE, RPC_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT,
};

/// Names and descriptions are the registry's.
fn name(side: Side) -> (&'static str, &'static str) {
    match side {
        Side::Server => {
            ("rpc.server.call.duration", "Measures the duration of an incoming Remote Procedure Call (RPC).")
        }
        Side::Client => {
            ("rpc.client.call.duration", "Measures the duration of an outgoing Remote Procedure Call (RPC).")
        }
    }
}

/// The instrument is made with the first call, so that a program without gRPC has none.
pub(super) struct Rpc {
    meter: Meter,
    side: Side,
    duration: OnceLock<Histogram<f64>>,
    guesses: Guesses,
}

impl Rpc {
    pub(super) fn new(meter: Meter, side: Side) -> Self {
        Self { meter, side, duration: OnceLock::new(), guesses: Guesses::default() }
    }

    pub(super) fn record(&self, seconds: f64, labels: &Labels, end: RpcEnd<'_>) {
        let duration = self.duration.get_or_init(|| {
            let (name, description) = name(self.side);
            self.meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description)
                .with_boundaries(DURATION_BOUNDARIES.to_vec())
                .build()
        });
        duration.record(seconds, &self.attributes(labels, end));
    }

    fn attributes(&self, labels: &Labels, end: RpcEnd<'_>) -> Vec<KeyValue> {
        let method = self.label(end.method, end.code);
        let mut list = vec![
            KeyValue::new(RPC_SYSTEM_NAME, SYSTEM),
            KeyValue::new(RPC_METHOD, method.map_or(StringValue::from(OTHER), StringValue::from)),
            KeyValue::new(RPC_STATUS_CODE, end.code.name()),
        ];
        list.extend(end.error.map(|error| KeyValue::new(ERROR_TYPE, error)));
        let address = labels.address.as_ref().map(Text::value);
        list.extend(address.map(|address| KeyValue::new(SERVER_ADDRESS, address)));
        list.extend(labels.port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
        for attribute in end.further {
            put(&mut list, attribute);
        }
        list
    }

    /// The method, if it may be a label: on a server only those that exist may.
    fn label(&self, method: &RpcMethod, code: Code) -> Option<Arc<str>> {
        match method {
            RpcMethod::Unknown => None,
            RpcMethod::Known(_) | RpcMethod::Guessed(_)
                if self.side == Side::Server && code == Code::Unimplemented =>
            {
                None
            }
            RpcMethod::Known(method) => Some(method.clone()),
            RpcMethod::Guessed(method) => self.guesses.admits(method, reached(code)).then(|| method.clone()),
        }
    }
}

/// What is known when a call ends.
pub(crate) struct RpcEnd<'m> {
    pub(crate) method: &'m RpcMethod,
    pub(crate) code: Code,
    pub(crate) error: Option<Cow<'static, str>>,
    /// What the user adds to the metrics.
    pub(crate) further: Vec<KeyValue>,
}

/// Methods that are labels although they are guessed, as many as a program may have. What answers
/// in front of a service (authentication, say) does so for methods too that do not exist, and a caller
/// can think of any number of those.
#[derive(Default)]
struct Guesses(RwLock<HashSet<Arc<str>>>);

impl Guesses {
    const MOST: usize = 256;

    fn admits(&self, method: &Arc<str>, reached: bool) -> bool {
        // Half of the places are for those that have been reached.
        let most = if reached { Self::MOST } else { Self::MOST / 2 };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.contains(method) || known.len() >= most {
            return known.contains(method);
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.contains(method) || (known.len() < most && known.insert(method.clone()))
    }
}

/// Whether the service has answered, for sure. Who stands in front of it, or goes away, says the others of
/// methods too that do not exist, and would take the places of those that do.
fn reached(code: Code) -> bool {
    !matches!(
        code,
        Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::Unavailable
            | Code::Unauthenticated
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(rpc: &Rpc, method: &RpcMethod, code: Code) -> Option<String> {
        rpc.label(method, code).map(|method| method.to_string())
    }

    fn rpc(side: Side) -> Rpc {
        Rpc::new(opentelemetry::global::meter("test"), side)
    }

    #[test]
    fn a_label_is_a_method_that_exists() {
        let known = RpcMethod::Known("a.B/C".into());
        let guessed = RpcMethod::Guessed("a.B/D".into());
        for (side, method, code, expected) in [
            (Side::Server, &known, Code::Ok, Some("a.B/C")),
            (Side::Server, &known, Code::Unimplemented, None),
            (Side::Server, &guessed, Code::NotFound, Some("a.B/D")),
            (Side::Server, &guessed, Code::Unimplemented, None),
            (Side::Server, &RpcMethod::Unknown, Code::Ok, None),
            (Side::Client, &known, Code::Unimplemented, Some("a.B/C")),
        ] {
            assert_eq!(label(&rpc(side), method, code).as_deref(), expected, "{side:?} {method:?} {code:?}");
        }
    }

    #[test]
    fn only_so_many_guesses_become_labels() {
        let rpc = rpc(Side::Server);
        let guess = |number: usize| RpcMethod::Guessed(format!("a.B/{number}").into());
        let refused = |number: &usize| label(&rpc, &guess(*number), Code::Unauthenticated).is_some();
        assert_eq!((0..10_000).filter(refused).count(), Guesses::MOST / 2);
        let admitted = |number: &usize| label(&rpc, &guess(*number), Code::NotFound).is_some();
        assert_eq!((0..10_000).filter(admitted).count(), Guesses::MOST);
        assert!(admitted(&0), "those that were first stay");
    }
}
