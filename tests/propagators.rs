//! `OTEL_PROPAGATORS` says which headers carry the context, and the formats do not get into each other's way.

mod common;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Command;

use common::*;
use http::{Request, Response};
use opentelemetry::propagation::TextMapPropagator;
use otelhttp::propagation::{self, Propagators};
use otelhttp::{ClientLayer, ServerLayer};
use tower::{Layer, ServiceExt};

const PARENT: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";

fn named(list: &str) -> Propagators {
    propagation::from_vars(|name| (name == "OTEL_PROPAGATORS").then(|| list.to_owned()))
}

/// The headers that went out, in order, as the response's body.
async fn told(request: Request<()>) -> Result<Response<String>, Infallible> {
    let mut lines: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
        .collect();
    lines.sort();
    Ok(Response::new(lines.concat()))
}

/// A server whose handler calls on with these headers of its own, and answers with what went out.
async fn gateway(server: ServerLayer, client: ClientLayer, own: &'static [(&str, &str)]) -> SocketAddr {
    let client = client.layer(tower::service_fn(told));
    serve_fn(server, move |_| {
        let client = client.clone();
        let request = Request::get("http://next.example/x");
        let request = own.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        async move { client.oneshot(request.body(()).unwrap()).await.unwrap() }
    })
    .await
}

/// The same without a provider: what comes in goes out, in these formats.
async fn passes_on(list: &str) -> SocketAddr {
    let (server, client) = (ServerLayer::new(), ClientLayer::new());
    gateway(server.propagator(named(list)), client.propagator(named(list)), &[]).await
}

async fn outgoing(address: SocketAddr, headers: &str) -> String {
    let answer = get_with(address, "/x", headers).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{headers:?}: {answer}");
    body.to_owned()
}

#[tokio::test]
async fn the_default_is_what_is_used_where_nothing_is_set() {
    let headers = format!("{PARENT}tracestate: foo=1 , a@b@c=2\r\nbaggage: a=1;level=gold\r\n");
    let sorted =
        "baggage: a=1;level=gold\r\n".to_owned() + &headers.replace("baggage: a=1;level=gold\r\n", "");
    let nothing_set = gateway(ServerLayer::new(), ClientLayer::new(), &[]).await;
    for address in [nothing_set, passes_on("").await, passes_on("baggage,tracecontext").await] {
        assert_eq!(outgoing(address, &headers).await, sorted);
    }
}

#[tokio::test]
async fn what_is_not_named_is_not_carried() {
    let headers = format!("{PARENT}baggage: a=1\r\n");
    assert_eq!(outgoing(passes_on("tracecontext").await, &headers).await, PARENT);
    assert_eq!(outgoing(passes_on("BAGGAGE ").await, &headers).await, "baggage: a=1\r\n");
    assert_eq!(outgoing(passes_on("none").await, &headers).await, "");
    assert_eq!(outgoing(passes_on("tracecontext,none").await, &headers).await, "");
}

#[tokio::test]
async fn with_none_a_request_keeps_the_headers_it_has() {
    let own = &[("traceparent", "mine"), ("baggage", "mine=1")];
    let (server, client) = (ServerLayer::new(), ClientLayer::new());
    let address = gateway(server.propagator(named("none")), client.propagator(named("none")), own).await;
    assert_eq!(outgoing(address, PARENT).await, "baggage: mine=1\r\ntraceparent: mine\r\n");
}

#[tokio::test]
async fn the_last_one_named_that_finds_a_caller_is_believed() {
    let other = "AAAAAAAAAAAAAAAAAAAAAAABAQAAAAAAAAACAgE";
    let both = format!("{PARENT}grpc-trace-bin: {other}\r\n");
    let w3c_of_other = "traceparent: 00-00000000000000000000000000000001-0000000000000002-01\r\n";
    for (list, headers, expected) in [
        ("tracecontext,grpc-trace-bin", &*both, w3c_of_other),
        ("grpc-trace-bin,tracecontext", &both, PARENT),
        ("tracecontext,grpc-trace-bin", PARENT, PARENT),
        ("tracecontext,grpc-trace-bin", &format!("{PARENT}grpc-trace-bin: nonsense\r\n"), PARENT),
    ] {
        let sent = outgoing(passes_on(list).await, headers).await;
        assert!(sent.ends_with(expected), "{list}: {sent}");
        assert!(sent.starts_with("grpc-trace-bin: "), "{list}: {sent}");
    }
}

/// The environment can only be set for a child.
#[test]
fn the_environment_is_read_and_what_is_not_known_said_once() {
    let test = std::env::current_exe().unwrap();
    for (value, expected) in [
        (Some(" Baggage,jaeger, baggage,JAEGER"), "[\"baggage\"]"),
        (Some("none"), "[\"\"]"),
        (Some(""), "[\"baggage\", \"traceparent\", \"tracestate\"]"),
        (None, "[\"baggage\", \"traceparent\", \"tracestate\"]"),
    ] {
        let mut child = Command::new(&test);
        child.args(["--exact", "a_child_tells_its_fields", "--nocapture"]).env_remove("OTEL_PROPAGATORS");
        if let Some(value) = value {
            child.env("OTEL_PROPAGATORS", value);
        }
        let output = child.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains(&format!("fields: {expected}\n")),
            "{value:?}: {text}"
        );
        let unknown = value.is_some_and(|value| value.contains("jaeger")) && cfg!(feature = "internal-logs");
        assert_eq!(text.matches("OTEL_PROPAGATORS").count(), usize::from(unknown), "{value:?}: {text}");
        assert_eq!(text.matches("jaeger").count(), usize::from(unknown), "{value:?}: {text}");
    }
}

#[test]
fn a_child_tells_its_fields() {
    tracing_subscriber::fmt().with_writer(std::io::stdout).init();
    let (first, second) = (propagation::from_env(), propagation::from_env());
    let fields: Vec<&str> = first.fields().collect();
    assert_eq!(fields, second.fields().collect::<Vec<_>>());
    println!("fields: {fields:?}");
}

#[cfg(feature = "b3")]
mod b3 {
    use opentelemetry_propagator_b3::{B3Encoding, Propagator};
    use opentelemetry_sdk::trace::Sampler;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn multi(rest: &str) -> String {
        let lines = format!("x-b3-spanid: {SPAN}\r\nx-b3-traceid: {TRACE}\r\n");
        let (before, after) = if rest < "x-b3-spanid" { (rest, "") } else { ("", rest) };
        format!("{before}{lines}{after}")
    }

    #[tokio::test]
    async fn each_form_goes_on_as_the_one_that_is_named() {
        for (came, single, multiple, w3c) in [
            (format!("b3: {TRACE}-{SPAN}-1\r\n"), "-1", "x-b3-sampled: 1\r\n", "01"),
            (format!("b3: {TRACE}-{SPAN}-0\r\n"), "-0", "x-b3-sampled: 0\r\n", "00"),
            (format!("b3: {TRACE}-{SPAN}-d\r\n"), "-d", "x-b3-flags: 1\r\n", "01"),
            (format!("b3: {TRACE}-{SPAN}-1-05e3ac9a4f6e3b90\r\n"), "-1", "x-b3-sampled: 1\r\n", "01"),
            // "Deferred" is not W3C's random flag.
            (format!("b3: {TRACE}-{SPAN}\r\n"), "", "", "00"),
            (multi(""), "", "", "00"),
            (multi("x-b3-sampled: true\r\n"), "-1", "x-b3-sampled: 1\r\n", "01"),
            (multi("x-b3-flags: 1\r\n"), "-d", "x-b3-flags: 1\r\n", "01"),
            // The single header is preferred.
            (multi("") + &format!("b3: {TRACE}-{SPAN}-1\r\n"), "-1", "x-b3-sampled: 1\r\n", "01"),
        ] {
            let single = format!("b3: {TRACE}-{SPAN}{single}\r\n");
            assert_eq!(outgoing(passes_on("b3").await, &came).await, single, "{came}");
            let sent = outgoing(passes_on("b3multi").await, &came).await;
            let mut expected: Vec<String> =
                multi(multiple).split_inclusive("\r\n").map(str::to_owned).collect();
            expected.sort();
            assert_eq!(sent, expected.concat(), "{came}");
            let sent = outgoing(passes_on("b3,tracecontext").await, &came).await;
            assert_eq!(sent, format!("{single}traceparent: 00-{TRACE}-{SPAN}-{w3c}\r\n"), "{came}");
        }
    }

    #[tokio::test]
    async fn a_short_trace_id_is_padded_on_the_left() {
        let came = format!("x-b3-traceid: {SPAN}\r\nx-b3-spanid: {SPAN}\r\nx-b3-sampled: 1\r\n");
        let sent = outgoing(passes_on("tracecontext,b3").await, &came).await;
        assert!(sent.contains(&format!("traceparent: 00-0000000000000000{SPAN}-{SPAN}-01\r\n")), "{sent}");
    }

    #[tokio::test]
    async fn the_random_flag_is_not_deferred_and_the_other_way_round() {
        let sent = outgoing(passes_on("tracecontext,b3").await, &PARENT.replace("-01", "-03")).await;
        assert_eq!(sent, format!("b3: {TRACE}-{SPAN}-1\r\n{}", PARENT.replace("-01", "-03")));
        // Whoever samples against a caller that has left it open does not make the trace id random by that.
        for stock in [true, false] {
            let telemetry = Telemetry::with_sampler(Sampler::AlwaysOn);
            let server = telemetry.server();
            let server = if stock {
                server.propagator(Propagator::with_encoding(B3Encoding::SingleHeader))
            } else {
                server.propagator(named("b3"))
            };
            let address = gateway(server, telemetry.client(), &[]).await;
            let sent = outgoing(address, &format!("b3: {TRACE}-{SPAN}\r\n")).await;
            assert!(sent.starts_with(&format!("traceparent: 00-{TRACE}-")), "{sent}");
            assert!(sent.ends_with("-01\r\n"), "{stock}: {sent}");
        }
    }

    /// What was left open has been decided once there is a span here.
    #[tokio::test]
    async fn below_a_caller_that_left_it_open_it_is_decided() {
        for (sampler, flag) in [(Sampler::AlwaysOn, "1"), (Sampler::AlwaysOff, "0")] {
            let telemetry = Telemetry::with_sampler(sampler);
            let (server, client) = (telemetry.server(), telemetry.client());
            let address = gateway(server.propagator(named("b3")), client.propagator(named("b3")), &[]).await;
            let sent = outgoing(address, &format!("b3: {TRACE}-{SPAN}\r\n")).await;
            assert!(sent.starts_with(&format!("b3: {TRACE}-")), "{sent}");
            assert!(sent.ends_with(&format!("-{flag}\r\n")), "{sent}");
        }
    }

    /// With the W3C's flag known beside it, a caller told twice is one and keeps its state.
    #[tokio::test]
    async fn a_proxy_that_tells_one_caller_in_both_formats_loses_nothing() {
        let came =
            format!("b3: {TRACE}-{SPAN}-1\r\n{}tracestate: a@b@c=1 ,d=2\r\n", PARENT.replace("-01", "-03"));
        assert_eq!(outgoing(passes_on("tracecontext,b3").await, &came).await, came);
        assert_eq!(outgoing(passes_on("b3,tracecontext").await, &came).await, came);
    }

    /// A proxy that hands on all headers sends no second parent along with its own.
    #[tokio::test]
    async fn headers_of_either_form_are_replaced() {
        const OWN: &[(&str, &str)] = &[
            ("b3", "00000000000000000000000000000001-0000000000000001-0"),
            ("x-b3-traceid", "00000000000000000000000000000001"),
            ("x-b3-spanid", "0000000000000001"),
            ("x-b3-parentspanid", "0000000000000002"),
            ("x-b3-sampled", "0"),
            ("x-b3-flags", "1"),
        ];
        for (list, expected) in [
            ("b3", format!("b3: {TRACE}-{SPAN}-1\r\n")),
            ("b3multi", format!("x-b3-sampled: 1\r\nx-b3-spanid: {SPAN}\r\nx-b3-traceid: {TRACE}\r\n")),
        ] {
            let client = ClientLayer::new().propagator(named(list));
            let address = gateway(ServerLayer::new(), client, OWN).await;
            assert_eq!(outgoing(address, PARENT).await, expected);
        }
    }

    #[tokio::test]
    async fn what_is_malformed_begins_a_trace_and_is_not_sent_on() {
        let telemetry = Telemetry::new();
        let (server, client) = (telemetry.server(), telemetry.client());
        let address = gateway(server.propagator(named("b3")), client.propagator(named("b3")), &[]).await;
        for came in [
            format!("b3: {}-{SPAN}-1\r\n", TRACE.to_uppercase()),
            format!("b3: +{}-{SPAN}-1\r\n", &TRACE[1..]),
            format!("b3: {TRACE}-{SPAN}-1\r\nb3: {TRACE}-{SPAN}-0\r\n"),
            format!("b3: {TRACE}-{SPAN}-2\r\n"),
            "b3: 0\r\n".to_owned(),
            "b3: \r\n".to_owned(),
            multi("x-b3-sampled: maybe\r\n"),
            multi(&format!("x-b3-traceid: {TRACE}\r\n")),
        ] {
            let sent = outgoing(address, &came).await;
            assert!(sent.starts_with("b3: ") && sent.ends_with("-1\r\n"), "{came}: {sent}");
            assert!(!sent.contains(&TRACE[2..]), "{came}: {sent}");
        }
    }

    /// Upstream's says `b3: 0` where there is no trace, which forbids whoever is called to sample.
    #[tokio::test]
    async fn without_a_trace_nothing_is_forbidden() {
        assert_eq!(outgoing(passes_on("b3,b3multi").await, "").await, "");
    }
}

#[cfg(feature = "xray")]
mod xray {
    use opentelemetry::propagation::TextMapCompositePropagator;
    use opentelemetry_aws::trace::XrayPropagator;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";
    const IDS: &str = "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331";

    #[tokio::test]
    async fn it_goes_on_as_it_came_and_as_w3cs() {
        for (rest, w3c) in [(";Sampled=1", "01"), (";Sampled=0", "00"), (";Sampled=?", "00")] {
            let came = format!("x-amzn-trace-id: {IDS}{rest};Lineage=a87bd80c:1\r\ntracestate: foo=1\r\n");
            let sent = outgoing(passes_on("tracecontext,xray").await, &came).await;
            let expected = format!("x-amzn-trace-id: {IDS}{rest};Lineage=a87bd80c:1\r\n");
            let expected = format!("traceparent: 00-{TRACE}-{SPAN}-{w3c}\r\n{expected}");
            assert_eq!(sent, expected);
        }
    }

    #[tokio::test]
    async fn the_random_flag_is_not_a_wish_for_a_decision_and_states_stay_apart() {
        let came = PARENT.replace("-01", "-03") + "tracestate: foo=1\r\n";
        let sent = outgoing(passes_on("xray,tracecontext").await, &came).await;
        assert_eq!(sent, format!("{came}x-amzn-trace-id: {IDS};Sampled=1\r\n"));
    }

    /// What AWS's load balancers send begins a trace that is sampled; upstream's parent is none, and not sampled.
    #[tokio::test]
    async fn a_root_without_a_parent_begins_a_trace() {
        for stock in [true, false] {
            let telemetry = Telemetry::new();
            let server = telemetry.server();
            let server = if stock {
                server.propagator(TextMapCompositePropagator::new(vec![
                    Box::new(propagation::Baggage::new()),
                    Box::new(XrayPropagator::new()),
                ]))
            } else {
                server.propagator(named("baggage,xray"))
            };
            let address = gateway(server, ClientLayer::new(), &[]).await;
            let came = "x-amzn-trace-id: Root=1-0af76519-16cd43dd8448eb211c80319c\r\nbaggage: a=1;p=2\r\n";
            let sent = outgoing(address, came).await;
            let parent = sent.strip_prefix("baggage: a=1;p=2\r\ntraceparent: 00-");
            assert!(parent.is_some_and(|parent| parent.ends_with("-01\r\n")), "{stock}: {sent}");
            assert_ne!(telemetry.span().await.span_context.trace_id().to_string(), TRACE, "{stock}");
        }
    }
}

#[cfg(all(feature = "b3", feature = "xray", feature = "telemetry"))]
mod decided_in_one_format {
    use http::HeaderMap;
    use opentelemetry::Context;
    use opentelemetry::trace::{SpanKind, TraceContextExt};
    use opentelemetry_sdk::trace::{SamplingDecision, ShouldSample};
    use otelhttp::propagation::{HeaderExtractor, HeaderInjector};
    use otelhttp::sampling::RouteSampler;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";
    const XRAY: &str = "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331";

    fn headers(flag: &str) -> HeaderMap {
        let b3 = format!("{TRACE}-{SPAN}");
        let parent = format!("00-{TRACE}-{SPAN}-{flag}");
        let xray = format!("{XRAY};Lineage=a:1");
        let lines =
            [("b3", &*b3), ("tracestate", "a=1"), ("traceparent", &*parent), ("x-amzn-trace-id", &*xray)];
        lines.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn sampled(cx: &Context) -> bool {
        let id = cx.span().span_context().trace_id();
        let result = RouteSampler::new(1.0).should_sample(Some(cx), id, "GET", &SpanKind::Server, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn is_decided_in_all_whichever_is_read_first() {
        for (flag, taken) in [("00", false), ("01", true)] {
            for list in ["tracecontext,b3,xray", "xray,b3,tracecontext", "b3,tracecontext,xray"] {
                let came = headers(flag);
                let cx = named(list).extract_with_context(&Context::new(), &HeaderExtractor::new(&came));
                assert_eq!((cx.span().span_context().is_sampled(), sampled(&cx)), (taken, taken), "{list}");
                let mut sent = HeaderMap::new();
                named(list).inject_context(&cx, &mut HeaderInjector::new(&mut sent));
                let mut expected = came;
                let b3 = format!("{TRACE}-{SPAN}-{}", u8::from(taken));
                expected.insert("b3", b3.parse().unwrap());
                let xray = format!("{XRAY};Sampled={};Lineage=a:1", u8::from(taken));
                expected.insert("x-amzn-trace-id", xray.parse().unwrap());
                assert_eq!(sent, expected, "{list} {flag}");
            }
        }
    }

    #[test]
    fn what_all_formats_leave_open_stays_open() {
        let mut came = headers("00");
        came.remove("traceparent");
        for list in ["b3,tracecontext,xray", "xray,tracecontext,b3"] {
            let cx = named(list).extract_with_context(&Context::new(), &HeaderExtractor::new(&came));
            assert!(sampled(&cx) && !cx.span().span_context().is_sampled(), "{list}");
        }
    }
}
