//! A server span lives to the end of the response's body, however the request ends, and ends once.

mod common;

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use common::*;
use futures_util::StreamExt;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Channel, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use opentelemetry::trace::{SpanKind, Status, Tracer, TracerProvider};
use opentelemetry_sdk::trace::SpanData;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tower_http::catch_panic::CatchPanicLayer;

const DURATION: &str = "http.server.request.duration";
const ACTIVE: &str = "http.server.active_requests";

/// What every request of these tests has, and what more there is.
fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut attributes = vec![
        ("http.request.method", "GET"),
        ("url.path", "/x"),
        ("url.scheme", "http"),
        ("server.address", "shop.example"),
        ("client.address", "127.0.0.1"),
        ("network.peer.address", "127.0.0.1"),
        ("network.peer.port", "*"),
        ("network.local.address", "127.0.0.1"),
        ("network.local.port", "*"),
        ("network.protocol.version", "1.1"),
    ];
    attributes.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
    attributes.extend(more);
    attributes
}

#[track_caller]
fn assert_server(span: &SpanData, status: Status, more: &[(&str, &str)]) {
    let method =
        more.iter().find(|(key, _)| *key == "http.request.method").map_or("GET", |(_, method)| *method);
    assert_span(span, SpanKind::Server, method, status, &with(more));
}

/// The span ended once, the gauge is back at zero, and there is one measurement (or none).
#[track_caller]
fn assert_settled(telemetry: &Telemetry, measurements: u64) {
    assert_eq!(telemetry.spans_now().len(), 1);
    assert_eq!(telemetry.active(ACTIVE), 0.0);
    assert_eq!(telemetry.points(DURATION).iter().map(|point| point.count).sum::<u64>(), measurements);
}

/// Two frames, then what the sender decides.
fn stalled() -> (http_body_util::channel::Sender<Bytes, io::Error>, Channel<Bytes, io::Error>) {
    Channel::new(2)
}

/// Tells when it is dropped.
struct Dropped(Option<oneshot::Sender<()>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.take().unwrap().send(());
    }
}

#[tokio::test]
async fn a_response_that_is_sent_ends_its_span_unset() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server(), |_| async { Response::new(text("hello")) }).await;
    assert!(get(address, "/x?a=b").await.ends_with("hello"));
    let expected = [("url.query", "a=b"), ("http.response.status_code", "200")];
    assert_server(&telemetry.span().await, Status::Unset, &expected);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn client_errors_are_no_errors_of_the_server_and_5xx_are() {
    for (code, status, error) in [
        (302, Status::Unset, None),
        (400, Status::Unset, None),
        (404, Status::Unset, None),
        (499, Status::Unset, None),
        (500, NO_DESCRIPTION, Some("500")),
        (503, NO_DESCRIPTION, Some("503")),
        (600, NO_DESCRIPTION, Some("600")),
    ] {
        let telemetry = Telemetry::new();
        let answer = move |_| async move {
            let mut response = Response::new(text("that's it"));
            *response.status_mut() = StatusCode::from_u16(code).unwrap();
            response
        };
        get(serve_fn(telemetry.server(), answer).await, "/x").await;
        let code = code.to_string();
        let mut expected = vec![("http.response.status_code", code.as_str())];
        expected.extend(error.map(|error| ("error.type", error)));
        assert_server(&telemetry.span().await, status, &expected);
        assert_settled(&telemetry, 1);
    }
}

#[tokio::test]
async fn a_service_that_fails_is_an_error_with_a_class() {
    let telemetry = Telemetry::new();
    let service = tower::service_fn(|_: Request<Incoming>| async {
        Err::<Response<Empty<Bytes>>, _>(io::Error::new(io::ErrorKind::TimedOut, "token=s3cret"))
    });
    let address = serve(tower::Layer::layer(&telemetry.server(), service)).await;
    get(address, "/x").await;
    let expected = [("error.type", "timeout")];
    assert_server(&telemetry.span().await, Status::error("timeout"), &expected);
    assert_settled(&telemetry, 1);
    assert!(!telemetry.everything().contains("s3cret"));
}

#[tokio::test]
async fn a_body_that_fails_is_an_error_and_keeps_its_code() {
    let telemetry = Telemetry::new();
    let failing = |_| async {
        let frames = [Ok(Frame::data(Bytes::from_static(b"some"))), Err(io::Error::other("disk"))];
        Response::new(StreamBody::new(futures_util::stream::iter(frames)))
    };
    let answer = get(serve_fn(telemetry.server(), failing).await, "/x").await;
    assert!(!answer.ends_with("0\r\n\r\n"), "the client must see that the body broke off: {answer}");
    let expected = [("http.response.status_code", "200"), ("error.type", "body")];
    assert_server(&telemetry.span().await, Status::error("body"), &expected);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn a_client_that_goes_away_before_the_response_cancels() {
    let telemetry = Telemetry::new();
    let (arrived, arrival) = oneshot::channel();
    let arrived = std::sync::Arc::new(std::sync::Mutex::new(Some(arrived)));
    let waiting = move |_| {
        arrived.lock().unwrap().take().unwrap().send(()).unwrap();
        std::future::pending::<Response<Empty<Bytes>>>()
    };
    let address = serve_fn(telemetry.server(), waiting).await;
    let mut stream = connect(address).await;
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: shop.example\r\n\r\n").await.unwrap();
    soon("the request", arrival).await.unwrap();
    assert_eq!(telemetry.active(ACTIVE), 1.0);
    drop(stream);
    assert_server(&telemetry.span().await, NO_DESCRIPTION, &[("error.type", "cancelled")]);
    assert_settled(&telemetry, 1);
    let attributes = &telemetry.points(DURATION)[0].attributes;
    assert_eq!(attributes.get("error.type").map(String::as_str), Some("cancelled"));
    assert_eq!(attributes.get("http.response.status_code"), None);
}

#[tokio::test]
async fn a_reset_stream_of_http2_cancels() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server(), |_| std::future::pending::<Response<Empty<Bytes>>>()).await;
    let mut sender = http2::<Empty<Bytes>>(address).await;
    let request = Request::get(format!("http://{address}/x")).body(Empty::new()).unwrap();
    let response = tokio::spawn(sender.send_request(request));
    soon("the request to start", async {
        while telemetry.started().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    response.abort();
    let expected = [
        ("server.address", "127.0.0.1"),
        ("server.port", "*"),
        ("network.protocol.version", "2"),
        ("error.type", "cancelled"),
    ];
    assert_server(&telemetry.span().await, NO_DESCRIPTION, &expected);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn a_client_that_goes_away_while_the_body_streams_cancels() {
    let telemetry = Telemetry::new();
    let endless = |_| async {
        let frames = futures_util::stream::repeat_with(|| {
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 4096])))
        });
        Response::new(StreamBody::new(frames))
    };
    let address = serve_fn(telemetry.server(), endless).await;
    let mut stream = connect(address).await;
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: shop.example\r\n\r\n").await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    drop(stream);
    let expected = [("http.response.status_code", "200"), ("error.type", "cancelled")];
    assert_server(&telemetry.span().await, NO_DESCRIPTION, &expected);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn a_stalled_body_whose_reader_hangs_up_cancels_under_http2() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server(), |_| async {
        let (mut sender, body) = stalled();
        sender.send_data(Bytes::from_static(b"first")).await.unwrap();
        // The sender must outlive the handler, or the body would end.
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(sender);
        });
        Response::new(body)
    })
    .await;
    let mut sender = http2::<Empty<Bytes>>(address).await;
    let request = Request::get(format!("http://{address}/x")).body(Empty::new()).unwrap();
    let mut response = soon("a head", sender.send_request(request)).await.unwrap();
    soon("a frame", response.body_mut().frame()).await.unwrap().unwrap();
    drop(response);
    let span = telemetry.span().await;
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("cancelled"));
    assert_eq!(attribute(&span, "http.response.status_code").as_deref(), Some("200"));
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn a_client_that_goes_away_is_no_error_where_told_so() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server().cancellation(false), |_| {
        std::future::pending::<Response<Empty<Bytes>>>()
    })
    .await;
    let mut stream = connect(address).await;
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: shop.example\r\n\r\n").await.unwrap();
    soon("the request to start", async {
        while telemetry.started().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(stream);
    assert_server(&telemetry.span().await, Status::Unset, &[]);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn no_body_is_no_abort() {
    let full = |code: u16| {
        move |_| async move {
            let mut response = Response::new(text("hello"));
            *response.status_mut() = StatusCode::from_u16(code).unwrap();
            response
        }
    };
    for (method, code) in [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 200)] {
        let telemetry = Telemetry::new();
        let address = serve_fn(telemetry.server(), full(code)).await;
        let head = format!("{method} /x HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n");
        raw(address, head).await;
        let code = code.to_string();
        let expected = [("http.request.method", method), ("http.response.status_code", code.as_str())];
        assert_server(&telemetry.span().await, Status::Unset, &expected);
        assert_settled(&telemetry, 1);
    }
}

/// What a handler does on `/{name}`; the last three break the stream off.
async fn of_all_kinds(request: Request<Incoming>) -> Result<Response<BoxBody>, io::Error> {
    let response = Response::builder();
    let full = || text("hello").map_err(|never| match never {}).boxed_unsync();
    let response = match request.uri().path() {
        "/missing" => response.status(404).body(full()),
        "/broken" => response.status(503).body(full()),
        "/empty" => response.status(204).body(full()),
        "/unchanged" => response.status(304).body(full()),
        "/failing-body" => {
            let frames = [Ok(Frame::data(Bytes::from_static(b"some"))), Err(io::Error::other("disk"))];
            response.body(StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync())
        }
        "/failing" => return Err(io::ErrorKind::TimedOut.into()),
        "/panicking" => panic!("on purpose"),
        _ => response.body(full()),
    };
    Ok(response.unwrap())
}

type BoxBody = http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error>;

#[tokio::test]
async fn the_table_holds_for_http2_too() {
    for (method, path, code, status, error) in [
        ("GET", "/x", Some("200"), Status::Unset, None),
        ("HEAD", "/x", Some("200"), Status::Unset, None),
        ("GET", "/missing", Some("404"), Status::Unset, None),
        ("GET", "/broken", Some("503"), NO_DESCRIPTION, Some("503")),
        ("GET", "/empty", Some("204"), Status::Unset, None),
        ("GET", "/unchanged", Some("304"), Status::Unset, None),
        ("GET", "/failing-body", Some("200"), Status::error("body"), Some("body")),
        ("GET", "/failing", None, Status::error("timeout"), Some("timeout")),
        ("GET", "/panicking", None, NO_DESCRIPTION, Some("panic")),
    ] {
        let telemetry = Telemetry::new();
        let service = tower::Layer::layer(&telemetry.server(), tower::service_fn(of_all_kinds));
        let address = serve(service).await;
        let mut sender = http2::<Empty<Bytes>>(address).await;
        let request = Request::builder().method(method).uri(format!("http://{address}{path}"));
        if let Ok(response) = soon("a head", sender.send_request(request.body(Empty::new()).unwrap())).await {
            let _ = soon("a body", response.into_body().collect()).await;
        }
        let mut expected = vec![
            ("http.request.method", method),
            ("url.path", path),
            ("server.address", "127.0.0.1"),
            ("server.port", "*"),
            ("network.protocol.version", "2"),
        ];
        expected.extend(code.map(|code| ("http.response.status_code", code)));
        expected.extend(error.map(|error| ("error.type", error)));
        assert_server(&telemetry.span().await, status, &expected);
        assert_settled(&telemetry, 1);
    }
}

#[tokio::test]
async fn an_empty_body_ends_with_the_head() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server(), |_| async { Response::new(Empty::<Bytes>::new()) }).await;
    get(address, "/x").await;
    assert_server(&telemetry.span().await, Status::Unset, &[("http.response.status_code", "200")]);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn a_body_whose_announced_length_was_sent_is_complete_when_dropped() {
    let telemetry = Telemetry::new();
    // A stream does not know its length; hyper stops polling once `Content-Length` is met.
    let announced = |_| async {
        let frames = [
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"he"))),
            Ok(Frame::data(Bytes::from_static(b"llo"))),
        ];
        let frames = futures_util::stream::iter(frames).chain(futures_util::stream::pending());
        Response::builder().header("content-length", "5").body(StreamBody::new(frames)).unwrap()
    };
    let answer = get(serve_fn(telemetry.server(), announced).await, "/x").await;
    assert!(answer.ends_with("hello"), "{answer}");
    assert_server(&telemetry.span().await, Status::Unset, &[("http.response.status_code", "200")]);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn trailers_reach_the_client() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server(), |_| async {
        let trailers = async {
            Some(Ok(http::HeaderMap::from_iter([(
                http::HeaderName::from_static("x-sum"),
                "7".parse().unwrap(),
            )])))
        };
        Response::new(text("hello").with_trailers(trailers))
    })
    .await;
    let mut sender = http2::<Empty<Bytes>>(address).await;
    let request = Request::get(format!("http://{address}/x")).body(Empty::new()).unwrap();
    let response = soon("a head", sender.send_request(request)).await.unwrap();
    let body = soon("a body", response.into_body().collect()).await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "7");
    assert_eq!(body.to_bytes(), "hello");
    assert_eq!(telemetry.span().await.status, Status::Unset);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn trailers_are_the_end_though_nobody_polls_again() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server(), |_| async {
        let sum = (http::HeaderName::from_static("x-sum"), "7".parse().unwrap());
        let trailers = Frame::trailers(http::HeaderMap::from_iter([sum]));
        // It knows neither its length nor that it is at its end.
        let frames = [Frame::data(Bytes::from_static(b"hello")), trailers];
        Response::new(StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>))))
    })
    .await;
    let mut sender = http2::<Empty<Bytes>>(address).await;
    let request = Request::get(format!("http://{address}/x")).body(Empty::new()).unwrap();
    let response = soon("a head", sender.send_request(request)).await.unwrap();
    soon("a body", response.into_body().collect()).await.unwrap();
    assert_eq!(telemetry.span().await.status, Status::Unset);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn server_sent_events_last_as_long_as_they_take_and_have_their_spans_below() {
    const LASTS: Duration = Duration::from_millis(200);
    let telemetry = Telemetry::new();
    let tracer = telemetry.tracer_provider.tracer("app");
    let events = move |_| {
        let tracer = tracer.clone();
        let events = futures_util::stream::unfold(0, move |count| {
            let tracer = tracer.clone();
            async move {
                if count == 4 {
                    return None;
                }
                tokio::time::sleep(LASTS / 4).await;
                tracer.in_span("event", |_| {});
                Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"data: 1\n\n"))), count + 1))
            }
        });
        async { Response::new(StreamBody::new(events)) }
    };
    get(serve_fn(telemetry.server(), events).await, "/x").await;
    let spans = telemetry.spans(5).await;
    let server = &spans[4];
    assert_server(server, Status::Unset, &[("http.response.status_code", "200")]);
    for event in &spans[..4] {
        assert_eq!(event.parent_span_id, server.span_context.span_id());
        assert_eq!(event.span_context.trace_id(), server.span_context.trace_id());
    }
    let lasted = server.end_time.duration_since(server.start_time).unwrap();
    assert!(lasted >= LASTS, "{lasted:?}");
    assert!(telemetry.points(DURATION)[0].sum >= LASTS.as_secs_f64());
}

#[tokio::test]
async fn a_panic_is_told_as_one_wherever_it_is_caught() {
    async fn panics(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        panic!("on purpose")
    }
    // Outside: the layer sees the unwinding.
    let telemetry = Telemetry::new();
    let service = tower::ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .layer(telemetry.server())
        .service(tower::service_fn(panics));
    let answer = get(serve(service).await, "/x").await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert_server(&telemetry.span().await, NO_DESCRIPTION, &[("error.type", "panic")]);
    assert_settled(&telemetry, 1);
    // Inside: it sees the response that was made of it.
    let telemetry = Telemetry::new();
    let service = tower::ServiceBuilder::new()
        .layer(telemetry.server())
        .layer(CatchPanicLayer::new())
        .service(tower::service_fn(panics));
    get(serve(service).await, "/x").await;
    let expected = [("http.response.status_code", "500"), ("error.type", "500")];
    assert_server(&telemetry.span().await, NO_DESCRIPTION, &expected);
    assert_settled(&telemetry, 1);
    // Absent: the connection dies of it, as it would without the layer.
    let telemetry = Telemetry::new();
    let service = tower::Layer::layer(&telemetry.server(), tower::service_fn(panics));
    assert_eq!(get(serve(service).await, "/x").await, "");
    assert_server(&telemetry.span().await, NO_DESCRIPTION, &[("error.type", "panic")]);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn a_panic_in_call_and_in_the_body_is_told_as_one_and_goes_on() {
    let telemetry = Telemetry::new();
    let in_call = tower::service_fn(
        |_: Request<Incoming>| -> std::future::Ready<Result<Response<Empty<Bytes>>, Infallible>> {
            panic!("on purpose")
        },
    );
    let service =
        tower::ServiceBuilder::new().layer(CatchPanicLayer::new()).layer(telemetry.server()).service(in_call);
    assert!(get(serve(service).await, "/x").await.starts_with("HTTP/1.1 500"));
    assert_server(&telemetry.span().await, NO_DESCRIPTION, &[("error.type", "panic")]);
    assert_settled(&telemetry, 1);

    let telemetry = Telemetry::new();
    let in_body = |_| async {
        let frames = futures_util::stream::iter(0..2).map(|count| {
            assert_eq!(count, 0, "on purpose");
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"some")))
        });
        Response::new(StreamBody::new(frames))
    };
    let answer = get(serve_fn(telemetry.server(), in_body).await, "/x").await;
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    let expected = [("http.response.status_code", "200"), ("error.type", "panic")];
    assert_server(&telemetry.span().await, NO_DESCRIPTION, &expected);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn the_panic_itself_is_not_changed() {
    let telemetry = Telemetry::new();
    let service = tower::service_fn(|_: Request<()>| async {
        std::panic::panic_any::<_>(7_u8) as Result<Response<Empty<Bytes>>, Infallible>
    });
    let service = tower::Layer::layer(&telemetry.server(), service);
    let panicked = tokio::spawn(tower::ServiceExt::oneshot(service, Request::new(()))).await.unwrap_err();
    assert_eq!(panicked.into_panic().downcast_ref::<u8>(), Some(&7));
    assert_eq!(attribute(&telemetry.span().await, "error.type").as_deref(), Some("panic"));
}

#[tokio::test]
async fn an_upgrade_ends_its_span_with_the_head_and_lets_the_bytes_through() {
    let telemetry = Telemetry::new();
    let (ended, end) = oneshot::channel();
    let ended = std::sync::Arc::new(std::sync::Mutex::new(Some(ended)));
    let echo = move |mut request: Request<Incoming>| {
        let ended = Dropped(ended.lock().unwrap().take());
        tokio::spawn(async move {
            let mut io = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
            let mut bytes = [0; 4];
            io.read_exact(&mut bytes).await.unwrap();
            io.write_all(&bytes).await.unwrap();
            drop(ended);
        });
        async {
            let response =
                Response::builder().status(101).header("connection", "upgrade").header("upgrade", "echo");
            response.body(Empty::<Bytes>::new()).unwrap()
        }
    };
    let address = serve_fn(telemetry.server(), echo).await;
    let mut stream = connect(address).await;
    stream
        .write_all(b"GET /x HTTP/1.1\r\nhost: shop.example\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    // The span has ended while the connection lives on.
    assert_server(&telemetry.span().await, Status::Unset, &[("http.response.status_code", "101")]);
    assert_settled(&telemetry, 0);
    stream.write_all(b"ping").await.unwrap();
    let mut bytes = [0; 4];
    soon("the echo", stream.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"ping");
    soon("the end", end).await.unwrap();
}

/// Accepts a CONNECT, and says something through the tunnel.
async fn tunnel(mut request: Request<Incoming>) -> Response<Empty<Bytes>> {
    tokio::spawn(async move {
        let mut io = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
        io.write_all(b"tunnelled").await.unwrap();
    });
    Response::new(Empty::new())
}

#[tokio::test]
async fn a_tunnel_ends_its_span_with_the_head() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server(), tunnel).await;
    let answer = raw(address, "CONNECT db.example:5432 HTTP/1.1\r\nhost: db.example:5432\r\n\r\n").await;
    assert!(answer.ends_with("tunnelled"), "{answer}");
    let expected = [
        ("http.request.method", "CONNECT"),
        ("url.path", ""),
        ("server.address", "db.example"),
        ("server.port", "5432"),
        ("http.response.status_code", "200"),
    ];
    assert_server(&telemetry.span().await, Status::Unset, &expected);
    assert_settled(&telemetry, 0);
}

#[tokio::test]
async fn an_extended_connect_ends_its_span_with_the_head() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server(), tunnel).await;
    let mut sender = http2::<Empty<Bytes>>(address).await;
    // The server must have said that it knows the protocol before the client may ask for it.
    soon(
        "the settings",
        sender.send_request(Request::head(format!("http://{address}/")).body(Empty::new()).unwrap()),
    )
    .await
    .unwrap();
    let request = Request::connect(format!("http://{address}/x"))
        .extension(hyper::ext::Protocol::from_static("websocket"))
        .body(Empty::new())
        .unwrap();
    let response = soon("a head", sender.send_request(request)).await.unwrap();
    let span = telemetry.spans(2).await.remove(1);
    assert_eq!((&*span.name, &span.status), ("CONNECT", &Status::Unset));
    assert_eq!(attribute(&span, "http.response.status_code").as_deref(), Some("200"));
    assert_eq!(
        telemetry.points(DURATION).iter().map(|point| point.count).sum::<u64>(),
        1,
        "of the other request"
    );
    let mut io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let mut bytes = [0; 9];
    soon("the bytes", io.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"tunnelled");
}

#[tokio::test]
async fn a_refused_tunnel_is_measured_like_any_response() {
    let telemetry = Telemetry::new();
    let refuse = |_| async { Response::builder().status(403).body(Empty::<Bytes>::new()).unwrap() };
    let address = serve_fn(telemetry.server(), refuse).await;
    raw(address, "CONNECT db.example:5432 HTTP/1.1\r\nhost: db.example:5432\r\nconnection: close\r\n\r\n")
        .await;
    assert_eq!(attribute(&telemetry.span().await, "http.response.status_code").as_deref(), Some("403"));
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn pipelined_requests_have_a_span_each() {
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server(), |_| async { Response::new(text("hello")) }).await;
    let request = |last: &str| format!("GET /x HTTP/1.1\r\nhost: shop.example\r\n{last}\r\n");
    let answers = raw(address, request("") + &request("") + &request("connection: close\r\n")).await;
    assert_eq!(answers.matches("hello").count(), 3);
    for span in telemetry.spans(3).await {
        assert_server(&span, Status::Unset, &[("http.response.status_code", "200")]);
    }
    assert_eq!(telemetry.active(ACTIVE), 0.0);
}

#[tokio::test]
async fn concurrent_requests_on_one_connection_keep_their_own_traces() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.tracer_provider.tracer("app");
    let handler = move |_| {
        let tracer = tracer.clone();
        async move {
            tokio::task::yield_now().await;
            tracer.in_span("work", |_| {});
            tokio::task::yield_now().await;
            Response::new(text("hello"))
        }
    };
    let address = serve_fn(telemetry.server(), handler).await;
    let sender = http2::<Empty<Bytes>>(address).await;
    let requests = (1..=100_u128).map(|trace| {
        let mut sender = sender.clone();
        let parent = format!("00-{trace:032x}-00000000000000ff-01");
        let request = Request::get(format!("http://{address}/x")).header("traceparent", parent);
        async move {
            let response = sender.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
            response.into_body().collect().await.unwrap();
        }
    });
    soon("all responses", futures_util::future::join_all(requests)).await;
    let spans = telemetry.spans(200).await;
    let (servers, works): (Vec<_>, Vec<_>) =
        spans.iter().partition(|span| span.span_kind == SpanKind::Server);
    let traces: std::collections::HashSet<_> =
        servers.iter().map(|span| span.span_context.trace_id()).collect();
    assert_eq!((servers.len(), traces.len()), (100, 100));
    for work in works {
        let server = servers.iter().find(|span| span.span_context.trace_id() == work.span_context.trace_id());
        assert_eq!(server.unwrap().span_context.span_id(), work.parent_span_id);
    }
    assert!(servers.iter().all(|span| attribute(span, "network.protocol.version").as_deref() == Some("2")));
    assert_eq!(telemetry.active(ACTIVE), 0.0);
}

#[tokio::test]
async fn work_that_is_spawned_is_not_counted() {
    let telemetry = Telemetry::new();
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(Some(released)));
    let spawns = move |_| {
        let released = released.lock().unwrap().take().unwrap();
        tokio::spawn(released);
        async { Response::new(text("hello")) }
    };
    get(serve_fn(telemetry.server(), spawns).await, "/x").await;
    assert_server(&telemetry.span().await, Status::Unset, &[("http.response.status_code", "200")]);
    release.send(()).unwrap();
}

#[tokio::test]
async fn any_body_keeps_its_shape() {
    use http_body::Body;
    let telemetry = Telemetry::new();
    let service =
        tower::service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(text("hello"))) });
    let service = tower::Layer::layer(&telemetry.server(), service);
    let response = tower::ServiceExt::oneshot(service, Request::new(())).await.unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(5));
    assert!(!response.body().is_end_stream());
    assert!(telemetry.spans_now().is_empty());
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(telemetry.span().await.status, Status::Unset);
}

/// A body whose answers are made up by the test.
struct Odd {
    frames: usize,
    ends: fn(usize) -> bool,
    hint: fn() -> http_body::SizeHint,
}

impl http_body::Body for Odd {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.frames -= 1;
        std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"some")))))
    }

    fn is_end_stream(&self) -> bool {
        (self.ends)(self.frames)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        (self.hint)()
    }
}

async fn answer_in_process(
    telemetry: &Telemetry,
    response: Response<Odd>,
) -> Response<otelhttp::ResponseBody<Odd>> {
    let response = std::sync::Mutex::new(Some(response));
    let service = tower::service_fn(move |_: Request<()>| {
        let response = response.lock().unwrap().take().unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    tower::ServiceExt::oneshot(tower::Layer::layer(&telemetry.server(), service), Request::new(()))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_body_that_says_that_it_has_ended_is_not_polled_again() {
    let telemetry = Telemetry::new();
    let body = Odd { frames: 1, ends: |frames| frames == 0, hint: http_body::SizeHint::default };
    let mut response = answer_in_process(&telemetry, Response::new(body)).await;
    response.body_mut().frame().await.unwrap().unwrap();
    // Ended while the body is still held.
    assert_eq!(telemetry.span().await.status, Status::Unset);
    drop(response);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn an_announced_length_of_nothing_is_met() {
    let telemetry = Telemetry::new();
    let body = Odd { frames: 1, ends: |_| false, hint: http_body::SizeHint::default };
    let response = Response::builder().header("content-length", "0").body(body).unwrap();
    drop(answer_in_process(&telemetry, response).await);
    assert_eq!(telemetry.span().await.status, Status::Unset);
    assert_settled(&telemetry, 1);
}

#[tokio::test]
async fn a_body_that_panics_when_it_is_asked_is_told_as_a_panic() {
    let bodies = [
        Odd { frames: 1, ends: |_| panic!("on purpose"), hint: http_body::SizeHint::default },
        Odd { frames: 1, ends: |_| false, hint: || panic!("on purpose") },
    ];
    for body in bodies {
        let telemetry = Telemetry::new();
        let asked = std::panic::AssertUnwindSafe(answer_in_process(&telemetry, Response::new(body)));
        assert!(futures_util::FutureExt::catch_unwind(asked).await.is_err(), "the panic is the user's");
        assert_eq!(attribute(&telemetry.span().await, "error.type").as_deref(), Some("panic"));
        assert_settled(&telemetry, 1);
    }
}
