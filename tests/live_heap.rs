//! Whatever is sent, the live heap stays flat. Counted, so that it is the same on every machine.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "common/forget.rs"]
mod forget;

use std::convert::Infallible;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Once;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use futures_util::FutureExt;
use http::{Request, Response, request};
use http_body_util::BodyExt;
use opentelemetry::global;
use otelhttp::{ClientLayer, ServerLayer, UrlTemplate};
use tower::{Layer, Service};

// What `semconv::intern` and `metrics::bound` say of themselves.

/// The places of each of a thread's tables of texts.
const PLACES: usize = 256;
/// The longest text that is kept, in bytes.
const LONGEST: usize = 256;
/// How many names of spans are kept for ever: a method, a space and a target, which count as one text.
const NAMES: usize = 4_096;
/// The places of each table of a layer's bound instruments.
const SERIES: usize = 2_048;

/// A text with the counts of its `Arc`, and the place that it has.
const TEXT: usize = LONGEST + 64;
const NAME: usize = LONGEST + 1;
/// The tables of a thread when they are full: texts, paths, and hosts with what they were read from.
const TABLES: usize = PLACES * (1 + 1 + 2) * TEXT;
/// A thread's table of names when it has grown to its limit. Besides it has the target of each.
const NAME_TABLE: usize = 2 * NAMES * 48;

/// So many distinct values leave no place of a table empty.
const FILL: usize = 20_000;
const REQUESTS: usize = 100_000;
/// What the live heap may have grown or shrunk by, after all of these: less than a hundredth of a byte for
/// each. The values of a test are equally long, so that it does not matter which of them a place holds; but
/// a text that is the same in each request (`shop.example`) has to share its place with them.
const SLACK: u64 = 1_000;

fn configure() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        global::set_tracer_provider(forget::tracer_provider());
        global::set_meter_provider(forget::meter_provider());
    });
}

/// Something that answers at once.
trait Answers: Service<Request<Body>, Response = Response<Self::Body>, Error = Infallible> {
    type Body: http_body::Body<Error: Debug>;
}

impl<S, B> Answers for S
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Error: Debug>,
{
    type Body = B;
}

/// The bytes that are left when these requests have been answered. Tests run beside each other, so only
/// what their own threads allocate counts.
fn growth(service: &mut impl Answers, request: fn(usize) -> Request<Body>, numbers: Range<usize>) -> i64 {
    let send = || {
        for number in numbers {
            let response = service.call(request(number)).now_or_never().unwrap().unwrap();
            response.into_body().collect().now_or_never().unwrap().unwrap();
        }
    };
    allocation_counter::measure(send).bytes_current
}

#[track_caller]
fn assert_flat(mut service: impl Answers, count: usize, slack: u64, request: fn(usize) -> Request<Body>) {
    configure();
    let filled = growth(&mut service, request, 0..FILL);
    let more = growth(&mut service, request, FILL..FILL + count);
    println!("{filled} bytes after {FILL} requests, {more} more after {count} more");
    assert!(more.unsigned_abs() <= slack, "{more} bytes after {count} requests");
}

fn server(layer: ServerLayer) -> impl Answers {
    Router::new()
        .route("/users/{id}", get(|Path(id): Path<String>| async move { id }))
        .fallback(|| async { "lost" })
        .layer(layer)
        .with_state(())
}

fn client(layer: &ClientLayer) -> impl Answers + use<> {
    layer.layer(tower::service_fn(|request: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    }))
}

/// Distinct and scattered, as ids are.
fn id(number: usize) -> u64 {
    (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn get_with(path: &str, host: &str, user_agent: &str) -> request::Builder {
    Request::get(path).header("host", host).header("user-agent", user_agent)
}

fn built(request: request::Builder) -> Request<Body> {
    request.body(Body::empty()).unwrap()
}

/// Every other one has a route.
fn path(number: usize) -> Request<Body> {
    let path = format!("/{}/{:016x}", ["users", "other"][number % 2], id(number));
    built(get_with(&path, "shop.example", "curl/8.0"))
}

fn host(number: usize) -> Request<Body> {
    built(get_with("/users/7", &format!("{:016x}.example:8080", id(number)), "curl/8.0"))
}

fn method(number: usize) -> Request<Body> {
    built(get_with("/users/7", "shop.example", "curl/8.0").method(&*format!("GET{:016x}", id(number))))
}

fn user_agent(number: usize) -> Request<Body> {
    built(get_with("/users/7", "shop.example", &format!("curl/8.0.{:016x}", id(number))))
}

/// White space and metadata make both lists be kept as they came.
fn context(number: usize) -> Request<Body> {
    let id = id(number);
    let request = get_with("/users/7", "shop.example", "curl/8.0")
        .header("traceparent", format!("00-{id:032x}-{id:016x}-0{}", number % 4))
        .header("tracestate", format!("a{id:016x}=1 , b=2"))
        .header("baggage", format!("a{id:016x}={id:016x};since={id:016x}"));
    built(request)
}

#[test]
fn paths_leave_a_server_flat() {
    assert_flat(server(ServerLayer::new()), REQUESTS, SLACK, path);
}

#[test]
fn hosts_leave_a_server_flat() {
    assert_flat(server(ServerLayer::new()), REQUESTS, SLACK, host);
}

#[test]
fn methods_leave_a_server_flat() {
    assert_flat(server(ServerLayer::new()), REQUESTS, SLACK, method);
}

#[test]
fn user_agents_leave_a_server_flat() {
    assert_flat(server(ServerLayer::new()), REQUESTS, SLACK, user_agent);
}

#[test]
fn contexts_leave_a_server_flat() {
    assert_flat(server(ServerLayer::new()), REQUESTS, SLACK, context);
}

/// In origin form it is `Host` that tells a client where it goes.
#[test]
fn hosts_leave_a_client_flat() {
    assert_flat(client(&ClientLayer::new()), REQUESTS, SLACK, host);
}

#[test]
fn paths_leave_a_client_flat() {
    assert_flat(client(&ClientLayer::new()), REQUESTS, SLACK, path);
}

#[test]
fn methods_leave_a_client_flat() {
    assert_flat(client(&ClientLayer::new()), REQUESTS, SLACK, method);
}

/// One value of each request is long. Half of those are short enough to be kept, the others have up to 8 KiB.
fn hostile(number: usize) -> Request<Body> {
    let length = number * 37 % [LONGEST, 8_192][number / 6 % 2];
    let long = |header| if number % 6 == header { length } else { 0 };
    let text = |header| format!("{:016x}{}", id(number), "x".repeat(long(header)));
    let not_utf8 = [text(0).as_bytes(), &b"\xff".repeat(long(0))].concat();
    let request = Request::get(format!("/{0}?sig={0}", text(1)))
        .header("user-agent", not_utf8)
        .header("host", text(2))
        .header("traceparent", format!("cc-{:032x}-{:016x}-01-{}", id(number), id(number), text(3)))
        .header("tracestate", format!("a={}", text(4)))
        .header("baggage", format!("a={}", text(5)));
    built(request)
}

/// Their lengths differ, and so does what the tables just hold of them. Some 50 MB come by.
#[test]
fn hostile_values_leave_a_server_flat() {
    assert_flat(server(ServerLayer::new()), 20_000, TABLES as u64, hostile);
}

/// A mistake, since a route is part of names and labels. The SDK stops at 2,000 series of each metric, and we
/// stop too.
#[test]
fn paths_for_routes_leave_a_server_flat() {
    let layer = ServerLayer::new().route(|parts| Some(parts.uri.path().to_owned()));
    assert_flat(server(layer), 10_000, SLACK, path);
}

/// The same mistake.
fn template(number: usize) -> Request<Body> {
    let mut request = path(number);
    let template = UrlTemplate::new(request.uri().path().to_owned());
    request.extensions_mut().insert(template);
    request
}

#[test]
fn paths_for_templates_leave_a_client_flat() {
    assert_flat(client(&ClientLayer::new()), 10_000, SLACK, template);
}

fn of_length(length: usize, number: usize) -> Request<Body> {
    let text = format!("{:0length$x}", id(number));
    let user_agent = [&text.as_bytes()[length - 16..], &b"\xff".repeat(length - 16)].concat();
    built(Request::get(format!("/{}", &text[1..])).header("host", &text).header("user-agent", user_agent))
}

fn longest(number: usize) -> Request<Body> {
    of_length(LONGEST, number)
}

fn too_long(number: usize) -> Request<Body> {
    of_length(LONGEST + 4, number)
}

fn in_a_new_thread<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    configure();
    std::thread::spawn(run).join().unwrap()
}

/// What a thread that has just begun keeps of such requests.
fn kept_by_a_thread(request: fn(usize) -> Request<Body>, numbers: Range<usize>) -> i64 {
    // The method takes its share of a name. The SDK's series are not ours to bound.
    let route = |path: &str| path.get("GET".len()..).map(str::to_owned);
    let layer = ServerLayer::new().metrics(false).route(move |parts| route(parts.uri.path()));
    in_a_new_thread(move || growth(&mut server(layer), request, numbers))
}

#[test]
fn a_thread_keeps_no_more_than_its_tables_hold() {
    let most = (TABLES + NAME_TABLE + NAMES * (NAME + TEXT)) as i64;
    let kept = kept_by_a_thread(longest, 0..FILL);
    println!("{kept} bytes, at most {most}");
    assert!((most / 2..=most).contains(&kept), "{kept} bytes, at most {most}");
}

#[test]
fn what_is_too_long_is_not_kept() {
    // The empty tables, and what other crates have for each thread.
    let most = 128 * PLACES as i64;
    let kept = kept_by_a_thread(too_long, 0..1_000);
    println!("{kept} bytes, at most {most}");
    assert!(kept <= most, "{kept} bytes, at most {most}");
}

/// The first few threads use up all the names that are kept.
#[test]
fn threads_that_come_and_go_leave_no_more_than_so_many_names() {
    let threads = (0..40_000).step_by(2_000);
    let kept: Vec<i64> = threads.map(|first| kept_by_a_thread(longest, first..first + 2_000)).collect();
    let last = kept[kept.len() - 1];
    assert!(kept[0] - last > 1_000 * NAME as i64, "the last thread keeps names too: {kept:?}");
    let names: i64 = kept.iter().map(|kept| kept - last).sum();
    let most = (NAMES * (NAME + TEXT) + 3 * NAME_TABLE) as i64;
    println!("{names} bytes of names in {} threads, at most {most}", kept.len());
    assert!(names <= most, "{names} bytes of names, at most {most}: {kept:?}");
}

/// One table is for the gauge, one for what is measured at the end.
#[cfg(feature = "bound-instruments")]
#[test]
fn bound_instruments_take_no_more_than_their_tables_hold() {
    // Labels, and what the SDK hands out for them.
    const ENTRY: usize = 512;
    let [plain, bound] = [false, true].map(|bind| {
        let layer = ClientLayer::new().meter_provider(forget::meter_provider()).bound_instruments(bind);
        in_a_new_thread(move || growth(&mut client(&layer), longest, 0..FILL))
    });
    let most = (2 * SERIES * (ENTRY + TEXT)) as i64;
    println!("{} bytes, at most {most}", bound - plain);
    assert!((most / 4..=most).contains(&(bound - plain)), "{} bytes, at most {most}", bound - plain);
}
