//! Adversarial headers buy no more work than their bytes. Counted in allocations, so that it is the same on
//! every machine.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "common/forget.rs"]
mod forget;

use std::convert::Infallible;
use std::net::SocketAddr;

use allocation_counter::{AllocationInfo, measure};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use otelhttp::{ClientLayer, Network, PeerAddr, ServerLayer, TrustedProxies};
use tower::{Layer, Service};

/// Each is twice the one before. In the last there are as many bytes as hyper reads, some 400 KiB; it reads no
/// more than a hundred lines of them, but others may.
const SIZES: [usize; 5] = [1_024, 2_048, 4_096, 8_192, 16_384];
/// A URI ends at 64 KiB. A gateway takes lines out of the request, and each time `http` looks at all of them in
/// a debug build, so that more would take their square in time.
const FEWER: &[usize] = SIZES.split_at(4).0;
/// What each request costs, whatever is in it, and the members of lists as far as there is a limit.
const BLOCKS: u64 = 256;
const BYTES: u64 = 16_384;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Everything on that reads a request.
fn curious(trusted: TrustedProxies) -> ServerLayer {
    ServerLayer::new()
        .tracer_provider(forget::tracer_provider())
        .meter_provider(forget::meter_provider())
        .trusted_proxies(trusted)
        .capture_request_headers(["x-captured"])
        .body_size_metrics(true)
}

/// A service that answers at once, and says which headers it was sent.
trait Answers: Service<Request<()>, Response = Response<Self::Body>, Error = Infallible> + Clone {
    type Body;
}

impl<S, B> Answers for S
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone,
{
    type Body = B;
}

/// Tells what it was sent by sending it back.
async fn echo(request: Request<()>) -> Result<Response<String>, Infallible> {
    let mut response = Response::new(String::new());
    *response.headers_mut() = request.into_parts().0.headers;
    Ok(response)
}

fn server(trusted: TrustedProxies) -> impl Answers {
    curious(trusted).layer(tower::service_fn(echo))
}

/// It sends each request on with the context that it came in.
fn gateway() -> impl Answers {
    let client = ClientLayer::new().layer(tower::service_fn(echo));
    curious(TrustedProxies::None).layer(tower::service_fn(move |request| client.clone().call(request)))
}

/// A request in so many parts.
type Family = fn(usize) -> Request<()>;

/// What is allocated for one request, and the headers that reached the service.
fn cost(service: &impl Answers, request: Request<()>) -> (AllocationInfo, HeaderMap) {
    let mut headers = HeaderMap::new();
    let mut service = service.clone();
    let send = || headers = service.call(request).now_or_never().unwrap().unwrap().into_parts().0.headers;
    (measure(send), headers)
}

/// The bytes of such requests and what they cost, without what is allocated once.
fn costs<'s>(
    service: &'s impl Answers,
    family: Family,
    sizes: &'s [usize],
) -> impl Iterator<Item = (u64, AllocationInfo)> + 's {
    (0..2).for_each(|_| drop(cost(service, family(1))));
    sizes.iter().map(move |size| {
        let request = family(*size);
        (bytes(&request), cost(service, request).0)
    })
}

fn bytes(request: &Request<()>) -> u64 {
    let lines = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    let line = request.method().as_str().len() + request.uri().to_string().len();
    (line + lines.sum::<usize>()) as u64
}

/// Twice the bytes cost at most twice as much, and a tenth for lists that grow by doubling. No byte costs more
/// than so many allocated ones.
#[track_caller]
fn assert_linear(service: &impl Answers, name: &str, family: Family, sizes: &[usize], most: u64) {
    let costs: Vec<_> = costs(service, family, sizes).collect();
    let told: Vec<_> = costs.iter().map(|(_, cost)| (cost.count_total, cost.bytes_total)).collect();
    println!("{name}: blocks and bytes {told:?}");
    for pair in told.windows(2) {
        let [(blocks, bytes), (blocks_of_twice, bytes_of_twice)] = pair else { unreachable!() };
        assert!(10 * blocks_of_twice <= 22 * blocks + 10 * 16, "{name}: {told:?}");
        assert!(10 * bytes_of_twice <= 22 * bytes + 10 * 2_048, "{name}: {told:?}");
    }
    for (bytes, cost) in &costs {
        assert!(cost.count_total <= BLOCKS + bytes * 11 / 10, "{name}: {bytes} bytes cost {cost:?}");
        assert!(cost.bytes_total <= BYTES + bytes * most, "{name}: {bytes} bytes cost {cost:?}");
    }
}

fn ordinary() -> Request<()> {
    let peer = PeerAddr::new(SocketAddr::from(([127, 0, 0, 1], 1)));
    Request::get("/x").header("traceparent", PARENT).extension(peer).body(()).unwrap()
}

fn lines(name: &'static str, size: usize, value: impl Fn(usize) -> String) -> Request<()> {
    let mut request = ordinary();
    for number in 0..size {
        request.headers_mut().append(name, value(number).parse().unwrap());
    }
    request
}

fn list(name: &'static str, size: usize, separator: &str, value: impl Fn(usize) -> String) -> Request<()> {
    let values: Vec<String> = (0..size).map(value).collect();
    line(name, values.join(separator))
}

fn line(name: &'static str, value: impl Into<Vec<u8>>) -> Request<()> {
    let mut request = ordinary();
    request.headers_mut().insert(name, HeaderValue::from_bytes(&value.into()).unwrap());
    request
}

fn uri(uri: String) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

fn unknown(size: usize) -> Request<()> {
    let name = |number| HeaderName::try_from(format!("x-unknown-{number:05}")).unwrap();
    let mut request = ordinary();
    request.headers_mut().extend((0..size).map(|number| (name(number), HeaderValue::from_static("value"))));
    request
}

fn method(size: usize) -> Request<()> {
    let mut request = ordinary();
    *request.method_mut() = Method::from_bytes(&b"X".repeat(24 * size)).unwrap();
    request
}

fn member(number: usize) -> String {
    format!("key{number:05}=value{number:05}")
}

fn address(number: usize) -> String {
    format!("127.0.0.{}", number % 256)
}

fn element(number: usize) -> String {
    format!("for={};proto=http", address(number))
}

const BAGGAGES: [(&str, Family); 4] = [
    ("baggage in lines", |size| lines("baggage", size, member)),
    ("baggage in one line", |size| list("baggage", size, ",", member)),
    ("a long baggage", |size| line("baggage", format!("a={}", "%zz%41".repeat(4 * size)))),
    ("a baggage of nothing", |size| line("baggage", ", ".repeat(12 * size))),
];

const TRACESTATES: [(&str, Family); 3] = [
    ("tracestate in lines", |size| lines("tracestate", size, member)),
    ("tracestate in one line", |size| list("tracestate", size, ",", member)),
    ("a long tracestate", |size| line("tracestate", format!("a={}", "x".repeat(24 * size)))),
];

/// A list of one member is one, however many empty ones follow it.
const CONTEXTS: [(&str, Family); 3] = [
    ("a tracestate of next to nothing", |size| line("tracestate", format!("a=1{}", ", ".repeat(12 * size)))),
    ("traceparent in lines", |size| lines("traceparent", size, |_| PARENT.to_owned())),
    ("a long traceparent", |size| {
        line("traceparent", format!("cc{}-{}", &PARENT[2..], "x".repeat(24 * size)))
    }),
];

const FORWARDED: [(&str, Family); 9] = [
    ("forwarded in lines", |size| lines("forwarded", size, element)),
    ("forwarded in one line", |size| list("forwarded", size, ",", element)),
    ("a forwarded of one element", |size| list("forwarded", size, ";", element)),
    ("a forwarded of quotes", |size| line("forwarded", r#""\"","#.repeat(5 * size))),
    ("a forwarded of nothing", |size| line("forwarded", ",".repeat(24 * size))),
    ("x-forwarded-for in lines", |size| lines("x-forwarded-for", size, address)),
    ("x-forwarded-for in one line", |size| list("x-forwarded-for", size, ",", address)),
    ("an x-forwarded-for that is not UTF-8", |size| line("x-forwarded-for", b"\xff,".repeat(12 * size))),
    ("an x-forwarded-for of hidden ones", |size| line("x-forwarded-for", b"_a,".repeat(8 * size))),
];

const TEXTS: [(&str, Family); 7] = [
    ("a long user agent", |size| line("user-agent", "x".repeat(24 * size))),
    ("a user agent that is not UTF-8", |size| line("user-agent", b"\xff".repeat(24 * size))),
    ("a long host", |size| line("host", "x".repeat(24 * size))),
    ("a host with credentials", |size| line("host", "user:secret@".repeat(2 * size))),
    ("a host of colons", |size| line("host", ":".repeat(24 * size))),
    ("a long method", method),
    ("captured lines", |size| lines("x-captured", size, member)),
];

const URIS: [(&str, Family); 3] = [
    ("a long path", |size| uri(format!("/{}", "x".repeat(6 * size)))),
    ("a query of signatures", |size| uri(format!("/x?{}", "sig=1&".repeat(size)))),
    ("a query of nothing", |size| uri(format!("/x?{}", "&".repeat(6 * size)))),
];

#[test]
fn a_context_costs_no_more_than_its_bytes() {
    for (name, family) in BAGGAGES.into_iter().chain(TRACESTATES).chain(CONTEXTS) {
        assert_linear(&server(TrustedProxies::None), name, family, &SIZES, 4);
    }
}

#[test]
fn a_context_that_is_sent_on_costs_no_more_than_its_bytes() {
    for (name, family) in BAGGAGES.into_iter().chain(TRACESTATES).chain(CONTEXTS) {
        assert_linear(&gateway(), name, family, FEWER, 4);
    }
}

/// What is believed may cost more: an address of three bytes is kept in 17, an empty element in a list of
/// its own.
#[test]
fn forwarded_headers_cost_no_more_than_their_bytes() {
    let network = Network::new([127, 0, 0, 0].into(), 8);
    for trusted in [TrustedProxies::Hops(2), TrustedProxies::Networks(vec![network])] {
        for (name, family) in FORWARDED {
            assert_linear(&server(trusted.clone()), name, family, &SIZES, 112);
        }
    }
}

#[test]
fn what_is_recorded_costs_no_more_than_its_bytes() {
    for (name, family) in TEXTS {
        assert_linear(&server(TrustedProxies::None), name, family, &SIZES, 12);
    }
    for (name, family) in URIS {
        assert_linear(&server(TrustedProxies::None), name, family, FEWER, 12);
    }
}

#[test]
fn what_is_not_read_costs_nothing() {
    const FAMILIES: [(&str, Family); 6] = [
        ("unknown headers", unknown),
        ("traceparent in lines", |size| lines("traceparent", size, |_| PARENT.to_owned())),
        ("host in lines", |size| lines("host", size, |number| format!("shop{number:05}.example"))),
        ("user agent in lines", |size| lines("user-agent", size, |number| format!("curl/{number:05}"))),
        ("forwarded, not trusted", |size| lines("forwarded", size, element)),
        ("x-forwarded-for, not trusted", |size| lines("x-forwarded-for", size, address)),
    ];
    for (name, family) in FAMILIES {
        let service = server(TrustedProxies::None);
        let costs: Vec<_> = costs(&service, family, &SIZES).map(|(_, cost)| cost).collect();
        println!("{name}: {} blocks, {} bytes", costs[0].count_total, costs[0].bytes_total);
        assert!(costs.iter().all(|cost| *cost == costs[0]), "{name}: {costs:?}");
    }
}

/// The lines of a list are joined in a text that grows by doubling; nothing else may depend on what is over.
#[track_caller]
fn assert_capped(family: Family, limit: usize) {
    let service = gateway();
    let sizes = [limit, FEWER[0], FEWER[3]];
    let blocks: Vec<u64> = costs(&service, family, &sizes).map(|(_, cost)| cost.count_total).collect();
    println!("{sizes:?} members: {blocks:?} blocks");
    assert!(blocks[1..].iter().all(|over| *over <= blocks[0] + 32), "{blocks:?}");
}

#[test]
fn a_baggage_over_its_limits_is_not_read_and_not_sent_on() {
    assert_capped(|size| lines("baggage", size, member), 64);
    assert_capped(|size| list("baggage", size, ",", member), 64);
    for (_, family) in BAGGAGES {
        let (_, sent) = cost(&gateway(), family(FEWER[3]));
        let baggage = sent.get("baggage").map_or("", |baggage| baggage.to_str().unwrap());
        assert!(baggage.len() <= 8_192 && baggage.split(',').count() <= 64, "{baggage}");
    }
}

#[test]
fn a_tracestate_over_its_limit_is_not_read_and_not_sent_on() {
    assert_capped(|size| lines("tracestate", size, member), 32);
    assert_capped(|size| list("tracestate", size, ",", member), 32);
    for (_, family) in TRACESTATES {
        assert_eq!(cost(&gateway(), family(FEWER[3])).1.get("tracestate"), None);
    }
}
