use std::cell::OnceCell;

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector};

use super::extract::join;
use super::from_env::DEFAULT;
use super::trace_context::{TRACEPARENT, TRACESTATE, TraceParent};
use super::{Propagation, baggage, caller, trace_state};
use crate::guest::contain;
use crate::headers::Found;

/// Reads the caller's context from headers, as the layers do: with the global propagator, or with
/// [`TraceContext`](super::TraceContext) and [`Baggage`](super::Baggage) while there is none.
///
/// Where the headers tell nothing the answer is `cx`: the current context, or an empty one for what must
/// not go on in the trace of whoever happens to be current.
///
/// ```
/// use http::HeaderMap;
/// use opentelemetry::Context;
/// use opentelemetry::trace::TraceContextExt;
/// use otelhttp::propagation;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse()?);
/// let cx = propagation::extract(&Context::new(), &headers);
/// assert!(cx.span().span_context().is_remote());
///
/// let mut outgoing = HeaderMap::new();
/// propagation::inject(&cx, &mut outgoing);
/// assert_eq!(outgoing, headers);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn extract(cx: &Context, headers: &HeaderMap) -> Context {
    Propagation::Global.extract(cx, headers, &Found::of(headers))
}

/// Writes a context into headers, as the layers do: what they said of a context before is replaced.
///
/// ```
/// use http::HeaderMap;
/// use opentelemetry::Context;
/// use otelhttp::propagation;
///
/// let mut headers = HeaderMap::new();
/// propagation::inject(&Context::current(), &mut headers);
/// ```
pub fn inject(cx: &Context, headers: &mut HeaderMap) {
    Propagation::Global.inject(cx, headers);
}

/// [`extract`] from anything else that carries text: the headers of a message in a queue, a field of a
/// WebSocket's message, a row of a table of jobs.
///
/// What a carrier gives for one key is judged as the lines of a header are: see
/// [`HeaderExtractor`](super::HeaderExtractor).
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::Context;
/// use otelhttp::propagation;
///
/// struct Job {
///     order: u64,
///     context: HashMap<String, String>,
/// }
///
/// let mut job = Job { order: 7, context: HashMap::new() };
/// propagation::inject_into(&Context::current(), &mut job.context);
///
/// // In another task, or in another program.
/// let cx = propagation::extract_from(&Context::new(), &job.context);
/// # let _ = (cx, job.order);
/// ```
#[must_use]
pub fn extract_from(cx: &Context, carrier: &dyn Extractor) -> Context {
    let carrier = Checked { carrier, tracestate: OnceCell::new(), baggage: OnceCell::new() };
    let extract = || {
        Propagation::Global.with(|foreign| {
            let read = foreign.unwrap_or(&*DEFAULT).extract_with_context(cx, &carrier);
            caller::checked(cx, read)
        })
    };
    contain("a propagator", extract).unwrap_or_else(|| cx.clone())
}

/// [`inject`] into anything else that carries text, best an empty one: what is not replaced cannot be taken
/// out.
///
/// A value that is empty is not written.
pub fn inject_into(cx: &Context, carrier: &mut dyn Injector) {
    let mut carrier = Filled(carrier);
    let inject = || {
        Propagation::Global.with(|foreign| foreign.unwrap_or(&*DEFAULT).inject_context(cx, &mut carrier));
    };
    contain("a propagator", inject);
}

/// What [`HeaderExtractor`](super::HeaderExtractor) is for headers.
struct Checked<'c> {
    carrier: &'c dyn Extractor,
    tracestate: OnceCell<Option<String>>,
    baggage: OnceCell<Option<String>>,
}

impl Checked<'_> {
    fn lines(&self, key: &str) -> Vec<&str> {
        self.carrier.get_all(key).unwrap_or_default()
    }

    fn traceparent(&self) -> Option<&str> {
        match self.lines(TRACEPARENT)[..] {
            [line] => TraceParent::parse(line.as_bytes()).map(|_| line),
            _ => None,
        }
    }

    fn tracestate(&self) -> Option<String> {
        join(self.lines(TRACESTATE).into_iter()).filter(|joined| trace_state::is_valid(joined))
    }

    fn baggage(&self) -> Option<String> {
        let mut joined = join(self.lines(baggage::BAGGAGE).into_iter())?;
        joined.truncate(baggage::within_limits(&joined).len());
        Some(joined)
    }
}

impl Extractor for Checked<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => self.traceparent(),
            TRACESTATE => self.tracestate.get_or_init(|| self.tracestate()).as_deref(),
            baggage::BAGGAGE => self.baggage.get_or_init(|| self.baggage()).as_deref(),
            _ => self.carrier.get(key),
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.carrier.keys()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        match key {
            TRACEPARENT | TRACESTATE | baggage::BAGGAGE => self.get(key).map(|value| vec![value]),
            _ => self.carrier.get_all(key),
        }
    }
}

struct Filled<'c>(&'c mut dyn Injector);

impl Injector for Filled<'_> {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() {
            self.0.set(key, value);
        }
    }

    fn reserve(&mut self, additional: usize) {
        self.0.reserve(additional);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// A carrier that has several values for a key, such as Kafka's headers.
    struct Lines(Vec<(&'static str, String)>);

    impl Extractor for Lines {
        fn get(&self, key: &str) -> Option<&str> {
            self.get_all(key)?.first().copied()
        }

        fn keys(&self) -> Vec<&str> {
            self.0.iter().map(|(key, _)| *key).collect()
        }

        fn get_all(&self, key: &str) -> Option<Vec<&str>> {
            let lines: Vec<&str> =
                self.0.iter().filter(|(k, _)| *k == key).map(|(_, v)| v.as_str()).collect();
            (!lines.is_empty()).then_some(lines)
        }
    }

    fn checked(carrier: &Lines) -> Checked<'_> {
        Checked { carrier, tracestate: OnceCell::new(), baggage: OnceCell::new() }
    }

    fn lines(lines: &[(&'static str, &str)]) -> Lines {
        Lines(lines.iter().map(|(key, value)| (*key, (*value).to_owned())).collect())
    }

    #[test]
    fn a_propagator_sees_what_is_well_formed() {
        let carrier = lines(&[
            ("traceparent", PARENT),
            ("tracestate", "a=1"),
            ("tracestate", ""),
            ("tracestate", "b=2"),
            ("baggage", "k=v"),
            ("baggage", "l=w"),
            ("b3", "0"),
        ]);
        let checked = checked(&carrier);
        assert_eq!(checked.get("traceparent"), Some(PARENT));
        assert_eq!(checked.get_all("tracestate"), Some(vec!["a=1,b=2"]));
        assert_eq!(checked.get("baggage"), Some("k=v,l=w"));
        assert_eq!((checked.get("b3"), checked.get_all("b3")), (Some("0"), Some(vec!["0"])));
        assert_eq!(checked.keys().len(), 7);
    }

    #[test]
    fn a_propagator_does_not_see_what_is_malformed() {
        let many = "k=v,".repeat(100_000);
        let carrier = lines(&[
            ("traceparent", PARENT),
            ("traceparent", PARENT),
            ("tracestate", "a=1"),
            ("tracestate", "b="),
            ("baggage", &many),
        ]);
        let extractor = checked(&carrier);
        assert_eq!((extractor.get("traceparent"), extractor.get("tracestate")), (None, None));
        assert_eq!(extractor.get("baggage").map(str::len), Some(64 * 4 - 1));
        let carrier = lines(&[("traceparent", "00-nonsense")]);
        assert_eq!(checked(&carrier).get("traceparent"), None);
    }

    #[test]
    fn an_empty_value_is_not_written() {
        let mut carrier = std::collections::HashMap::new();
        let mut filled = Filled(&mut carrier);
        filled.set("tracestate", String::new());
        filled.set("b3", "0".to_owned());
        assert_eq!(carrier, std::collections::HashMap::from([("b3".to_owned(), "0".to_owned())]));
    }

    #[test]
    fn a_carrier_that_panics_tells_and_takes_nothing() {
        struct Panics;
        impl Extractor for Panics {
            fn get(&self, _: &str) -> Option<&str> {
                panic!("on purpose")
            }
            fn keys(&self) -> Vec<&str> {
                panic!("on purpose")
            }
        }
        impl Injector for Panics {
            fn set(&mut self, _: &str, _: String) {
                panic!("on purpose")
            }
        }
        let cx = extract_from(&Context::new(), &lines(&[("traceparent", PARENT)]));
        inject_into(&cx, &mut Panics);
        use opentelemetry::trace::TraceContextExt;
        assert!(!extract_from(&Context::new(), &Panics).has_active_span());
    }
}
