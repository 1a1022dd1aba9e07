//! Each way in which a call fails has an `error.type` of its own, a description without secrets, and
//! reaches the caller unchanged.
#![cfg(feature = "hyper-util")]

mod common;

use std::convert::Infallible;
use std::error::Error;
use std::fmt::{self, Display};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use common::client::*;
use common::tls::Identity;
use common::*;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::timeout::ResponseBodyTimeoutLayer;

/// The URL of every call here.
fn secret_url(authority: impl Display) -> String {
    format!("http://user:pa55word@{authority}/x?sig=s3cret")
}

/// What a span shows of it.
fn shown_url(authority: impl Display) -> String {
    format!("http://REDACTED:REDACTED@{authority}/x?sig=REDACTED")
}

/// The error of a call that gets no response.
async fn fail<S, B>(client: S, address: SocketAddr) -> S::Error
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
{
    match soon("an error", client.oneshot(request(secret_url(address)))).await {
        Ok(response) => panic!("answered {}", response.status()),
        Err(error) => error,
    }
}

/// The span of a call with this class and one measurement, and no secret is in them.
async fn assert_class(telemetry: &Telemetry, address: SocketAddr, class: &str, more: &[(&str, &str)]) {
    let url = shown_url(address);
    let url = [("url.full", url.as_str())];
    let more = [if more.iter().any(|(key, _)| *key == "url.full") { &[] } else { &url[..] }, more].concat();
    let span = telemetry.span().await;
    assert_failed(&span, address, class, &more);
    assert_measured(telemetry, &span);
    assert_nowhere(telemetry, &["pa55word", "s3cret"]);
}

/// The same of an error whose class is not ours, of which nothing is told.
async fn assert_foreign(telemetry: &Telemetry, address: SocketAddr, class: &str, more: &[(&str, &str)]) {
    let url = shown_url(address);
    let span = telemetry.span().await;
    let more = [&[("url.full", url.as_str()), ("error.type", class)], more].concat();
    assert_client(&span, address, NO_DESCRIPTION, &more);
    assert_measured(telemetry, &span);
    assert_nowhere(telemetry, &["pa55word", "s3cret"]);
}

/// hyper-util's client with another connector.
fn connecting<C>(
    telemetry: &Telemetry,
    connector: C,
) -> otelhttp::ClientService<legacy::Client<C, Full<Bytes>>>
where
    C: legacy::connect::Connect + Clone,
{
    telemetry.client().layer(legacy::Client::builder(TokioExecutor::new()).build(connector))
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    // Too long for a question to be asked of any server.
    let host = format!("{}.invalid", "x".repeat(64));
    let telemetry = Telemetry::new();
    let client = connecting(&telemetry, HttpConnector::new_with_resolver(GaiResolver::new()));
    let error = soon("an error", client.oneshot(request(secret_url(&host)))).await.unwrap_err();
    assert!(error.is_connect());
    let url = shown_url(&host);
    let expected = [("url.full", url.as_str()), ("server.address", host.as_str()), ("server.port", "80")];
    assert_class(&telemetry, ([127, 0, 0, 1], 80).into(), "dns", &expected).await;
}

#[tokio::test]
async fn a_resolver_that_fails() {
    let telemetry = Telemetry::new();
    let resolver = service_fn(|name: Name| async move {
        Err::<std::vec::IntoIter<SocketAddr>, _>(io::Error::other(format!(
            "{name} of http://u:s3cret@h/?sig=s3cret"
        )))
    });
    let client = connecting(&telemetry, HttpConnector::new_with_resolver(BoxCloneSyncService::new(resolver)));
    let error = soon("an error", client.oneshot(request(secret_url("shop.example")))).await.unwrap_err();
    assert!(error.is_connect());
    let url = shown_url("shop.example");
    let expected = [("url.full", url.as_str()), ("server.address", "shop.example"), ("server.port", "80")];
    assert_class(&telemetry, ([127, 0, 0, 1], 80).into(), "dns", &expected).await;
}

#[tokio::test]
async fn a_connection_that_is_refused() {
    let telemetry = Telemetry::new();
    // Taken, and nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let error = fail(http1_client(&telemetry.client()), address).await;
    assert!(error.is_connect());
    assert_class(&telemetry, address, "connect", &[]).await;
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time() {
    let telemetry = Telemetry::new();
    let connector = service_fn(|_: http::Uri| async {
        Err::<TokioIo<TcpStream>, _>(io::Error::new(io::ErrorKind::TimedOut, "no answer"))
    });
    let address = ([127, 0, 0, 1], 1).into();
    let error = fail(connecting(&telemetry, BoxCloneSyncService::new(connector)), address).await;
    assert!(error.is_connect());
    assert_class(&telemetry, address, "connect_timeout", &[]).await;
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_connection_that_a_busy_listener_does_not_take() {
    const DEADLINE: Duration = Duration::from_millis(200);
    let telemetry = Telemetry::new();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Linux drops what does not fit into the queue.
    let mut queue = Vec::new();
    while let Ok(stream) = tokio::time::timeout(DEADLINE, TcpStream::connect(address)).await {
        queue.push(stream.unwrap());
    }
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(DEADLINE));
    let error = fail(connecting(&telemetry, connector), address).await;
    assert!(error.is_connect());
    assert_class(&telemetry, address, "connect_timeout", &[]).await;
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted() {
    let telemetry = Telemetry::new();
    let address = Identity::new().serve("h2").await;
    assert_no_handshake(&telemetry, address).await;
}

#[tokio::test]
async fn a_server_that_shares_no_protocol() {
    let telemetry = Telemetry::new();
    let identity = Identity::new();
    let address = identity.serve("gopher").await;
    assert_no_handshake_with(&identity, &telemetry, address).await;
}

#[tokio::test]
async fn a_server_without_tls() {
    let telemetry = Telemetry::new();
    let address = accepts(|mut stream| async move {
        let hello = stream.read(&mut [0; 4096]).await.unwrap();
        assert!(hello > 0);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        // Until the client hangs up: closing first could take back what was sent.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert_no_handshake(&telemetry, address).await;
}

#[tokio::test]
async fn a_server_that_hangs_up_in_the_handshake() {
    let telemetry = Telemetry::new();
    let address = accepts(|mut stream| async move {
        stream.shutdown().await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert_no_handshake(&telemetry, address).await;
}

async fn assert_no_handshake(telemetry: &Telemetry, address: SocketAddr) {
    assert_no_handshake_with(&Identity::new(), telemetry, address).await;
}

async fn assert_no_handshake_with(identity: &Identity, telemetry: &Telemetry, address: SocketAddr) {
    let client = identity.client(&telemetry.client());
    let url = secret_url(address).replace("http:", "https:");
    let error = soon("an error", client.oneshot(request(url))).await.unwrap_err();
    assert!(error.is_connect());
    let url = shown_url(address).replace("http:", "https:");
    assert_class(telemetry, address, "tls", &[("url.full", url.as_str())]).await;
}

#[tokio::test]
async fn a_connection_that_is_reset_before_the_head() {
    for client in [http1_client, http2_client] {
        let telemetry = Telemetry::new();
        let address = accepts(|mut stream| async move {
            read_until(&mut stream, "\r\n\r\n").await;
            stream.set_zero_linger().unwrap();
        })
        .await;
        let error = fail(client(&telemetry.client()), address).await;
        assert!(!error.is_connect());
        assert_class(&telemetry, address, "reset", &[]).await;
    }
}

#[tokio::test]
async fn a_server_that_closes_without_an_answer() {
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let telemetry = Telemetry::new();
        let address = says(answer).await;
        let error = fail(http1_client(&telemetry.client()), address).await;
        assert!(!error.is_connect());
        assert_class(&telemetry, address, "reset", &[]).await;
    }
}

#[tokio::test]
async fn a_stream_of_http2_that_is_reset() {
    let telemetry = Telemetry::new();
    let refuses = service_fn(|_: Request<Incoming>| async {
        Err::<Response<Empty<Bytes>>, _>(io::Error::other("on purpose"))
    });
    let address = serve(refuses).await;
    let error = fail(http2_client(&telemetry.client()), address).await;
    assert!(!error.is_connect());
    assert_class(&telemetry, address, "reset", &[]).await;
}

#[tokio::test]
async fn an_answer_that_is_no_http() {
    for answer in
        ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\na b: c\r\n\r\n"]
    {
        let telemetry = Telemetry::new();
        let address = says(answer).await;
        fail(http1_client(&telemetry.client()), address).await;
        assert_class(&telemetry, address, "protocol", &[]).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http2() {
    let telemetry = Telemetry::new();
    let address = accepts(|mut stream| async move {
        stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n\r\n and more of it").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    fail(http2_client(&telemetry.client()), address).await;
    assert_class(&telemetry, address, "protocol", &[]).await;
}

#[tokio::test]
async fn a_connection_that_is_reset_in_the_body() {
    let telemetry = Telemetry::new();
    let reset = Arc::new(Notify::new());
    let address = {
        let reset = reset.clone();
        accepts(move |mut stream| {
            let reset = reset.clone();
            async move {
                read_until(&mut stream, "\r\n\r\n").await;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await.unwrap();
                // A reset takes back what was not read yet.
                reset.notified().await;
                stream.set_zero_linger().unwrap();
            }
        })
        .await
    };
    let client = http1_client(&telemetry.client());
    let mut response = soon("a head", client.oneshot(request(secret_url(address)))).await.unwrap();
    let frame = soon("a frame", response.body_mut().frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "hello");
    reset.notify_one();
    let error = soon("an error", response.body_mut().frame()).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "error reading a body from connection");
    assert_class(&telemetry, address, "body", &[("http.response.status_code", "200")]).await;
}

#[tokio::test]
async fn a_stream_of_http2_that_is_reset_in_the_body() {
    let telemetry = Telemetry::new();
    let reset = Arc::new(Notify::new());
    let address = {
        let reset = reset.clone();
        answers(move |_| {
            let reset = reset.clone();
            // A reset may overtake what was not sent yet.
            let fails = async move {
                reset.notified().await;
                Err(io::Error::other("on purpose"))
            };
            let first = Ok(Frame::data(Bytes::from_static(b"hello")));
            let frames = futures_util::stream::iter([first]).chain(futures_util::stream::once(fails));
            Response::new(StreamBody::new(frames))
        })
        .await
    };
    let client = http2_client(&telemetry.client());
    let mut response = soon("a head", client.oneshot(request(secret_url(address)))).await.unwrap();
    soon("a frame", response.body_mut().frame()).await.unwrap().unwrap();
    reset.notify_one();
    soon("an error", response.body_mut().frame()).await.unwrap().unwrap_err();
    let expected = [("http.response.status_code", "200"), ("network.protocol.version", "2")];
    assert_class(&telemetry, address, "body", &expected).await;
}

/// A client whose request has a body that fails with this.
async fn send_broken(telemetry: &Telemetry, error: io::Error) -> SocketAddr {
    let address = accepts(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let error = std::sync::Mutex::new(Some(error));
    let frames = futures_util::stream::poll_fn(move |_| {
        Poll::Ready(error.lock().unwrap().take().map(Err::<Frame<Bytes>, _>))
    });
    let request = Request::post(secret_url(address)).body(StreamBody::new(frames)).unwrap();
    let client: legacy::Client<HttpConnector, _> = legacy::Client::builder(TokioExecutor::new()).build_http();
    soon("an error", telemetry.client().layer(client).oneshot(request)).await.unwrap_err();
    address
}

#[tokio::test]
async fn a_request_whose_body_breaks_off() {
    for kind in [io::ErrorKind::Other, io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof] {
        let telemetry = Telemetry::new();
        let address = send_broken(&telemetry, kind.into()).await;
        assert_class(&telemetry, address, "body", &[("http.request.method", "POST")]).await;
    }
}

#[tokio::test]
async fn the_text_of_an_error_below_may_be_a_secret_too() {
    let telemetry = Telemetry::new();
    let address = send_broken(&telemetry, io::Error::other("authorization: Bearer s3cret")).await;
    assert_class(&telemetry, address, "body", &[("http.request.method", "POST")]).await;
}

#[tokio::test]
async fn what_a_server_says_when_it_goes_away_may_be_a_secret_too() {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: &[u8] = &[0, 0, 24, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];
    let telemetry = Telemetry::new();
    let address = accepts(|mut stream| async move {
        read_until(&mut stream, "SM\r\n\r\n").await;
        stream.write_all(&[SETTINGS, GOAWAY, b"bad token s3cret"].concat()).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    fail(http2_client(&telemetry.client()), address).await;
    assert_class(&telemetry, address, "reset", &[]).await;
}

#[tokio::test]
async fn a_deadline_inside_of_the_layer() {
    let telemetry = Telemetry::new();
    let address = never_answers().await;
    let client = ServiceBuilder::new()
        .layer(telemetry.client())
        .timeout(Duration::from_millis(50))
        .service(legacy::Client::builder(TokioExecutor::new()).build_http());
    let error = fail(client, address).await;
    assert!(error.is::<tower::timeout::error::Elapsed>());
    assert_class(&telemetry, address, "timeout", &[]).await;
}

#[tokio::test]
async fn a_deadline_of_the_body_inside_of_the_layer() {
    let telemetry = Telemetry::new();
    let address = answers(|_| {
        let frames = futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))]);
        Response::new(StreamBody::new(frames.chain(futures_util::stream::pending())))
    })
    .await;
    let client: legacy::Client<HttpConnector, Full<Bytes>> =
        legacy::Client::builder(TokioExecutor::new()).build_http();
    let client = ServiceBuilder::new()
        .layer(telemetry.client())
        .layer(ResponseBodyTimeoutLayer::new(Duration::from_millis(50)))
        .service(client);
    let response = soon("a head", client.oneshot(request(secret_url(address)))).await.unwrap();
    soon("the deadline", response.into_body().collect()).await.unwrap_err();
    assert_class(&telemetry, address, "timeout", &[("http.response.status_code", "200")]).await;
}

#[tokio::test]
async fn a_socket_that_is_silent_for_too_long() {
    let telemetry = Telemetry::new();
    let address = never_answers().await;
    let connector =
        service_fn(|uri: http::Uri| async { HttpConnector::new().oneshot(uri).await.map(Impatient) });
    let error = fail(connecting(&telemetry, BoxCloneSyncService::new(connector)), address).await;
    assert!(!error.is_connect());
    assert_class(&telemetry, address, "timeout", &[]).await;
}

/// A connection whose reads have no time.
struct Impatient(TokioIo<TcpStream>);

impl hyper::rt::Read for Impatient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.0).poll_read(cx, buffer) {
            Poll::Pending => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            ready => ready,
        }
    }
}

impl hyper::rt::Write for Impatient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Connection for Impatient {
    fn connected(&self) -> Connected {
        self.0.connected()
    }
}

#[derive(Debug, PartialEq)]
struct Mine(&'static str);

impl Display for Mine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Mine {}

const MINE: Mine = Mine("s3cret of http://user:pa55word@host");

#[tokio::test]
async fn an_error_that_nobody_knows_is_other_and_says_nothing() {
    let telemetry = Telemetry::new();
    let address = ([127, 0, 0, 1], 1).into();
    let unknown = service_fn(|_| std::future::ready(Err::<Response<Full<Bytes>>, _>(MINE)));
    assert_eq!(fail(telemetry.client().layer(unknown), address).await, MINE);
    assert_foreign(&telemetry, address, "_OTHER", &[]).await;

    let telemetry = Telemetry::new();
    let boxed = service_fn(|_| {
        std::future::ready(Err::<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>>(Box::new(MINE)))
    });
    let error = fail(telemetry.client().layer(boxed), address).await;
    assert_eq!(error.downcast_ref::<Mine>(), Some(&MINE));
    assert_foreign(&telemetry, address, "_OTHER", &[]).await;
}

#[tokio::test]
async fn an_error_that_nobody_knows_is_named_by_a_hook() {
    let telemetry = Telemetry::new();
    let address = ([127, 0, 0, 1], 1).into();
    let layer = telemetry.client().on_error(|error, span| {
        if error.is::<Mine>() {
            span.error("mine");
        }
    });
    let unknown = service_fn(|_| std::future::ready(Err::<Response<Full<Bytes>>, _>(MINE)));
    assert_eq!(fail(layer.layer(unknown), address).await, MINE);
    assert_foreign(&telemetry, address, "mine", &[]).await;
}

#[tokio::test]
async fn an_error_of_the_body_is_handed_on_after_all_that_came_before() {
    let telemetry = Telemetry::new();
    let address = ([127, 0, 0, 1], 1).into();
    let breaks = service_fn(|_: Request<Full<Bytes>>| async {
        let frames = [Ok(Frame::data(Bytes::from_static(b"hello"))), Err(MINE)];
        Ok::<_, Infallible>(Response::new(StreamBody::new(futures_util::stream::iter(frames))))
    });
    let response = telemetry.client().layer(breaks).oneshot(request(secret_url(address))).await.unwrap();
    let mut body = response.into_body();
    assert!(!body.is_end_stream());
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "hello");
    assert_eq!(body.frame().await.unwrap().unwrap_err(), MINE);
    assert!(body.frame().await.is_none());
    let expected =
        [("http.response.status_code", "200"), ("network.peer.address", ""), ("network.peer.port", "")];
    assert_foreign(&telemetry, address, "_OTHER", &expected).await;
}
