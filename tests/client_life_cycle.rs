//! A client span lives to the end of the response's body, however the call ends, and ends once.
#![cfg(feature = "hyper-util")]

mod common;

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::client::*;
use common::tls::Identity;
use common::*;
use futures_util::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Channel, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry::trace::{SpanKind, Status, Tracer, TracerProvider};
use opentelemetry_sdk::trace::SpanData;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

type Never<T> = Result<T, Infallible>;

/// Frames without end.
fn endless<T>(_: T) -> Response<impl Body<Data = Bytes, Error = Infallible>> {
    let frame = || Ok(Frame::data(Bytes::from_static(&[b'x'; 4096])));
    Response::new(StreamBody::new(futures_util::stream::repeat_with(frame)))
}

fn status<B>(code: u16, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

async fn read<B: Body>(response: Response<B>) -> Result<Bytes, B::Error> {
    Ok(soon("the body", response.into_body().collect()).await?.to_bytes())
}

#[tokio::test]
async fn a_response_read_whole_ends_its_span_unset() {
    let telemetry = Telemetry::new();
    let address = answers(|_| Response::new(text("hello"))).await;
    let client = http1_client(&telemetry.client());
    let response = soon("a head", client.oneshot(get_x(address))).await.unwrap();
    assert!(telemetry.spans_now().is_empty());
    assert_eq!(telemetry.active(CLIENT_ACTIVE), 1.0);
    assert_eq!(read(response).await.unwrap(), "hello");
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[("http.response.status_code", "200")]);
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn http2_is_told_as_such() {
    let telemetry = Telemetry::new();
    let address = answers(|_| Response::new(text("hello"))).await;
    let client = http2_client(&telemetry.client());
    let response = soon("a head", client.oneshot(get_x(address))).await.unwrap();
    assert_eq!(read(response).await.unwrap(), "hello");
    let span = telemetry.span().await;
    let expected = [("http.response.status_code", "200"), ("network.protocol.version", "2")];
    assert_client(&span, address, Status::Unset, &expected);
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn tls_carries_what_its_handshake_chose() {
    for (protocol, version) in [("h2", "2"), ("http/1.1", "1.1")] {
        let telemetry = Telemetry::new();
        let identity = Identity::new();
        let address = identity.serve(protocol).await;
        let url = format!("https://{address}/x?a=b");
        let client = identity.client(&telemetry.client());
        let response = soon("a head", client.oneshot(request(&url))).await.unwrap();
        assert_eq!(read(response).await.unwrap(), "hello");
        let span = telemetry.span().await;
        let expected = [
            ("url.full", url.as_str()),
            ("http.response.status_code", "200"),
            ("network.protocol.version", version),
        ];
        assert_client(&span, address, Status::Unset, &expected);
        assert_measured(&telemetry, &span);
    }
}

#[tokio::test]
async fn errors_begin_at_400() {
    for (code, expected, error) in [
        (200, Status::Unset, ""),
        (302, Status::Unset, ""),
        (399, Status::Unset, ""),
        (400, NO_DESCRIPTION, "400"),
        (404, NO_DESCRIPTION, "404"),
        (500, NO_DESCRIPTION, "500"),
        (600, NO_DESCRIPTION, "600"),
    ] {
        let telemetry = Telemetry::new();
        let address = answers(move |_| status(code, text("that's it"))).await;
        let client = http1_client(&telemetry.client());
        let response = soon("a head", client.oneshot(get_x(address))).await.unwrap();
        assert_eq!(response.status(), code);
        read(response).await.unwrap();
        let span = telemetry.span().await;
        let code = code.to_string();
        assert_client(
            &span,
            address,
            expected,
            &[("http.response.status_code", code.as_str()), ("error.type", error)],
        );
        assert_measured(&telemetry, &span);
    }
}

#[tokio::test]
async fn a_body_that_is_not_read_to_its_end_is_no_error() {
    for frames in 0..=2 {
        let telemetry = Telemetry::new();
        let address = answers(endless).await;
        let client = http1_client(&telemetry.client());
        let mut response = soon("a head", client.oneshot(get_x(address))).await.unwrap();
        for _ in 0..frames {
            soon("a frame", response.body_mut().frame()).await.unwrap().unwrap();
        }
        assert!(telemetry.spans_now().is_empty());
        drop(response);
        let span = telemetry.span().await;
        assert_client(&span, address, Status::Unset, &[("http.response.status_code", "200")]);
        assert_measured(&telemetry, &span);
    }
}

#[tokio::test]
async fn a_failed_response_whose_body_is_dropped_stays_an_error() {
    let telemetry = Telemetry::new();
    let address = answers(|request| status(503, endless(request).into_body())).await;
    let client = http1_client(&telemetry.client());
    drop(soon("a head", client.oneshot(get_x(address))).await.unwrap());
    let span = telemetry.span().await;
    assert_client(
        &span,
        address,
        NO_DESCRIPTION,
        &[("http.response.status_code", "503"), ("error.type", "503")],
    );
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn a_stalled_stream_of_http2_that_is_dropped_is_no_error() {
    let telemetry = Telemetry::new();
    let address = answers(|_| {
        let frames = futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))]);
        Response::new(StreamBody::new(frames.chain(futures_util::stream::pending())))
    })
    .await;
    let client = http2_client(&telemetry.client());
    let mut response = soon("a head", client.oneshot(get_x(address))).await.unwrap();
    soon("a frame", response.body_mut().frame()).await.unwrap().unwrap();
    drop(response);
    let span = telemetry.span().await;
    let expected = [("http.response.status_code", "200"), ("network.protocol.version", "2")];
    assert_client(&span, address, Status::Unset, &expected);
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_an_error_and_keeps_its_code() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let telemetry = Telemetry::new();
        let address = says(answer).await;
        let client = http1_client(&telemetry.client());
        let response = soon("a head", client.oneshot(get_x(address))).await.unwrap();
        let error = read(response).await.unwrap_err();
        assert_eq!(error.to_string(), "error reading a body from connection");
        let span = telemetry.span().await;
        assert_failed(&span, address, "body", &[("http.response.status_code", "200")]);
        assert_measured(&telemetry, &span);
    }
}

#[tokio::test]
async fn an_error_status_whose_body_breaks_off_is_told_by_the_break() {
    let telemetry = Telemetry::new();
    let address = says("HTTP/1.1 500 Oops\r\ncontent-length: 9\r\n\r\nhello").await;
    let client = http1_client(&telemetry.client());
    let response = soon("a head", client.oneshot(get_x(address))).await.unwrap();
    read(response).await.unwrap_err();
    let span = telemetry.span().await;
    assert_failed(&span, address, "body", &[("http.response.status_code", "500")]);
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn a_response_without_a_body_ends_with_its_head() {
    for (method, answer, code) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", "200"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", "204"),
        ("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", "304"),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "200"),
    ] {
        let telemetry = Telemetry::new();
        let address = says(answer).await;
        let client = http1_client(&telemetry.client());
        let mut request = get_x(address);
        *request.method_mut() = method.parse().unwrap();
        // The span ends although the response is still held, unread.
        let response = soon("a head", client.oneshot(request)).await.unwrap();
        let span = telemetry.span().await;
        let expected = [("http.request.method", method), ("http.response.status_code", code)];
        assert_client(&span, address, Status::Unset, &expected);
        assert_eq!(read(response).await.unwrap(), "");
        assert_measured(&telemetry, &span);
    }
}

#[tokio::test]
async fn informational_responses_are_not_seen() {
    let telemetry = Telemetry::new();
    let address = says(
        "HTTP/1.1 103 Early Hints\r\nlink: </x.css>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    )
    .await;
    let client = http1_client(&telemetry.client());
    let response = soon("a head", client.oneshot(get_x(address))).await.unwrap();
    assert_eq!(read(response).await.unwrap(), "hello");
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[("http.response.status_code", "200")]);
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn a_caller_that_drops_the_future_is_no_error() {
    // Never polled.
    let telemetry = Telemetry::new();
    let address = never_answers().await;
    let mut client = http1_client(&telemetry.client());
    drop(client.call(get_x(address)));
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[]);
    assert_measured(&telemetry, &span);
    // On its way.
    let telemetry = Telemetry::new();
    let sent = Arc::new(Notify::new());
    let address = {
        let sent = sent.clone();
        accepts(move |mut stream| {
            let sent = sent.clone();
            async move {
                read_until(&mut stream, "\r\n\r\n").await;
                sent.notify_one();
                pending::<()>().await;
            }
        })
        .await
    };
    let client = http1_client(&telemetry.client());
    let call = tokio::spawn(client.oneshot(get_x(address)));
    soon("the request", sent.notified()).await;
    assert_eq!(telemetry.active(CLIENT_ACTIVE), 1.0);
    assert!(telemetry.spans_now().is_empty());
    call.abort();
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[]);
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn a_deadline_outside_looks_like_a_caller_that_lost_interest() {
    let deadline = Duration::from_millis(50);
    // Of tokio.
    let telemetry = Telemetry::new();
    let address = never_answers().await;
    let client = http1_client(&telemetry.client());
    tokio::time::timeout(deadline, client.oneshot(get_x(address))).await.unwrap_err();
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[]);
    assert_measured(&telemetry, &span);
    // Of tower.
    let telemetry = Telemetry::new();
    let client = ServiceBuilder::new().timeout(deadline).service(http1_client(&telemetry.client()));
    let error = soon("the deadline", client.oneshot(get_x(address))).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>());
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[]);
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn a_deadline_inside_is_a_timeout() {
    let telemetry = Telemetry::new();
    let address = never_answers().await;
    let client = ServiceBuilder::new()
        .layer(telemetry.client())
        .timeout(Duration::from_millis(50))
        .service(legacy::Client::builder(TokioExecutor::new()).build_http());
    let error = soon("the deadline", client.oneshot(get_x(address))).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>());
    let span = telemetry.span().await;
    assert_failed(&span, address, "timeout", &[]);
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn a_panic_is_told_and_goes_on_unchanged() {
    type Answer = Never<Response<Full<Bytes>>>;
    let in_call = |_: Request<Full<Bytes>>| -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        std::panic::panic_any(7_u8)
    };
    let in_poll = |_: Request<Full<Bytes>>| -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        Box::pin(async { std::panic::panic_any(7_u8) })
    };
    for service in [service_fn(in_call as fn(_) -> _), service_fn(in_poll as fn(_) -> _)] {
        let telemetry = Telemetry::new();
        let client = telemetry.client().layer(service);
        let request = request("http://127.0.0.1:1/x");
        // Called in the task too, where a panic in `call` is caught.
        let panicked = tokio::spawn(async move { client.oneshot(request).await }).await.unwrap_err();
        assert_eq!(panicked.into_panic().downcast_ref::<u8>(), Some(&7));
        let span = telemetry.span().await;
        assert_client(&span, ([127, 0, 0, 1], 1).into(), NO_DESCRIPTION, &[("error.type", "panic")]);
        assert_measured(&telemetry, &span);
    }
}

#[tokio::test]
async fn a_panic_in_the_body_is_told_and_goes_on_unchanged() {
    let telemetry = Telemetry::new();
    let panics = service_fn(|_: Request<Full<Bytes>>| async {
        let frames = futures_util::stream::poll_fn(|_| -> std::task::Poll<Option<Never<Frame<Bytes>>>> {
            std::panic::panic_any(7_u8)
        });
        Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
    });
    let client = telemetry.client().layer(panics);
    let response = client.oneshot(request("http://127.0.0.1:1/x")).await.unwrap();
    let panicked = tokio::spawn(response.into_body().collect()).await.unwrap_err();
    assert_eq!(panicked.into_panic().downcast_ref::<u8>(), Some(&7));
    let span = telemetry.span().await;
    let expected = [
        ("http.response.status_code", "200"),
        ("error.type", "panic"),
        // Nobody has connected.
        ("network.peer.address", ""),
        ("network.peer.port", ""),
    ];
    assert_client(&span, ([127, 0, 0, 1], 1).into(), NO_DESCRIPTION, &expected);
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn an_upgrade_ends_the_span_with_the_head_and_is_not_measured() {
    let telemetry = Telemetry::new();
    let address = accepts(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let head = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n";
        stream.write_all(head).await.unwrap();
        assert_eq!(read_until(&mut stream, "hello").await, "hello");
        stream.write_all(b"HELLO").await.unwrap();
    })
    .await;
    let mut request = get_x(address);
    request.headers_mut().insert("connection", "upgrade".parse().unwrap());
    request.headers_mut().insert("upgrade", "shout".parse().unwrap());
    let client = http1_client(&telemetry.client());
    let response = soon("a head", client.oneshot(request)).await.unwrap();
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[("http.response.status_code", "101")]);
    let mut upgraded = TokioIo::new(soon("the upgrade", hyper::upgrade::on(response)).await.unwrap());
    upgraded.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    soon("the answer", upgraded.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "HELLO");
    assert_settled(&telemetry, 1, 0);
}

#[tokio::test]
async fn a_tunnel_ends_the_span_with_the_head_and_is_not_measured() {
    let telemetry = Telemetry::new();
    let address = says("HTTP/1.1 200 Connected\r\n\r\nHELLO").await;
    let url = format!("http://{address}");
    let connect = Request::builder().method(Method::CONNECT).uri(address.to_string());
    let client = http1_client(&telemetry.client());
    let response = soon("a head", client.oneshot(connect.body(Full::default()).unwrap())).await.unwrap();
    let span = telemetry.span().await;
    let expected = [
        ("http.request.method", "CONNECT"),
        ("url.full", url.as_str()),
        ("http.response.status_code", "200"),
    ];
    assert_client(&span, address, Status::Unset, &expected);
    let mut tunnel = TokioIo::new(soon("the tunnel", hyper::upgrade::on(response)).await.unwrap());
    let mut answer = String::new();
    soon("the answer", tunnel.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "HELLO");
    assert_settled(&telemetry, 1, 0);
}

#[tokio::test]
async fn a_tunnel_that_is_refused_is_an_error_and_is_measured() {
    let telemetry = Telemetry::new();
    let address = says("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let url = format!("http://{address}");
    let connect = Request::builder().method(Method::CONNECT).uri(address.to_string());
    let client = http1_client(&telemetry.client());
    let response = soon("a head", client.oneshot(connect.body(Full::default()).unwrap())).await.unwrap();
    assert_eq!(read(response).await.unwrap(), "no");
    let span = telemetry.span().await;
    let expected = [
        ("http.request.method", "CONNECT"),
        ("url.full", url.as_str()),
        ("http.response.status_code", "403"),
        ("error.type", "403"),
    ];
    assert_client(&span, address, NO_DESCRIPTION, &expected);
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn the_span_ends_with_the_head_where_told_so() {
    let telemetry = Telemetry::new();
    let address = answers(endless).await;
    let client = http1_client(&telemetry.client().end_at_headers(true));
    let mut response = soon("a head", client.oneshot(get_x(address))).await.unwrap();
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[("http.response.status_code", "200")]);
    assert_measured(&telemetry, &span);
    // The body goes on, and what becomes of it is told by nobody.
    soon("a frame", response.body_mut().frame()).await.unwrap().unwrap();
    drop(response);
    assert_measured(&telemetry, &span);
}

#[tokio::test]
async fn requests_on_one_connection_have_a_span_each() {
    for client in [http1_client, http2_client] {
        let telemetry = Telemetry::new();
        let address = answers(|_| Response::new(text("hello"))).await;
        let client = client(&telemetry.client());
        for _ in 0..3 {
            let response = soon("a head", client.clone().oneshot(get_x(address))).await.unwrap();
            assert_eq!(read(response).await.unwrap(), "hello");
        }
        let spans = telemetry.spans(3).await;
        assert_settled(&telemetry, 3, 3);
        assert_eq!(telemetry.points(CLIENT_DURATION).len(), 1);
        let traces: HashSet<_> = spans.iter().map(|span| span.span_context.trace_id()).collect();
        assert_eq!(traces.len(), 3, "nobody is above them");
    }
}

#[tokio::test]
async fn nothing_is_in_flight_after_a_storm() {
    const EACH: usize = 20;
    let telemetry = Telemetry::new();
    let hello = answers(|_| Response::new(text("hello"))).await;
    let endless = answers(endless).await;
    let silent = never_answers().await;
    let broken = says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await;
    let client = http1_client(&telemetry.client());
    let panics = telemetry.client().layer(service_fn(
        |_: Request<Full<Bytes>>| -> std::future::Ready<Never<Response<Full<Bytes>>>> {
            panic!("on purpose")
        },
    ));
    let calls = (0..EACH).flat_map(|_| {
        let (one, two, three, four, five) =
            (client.clone(), client.clone(), client.clone(), client.clone(), panics.clone());
        [
            tokio::spawn(async move {
                read(one.oneshot(get_x(hello)).await.unwrap()).await.unwrap();
            }),
            tokio::spawn(async move { drop(two.oneshot(get_x(endless)).await.unwrap()) }),
            tokio::spawn(async move {
                let call = three.oneshot(get_x(silent));
                tokio::time::timeout(Duration::from_millis(20), call).await.unwrap_err();
            }),
            tokio::spawn(async move {
                read(four.oneshot(get_x(broken)).await.unwrap()).await.unwrap_err();
            }),
            tokio::spawn(async move {
                five.oneshot(get_x(silent)).await.unwrap();
            }),
        ]
    });
    for (number, outcome) in soon("all", futures_util::future::join_all(calls)).await.into_iter().enumerate()
    {
        assert_eq!(outcome.is_err(), number % 5 == 4, "{number}: {outcome:?}");
    }
    telemetry.spans(5 * EACH).await;
    assert_settled(&telemetry, 5 * EACH, 5 * EACH as u64);
}

#[tokio::test]
async fn what_the_inner_service_and_its_body_record_is_below_the_span() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.tracer_provider.tracer("app");
    let service = service_fn(move |_: Request<Full<Bytes>>| {
        tracer.in_span("call", |_| {});
        let tracer = tracer.clone();
        async move {
            tracer.in_span("poll", |_| {});
            let frames = futures_util::stream::iter(["first", "last"]).map(move |name| {
                tracer.in_span(name, |_| {});
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))
            });
            Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
        }
    });
    let response = telemetry.client().layer(service).oneshot(request("http://127.0.0.1:1/x")).await.unwrap();
    read(response).await.unwrap();
    let spans = telemetry.spans(5).await;
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["call", "poll", "first", "last", "GET"]);
    assert_below(&spans[..4], &spans[4]);
}

#[track_caller]
fn assert_below(children: &[SpanData], parent: &SpanData) {
    assert_eq!(parent.span_kind, SpanKind::Client);
    for child in children {
        assert_eq!(child.parent_span_id, parent.span_context.span_id(), "{}", child.name);
        assert_eq!(child.span_context.trace_id(), parent.span_context.trace_id(), "{}", child.name);
    }
}

#[tokio::test]
async fn what_a_connector_records_is_below_the_span() {
    let telemetry = Telemetry::new();
    let address = answers(|_| Response::new(text("hello"))).await;
    let tracer = telemetry.tracer_provider.tracer("app");
    let connector = service_fn(move |uri: http::Uri| {
        let tracer = tracer.clone();
        async move {
            tracer.in_span("connect", |_| {});
            HttpConnector::new().oneshot(uri).await
        }
    });
    let connector = BoxCloneSyncService::new(connector);
    let client: legacy::Client<_, Full<Bytes>> =
        legacy::Client::builder(TokioExecutor::new()).build(connector);
    let response = telemetry.client().layer(client).oneshot(get_x(address)).await.unwrap();
    read(response).await.unwrap();
    let spans = telemetry.spans(2).await;
    assert_eq!(spans[0].name, "connect");
    assert_below(&spans[..1], &spans[1]);
}

#[tokio::test]
async fn the_body_keeps_its_shape_and_its_trailers() {
    let telemetry = Telemetry::new();
    let service = service_fn(|_: Request<Full<Bytes>>| async {
        let trailers = http::HeaderMap::from_iter([(
            http::HeaderName::from_static("x-sum"),
            http::HeaderValue::from_static("7"),
        )]);
        Ok::<_, Infallible>(Response::new(text("hello").with_trailers(async { Some(Ok(trailers)) })))
    });
    let client = telemetry.client().layer(service);
    let response = client.oneshot(request("http://127.0.0.1:1/x")).await.unwrap();
    assert!(!response.body().is_end_stream());
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "7");
    assert_eq!(body.to_bytes(), "hello");
    assert_settled(&telemetry, 1, 1);

    let telemetry = Telemetry::new();
    let service =
        service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(Response::new(text("hello"))) });
    let client = telemetry.client().layer(service);
    let response = client.oneshot(request("http://127.0.0.1:1/x")).await.unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(5));
}

#[tokio::test]
async fn a_body_lasts_as_long_as_it_takes() {
    const LASTS: Duration = Duration::from_millis(100);
    let telemetry = Telemetry::new();
    let address = answers(|_| {
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
        tokio::spawn(async move {
            tokio::time::sleep(LASTS).await;
            sender.send_data(Bytes::from_static(b"late")).await.unwrap();
        });
        Response::new(body)
    })
    .await;
    let client = http1_client(&telemetry.client());
    let response = soon("a head", client.oneshot(get_x(address))).await.unwrap();
    assert_eq!(read(response).await.unwrap(), "late");
    let span = telemetry.span().await;
    assert_client(&span, address, Status::Unset, &[("http.response.status_code", "200")]);
    let lasted = span.end_time.duration_since(span.start_time).unwrap();
    assert!(lasted >= LASTS, "{lasted:?}");
    assert_measured(&telemetry, &span);
}
