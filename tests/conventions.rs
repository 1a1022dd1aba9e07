//! What is recorded is in the registry of the conventions: names, types, levels, units, buckets.
#![cfg(all(feature = "axum", feature = "hyper-util"))]

mod common;
#[path = "common/grpc.rs"]
mod grpc;

use std::collections::BTreeSet;
use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get as on_get};
use bytes::Bytes;
use common::*;
use futures_util::StreamExt;
use grpc::{CHECK, asks, health, services};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData};
use opentelemetry_sdk::trace::SpanData;
use otelhttp::{AttemptsLayer, ClientLayer, RequestBodyLayer, ServerLayer, TrustedProxies, UrlTemplate};
use serde_json::Value as Json;
use tokio::io::AsyncWriteExt;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::follow_redirect::FollowRedirectLayer;

/// The registry, as data.
struct Registry(Json);

impl Registry {
    fn load() -> Self {
        Self(serde_json::from_str(include_str!("data/http_semconv.json")).unwrap())
    }

    fn rules(&self, name: &str) -> Vec<&str> {
        self.0["rules"][name].as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
    }

    fn rule(&self, name: &str) -> &str {
        self.0["rules"][name].as_str().unwrap()
    }

    fn span(&self, span: &SpanData) -> Signal<'_> {
        let is_rpc = attribute(span, "rpc.system.name").is_some();
        self.signal(match (&span.span_kind, is_rpc) {
            (SpanKind::Server, false) => "span.http.server",
            (SpanKind::Client, false) => "span.http.client",
            (SpanKind::Server, true) => "span.rpc.grpc.call.server",
            (SpanKind::Client, true) => "span.rpc.grpc.call.client",
            (other, _) => panic!("a span of kind {other:?}"),
        })
    }

    /// What gRPC's own signals leave out is in those of RPC.
    fn signal(&self, id: &str) -> Signal<'_> {
        let signal = |id: &str| {
            let signal = self.0["signals"].get(id);
            signal.unwrap_or_else(|| panic!("{id} is not in the registry"))
        };
        let base = id.contains(".grpc.").then(|| signal(&id.replace(".grpc.", ".")));
        Signal(signal(id), base)
    }
}

const SPANS: [&str; 4] =
    ["span.http.server", "span.http.client", "span.rpc.grpc.call.server", "span.rpc.grpc.call.client"];

struct Signal<'r>(&'r Json, Option<&'r Json>);

impl<'r> Signal<'r> {
    fn id(&self) -> &'r str {
        self.0["id"].as_str().unwrap()
    }

    fn entries(&self) -> impl Iterator<Item = &'r Json> {
        let own = self.0["attributes"].as_array().unwrap();
        let base = self.1.into_iter().flat_map(|base| base["attributes"].as_array().unwrap());
        own.iter().chain(base.filter(|entry| own.iter().all(|own| name(own) != name(entry))))
    }

    /// The entry of a key; of a template if that is what it was made from.
    fn entry(&self, key: &str) -> Option<&'r Json> {
        self.entries().find(|entry| match name(entry).strip_suffix("<key>") {
            Some(prefix) => key.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()),
            None => name(entry) == key,
        })
    }
}

fn name(entry: &Json) -> &str {
    entry["name"].as_str().unwrap()
}

fn level(entry: &Json) -> &str {
    entry["requirement"]["level"].as_str().unwrap()
}

/// What a test knows of a call, for the conditions of the registry.
#[derive(Clone, Debug, Default)]
struct Facts {
    what: &'static str,
    code: Option<u16>,
    error: Option<&'static str>,
    route: Option<&'static str>,
    template: Option<&'static str>,
    method_original: Option<&'static str>,
    query: bool,
    /// Whether `Host` or `:authority` tells a port.
    port: bool,
    resend: Option<i64>,
    rpc: Option<Rpc>,
}

/// The same of a call of gRPC.
#[derive(Clone, Copy, Debug)]
struct Rpc {
    method: &'static str,
    original: Option<&'static str>,
    status: &'static str,
}

impl Facts {
    fn answered(what: &'static str, code: u16) -> Self {
        Self { what, code: Some(code), ..Self::default() }
    }

    fn on_route(self) -> Self {
        Self { route: Some("/users/{id}"), ..self }
    }

    /// The value that a conditional attribute must have; `Some(None)` stands for any value.
    fn expected(&self, key: &str) -> Option<Option<Value>> {
        let text = |text: Option<&'static str>| text.map(|text| Some(Value::from(text)));
        match key {
            "error.type" => text(self.error),
            "http.response.status_code" => self.code.map(|code| Some(Value::I64(code.into()))),
            "http.route" => text(self.route),
            "url.template" => text(self.template),
            "http.request.method_original" => text(self.method_original),
            "http.request.resend_count" => self.resend.map(|count| Some(Value::I64(count))),
            "rpc.method" => text(self.rpc.map(|rpc| rpc.method)),
            "rpc.method_original" => text(self.rpc.and_then(|rpc| rpc.original)),
            "rpc.status_code" => text(self.rpc.map(|rpc| rpc.status)),
            // Only of a client's metric.
            "server.address" => Some(None),
            "url.query" => self.query.then_some(None),
            "server.port" => self.port.then_some(None),
            // The protocol is always `http`.
            "network.protocol.name" => None,
            other => panic!("the registry has a new condition, for {other}"),
        }
    }
}

/// Calls of one side that have ended, and what was recorded of them.
struct Exchange {
    /// In the order in which they ended.
    calls: Vec<Facts>,
    telemetry: Telemetry,
    spans: Vec<SpanData>,
}

impl Exchange {
    async fn of(telemetry: Telemetry, calls: impl IntoIterator<Item = Facts>) -> Self {
        let calls: Vec<_> = calls.into_iter().collect();
        let spans = telemetry.spans(calls.len()).await;
        Self { calls, telemetry, spans }
    }
}

fn app() -> Router {
    let unfinished = || async {
        // What was said before goes out while the body makes hyper wait.
        let failure = futures_util::stream::once(async {
            tokio::task::yield_now().await;
            Err(std::io::Error::other("disk"))
        });
        Body::from_stream(futures_util::stream::iter([Ok("some")]).chain(failure))
    };
    let panics = || async { panic!("on purpose") as StatusCode };
    let waits = || std::future::pending::<StatusCode>();
    let upgrades =
        || async { (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")]) };
    Router::new()
        .route("/users/{id}", any(|| async { ([("x-cache", "miss"), ("x-cache", "stale")], "hello") }))
        .route("/streams", on_get(|| async { Body::from_stream(hello()) }))
        .route("/reads", any(|body: Bytes| async move { body.len().to_string() }))
        .route("/broken", on_get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/unfinished", on_get(unfinished))
        .route("/panics", on_get(panics))
        .route("/waits", on_get(waits))
        .route("/upgrades", on_get(upgrades))
        .route("/moved", on_get(|| async { Redirect::temporary("/users/7").into_response() }))
}

fn hello() -> impl futures_util::Stream<Item = Result<&'static str, Infallible>> {
    futures_util::stream::iter(["hel", "lo"]).map(Ok)
}

/// One request to the application, everything on that can be switched on.
async fn server(facts: Facts, more: impl FnOnce(ServerLayer) -> ServerLayer, request: &str) -> Exchange {
    let telemetry = Telemetry::new();
    let layer = more(telemetry.server().body_size_metrics(true));
    let app = app().layer(layer).layer(RequestBodyLayer::new()).layer(CatchPanicLayer::new());
    raw(serve(app).await, request).await;
    Exchange::of(telemetry, [facts]).await
}

fn plain(layer: ServerLayer) -> ServerLayer {
    layer
}

async fn servers() -> Vec<Exchange> {
    const TAIL: &str = "host: shop.example\r\nconnection: close\r\n\r\n";
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\n{TAIL}");
    let ok = |what| Facts::answered(what, 200).on_route();
    let routed = |what, route, code| Facts { route: Some(route), ..Facts::answered(what, code) };
    let captured = "x-request-id: 7\r\nx-request-id: 8\r\nuser-agent: curl/8\r\n";
    let behind_proxy = "x-forwarded-for: 203.0.113.9\r\nx-forwarded-proto: https\r\n";
    vec![
        server(ok("a route"), plain, &get("/users/7")).await,
        server(Facts { query: true, ..ok("a query") }, plain, &get("/users/7?q=1&sig=s3cret")).await,
        server(ok("an empty query"), plain, &get("/users/7?")).await,
        server(
            Facts { method_original: Some("FOO"), ..ok("an unknown method") },
            plain,
            &format!("FOO /users/7 HTTP/1.1\r\n{TAIL}"),
        )
        .await,
        server(Facts::answered("no route", 404), plain, &get("/nowhere/7")).await,
        server(
            routed("a method that the route has not", "/broken", 405),
            plain,
            &format!("POST /broken HTTP/1.1\r\n{TAIL}"),
        )
        .await,
        server(
            Facts { error: Some("500"), ..routed("a server error", "/broken", 500) },
            plain,
            &get("/broken"),
        )
        .await,
        server(
            Facts { error: Some("body"), ..routed("a body that fails", "/unfinished", 200) },
            plain,
            &get("/unfinished"),
        )
        .await,
        server(
            Facts { code: None, error: Some("panic"), ..routed("a panic", "/panics", 0) },
            plain,
            &get("/panics"),
        )
        .await,
        server(routed("a stream", "/streams", 200), plain, &get("/streams")).await,
        server(routed("an upgrade", "/upgrades", 101), plain, &get("/upgrades")).await,
        server(
            ok("captured headers"),
            |layer| layer.capture_request_headers(["X-Request-Id"]).capture_response_headers(["x-cache"]),
            &format!("GET /users/7 HTTP/1.1\r\n{captured}{TAIL}"),
        )
        .await,
        server(
            ok("a forwarded client"),
            |layer| layer.trusted_proxies(TrustedProxies::Hops(1)),
            &format!("GET /users/7 HTTP/1.1\r\n{behind_proxy}{TAIL}"),
        )
        .await,
        server(
            Facts { port: true, ..ok("a port") },
            plain,
            "GET /users/7 HTTP/1.1\r\nhost: shop.example:8080\r\nconnection: close\r\n\r\n",
        )
        .await,
        server(ok("no host"), plain, "GET /users/7 HTTP/1.0\r\n\r\n").await,
        server(
            routed("a body of known length", "/reads", 200),
            plain,
            &format!("POST /reads HTTP/1.1\r\ncontent-length: 5\r\n{TAIL}hello"),
        )
        .await,
        server(
            routed("a body in chunks", "/reads", 200),
            plain,
            &format!("POST /reads HTTP/1.1\r\ntransfer-encoding: chunked\r\n{TAIL}5\r\nhello\r\n0\r\n\r\n"),
        )
        .await,
        connect_info().await,
        over_http2().await,
        failing_service().await,
        impatient_client().await,
    ]
}

/// axum tells the peer, but not this end of the connection.
async fn connect_info() -> Exchange {
    let telemetry = Telemetry::new();
    get(serve_axum(app().layer(telemetry.server())).await, "/users/7").await;
    Exchange::of(telemetry, [Facts::answered("connect info", 200).on_route()]).await
}

async fn over_http2() -> Exchange {
    let telemetry = Telemetry::new();
    let address = serve(app().layer(telemetry.server())).await;
    let request = Request::get(format!("http://{address}/users/7")).body(Empty::<Bytes>::new()).unwrap();
    let response = soon("a head", http2(address).await.send_request(request)).await.unwrap();
    soon("a body", response.into_body().collect()).await.unwrap();
    Exchange::of(telemetry, [Facts { port: true, ..Facts::answered("HTTP/2", 200).on_route() }]).await
}

async fn failing_service() -> Exchange {
    let telemetry = Telemetry::new();
    let service = tower::service_fn(|_: Request<hyper::body::Incoming>| async {
        Err::<Response<Empty<Bytes>>, _>(std::io::Error::from(std::io::ErrorKind::TimedOut))
    });
    get(serve(telemetry.server().layer(service)).await, "/x").await;
    Exchange::of(
        telemetry,
        [Facts { what: "a service that fails", error: Some("timeout"), ..Facts::default() }],
    )
    .await
}

async fn impatient_client() -> Exchange {
    let telemetry = Telemetry::new();
    let mut stream = connect(serve(app().layer(telemetry.server())).await).await;
    stream.write_all(b"GET /waits HTTP/1.1\r\nhost: shop.example\r\n\r\n").await.unwrap();
    soon("the request to start", async {
        while telemetry.started().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(stream);
    let facts = Facts { error: Some("cancelled"), route: Some("/waits"), ..Facts::default() };
    Exchange::of(telemetry, [Facts { what: "a client that goes away", ..facts }]).await
}

fn hyper_client(http2: bool) -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).http2_only(http2).build_http()
}

/// One request of a client to the application, its response read whole.
async fn client(
    facts: Facts,
    more: impl FnOnce(ClientLayer) -> ClientLayer,
    request: impl FnOnce(http::request::Builder, String) -> Request<Full<Bytes>>,
) -> Exchange {
    let telemetry = Telemetry::new();
    let base = format!("http://{}", serve(app()).await);
    let client = more(telemetry.client().body_size_metrics(true)).layer(hyper_client(false));
    let response = client.oneshot(request(Request::builder(), base)).await.unwrap();
    let _ = response.into_body().collect().await;
    Exchange::of(telemetry, [facts]).await
}

fn unchanged(layer: ClientLayer) -> ClientLayer {
    layer
}

async fn clients() -> Vec<Exchange> {
    let get = |path: &'static str| {
        move |builder: http::request::Builder, base: String| {
            builder.uri(base + path).body(Full::default()).unwrap()
        }
    };
    let ok = |what| Facts { port: true, ..Facts::answered(what, 200) };
    let failed = |what, code, error| Facts { error: Some(error), ..Facts::answered(what, code) };
    vec![
        client(ok("a request"), unchanged, get("/users/7")).await,
        client(ok("a query"), unchanged, get("/users/7?q=1&sig=s3cret")).await,
        client(ok("a stream"), unchanged, get("/streams")).await,
        client(failed("not found", 404, "404"), unchanged, get("/nowhere")).await,
        client(failed("a server error", 500, "500"), unchanged, get("/broken")).await,
        client(failed("a body that fails", 200, "body"), unchanged, get("/unfinished")).await,
        client(
            Facts { method_original: Some("FOO"), ..ok("an unknown method") },
            unchanged,
            |builder, base| builder.method("FOO").uri(base + "/users/7").body(Full::default()).unwrap(),
        )
        .await,
        client(Facts { template: Some("/users/{id}"), ..ok("a template") }, unchanged, |builder, base| {
            let builder = builder.uri(base + "/users/7").extension(UrlTemplate::new("/users/{id}"));
            builder.body(Full::default()).unwrap()
        })
        .await,
        client(
            ok("captured headers"),
            |layer| layer.capture_request_headers(["x-request-id"]).capture_response_headers(["x-cache"]),
            |builder, base| {
                let builder = builder.uri(base + "/users/7").header("x-request-id", "7");
                builder.body(Full::default()).unwrap()
            },
        )
        .await,
        client(ok("a body of known length"), unchanged, |builder, base| {
            let builder = builder.method("POST").uri(base + "/reads").header("content-length", "5");
            builder.body(Full::from("hello")).unwrap()
        })
        .await,
        client_over_http2().await,
        refused().await,
        redirected().await,
        lost_interest().await,
    ]
}

async fn client_over_http2() -> Exchange {
    let telemetry = Telemetry::new();
    let address = serve(app()).await;
    let request = Request::get(format!("http://{address}/users/7")).body(Full::default()).unwrap();
    let response = telemetry.client().layer(hyper_client(true)).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    Exchange::of(telemetry, [Facts::answered("HTTP/2", 200)]).await
}

async fn refused() -> Exchange {
    let telemetry = Telemetry::new();
    // Nobody listens there any more.
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let request = Request::get(format!("http://{address}/x")).body(Full::default()).unwrap();
    telemetry.client().layer(hyper_client(false)).oneshot(request).await.unwrap_err();
    let facts = Facts { what: "a refused connection", error: Some("connect"), ..Facts::default() };
    Exchange::of(telemetry, [facts]).await
}

async fn redirected() -> Exchange {
    let telemetry = Telemetry::new();
    let address = serve(app()).await;
    let client = ServiceBuilder::new()
        .layer(AttemptsLayer::new())
        .layer(FollowRedirectLayer::new())
        .layer(telemetry.client())
        .service(hyper_client(false));
    let request = Request::get(format!("http://{address}/moved")).body(Full::default()).unwrap();
    client.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    let second = Facts { resend: Some(1), ..Facts::answered("the second attempt", 200) };
    Exchange::of(telemetry, [Facts::answered("the first attempt", 307), second]).await
}

async fn lost_interest() -> Exchange {
    let telemetry = Telemetry::new();
    let service = telemetry.client().layer(tower::service_fn(|_: Request<Full<Bytes>>| {
        std::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>()
    }));
    let request = Request::get("http://shop.example/x").body(Full::default()).unwrap();
    let mut call = Box::pin(service.oneshot(request));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(call.as_mut().poll(&mut cx).is_pending());
    drop(call);
    Exchange::of(telemetry, [Facts { what: "a caller that loses interest", ..Facts::default() }]).await
}

/// Calls of gRPC, of both sides.
async fn rpcs() -> Vec<Exchange> {
    let call = |what, method, status, error| {
        let rpc = Rpc { method, original: None, status };
        Facts { what, error, port: true, rpc: Some(rpc), ..Facts::default() }
    };
    let unknown = |what, original, status, error| {
        let rpc = Rpc { method: "_OTHER", original: Some(original), status };
        Facts { rpc: Some(rpc), ..call(what, "_OTHER", status, error) }
    };
    vec![
        rpc_server(call("a call", CHECK, "OK", None), CHECK, "").await,
        rpc_server(call("a status", CHECK, "INTERNAL", Some("INTERNAL")), CHECK, "13 disk").await,
        rpc_server(call("a status that is no error", CHECK, "NOT_FOUND", None), CHECK, "5 none").await,
        rpc_server(call("metadata", CHECK, "OK", None), CHECK, "metadata").await,
        rpc_server(call("metadata of an error", CHECK, "NOT_FOUND", None), CHECK, "metadata of an error")
            .await,
        rpc_server(
            unknown("an unknown method", "x.Y/Z", "UNIMPLEMENTED", Some("UNIMPLEMENTED")),
            "x.Y/Z",
            "",
        )
        .await,
        rpc_client(call("a call", CHECK, "OK", None), "").await,
        rpc_client(call("a status", CHECK, "NOT_FOUND", Some("NOT_FOUND")), "5 none").await,
        rpc_client(call("metadata", CHECK, "OK", None), "metadata").await,
        rpc_client(
            call("metadata of an error", CHECK, "NOT_FOUND", Some("NOT_FOUND")),
            "metadata of an error",
        )
        .await,
        rpc_of_hyper(call("hyper's client", CHECK, "OK", None), CHECK).await,
        rpc_of_hyper(unknown("no method", "alone", "UNIMPLEMENTED", Some("UNIMPLEMENTED")), "alone").await,
    ]
}

/// The message of a call that asks for this.
fn message(script: &str) -> Full<Bytes> {
    let length = |length: usize| u8::try_from(length).unwrap();
    let head = [0, 0, 0, 0, length(script.len() + 2), 0x0a, length(script.len())];
    Full::from([&head[..], script.as_bytes()].concat())
}

fn rpc_request(uri: String, script: &str) -> Request<Full<Bytes>> {
    let request = Request::post(uri).version(http::Version::HTTP_2);
    let request = request.header("content-type", "application/grpc").header("x-tenant", "acme");
    request.body(message(script)).unwrap()
}

async fn rpc_server(facts: Facts, method: &str, script: &str) -> Exchange {
    let telemetry = Telemetry::new();
    let layer =
        telemetry.server().capture_request_headers(["x-tenant"]).capture_response_headers(["x-cache"]);
    let address = serve(services().into_axum_router().layer(layer)).await;
    let request = rpc_request(format!("http://{address}/{method}"), script);
    let response = soon("a head", http2(address).await.send_request(request)).await.unwrap();
    soon("a body", response.into_body().collect()).await.unwrap();
    Exchange::of(telemetry, [facts]).await
}

async fn rpc_client(facts: Facts, script: &str) -> Exchange {
    let telemetry = Telemetry::new();
    let layer =
        telemetry.client().capture_request_headers(["x-tenant"]).capture_response_headers(["x-cache"]);
    let address = serve(services().into_axum_router()).await;
    let mut request = tonic::Request::new(asks(script));
    request.metadata_mut().insert("x-tenant", "acme".parse().unwrap());
    let _ = health(&layer, address).check(request).await;
    Exchange::of(telemetry, [facts]).await
}

/// It tells whom it is connected to, which tonic's channel does not.
async fn rpc_of_hyper(facts: Facts, method: &str) -> Exchange {
    let telemetry = Telemetry::new();
    let address = serve(services().into_axum_router()).await;
    let request = rpc_request(format!("http://{address}/{method}"), "");
    let response = telemetry.client().layer(hyper_client(true)).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    Exchange::of(telemetry, [facts]).await
}

async fn all() -> Vec<Exchange> {
    let mut all = servers().await;
    all.extend(clients().await);
    all.extend(rpcs().await);
    all
}

/// Checks a list of attributes against the entries of a signal.
#[track_caller]
fn assert_conforms(signal: &Signal<'_>, attributes: &[KeyValue], facts: &Facts, context: &str) {
    let what = format!("{} of {:?}", context, facts.what);
    texts(attributes);
    for KeyValue { key, value, .. } in attributes {
        let entry = signal.entry(key.as_str());
        let entry = entry.unwrap_or_else(|| panic!("{what}: {key} is not in the registry"));
        assert_type(entry, value, &format!("{what}: {key}"));
        assert_ne!(entry["stability"], "deprecated", "{what}: {key}");
        assert!(entry.get("deprecated").is_none(), "{what}: {key}");
    }
    for entry in signal.entries() {
        let value = attributes.iter().find(|attribute| attribute.key.as_str() == name(entry));
        let value = value.map(|attribute| &attribute.value);
        let what = format!("{what}: {}", name(entry));
        match level(entry) {
            "required" => assert!(value.is_some(), "{what} is required"),
            "conditionally_required" => match facts.expected(name(entry)) {
                None => assert_eq!(value, None, "{what}: its condition does not hold"),
                Some(None) => assert!(value.is_some(), "{what}: its condition holds"),
                Some(expected) => assert_eq!(value, expected.as_ref(), "{what}"),
            },
            "recommended" | "opt_in" => {}
            other => panic!("the registry has a new level, {other}"),
        }
    }
}

#[track_caller]
fn assert_type(entry: &Json, value: &Value, what: &str) {
    let declared = entry["type"].as_str().unwrap();
    let right = match declared {
        "string" => matches!(value, Value::String(_)),
        "int" => matches!(value, Value::I64(_)),
        "string[]" => matches!(value, Value::Array(Array::String(_))),
        "enum" => matches!(value, Value::String(_)) && entry["value_type"] == "string",
        other => panic!("{what}: the registry has a new type, {other}"),
    };
    assert!(right, "{what} should be of type {declared}, is {value:?}");
    // `error.type` is open: "custom values MAY be used". Methods are not.
    if declared == "enum" && name(entry) == "http.request.method" {
        let listed = entry["values"].as_array().unwrap();
        let text = value.to_string();
        assert!(listed.iter().any(|listed| listed["value"] == text.as_str()), "{what} is {text}");
    }
}

#[track_caller]
fn assert_scope(scope: &InstrumentationScope, what: &str) {
    assert_eq!(scope.name(), "otelhttp", "{what}");
    assert_eq!(scope.version(), Some(env!("CARGO_PKG_VERSION")), "{what}");
    assert_eq!(scope.schema_url(), Some("https://opentelemetry.io/schemas/1.45.0"), "{what}");
}

#[tokio::test]
async fn every_span_conforms_to_the_registry() {
    let registry = Registry::load();
    assert_eq!(registry.0["meta"]["version"], "1.45.0");
    for exchange in all().await {
        for (facts, span) in exchange.calls.iter().zip(&exchange.spans) {
            assert_conforms(&registry.span(span), &span.attributes, facts, "the span");
            assert_scope(&span.instrumentation_scope, facts.what);
            let failed = matches!(span.status, Status::Error { .. });
            assert_eq!(failed, facts.error.is_some(), "{}: {:?}", facts.what, span.status);
            assert_ne!(span.status, Status::Ok);
            let resent = attribute(span, "http.request.resend_count");
            assert_eq!(resent, facts.resend.map(|count| count.to_string()), "{}", facts.what);
            let (peer, port) = ("network.peer.address", "network.peer.port");
            assert_eq!(attribute(span, peer).is_some(), attribute(span, port).is_some(), "{}", facts.what);
            assert!(span.events.is_empty() && span.links.is_empty());
            assert_eq!(span.dropped_attributes_count, 0);
        }
    }
}

#[tokio::test]
async fn what_is_relevant_for_sampling_is_there_from_the_start() {
    let registry = Registry::load();
    let mut relevant = BTreeSet::new();
    for exchange in all().await {
        for (facts, span) in exchange.calls.iter().zip(&exchange.spans) {
            let started = exchange.telemetry.started();
            let id = span.span_context.span_id();
            let started = started.iter().find(|started| started.span_context.span_id() == id).unwrap();
            let signal = registry.span(span);
            for attribute in &span.attributes {
                let entry = signal.entry(attribute.key.as_str()).unwrap();
                if entry["sampling_relevant"] == true {
                    assert!(started.attributes.contains(attribute), "{}: {}", facts.what, attribute.key);
                    relevant.insert((signal.id(), name(entry)));
                }
            }
        }
    }
    for id in SPANS {
        for entry in registry.signal(id).entries().filter(|entry| entry["sampling_relevant"] == true) {
            let seen = (id, name(entry));
            assert!(relevant.contains(&seen), "{seen:?} is in no span of this test");
        }
    }
}

#[tokio::test]
async fn everything_that_the_conventions_ask_for_is_recorded_somewhere() {
    let registry = Registry::load();
    let exchanges = all().await;
    for id in SPANS {
        let signal = registry.signal(id);
        let spans = exchanges.iter().flat_map(|exchange| &exchange.spans);
        let spans = spans.filter(|span| registry.span(span).id() == id);
        let attributes = spans.flat_map(|span| &span.attributes);
        let seen: BTreeSet<&str> =
            attributes.map(|attribute| name(signal.entry(attribute.key.as_str()).unwrap())).collect();
        let asked = signal.entries().filter(|entry| level(entry) != "opt_in").map(name);
        let missing: Vec<_> =
            asked.filter(|name| !seen.contains(name) && *name != "network.protocol.name").collect();
        assert_eq!(missing, [""; 0], "{id}");
    }
}

/// A metric as it was exported: what kind of instrument, what type of value, and its points.
struct Exported {
    instrument: &'static str,
    value_type: &'static str,
    points: Vec<(Vec<KeyValue>, Vec<f64>)>,
}

impl Exported {
    fn of(metric: &Metric) -> Self {
        macro_rules! exported {
            ($value_type:literal, $data:expr) => {
                match $data {
                    MetricData::Histogram(histogram) => Self {
                        instrument: "histogram",
                        value_type: $value_type,
                        points: histogram
                            .data_points()
                            .map(|point| (point.attributes().cloned().collect(), point.bounds().collect()))
                            .collect(),
                    },
                    MetricData::Sum(sum) => Self {
                        instrument: if sum.is_monotonic() { "counter" } else { "updowncounter" },
                        value_type: $value_type,
                        points: sum
                            .data_points()
                            .map(|point| (point.attributes().cloned().collect(), Vec::new()))
                            .collect(),
                    },
                    other => panic!("{} is {other:?}", metric.name()),
                }
            };
        }
        match metric.data() {
            AggregatedMetrics::F64(data) => exported!("double", data),
            AggregatedMetrics::U64(data) => exported!("int", data),
            AggregatedMetrics::I64(data) => exported!("int", data),
        }
    }
}

#[tokio::test]
async fn every_metric_conforms_to_the_registry() {
    let registry = Registry::load();
    let mut seen = BTreeSet::new();
    for exchange in all().await {
        let export = exchange.telemetry.metrics();
        for scope in export.scope_metrics() {
            assert_scope(scope.scope(), exchange.calls[0].what);
            for metric in scope.metrics() {
                seen.insert(metric.name().to_owned());
                let signal = registry.signal(&format!("metric.{}", metric.name()));
                let exported = Exported::of(metric);
                assert_eq!(signal.0["metric_name"], metric.name());
                assert_eq!(signal.0["unit"], metric.unit(), "{}", metric.name());
                assert_eq!(signal.0["instrument"], exported.instrument, "{}", metric.name());
                assert_eq!(signal.0["value_type"], exported.value_type, "{}", metric.name());
                assert!(!exported.points.is_empty(), "{}", metric.name());
                for (attributes, bounds) in exported.points {
                    assert_conforms(&signal, &attributes, facts_of(&exchange, &attributes), metric.name());
                    if let Some(boundaries) = signal.0.get("explicit_bucket_boundaries") {
                        let boundaries = boundaries.as_array().unwrap().iter();
                        let boundaries: Vec<f64> = boundaries.map(|bound| bound.as_f64().unwrap()).collect();
                        assert_eq!(bounds, boundaries, "{}", metric.name());
                    }
                }
            }
        }
    }
    let kept = |side: &str| {
        ["request.duration", "active_requests", "request.body.size", "response.body.size"]
            .map(|metric| format!("http.{side}.{metric}"))
    };
    let rpc = ["rpc.server.call.duration", "rpc.client.call.duration"].map(str::to_owned);
    assert_eq!(seen, BTreeSet::from_iter(kept("server").into_iter().chain(kept("client")).chain(rpc)));
}

/// The call that a point is of, which its status code tells where there is more than one.
fn facts_of<'e>(exchange: &'e Exchange, attributes: &[KeyValue]) -> &'e Facts {
    let code = attributes.iter().find(|attribute| attribute.key.as_str() == "http.response.status_code");
    let code = code.map(|attribute| attribute.value.clone());
    let told = exchange.calls.iter().find(|facts| facts.code.map(|code| Value::I64(code.into())) == code);
    told.unwrap_or(&exchange.calls[0])
}

#[tokio::test]
async fn the_known_methods_are_those_of_the_registry() {
    let registry = Registry::load();
    let (other, name_of_other) =
        (registry.rule("other_method"), registry.rule("span_name_method_when_other"));
    let known = registry.rules("known_methods");
    let foreign = ["FOO", "get", "PROPFIND", other];
    for method in known.iter().copied().chain(foreign) {
        let (server, client) = spans_of(Method::from_bytes(method.as_bytes()).unwrap(), "/x").await;
        let is_known = known.contains(&method);
        for span in [server, client] {
            let original = (!is_known).then(|| method.to_owned());
            assert_eq!(span.name, if is_known { method } else { name_of_other });
            assert_eq!(
                attribute(&span, "http.request.method").as_deref(),
                Some(if is_known { method } else { other })
            );
            assert_eq!(attribute(&span, "http.request.method_original"), original);
        }
    }
}

#[tokio::test]
async fn the_statuses_of_grpc_and_which_are_errors_are_those_of_the_registry() {
    let registry = Registry::load();
    assert_eq!(registry.rule("grpc_client_error_codes"), "all but OK");
    let server_errors = registry.rules("grpc_server_error_codes");
    for (number, name) in registry.rules("grpc_status_names").into_iter().enumerate() {
        let telemetry = Telemetry::new();
        let request = || rpc_request(format!("http://shop.example/{CHECK}"), "");
        let answers = tower::service_fn(move |_: Request<Full<Bytes>>| async move {
            let response = Response::builder().header("content-type", "application/grpc");
            let response = response.header("grpc-status", number.to_string());
            Ok::<_, Infallible>(response.body(Empty::<Bytes>::new()).unwrap())
        });
        telemetry.server().layer(answers).oneshot(request()).await.unwrap();
        telemetry.client().layer(answers).oneshot(request()).await.unwrap();
        let spans = telemetry.spans(2).await;
        for (span, is_error) in spans.iter().zip([server_errors.contains(&name), name != "OK"]) {
            assert_eq!(attribute(span, "rpc.status_code").as_deref(), Some(name));
            assert_eq!(attribute(span, "error.type").as_deref(), is_error.then_some(name));
            assert_eq!(matches!(span.status, Status::Error { .. }), is_error, "{name}");
        }
    }
}

#[tokio::test]
async fn the_sensitive_query_keys_are_those_of_the_registry() {
    let registry = Registry::load();
    for key in registry.rules("sensitive_query_keys") {
        let (server, client) = spans_of(Method::GET, &format!("/x?a=1&{key}=s3cret&b=2")).await;
        let redacted = format!("a=1&{key}=REDACTED&b=2");
        assert_eq!(attribute(&server, "url.query").as_deref(), Some(&*redacted));
        assert_eq!(
            attribute(&client, "url.full").as_deref(),
            Some(&*format!("http://shop.example/x?{redacted}"))
        );
    }
    // The match is exact: neither another case nor what only contains a key.
    let kept = "/x?SIG=1&sigs=2&x-amz-signature=3&sig";
    let (server, _) = spans_of(Method::GET, kept).await;
    assert_eq!(attribute(&server, "url.query").as_deref(), kept.strip_prefix("/x?"));
}

#[tokio::test]
async fn credentials_are_shown_as_the_registry_says() {
    let registry = Registry::load();
    let telemetry = Telemetry::new();
    let request = Request::get("https://user:s3cret@host/").body(()).unwrap();
    telemetry.client().layer(tower::service_fn(empty)).oneshot(request).await.unwrap();
    let shown = registry.rule("url_full_credentials");
    assert_eq!(attribute(&telemetry.span().await, "url.full").as_deref(), Some(shown));
    assert!(!telemetry.everything().contains("s3cret"));
}

fn empty(_: Request<()>) -> std::future::Ready<Result<Response<Empty<Bytes>>, Infallible>> {
    std::future::ready(Ok(Response::new(Empty::new())))
}

/// The spans of a server and of a client for the same request.
async fn spans_of(method: Method, path: &str) -> (SpanData, SpanData) {
    let telemetry = Telemetry::new();
    let request = Request::builder().method(method.clone()).uri(path).body(()).unwrap();
    let server = telemetry.server().layer(tower::service_fn(empty));
    server.oneshot(request).await.unwrap();
    let request =
        Request::builder().method(method).uri(format!("http://shop.example{path}")).body(()).unwrap();
    let client = telemetry.client().layer(tower::service_fn(empty));
    client.oneshot(request).await.unwrap();
    let mut spans = telemetry.spans(2).await.into_iter();
    (spans.next().unwrap(), spans.next().unwrap())
}
