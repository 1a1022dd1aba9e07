//! The phases of a new connection are recorded once, by whom they belong to, and the connections that
//! are open are counted until they close.
#![cfg(feature = "connect")]

mod common;

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;
use common::client::*;
use common::tls::Identity;
use common::*;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry::trace::{FutureExt, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags};
use opentelemetry::trace::{TraceId, TraceState, Tracer, TracerProvider};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::trace::SpanData;
use otelhttp::ClientService;
use otelhttp::connect::{DnsService, Phases, TcpService};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt, service_fn};

const OPEN: &str = "http.client.open_connections";
const DURATION: &str = "http.client.connection.duration";

type Answer = std::vec::IntoIter<SocketAddr>;
type Resolver = BoxCloneSyncService<Name, Answer, io::Error>;
type Plain = TcpService<HttpConnector<DnsService<Resolver>>>;

fn phases(telemetry: &Telemetry) -> Phases {
    Phases::new()
        .tracer_provider(telemetry.tracer_provider.clone())
        .meter_provider(telemetry.meter_provider.clone())
}

/// A resolver for which every name is loopback, once this is ready.
fn resolver<F>(ready: impl Fn() -> F + Clone + Send + Sync + 'static) -> Resolver
where
    F: Future<Output = ()> + Send + 'static,
{
    BoxCloneSyncService::new(service_fn(move |_: Name| {
        let ready = ready();
        async move {
            ready.await;
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))].into_iter())
        }
    }))
}

fn at_once() -> Resolver {
    resolver(|| async {})
}

fn connector(phases: &Phases, resolver: Resolver) -> Plain {
    let mut http = HttpConnector::new_with_resolver(phases.dns(resolver));
    http.enforce_http(false);
    phases.tcp(http)
}

/// hyper-util's client inside of a layer.
fn client<C: Connect + Clone>(
    telemetry: &Telemetry,
    connector: C,
) -> ClientService<legacy::Client<C, Full<Bytes>>> {
    telemetry.client().layer(legacy::Client::builder(TokioExecutor::new()).build(connector))
}

fn plain(telemetry: &Telemetry) -> ClientService<legacy::Client<Plain, Full<Bytes>>> {
    client(telemetry, connector(&phases(telemetry), at_once()))
}

/// A GET by name, of a port of loopback.
fn get_shop(address: SocketAddr) -> Request<Full<Bytes>> {
    request(format_args!("http://shop.example:{}/x", address.port()))
}

async fn hello() -> SocketAddr {
    answers(|_| Response::new(text("hello"))).await
}

/// A server whose answers wait for a word before they end.
async fn begins_hello() -> (SocketAddr, Arc<Notify>) {
    let finish = Arc::new(Notify::new());
    let finished = finish.clone();
    let address = answers(move |_| {
        let finished = finished.clone();
        let hello = |text| Ok::<_, io::Error>(Frame::data(Bytes::from_static(text)));
        let rest = async move {
            finished.notified().await;
            hello(b"lo")
        };
        Response::new(StreamBody::new(stream::iter([hello(b"hel")]).chain(stream::once(rest))))
    })
    .await;
    (address, finish)
}

/// Calls and reads the body to its end.
async fn read<S, B>(client: &mut S, request: Request<Full<Bytes>>) -> Bytes
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: fmt::Debug>,
    B: http_body::Body<Error: fmt::Debug>,
{
    let response = soon("a head", client.call(request)).await.unwrap();
    soon("a body", response.into_body().collect()).await.unwrap().to_bytes()
}

/// Compares a whole phase of a connection to a port of loopback.
#[track_caller]
fn assert_phase(
    span: &SpanData,
    request: &SpanData,
    name: &str,
    port: u16,
    host: &str,
    more: &[(&str, &str)],
) {
    assert_eq!(span.parent_span_id, request.span_context.span_id(), "{span:#?}");
    assert_eq!(span.span_context.trace_id(), request.span_context.trace_id());
    assert_eq!(span.links.len(), 0);
    assert_unplaced(span, name, port, host, more);
}

#[track_caller]
fn assert_unplaced(span: &SpanData, name: &str, port: u16, host: &str, more: &[(&str, &str)]) {
    let failed = more.iter().any(|(key, _)| *key == "error.type");
    let status = if failed { span.status.clone() } else { Status::Unset };
    assert_eq!(matches!(span.status, Status::Error { .. }), failed, "{span:#?}");
    assert_span(span, SpanKind::Internal, name, status, &expected(name, &port.to_string(), host, more));
}

fn expected<'t>(
    name: &str,
    port: &'t str,
    host: &'t str,
    more: &[(&'t str, &'t str)],
) -> Vec<(&'t str, &'t str)> {
    let mut attributes = vec![("server.address", host)];
    if name != "dns" {
        attributes.push(("server.port", port));
    }
    if name == "tcp" {
        attributes.push(("network.transport", "tcp"));
    }
    attributes.extend(more);
    attributes
}

/// What a phase that connected to a port of loopback has more.
macro_rules! peer {
    ($port:expr) => {
        [("network.peer.address", "127.0.0.1"), ("network.peer.port", &*$port.to_string())]
    };
}

fn names(spans: &[SpanData]) -> Vec<&str> {
    spans.iter().map(|span| &*span.name).collect()
}

/// The connections by state.
fn open(telemetry: &Telemetry) -> (f64, f64) {
    let points = telemetry.points(OPEN);
    let count = |state: &str| {
        let points = points.iter().filter(|point| point.attributes["http.connection.state"] == state);
        points.map(|point| point.sum).sum()
    };
    (count("active"), count("idle"))
}

/// How many connections have closed.
fn closed(telemetry: &Telemetry) -> u64 {
    telemetry.points(DURATION).iter().map(|point| point.count).sum()
}

/// Lets other tasks run until it is so.
async fn until(what: &str, condition: impl Fn() -> bool) {
    soon(what, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_phases_of_a_new_connection_follow_each_other_below_the_request() {
    for protocol in ["http/1.1", "h2"] {
        let telemetry = Telemetry::new();
        let phases = phases(&telemetry);
        let identity = Identity::new();
        let port = identity.serve(protocol).await.port();
        let connector = phases.tls(identity.connector(connector(&phases, at_once())));
        let url = format!("https://user:s3cret@shop.example:{port}/x?sig=s3cret");
        let mut client = client(&telemetry, connector);
        assert_eq!(read(&mut client, request(url)).await, "hello");
        assert_eq!(open(&telemetry), (0.0, 1.0));
        assert!(telemetry.points(OPEN).iter().all(|point| point.attributes["url.scheme"] == "https"));
        let spans = telemetry.spans(4).await;
        let [dns, tcp, tls, get] = &spans[..] else { unreachable!() };
        assert_phase(dns, get, "dns", port, "shop.example", &[]);
        assert_phase(tcp, get, "tcp", port, "shop.example", &peer!(port));
        assert_phase(tls, get, "tls", port, "shop.example", &peer!(port));
        assert_eq!(names(&telemetry.started()), ["GET", "dns", "tcp", "tls"]);
        assert!(get.start_time <= dns.start_time);
        assert_eq!((dns.end_time, tcp.end_time), (tcp.start_time, tls.start_time));
        assert!(tls.end_time <= get.end_time);
        assert_nowhere(&telemetry, &["s3cret"]);
    }
}

#[tokio::test]
async fn an_address_needs_no_dns_and_http_no_tls() {
    let telemetry = Telemetry::new();
    let phases = phases(&telemetry);
    let address = hello().await;
    // A connector for both schemes; this one does not even have TLS.
    let connector = phases.tls(connector(&phases, at_once()));
    read(&mut client(&telemetry, connector), get_x(address)).await;
    let spans = telemetry.spans(2).await;
    assert_phase(&spans[0], &spans[1], "tcp", address.port(), "127.0.0.1", &peer!(address.port()));
}

#[tokio::test]
async fn what_cannot_be_told_apart_is_one_phase() {
    let telemetry = Telemetry::new();
    let phases = phases(&telemetry);
    let identity = Identity::new();
    let port = identity.serve("h2").await.port();
    let mut http = HttpConnector::new_with_resolver(phases.dns(at_once()));
    http.enforce_http(false);
    let connector = phases.tls(identity.connector(http));
    let url = format!("https://shop.example:{port}/x");
    read(&mut client(&telemetry, connector), request(&url)).await;
    // A layer that knows nothing of the URL.
    let http = HttpConnector::new_with_resolver(phases.dns(at_once()));
    let address = hello().await;
    read(&mut client(&telemetry, phases.layer().layer(http)), get_shop(address)).await;
    let spans = telemetry.spans(6).await;
    assert_eq!(names(&spans), ["dns", "connect", "GET", "dns", "connect", "GET"]);
    assert_phase(&spans[1], &spans[2], "connect", port, "shop.example", &peer!(port));
    assert_eq!(spans[0].end_time, spans[1].start_time);
    assert_span(&spans[4], SpanKind::Internal, "connect", Status::Unset, &peer!(address.port()));
}

#[tokio::test]
async fn phases_may_be_events_of_the_request() {
    let telemetry = Telemetry::new();
    let phases = phases(&telemetry).events(true);
    let identity = Identity::new();
    let port = identity.serve("h2").await.port();
    let connector = phases.tls(identity.connector(connector(&phases, at_once())));
    read(&mut client(&telemetry, connector), request(format!("https://shop.example:{port}/x"))).await;
    let get = telemetry.span().await;
    let names: Vec<_> = get.events.iter().map(|event| &*event.name).collect();
    assert_eq!(names, ["dns.start", "dns.end", "tcp.start", "tcp.end", "tls.start", "tls.end"]);
    let times: Vec<_> = get.events.iter().map(|event| event.timestamp).collect();
    assert!(times.is_sorted());
    assert!(get.start_time <= times[0] && times[5] <= get.end_time);
    let (port, peer) = (port.to_string(), peer!(port));
    for (position, name, more) in [(1, "dns", &[][..]), (3, "tcp", &peer), (5, "tls", &peer)] {
        let attributes = texts(&get.events[position].attributes);
        assert_attributes(&attributes, &expected(name, &port, "shop.example", more));
        assert!(get.events[position - 1].attributes.is_empty());
    }
}

#[tokio::test]
async fn a_failed_phase_is_told_by_its_event_too() {
    let telemetry = Telemetry::new();
    let address = nobody();
    let phases = phases(&telemetry).events(true);
    let mut client = client(&telemetry, connector(&phases, at_once()));
    soon("an error", client.call(get_x(address))).await.unwrap_err();
    let get = telemetry.span().await;
    let port = address.port().to_string();
    assert_eq!(get.events.len(), 2);
    let failed = expected("tcp", &port, "127.0.0.1", &[("error.type", "connect")]);
    assert_attributes(&texts(&get.events[1].attributes), &failed);
}

#[tokio::test]
async fn a_request_that_reuses_a_connection_has_no_phases() {
    let telemetry = Telemetry::new();
    let peers = Arc::new(Mutex::new(HashSet::new()));
    let address = {
        let peers = peers.clone();
        answers(move |request| {
            let peer = request.extensions().get::<otelhttp::PeerAddr>().unwrap();
            peers.lock().unwrap().insert(format!("{peer:?}"));
            Response::new(text("hello"))
        })
        .await
    };
    let mut client = plain(&telemetry);
    for _ in 0..20 {
        read(&mut client, get_shop(address)).await;
    }
    // A connection that comes back too late is not reused.
    let connections = peers.lock().unwrap().len();
    assert!(connections < 20);
    let spans = telemetry.spans_now();
    let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
    assert_eq!((count("GET"), count("tcp") >= connections), (20, true));
    assert!(count("tcp") < 20);
    assert_eq!(count("dns"), count("tcp"));
}

#[tokio::test]
async fn requests_share_a_connection_of_http2() {
    let telemetry = Telemetry::new();
    let everybody = Arc::new(tokio::sync::Barrier::new(8));
    let address = serve(service_fn(move |_| {
        let everybody = everybody.clone();
        async move {
            everybody.wait().await;
            Ok::<_, std::convert::Infallible>(Response::new(text("hello")))
        }
    }))
    .await;
    let connector = connector(&phases(&telemetry), at_once());
    let inner = legacy::Client::builder(TokioExecutor::new()).http2_only(true).build(connector);
    let client = telemetry.client().layer(inner);
    let calls = (0..8).map(|_| client.clone().oneshot(get_shop(address)));
    let responses: Vec<_> = soon("heads", join_all(calls)).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(open(&telemetry), (1.0, 0.0));
    for (position, response) in responses.into_iter().enumerate() {
        assert_eq!(open(&telemetry), (1.0, 0.0), "{position} were read");
        response.into_body().collect().await.unwrap();
    }
    assert_eq!(open(&telemetry), (0.0, 1.0));
    let spans = telemetry.spans(10).await;
    assert_eq!(names(&spans).iter().filter(|name| **name == "GET").count(), 8);
    drop(client);
    until("the connection to close", || open(&telemetry) == (0.0, 0.0)).await;
    let points = telemetry.points(DURATION);
    assert_eq!((points.len(), points[0].count), (1, 1));
    assert_eq!(points[0].attributes["network.protocol.version"], "2");
}

#[tokio::test]
async fn what_http2_sends_of_itself_does_not_make_a_connection_active() {
    struct Gone(Arc<Notify>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let telemetry = Telemetry::new();
    let reset = Arc::new(Notify::new());
    let address = {
        let reset = reset.clone();
        answers(move |_| {
            let gone = Gone(reset.clone());
            Response::new(StreamBody::new(stream::poll_fn(move |_| {
                let _ = &gone;
                Poll::<Option<Result<Frame<Bytes>, io::Error>>>::Pending
            })))
        })
        .await
    };
    let connector = connector(&phases(&telemetry), at_once());
    let inner = legacy::Client::builder(TokioExecutor::new()).http2_only(true).build(connector);
    let mut client = telemetry.client().layer(inner);
    let response = soon("a head", client.call(get_shop(address))).await.unwrap();
    assert_eq!(open(&telemetry), (1.0, 0.0));
    drop(response);
    assert_eq!(open(&telemetry), (0.0, 1.0));
    // The server has been told that nobody reads on.
    soon("the stream to be reset", reset.notified()).await;
    assert_eq!(open(&telemetry), (0.0, 1.0));
}

/// An error of which nobody knows anything.
#[derive(Debug)]
struct Opaque;

impl fmt::Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("s3cret")
    }
}

impl Error for Opaque {}

/// Whether the caller got the very error.
fn has_opaque(error: &legacy::Error) -> bool {
    let error: &(dyn Error + 'static) = error;
    std::iter::successors(Some(error), |error| (*error).source()).any(<dyn Error>::is::<Opaque>)
}

/// A port on which nobody listens, while the socket lives.
fn nobody() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    // For the rest of the test, or somebody else could listen there.
    std::mem::forget(socket);
    address
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_the_fault_of_dns() {
    let telemetry = Telemetry::new();
    let phases = phases(&telemetry);
    let resolver = service_fn(|_: Name| async { Err::<Answer, _>(Opaque) });
    let http = HttpConnector::new_with_resolver(phases.dns(BoxCloneSyncService::new(resolver)));
    let mut client = client(&telemetry, phases.tls(phases.tcp(http)));
    let error = soon("an error", client.call(request("http://shop.example/x"))).await.unwrap_err();
    assert!(error.is_connect() && has_opaque(&error));
    let spans = telemetry.spans(2).await;
    assert_phase(&spans[0], &spans[1], "dns", 80, "shop.example", &[("error.type", "dns")]);
    assert_eq!(spans[0].status, Status::error("dns"));
    assert_eq!(attribute(&spans[1], "error.type").unwrap(), "dns");
    assert_nowhere(&telemetry, &["s3cret"]);
}

#[tokio::test]
async fn a_refused_connection_is_the_fault_of_tcp() {
    let telemetry = Telemetry::new();
    let address = nobody();
    let error = soon("an error", plain(&telemetry).call(get_shop(address))).await.unwrap_err();
    assert!(error.is_connect());
    let spans = telemetry.spans(3).await;
    assert_eq!(names(&spans), ["dns", "tcp", "GET"]);
    assert_phase(&spans[1], &spans[2], "tcp", address.port(), "shop.example", &[("error.type", "connect")]);
    assert_eq!(attribute(&spans[2], "error.type").unwrap(), "connect");
    assert_eq!(open(&telemetry), (0.0, 0.0));
    assert_eq!(closed(&telemetry), 0);
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_says_so() {
    let telemetry = Telemetry::new();
    let late = service_fn(|_: Uri| async {
        Err::<TokioIo<TcpStream>, _>(io::Error::new(io::ErrorKind::TimedOut, "no answer"))
    });
    let mut client = client(&telemetry, phases(&telemetry).tcp(BoxCloneSyncService::new(late)));
    soon("an error", client.call(request("http://127.0.0.1:1/x"))).await.unwrap_err();
    let spans = telemetry.spans(2).await;
    assert_phase(&spans[0], &spans[1], "tcp", 1, "127.0.0.1", &[("error.type", "connect_timeout")]);
    assert_eq!(attribute(&spans[1], "error.type").unwrap(), "connect_timeout");
}

#[tokio::test]
async fn a_failed_handshake_is_the_fault_of_tls() {
    let untrusted = Identity::new().serve("h2").await;
    let plain_text = accepts(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    for address in [untrusted, plain_text] {
        let telemetry = Telemetry::new();
        let phases = phases(&telemetry);
        let connector = phases.tls(Identity::new().connector(connector(&phases, at_once())));
        let mut client = client(&telemetry, connector);
        let error = soon("an error", client.call(request(format!("https://{address}/x")))).await.unwrap_err();
        assert!(error.is_connect());
        let spans = telemetry.spans(3).await;
        assert_eq!(names(&spans), ["tcp", "tls", "GET"]);
        let port = address.port();
        assert_phase(&spans[0], &spans[2], "tcp", port, "127.0.0.1", &peer!(port));
        assert_phase(&spans[1], &spans[2], "tls", port, "127.0.0.1", &[("error.type", "tls")]);
        assert_eq!(attribute(&spans[2], "error.type").unwrap(), "tls");
        // It was never one for HTTP.
        assert_eq!((telemetry.points(OPEN).len(), closed(&telemetry)), (0, 0));
    }
}

#[tokio::test]
async fn the_class_is_sure_where_the_error_tells_nothing() {
    let telemetry = Telemetry::new();
    let phases = phases(&telemetry);
    let address = hello().await;
    let tcp = connector(&phases, at_once());
    let tls = service_fn(move |uri| {
        let connecting = tcp.clone().call(uri);
        Box::pin(async move {
            let _connected = connecting.await.unwrap();
            Err::<TokioIo<TcpStream>, _>(Opaque)
        })
    });
    let mut client = client(&telemetry, phases.tls(tls));
    let url = format!("https://shop.example:{}/x", address.port());
    let error = soon("an error", client.call(request(url))).await.unwrap_err();
    assert!(has_opaque(&error));
    let spans = telemetry.spans(4).await;
    assert_eq!(names(&spans), ["dns", "tcp", "tls", "GET"]);
    assert_eq!(attribute(&spans[2], "error.type").unwrap(), "tls");
    assert_eq!(attribute(&spans[3], "error.type").unwrap(), "tls");
    assert_nowhere(&telemetry, &["s3cret"]);
}

#[tokio::test]
async fn a_request_that_is_dropped_ends_its_phase() {
    let telemetry = Telemetry::new();
    let asked = Arc::new(Notify::new());
    let never = {
        let asked = asked.clone();
        resolver(move || {
            asked.notify_one();
            pending()
        })
    };
    let phases = phases(&telemetry);
    let mut client = client(&telemetry, phases.tls(connector(&phases, never)));
    let mut call = Box::pin(client.call(request("http://shop.example/x")));
    tokio::select! {
        _ = &mut call => unreachable!("the name never resolves"),
        () = asked.notified() => drop(call),
    }
    // hyper-util drops the connector's future with the request's: only one that lost to a connection that
    // became free goes on.
    let spans = telemetry.spans_now();
    assert_eq!(names(&spans), ["dns", "GET"]);
    assert_phase(&spans[0], &spans[1], "dns", 80, "shop.example", &[]);
}

#[tokio::test]
async fn a_connection_that_outlives_its_request_is_linked_to_it() {
    for events in [false, true] {
        let telemetry = Telemetry::new();
        let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let second_waits = {
            let (asked, answer) = (asked.clone(), answer.clone());
            resolver(move || {
                let (first, answer) = (asked.fetch_add(1, Ordering::Relaxed) == 0, answer.clone());
                async move {
                    if !first {
                        answer.notified().await;
                    }
                }
            })
        };
        let phases = phases(&telemetry).events(events);
        let mut client = client(&telemetry, connector(&phases, second_waits));
        let (address, finish) = begins_hello().await;
        let first = soon("a head", client.call(get_shop(address))).await.unwrap();
        // It has no connection, begins to make one, and is given the first one's when that is free.
        let mut second = client.call(get_shop(address));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        finish.notify_one();
        soon("a body", first.into_body().collect()).await.unwrap();
        finish.notify_one();
        soon("a body", soon("a head", second).await.unwrap().into_body().collect()).await.unwrap();
        let before = telemetry.spans_now();
        let get = before.last().unwrap();
        answer.notify_one();
        until("the spare connection", || open(&telemetry) == (0.0, 2.0)).await;
        let after = telemetry.spans_now().split_off(before.len());
        if events {
            assert_eq!(names(&after), Vec::<&str>::new());
            assert_eq!(get.events.len(), 0);
            continue;
        }
        assert_eq!((get.name.as_ref(), names(&after)), ("GET", vec!["dns", "tcp"]));
        for (span, more) in after.iter().zip([&[][..], &peer!(address.port())]) {
            assert_eq!(span.parent_span_id, SpanId::INVALID);
            assert_ne!(span.span_context.trace_id(), get.span_context.trace_id());
            let links: Vec<_> = span.links.iter().map(|link| &link.span_context).collect();
            assert_eq!(links, [&get.span_context]);
            assert_unplaced(span, &span.name, address.port(), "shop.example", more);
        }
    }
}

#[tokio::test]
async fn a_connection_is_active_while_it_is_used_and_idle_in_between() {
    let telemetry = Telemetry::new();
    let (came, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let address = {
        let (came, go) = (came.clone(), go.clone());
        serve(service_fn(move |_| {
            let (came, go) = (came.clone(), go.clone());
            async move {
                came.notify_one();
                go.notified().await;
                Ok::<_, std::convert::Infallible>(Response::new(text("hello")))
            }
        }))
        .await
    };
    let client = plain(&telemetry);
    assert_eq!(open(&telemetry), (0.0, 0.0));
    for round in 0..2 {
        let call = tokio::spawn(client.clone().oneshot(get_shop(address)));
        soon("the request", came.notified()).await;
        assert_eq!(open(&telemetry), (1.0, 0.0), "waiting, round {round}");
        go.notify_one();
        let mut body = soon("a head", call).await.unwrap().unwrap().into_body();
        assert_eq!(open(&telemetry), (1.0, 0.0), "reading, round {round}");
        // Its end is enough, though it is still there.
        (&mut body).collect().await.unwrap();
        assert_eq!(open(&telemetry), (0.0, 1.0), "read, round {round}");
        // Until it is back in the pool.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(telemetry.spans_now().iter().filter(|span| span.name == "tcp").count(), 1);
    let port = address.port().to_string();
    let labels = [("server.address", "shop.example"), ("server.port", &*port), ("url.scheme", "http")];
    let points = telemetry.points(OPEN);
    assert_eq!(points.len(), 2);
    for point in points {
        assert_attributes(&point.attributes, &[&labels[..], &[("http.connection.state", "*")]].concat());
    }
    assert_eq!(closed(&telemetry), 0);
    drop(client);
    until("the connection to close", || closed(&telemetry) == 1).await;
    assert_eq!(open(&telemetry), (0.0, 0.0));
    let version = [("network.protocol.version", "1.1")];
    assert_attributes(&telemetry.points(DURATION)[0].attributes, &[&labels[..], &version].concat());
}

#[tokio::test]
async fn a_response_that_is_not_recorded_gives_the_connection_back_too() {
    let telemetry = Telemetry::new();
    let layer = telemetry.client().observe(|_: &http::request::Parts| false);
    let connector = connector(&phases(&telemetry), at_once());
    let mut client = layer.layer(legacy::Client::builder(TokioExecutor::new()).build(connector));
    let address = hello().await;
    let response = soon("a head", client.call(get_shop(address))).await.unwrap();
    assert_eq!(open(&telemetry), (1.0, 0.0));
    drop(response);
    assert_eq!(open(&telemetry), (0.0, 1.0));
    assert_eq!(telemetry.points(CLIENT_DURATION).len(), 0);
}

#[tokio::test]
async fn a_connection_counts_until_the_server_closes_it() {
    let telemetry = Telemetry::new();
    let address = says("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    let mut client = plain(&telemetry);
    for closings in 1..4 {
        assert_eq!(read(&mut client, get_shop(address)).await, "hello");
        until("the connection to close", || closed(&telemetry) == closings).await;
        assert_eq!(open(&telemetry), (0.0, 0.0));
    }
}

#[tokio::test]
async fn a_connection_counts_until_the_pool_closes_it() {
    let telemetry = Telemetry::new();
    let connector = connector(&phases(&telemetry), at_once());
    let inner = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    let mut client = telemetry.client().layer(inner);
    let address = hello().await;
    for closings in 1..4 {
        read(&mut client, get_shop(address)).await;
        until("the connection to close", || closed(&telemetry) == closings).await;
        assert_eq!(open(&telemetry), (0.0, 0.0));
    }
}

#[tokio::test]
async fn without_a_layer_around_the_client_phases_are_roots_and_connections_stay_active() {
    let telemetry = Telemetry::new();
    let connector = connector(&phases(&telemetry), at_once());
    let mut client = legacy::Client::builder(TokioExecutor::new()).build(connector);
    read(&mut client, get_shop(hello().await)).await;
    assert_eq!(open(&telemetry), (1.0, 0.0));
    let spans = telemetry.spans(2).await;
    assert_eq!(names(&spans), ["dns", "tcp"]);
    assert!(spans.iter().all(|span| span.parent_span_id == SpanId::INVALID));
}

#[tokio::test]
async fn phases_follow_whatever_is_current_and_its_sampling() {
    for (flags, phases) in [(TraceFlags::SAMPLED, &["dns", "tcp"][..]), (TraceFlags::NOT_SAMPLED, &[])] {
        let telemetry = Telemetry::new();
        let connector = connector(&self::phases(&telemetry), at_once());
        let mut client = legacy::Client::builder(TokioExecutor::new()).build(connector);
        // Of another process, so that it cannot be known whether it has ended.
        let (trace, span) = (TraceId::from(7), SpanId::from(7));
        let caller = SpanContext::new(trace, span, flags, true, TraceState::NONE);
        let call = read(&mut client, get_shop(hello().await));
        call.with_context(Context::new().with_remote_span_context(caller)).await;
        let spans = telemetry.spans_now();
        assert_eq!(names(&spans), phases);
        assert!(spans.iter().all(|phase| phase.parent_span_id == span && phase.links.is_empty()));
        assert_eq!(open(&telemetry), (1.0, 0.0));
    }
}

#[tokio::test]
async fn nothing_is_recorded_while_telemetry_is_suppressed() {
    let telemetry = Telemetry::new();
    let mut client = plain(&telemetry);
    let call = read(&mut client, get_shop(hello().await));
    call.with_context(Context::new().with_telemetry_suppressed()).await;
    assert_eq!(names(&telemetry.spans_now()), Vec::<&str>::new());
    assert_eq!(telemetry.points(OPEN).len(), 0);
}

#[tokio::test]
async fn metrics_can_be_switched_off() {
    let telemetry = Telemetry::new();
    let mut client = client(&telemetry, connector(&phases(&telemetry).metrics(false), at_once()));
    read(&mut client, get_shop(hello().await)).await;
    assert_eq!(telemetry.spans(3).await.len(), 3);
    assert_eq!(telemetry.points(OPEN).len(), 0);
}

#[tokio::test]
async fn a_resolver_that_asks_over_http_has_phases_of_its_own() {
    let address = hello().await;
    // It may have other ways to find an answer, so its failures are not the connection's.
    for asked in [address, nobody()] {
        let telemetry = Telemetry::new();
        let phases = phases(&telemetry);
        let inner = plain(&telemetry);
        let over_http = resolver(move || {
            let inner = inner.clone();
            async move {
                let _ = inner.oneshot(get_x(asked)).await;
            }
        });
        let mut client = client(&telemetry, connector(&phases, over_http));
        read(&mut client, get_shop(address)).await;
        let spans = telemetry.spans(5).await;
        assert_eq!(names(&spans), ["tcp", "GET", "dns", "tcp", "GET"]);
        assert_eq!(spans[0].parent_span_id, spans[1].span_context.span_id());
        assert_phase(&spans[2], &spans[4], "dns", 0, "shop.example", &[]);
        assert_phase(&spans[3], &spans[4], "tcp", address.port(), "shop.example", &peer!(address.port()));
        assert_eq!(spans[2].end_time, spans[3].start_time);
    }
}

#[tokio::test]
async fn the_metrics_are_as_the_registry_has_them() {
    let registry: serde_json::Value = serde_json::from_str(include_str!("data/http_semconv.json")).unwrap();
    let telemetry = Telemetry::new();
    let address = says("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    read(&mut plain(&telemetry), get_shop(address)).await;
    until("the connection to close", || closed(&telemetry) == 1).await;
    let export = telemetry.metrics();
    let metrics = export.scope_metrics().flat_map(ScopeMetrics::metrics);
    let metrics: BTreeMap<_, _> = metrics.map(|metric| (metric.name(), metric)).collect();
    for name in [OPEN, DURATION] {
        let (signal, metric) = (&registry["signals"][format!("metric.{name}")], metrics[name]);
        assert_eq!(metric.unit(), signal["unit"]);
        let attributes = match (metric.data(), signal["instrument"].as_str().unwrap()) {
            (AggregatedMetrics::I64(MetricData::Sum(sum)), "updowncounter") => {
                assert!(!sum.is_monotonic());
                sum.data_points().flat_map(|point| point.attributes().cloned()).collect::<Vec<_>>()
            }
            (AggregatedMetrics::F64(MetricData::Histogram(histogram)), "histogram") => {
                histogram.data_points().flat_map(|point| point.attributes().cloned()).collect()
            }
            other => panic!("{name} is of another kind: {other:?}"),
        };
        for entry in signal["attributes"].as_array().unwrap() {
            let found = attributes.iter().find(|attribute| entry["name"] == attribute.key.as_str());
            let required = entry["requirement"]["level"] == "required";
            assert!(found.is_some() || !required, "{name} lacks {entry}");
            if let Some(found) = found {
                assert_eq!(matches!(found.value, Value::I64(_)), entry["type"] == "int", "{name} {entry}");
            }
        }
        let known =
            |key: &str| signal["attributes"].as_array().unwrap().iter().any(|entry| entry["name"] == key);
        assert!(attributes.iter().all(|attribute| known(attribute.key.as_str())), "{name}: {attributes:?}");
    }
}

#[cfg(feature = "reqwest")]
#[tokio::test]
async fn reqwest_shows_two_phases() {
    let telemetry = Telemetry::new();
    let phases = phases(&telemetry);
    let client = reqwest::Client::builder()
        .no_proxy()
        .dns_resolver(phases.dns(at_once()))
        .connector_layer(phases.layer())
        .build()
        .unwrap();
    let tracer = telemetry.tracer_provider.tracer("test");
    let address = hello().await;
    for port in [address.port(), nobody().port()] {
        let cx = Context::new().with_span(tracer.start("request"));
        let call = client.get(format!("http://shop.example:{port}/x")).send().with_context(cx.clone());
        assert_eq!(soon("an answer", call).await.is_ok(), port == address.port());
        cx.span().end();
    }
    let spans = telemetry.spans(6).await;
    assert_eq!(names(&spans), ["dns", "connect", "request", "dns", "connect", "request"]);
    assert_phase(&spans[0], &spans[2], "dns", 0, "shop.example", &[]);
    assert_eq!(spans[1].parent_span_id, spans[2].span_context.span_id());
    assert_eq!(spans[0].end_time, spans[1].start_time);
    assert_span(&spans[1], SpanKind::Internal, "connect", Status::Unset, &peer!(address.port()));
    assert_attributes(&texts(&spans[4].attributes), &[("error.type", "connect")]);
}

/// One that tries several addresses at once, and drops those that lose.
#[tokio::test]
async fn an_attempt_that_lost_hides_nothing_of_the_one_that_won() {
    let telemetry = Telemetry::new();
    let address = hello().await;
    let phases = phases(&telemetry);
    let winner = connector(&phases, at_once());
    let loser = phases.tcp(service_fn(|_: Uri| pending::<Result<TokioIo<TcpStream>, io::Error>>()));
    let race = service_fn(move |uri: Uri| {
        let (mut winner, mut loser) = (winner.clone(), loser.clone());
        async move {
            let (wins, loses) = (winner.call(uri.clone()), loser.call(uri));
            tokio::select! { io = wins => io.map_err(io::Error::other), _ = loses => unreachable!() }
        }
    });
    let uri = format!("https://shop.example:{}/", address.port()).parse().unwrap();
    drop(soon("a connection", phases.tls(race).call(uri)).await.unwrap());
    let names: Vec<_> = telemetry.spans_now().into_iter().map(|span| span.name).collect();
    assert!(names.iter().any(|name| name == "tls"), "{names:?}");
}

/// Without a span of its own a call cannot be told from others on its thread.
#[tokio::test]
async fn a_phase_that_failed_elsewhere_is_not_taken_for_that_of_a_call_without_a_span() {
    let telemetry = Telemetry::new();
    let fails = BoxCloneSyncService::new(service_fn(|_: Name| async { Err::<Answer, _>(Opaque) }));
    phases(&telemetry).dns(fails).call("shop.example".parse().unwrap()).await.unwrap_err();
    let layer = telemetry.client().observe(|_: &http::request::Parts| otelhttp::Observe::MetricsOnly);
    let service = service_fn(|_: Request<()>| async { Err::<Response<Full<Bytes>>, _>(Opaque) });
    layer.layer(service).oneshot(Request::get("http://shop.example/x").body(()).unwrap()).await.unwrap_err();
    let point = &telemetry.points(CLIENT_DURATION)[0];
    assert_eq!(point.attributes["error.type"], "_OTHER");
}
