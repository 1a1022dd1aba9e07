//! A context taken by hand to where no layer is. One test, since it sets the global propagator.

mod common;

use std::collections::HashMap;

use common::*;
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Link, Span, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, global};
use otelhttp::propagation::{self, GrpcTraceBin};
use tokio::sync::mpsc;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

/// A message of a queue whose headers may have one key several times, as Kafka's do.
#[derive(Default)]
struct Message(Vec<(String, String)>);

impl Injector for Message {
    fn set(&mut self, key: &str, value: String) {
        self.0.push((key.to_owned(), value));
    }
}

impl Extractor for Message {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(key, _)| key.as_str()).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        Some(self.0.iter().filter(|(other, _)| other == key).map(|(_, value)| value.as_str()).collect())
    }
}

#[tokio::test]
async fn a_context_goes_where_no_layer_is() {
    headers_are_replaced_as_the_layers_do();
    malformed_carriers_tell_nothing();
    a_job_outlives_its_request_and_is_linked_to_it().await;
    // Whatever the global propagator is from now on, it is used.
    global::set_text_map_propagator(GrpcTraceBin::new());
    the_global_propagator_is_used();
    global::set_text_map_propagator(propagation::Propagators::default());
    headers_are_replaced_as_the_layers_do();
    malformed_carriers_tell_nothing();
    global::set_text_map_propagator(Panics);
    a_propagator_that_panics_is_contained();
}

fn headers_are_replaced_as_the_layers_do() {
    let caller =
        [("traceparent", PARENT), ("tracestate", "a=1 , b@c@d=2"), ("baggage", "tenant=acme;level=gold")];
    let cx = propagation::extract(&Context::new(), &headers(&caller));
    let mut outgoing = headers(&[("traceparent", "old"), ("tracestate", "old=1"), ("x-mine", "1")]);
    propagation::inject(&cx, &mut outgoing);
    let mut expected = headers(&caller);
    expected.insert("x-mine", HeaderValue::from_static("1"));
    assert_eq!(outgoing, expected);

    // A state that is not there any more leaves none behind.
    let cx = propagation::extract(&Context::new(), &headers(&caller[..1]));
    propagation::inject(&cx, &mut outgoing);
    assert_eq!(outgoing, headers(&[("traceparent", PARENT), ("x-mine", "1")]));

    let mut message = HashMap::new();
    let cx = propagation::extract(&Context::new(), &headers(&caller));
    propagation::inject_into(&cx, &mut message);
    let expected = caller.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(message, HashMap::from(expected));
    let mut back = HeaderMap::new();
    propagation::inject(&propagation::extract_from(&Context::new(), &message), &mut back);
    assert_eq!(back, headers(&caller));
}

fn malformed_carriers_tell_nothing() {
    let message = |lines: &[(&str, &str)]| {
        Message(lines.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    };
    let twice = [("traceparent", PARENT), ("traceparent", PARENT)];
    for lines in [&[("traceparent", "00-nonsense-01")][..], &twice, &[("tracestate", "a=1")], &[]] {
        let base = Context::new().with_baggage([opentelemetry::KeyValue::new("own", "1")]);
        for cx in [
            propagation::extract_from(&base, &message(lines)),
            propagation::extract(
                &base,
                &headers(&lines.iter().map(|(k, v)| (name(k), *v)).collect::<Vec<_>>()),
            ),
        ] {
            assert!(!cx.has_active_span(), "{lines:?}");
            assert_eq!(cx.baggage().get("own").unwrap().as_str(), "1");
        }
    }
    // Several values are one list, as several lines are.
    let lines = [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2"), ("baggage", "c=3")];
    let cx = propagation::extract_from(&Context::new(), &message(&lines));
    assert_eq!(cx.span().span_context().trace_state().header(), "a=1,b=2");
    assert_eq!(cx.baggage().get("c").unwrap().as_str(), "3");
    let mut empty = Message::default();
    propagation::inject_into(&Context::new(), &mut empty);
    assert_eq!(empty.0, []);
}

fn name(name: &str) -> &'static str {
    if name == "traceparent" { "traceparent" } else { "tracestate" }
}

/// The handler answers at once; what it has put into the queue is worked at in a trace of its own.
async fn a_job_outlives_its_request_and_is_linked_to_it() {
    let telemetry = Telemetry::new();
    let (queue, mut jobs) = mpsc::unbounded_channel::<HashMap<String, String>>();
    let address = serve_fn(telemetry.server(), move |_: Request<Incoming>| {
        let mut job = HashMap::new();
        propagation::inject_into(&Context::current(), &mut job);
        queue.send(job).unwrap();
        async { Response::new(text("accepted")) }
    })
    .await;
    get_with(address, "/x", &format!("traceparent: {PARENT}\r\n")).await;
    let server = telemetry.span().await;

    let job = soon("a job", jobs.recv()).await.unwrap();
    let cx = propagation::extract_from(&Context::new(), &job);
    let cause = cx.span().span_context().clone();
    assert_eq!(cause.span_id(), server.span_context.span_id());
    let tracer = telemetry.tracer_provider.tracer("worker");
    let span =
        tracer.span_builder("job").with_kind(SpanKind::Consumer).with_links(vec![Link::with_context(cause)]);
    span.start_with_context(&tracer, &Context::new()).end();
    let worked = telemetry.spans(2).await.remove(1);
    assert_ne!(worked.span_context.trace_id(), server.span_context.trace_id());
    let links: Vec<_> = worked.links.iter().map(|link| link.span_context.span_id()).collect();
    assert_eq!(links, [server.span_context.span_id()]);
}

fn the_global_propagator_is_used() {
    let census = [("grpc-trace-bin", "AABL+S81d7NNpqPOkp0ADkc2ATTwZ6oLqQK3AgE"), ("traceparent", PARENT)];
    let cx = propagation::extract(&Context::new(), &headers(&census));
    assert_eq!(cx.span().span_context().span_id().to_string(), "34f067aa0ba902b7");
    let mut message = HashMap::new();
    propagation::inject_into(&cx, &mut message);
    assert_eq!(message, HashMap::from([("grpc-trace-bin".to_owned(), census[0].1.to_owned())]));
}

#[derive(Debug)]
struct Panics;

impl TextMapPropagator for Panics {
    fn inject_context(&self, _: &Context, _: &mut dyn Injector) {
        panic!("on purpose")
    }

    fn extract_with_context(&self, _: &Context, _: &dyn Extractor) -> Context {
        panic!("on purpose")
    }

    fn fields(&self) -> opentelemetry::propagation::text_map_propagator::FieldIter<'_> {
        static FIELDS: std::sync::LazyLock<[String; 1]> = std::sync::LazyLock::new(|| ["x".to_owned()]);
        opentelemetry::propagation::text_map_propagator::FieldIter::new(&*FIELDS)
    }
}

fn a_propagator_that_panics_is_contained() {
    let cx = Context::new();
    assert!(!propagation::extract(&cx, &headers(&[("traceparent", PARENT)])).has_active_span());
    assert!(!propagation::extract_from(&cx, &Message::default()).has_active_span());
    propagation::inject(&cx, &mut HeaderMap::new());
    propagation::inject_into(&cx, &mut Message::default());
}
