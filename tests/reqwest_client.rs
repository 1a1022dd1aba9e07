//! reqwest inside of the layer: spans and metrics as of any client, and the caller sees what it would
//! see without us.
#![cfg(feature = "reqwest")]

mod common;
#[path = "common/reqwest.rs"]
mod with;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::client::{CLIENT_ACTIVE, CLIENT_DURATION};
use common::client::{accepts, assert_client, assert_failed, assert_measured, assert_nowhere};
use common::client::{answers as serve_answers, assert_settled, never_answers, says};
use common::tls::Identity;
use common::{NO_DESCRIPTION, Telemetry, attribute, read_until, serve_fn, soon, text};
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use opentelemetry::trace::{FutureExt, Status, Tracer, TracerProvider};
use opentelemetry::{Context, global};
use opentelemetry_sdk::trace::{Sampler, SpanData};
use otelhttp::reqwest::{RequestBuilderExt, count_redirects};
use otelhttp::{AttemptsLayer, ClientLayer, UrlTemplate};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, Method, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_http::follow_redirect::FollowRedirectLayer;
use with::{Answer, WAYS, Way, answers, client, get, plain};

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const OK: (&str, &str) = ("http.response.status_code", "200");
const DEADLINE: Duration = Duration::from_millis(100);

fn x(address: SocketAddr) -> String {
    format!("http://{address}/x")
}

/// Sends a request, holds the answer against that of the bare client and both against a function that
/// reads it, and returns the span.
async fn beside_bare<T: PartialEq + std::fmt::Debug>(
    way: Way,
    telemetry: &Telemetry,
    client: &Client,
    request: Request,
    read: impl AsyncFn(Answer) -> T,
) -> SpanData {
    let bare = soon("an answer", client.execute(request.try_clone().unwrap())).await;
    let bare = soon("the bare body", read(bare)).await;
    let ours = way.send(&telemetry.client(), client, request).await;
    assert_eq!(soon("the body", read(ours)).await, bare, "{way:?}");
    telemetry.span().await
}

#[tokio::test]
async fn a_response_read_whole_ends_its_span_unset() {
    for way in WAYS {
        let telemetry = Telemetry::new();
        let address = says(HELLO).await;
        let response = way.send(&telemetry.client(), &plain(), get(x(address))).await.unwrap();
        assert!(telemetry.spans_now().is_empty());
        assert_eq!(telemetry.active(CLIENT_ACTIVE), 1.0);
        assert_eq!(soon("the body", response.text()).await.unwrap(), "hello");
        let span = telemetry.span().await;
        assert_client(&span, address, Status::Unset, &[OK]);
        assert_measured(&telemetry, &span);
    }
}

#[tokio::test]
async fn http2_is_told_as_such_and_trailers_come_through() {
    for way in WAYS {
        let telemetry = Telemetry::new();
        let address = serve_answers(|_| {
            let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())]);
            let frames =
                [Ok::<_, Infallible>(Frame::data(Bytes::from("hello"))), Ok(Frame::trailers(trailers))];
            Response::new(StreamBody::new(futures_util::stream::iter(frames)))
        })
        .await;
        let client = client(reqwest::ClientBuilder::http2_prior_knowledge);
        let response = way.send(&telemetry.client(), &client, get(x(address))).await.unwrap();
        let body = Response::<Body>::from(response).into_body();
        let body = soon("the body", body.collect()).await.unwrap();
        assert_eq!(body.trailers().unwrap()["x-sum"], "7");
        assert_eq!(body.to_bytes(), "hello");
        let span = telemetry.span().await;
        assert_client(&span, address, Status::Unset, &[OK, ("network.protocol.version", "2")]);
        assert_measured(&telemetry, &span);
    }
}

/// Everything that a response answers, and its body.
async fn whole(answer: Answer) -> String {
    let response = answer.unwrap();
    let reason =
        response.extensions().get::<hyper::ext::ReasonPhrase>().map(|reason| reason.as_bytes().to_vec());
    let extensions = response.extensions().len();
    let head = format!(
        "{response:?} {:?} {:?} {:?} {reason:?} {extensions} {:?}",
        response.version(),
        response.remote_addr(),
        response.content_length(),
        response.error_for_status_ref().map(|_| ()).map_err(|error| answers(&error)),
    );
    format!("{head} {:?}", response.bytes().await.unwrap())
}

#[tokio::test]
async fn a_response_answers_what_it_would_without_us() {
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\nx-a: 1\r\nx-a: 2\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for (method, answer, status) in [
        (Method::GET, HELLO, 200),
        (Method::GET, CHUNKED, 200),
        (Method::GET, "HTTP/1.1 200 OK\r\n\r\nuntil the end", 200),
        (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", 200),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", 204),
        (Method::GET, "HTTP/1.1 404 Gone Fishing\r\ncontent-length: 2\r\n\r\nno", 404),
        (Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200),
        (Method::GET, "HTTP/1.0 302 Found\r\ncontent-length: 0\r\n\r\n", 302),
        (Method::GET, "HTTP/1.1 600 Odd\r\ncontent-length: 2\r\n\r\nno", 600),
        (Method::GET, "HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nno", 999),
    ] {
        for way in WAYS {
            let telemetry = Telemetry::new();
            let address = says(answer).await;
            let mut request = get(format!("{}?a=b#part", x(address)));
            *request.method_mut() = method.clone();
            let span = beside_bare(way, &telemetry, &plain(), request, whole).await;
            let (code, version) =
                (status.to_string(), if answer.starts_with("HTTP/1.0") { "1.0" } else { "1.1" });
            let url = format!("{}?a=b", x(address));
            let (outcome, class) =
                if status < 400 { (Status::Unset, "") } else { (NO_DESCRIPTION, code.as_str()) };
            let expected = [
                ("http.request.method", method.as_str()),
                ("http.response.status_code", code.as_str()),
                ("network.protocol.version", version),
                ("url.full", url.as_str()),
                ("error.type", class),
            ];
            assert_client(&span, address, outcome, &expected);
            assert_measured(&telemetry, &span);
        }
    }
}

#[tokio::test]
async fn a_body_is_seen_as_it_is_decoded() {
    // "hello", as gzip has it.
    const HELLO: &[u8] =
        &[31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 203, 72, 205, 201, 201, 7, 0, 134, 166, 16, 54, 5, 0, 0, 0];
    let address = serve_answers(|_| {
        let body = http_body_util::Full::new(Bytes::from_static(HELLO));
        Response::builder().header("content-encoding", "gzip").header("date", "today").body(body).unwrap()
    })
    .await;
    for way in WAYS {
        let telemetry = Telemetry::new();
        let span = beside_bare(way, &telemetry, &plain(), get(x(address)), whole).await;
        assert_client(&span, address, Status::Unset, &[OK]);
        let telemetry = Telemetry::new();
        let layer = telemetry.client().body_size_metrics(true);
        let mut request = get(x(address));
        *request.body_mut() = Some("what is sent".into());
        way.send(&layer, &plain(), request).await.unwrap().bytes().await.unwrap();
        telemetry.span().await;
        let sizes = ["http.client.request.body.size", "http.client.response.body.size"];
        assert_eq!(sizes.map(|metric| telemetry.points(metric)[0].sum), [12.0, 5.0]);
    }
}

#[tokio::test]
async fn an_upgrade_is_handed_on_and_ends_the_span_with_the_head() {
    for way in WAYS {
        let telemetry = Telemetry::new();
        let address = accepts(|mut stream| async move {
            read_until(&mut stream, "\r\n\r\n").await;
            let head = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
            stream.write_all(head).await.unwrap();
            let mut said = [0; 4];
            stream.read_exact(&mut said).await.unwrap();
            stream.write_all(&said).await.unwrap();
        })
        .await;
        let mut request = get(x(address));
        request.headers_mut().extend([
            (http::header::CONNECTION, "upgrade".parse().unwrap()),
            (http::header::UPGRADE, "echo".parse().unwrap()),
        ]);
        let echo = async |answer: Answer| {
            let mut stream = answer.unwrap().upgrade().await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            let mut said = [0; 4];
            stream.read_exact(&mut said).await.unwrap();
            said
        };
        let span = beside_bare(way, &telemetry, &plain(), request, echo).await;
        assert_client(&span, address, Status::Unset, &[("http.response.status_code", "101")]);
        assert_settled(&telemetry, 1, 0);
    }
}

#[tokio::test]
async fn a_body_that_is_not_read_to_its_end_is_no_error() {
    for (way, chunks) in WAYS.into_iter().flat_map(|way| [(way, 0), (way, 1), (way, 2)]) {
        let telemetry = Telemetry::new();
        let address = serve_answers(|_| {
            let frame = || Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 4096])));
            Response::new(StreamBody::new(futures_util::stream::repeat_with(frame)))
        })
        .await;
        let mut response = way.send(&telemetry.client(), &plain(), get(x(address))).await.unwrap();
        for _ in 0..chunks {
            soon("a chunk", response.chunk()).await.unwrap().unwrap();
        }
        assert!(telemetry.spans_now().is_empty());
        drop(response);
        let span = telemetry.span().await;
        assert_client(&span, address, Status::Unset, &[OK]);
        assert_measured(&telemetry, &span);
    }
}

#[tokio::test]
async fn a_caller_that_drops_the_future_is_no_error() {
    for way in WAYS {
        let telemetry = Telemetry::new();
        let heard = Arc::new(Notify::new());
        let address = {
            let heard = heard.clone();
            accepts(move |mut stream| {
                let heard = heard.clone();
                async move {
                    read_until(&mut stream, "\r\n\r\n").await;
                    heard.notify_one();
                    std::future::pending::<()>().await;
                }
            })
            .await
        };
        let layer = telemetry.client();
        let call = async move { way.send(&layer, &plain(), get(x(address))).await };
        tokio::select! {
            _ = call => panic!("answered"),
            () = heard.notified() => {}
        }
        let span = telemetry.span().await;
        assert_client(&span, address, Status::Unset, &[]);
        assert_measured(&telemetry, &span);
    }
}

/// The URL of every call that fails.
fn secret_url(authority: impl std::fmt::Display) -> String {
    format!("http://user:pa55word@{authority}/x?sig=s3cret#part")
}

#[tokio::test]
async fn secrets_of_a_url_are_nowhere() {
    let address = says(HELLO).await;
    for way in WAYS {
        let telemetry = Telemetry::new();
        let span = beside_bare(way, &telemetry, &plain(), get(secret_url(address)), whole).await;
        let shown = format!("http://REDACTED:REDACTED@{address}/x?sig=REDACTED");
        assert_client(&span, address, Status::Unset, &[OK, ("url.full", shown.as_str())]);
        assert_nowhere(&telemetry, &["pa55word", "s3cret"]);
    }
}

/// A call fails with this class, as it fails without us, and no secret is told.
async fn fails(class: &str, client: &Client, address: SocketAddr, more: &[(&str, &str)]) {
    fails_at(class, client, &address.to_string(), address, more).await;
}

async fn fails_at(class: &str, client: &Client, authority: &str, address: SocketAddr, more: &[(&str, &str)]) {
    let shown = format!("http://REDACTED:REDACTED@{authority}/x?sig=REDACTED");
    let more = [&[("url.full", shown.as_str())], more].concat();
    for way in WAYS {
        let telemetry = Telemetry::new();
        let fail = async |answer: Answer| match answer {
            // The very same error: its whole chain is shown.
            Err(error) => (answers(&error), Some(mask(&format!("{error:?}")))),
            Ok(response) => (answers(&response.bytes().await.unwrap_err()), None),
        };
        let span = beside_bare(way, &telemetry, client, get(secret_url(authority)), fail).await;
        assert_failed(&span, address, class, &more);
        assert_measured(&telemetry, &span);
        assert_nowhere(&telemetry, &["pa55word", "s3cret"]);
    }
}

/// Ports of our own end, which differ from call to call.
fn mask(text: &str) -> String {
    text.split(", local_addr").next().unwrap().to_owned()
}

const NOBODY: &[(&str, &str)] = &[];

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    // Too long for a question to be asked of any server.
    let host = format!("{}.invalid", "x".repeat(64));
    let expected = [("server.address", host.as_str()), ("server.port", "80")];
    fails_at("dns", &plain(), &host, ([127, 0, 0, 1], 80).into(), &expected).await;
}

#[tokio::test]
async fn a_resolver_that_fails() {
    struct Fails;
    impl reqwest::dns::Resolve for Fails {
        fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
            let text = format!("{} of http://u:s3cret@h/", name.as_str());
            Box::pin(async { Err(io::Error::other(text).into()) })
        }
    }
    let client = client(|builder| builder.dns_resolver(Arc::new(Fails)));
    let expected = [("server.address", "shop.example"), ("server.port", "80")];
    fails_at("dns", &client, "shop.example", ([127, 0, 0, 1], 80).into(), &expected).await;
}

#[tokio::test]
async fn a_port_that_is_closed() {
    // Taken, and nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    fails("connect", &plain(), socket.local_addr().unwrap(), NOBODY).await;
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time() {
    let address = never_answers().await;
    let client = client(|builder| {
        let never = tower::util::AndThenLayer::new(|connection| async {
            std::future::pending::<()>().await;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(connection)
        });
        builder.connector_layer(never).connect_timeout(DEADLINE)
    });
    fails("connect_timeout", &client, address, NOBODY).await;
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let address = never_answers().await;
    fails("timeout", &client(|builder| builder.timeout(DEADLINE)), address, NOBODY).await;
    fails("timeout", &client(|builder| builder.read_timeout(DEADLINE)), address, NOBODY).await;
}

#[tokio::test]
async fn a_body_that_never_ends() {
    let address = accepts(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    // The head must come before it, on a slow machine too.
    let deadline = 10 * DEADLINE;
    fails("timeout", &client(|builder| builder.timeout(deadline)), address, &[OK]).await;
    fails("timeout", &client(|builder| builder.read_timeout(deadline)), address, &[OK]).await;
}

#[tokio::test]
async fn a_connection_that_is_reset_before_the_head() {
    let address = accepts(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    fails("reset", &plain(), address, NOBODY).await;
    fails("reset", &plain(), says("HTTP/1.1 200 OK\r\ncontent-le").await, NOBODY).await;
}

#[tokio::test]
async fn a_connection_that_is_reset_in_the_body() {
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
    let breaks_off = async |answer: Answer| {
        let mut response = answer.unwrap();
        let first = response.chunk().await.unwrap();
        reset.notify_one();
        (first, answers(&response.chunk().await.unwrap_err()))
    };
    for way in WAYS {
        let telemetry = Telemetry::new();
        let span = beside_bare(way, &telemetry, &plain(), get(x(address)), breaks_off).await;
        assert_failed(&span, address, "body", &[OK]);
        assert_measured(&telemetry, &span);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    ] {
        fails("body", &plain(), says(answer).await, &[OK]).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http() {
    for answer in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 1000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
    ] {
        fails("protocol", &plain(), says(answer).await, NOBODY).await;
    }
}

#[tokio::test]
async fn a_head_that_never_ends() {
    let address = accepts(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let mut line = b"HTTP/1.1 200 OK\r\n".to_vec();
        while stream.write_all(&line).await.is_ok() {
            line = format!("x-{}: {}\r\n", line.len(), "s3cret".repeat(200)).into();
        }
    })
    .await;
    fails("protocol", &plain(), address, NOBODY).await;
}

#[tokio::test]
async fn a_certificate_that_nobody_signed() {
    let address = Identity::new().serve("http/1.1").await;
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
    let tls = tokio_rustls::TlsConnector::from(Arc::new(config));
    // reqwest is built without TLS here, so a handshake of its connector's kind is made in its connector.
    let handshake = tower::util::AndThenLayer::new(move |connection| {
        let tls = tls.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            tls.connect("127.0.0.1".try_into()?, stream).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(connection)
        }
    });
    fails("tls", &client(|builder| builder.connector_layer(handshake)), address, NOBODY).await;
}

#[tokio::test]
async fn a_redirect_without_end() {
    let address = says("HTTP/1.1 302 Found\r\nlocation: /x?sig=s3cret\r\ncontent-length: 0\r\n\r\n").await;
    fails("redirect", &plain(), address, NOBODY).await;
    let refuses = Policy::custom(|attempt| attempt.error(io::Error::from(io::ErrorKind::ConnectionRefused)));
    fails("redirect", &client(|builder| builder.redirect(refuses)), address, NOBODY).await;
}

#[tokio::test]
async fn a_body_that_is_not_compressed_as_its_head_says() {
    let address =
        says("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 12\r\n\r\nhello, hello").await;
    fails("decode", &plain(), address, &[OK]).await;
    let address = says("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 19\r\n\r\nhello").await;
    fails("decode", &plain(), address, &[OK]).await;
}

#[tokio::test]
async fn a_body_that_is_no_json_came_all_the_same() {
    let address = says(HELLO).await;
    let json = async |answer: Answer| answers(&answer.unwrap().json::<u32>().await.unwrap_err());
    for way in WAYS {
        let telemetry = Telemetry::new();
        let span = beside_bare(way, &telemetry, &plain(), get(x(address)), json).await;
        assert_client(&span, address, Status::Unset, &[OK]);
        assert_measured(&telemetry, &span);
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_sent() {
    let fail = async |answer: Answer| answers(&answer.unwrap_err());
    for way in WAYS {
        for (url, shown) in [
            ("http://{{host}}/?sig=s3cret", "/"),
            ("ftp://user:pa55word@h/x?sig=s3cret", "ftp://REDACTED:REDACTED@h/x?sig=REDACTED"),
            ("data:text/plain,s3cret", "/"),
            (&format!("http://h/{}", "s3cret".repeat(20_000)), "http://h/"),
        ] {
            let telemetry = Telemetry::new();
            let span = beside_bare(way, &telemetry, &plain(), get(url), fail).await;
            assert_eq!(attribute(&span, "error.type").as_deref(), Some("_OTHER"), "{url:.40}");
            assert_eq!(attribute(&span, "url.full").as_deref(), Some(shown), "{url:.40}");
            assert_nowhere(&telemetry, &["pa55word", "s3cret"]);
        }
    }
}

/// A site whose `/n` redirects to `/n-1`, but for `/0`.
async fn redirects() -> SocketAddr {
    serve_answers(|request| {
        let number: u32 = request.uri().path()[1..].parse().unwrap();
        let Some(next) = number.checked_sub(1) else { return Response::new(text("hello")) };
        let next = format!("/{next}?sig=s3cret{next}");
        Response::builder().status(302).header("location", next).body(text("")).unwrap()
    })
    .await
}

#[tokio::test]
async fn redirects_inside_are_one_span_that_tells_where_they_led() {
    let address = redirects().await;
    for way in WAYS {
        for (number, policy, led_to, code, count) in [
            (0, Policy::default(), "", "200", ""),
            (2, Policy::default(), "/0?sig=REDACTED", "200", ""),
            (0, count_redirects(Policy::default()), "", "200", ""),
            (2, count_redirects(Policy::limited(2)), "/0?sig=REDACTED", "200", "2"),
            (2, count_redirects(Policy::none()), "", "302", "0"),
            (2, Policy::none(), "", "302", ""),
        ] {
            let telemetry = Telemetry::new();
            let client = client(|builder| builder.redirect(policy));
            let url = format!("http://{address}/{number}");
            let whole = async |answer: Answer| answer.unwrap().url().to_string();
            let span = beside_bare(way, &telemetry, &client, get(&url), whole).await;
            let led_to = if led_to.is_empty() { String::new() } else { format!("http://{address}{led_to}") };
            let expected = [
                ("http.response.status_code", code),
                ("url.full", url.as_str()),
                ("otelhttp.redirect.url", led_to.as_str()),
                ("otelhttp.redirect.count", count),
            ];
            assert_client(&span, address, Status::Unset, &expected);
            assert_measured(&telemetry, &span);
            assert_nowhere(&telemetry, &["s3cret"]);
        }
    }
}

#[tokio::test]
async fn redirects_outside_are_a_span_each() {
    let telemetry = Telemetry::new();
    let address = redirects().await;
    let service = ServiceBuilder::new()
        .layer(AttemptsLayer::new())
        .layer(FollowRedirectLayer::new())
        .map_request(|request: http::Request<Body>| Request::try_from(request).unwrap())
        .map_response(Response::<Body>::from)
        .layer(telemetry.client())
        .service(client(|builder| builder.redirect(Policy::none())));
    let request = http::Request::get(format!("http://{address}/2"))
        .extension(UrlTemplate::new("/{number}"))
        .body(Body::default())
        .unwrap();
    let response = soon("an answer", service.oneshot(request)).await.unwrap();
    assert_eq!(soon("the body", response.into_body().collect()).await.unwrap().to_bytes(), "hello");
    let spans = telemetry.spans(3).await;
    let told = |key| spans.iter().map(|span| attribute(span, key)).collect::<Vec<_>>();
    assert_eq!(told("http.response.status_code"), ["302", "302", "200"].map(|code| Some(code.to_owned())));
    assert_eq!(told("http.request.resend_count"), [None, Some("1".to_owned()), Some("2".to_owned())]);
    assert_eq!(told("otelhttp.redirect.url"), [None, None, None]);
    assert!(spans.iter().all(|span| span.name == "GET /{number}"));
}

/// Tries again whatever has failed with a 5xx, three times at most.
#[derive(Clone)]
struct Thrice(u8);

impl tower::retry::Policy<Request, reqwest::Response, reqwest::Error> for Thrice {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut Request, result: &mut Answer) -> Option<Self::Future> {
        self.0 = self.0.checked_sub(1)?;
        result
            .as_ref()
            .is_ok_and(|response| response.status().is_server_error())
            .then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        request.try_clone()
    }
}

#[tokio::test]
async fn retries_outside_are_a_span_each_and_counted() {
    let telemetry = Telemetry::new();
    let address = says("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").await;
    let service = ServiceBuilder::new()
        .layer(AttemptsLayer::new())
        .layer(tower::retry::RetryLayer::new(Thrice(2)))
        .layer(telemetry.client())
        .service(plain());
    // What an `http::Request` had with it, and what reqwest alone knows, stays.
    let request = http::Request::post(x(address)).extension(UrlTemplate::new("/{x}")).body("hello").unwrap();
    let mut request = Request::try_from(request).unwrap();
    *request.timeout_mut() = Some(common::PATIENCE);
    assert_eq!(soon("an answer", service.oneshot(request)).await.unwrap().status(), 503);
    let spans = telemetry.spans(3).await;
    for (span, count) in spans.iter().zip(["", "1", "2"]) {
        let expected = [
            ("http.request.method", "POST"),
            ("http.response.status_code", "503"),
            ("error.type", "503"),
            ("http.request.resend_count", count),
            ("url.template", "/{x}"),
        ];
        let mut span = span.clone();
        assert_eq!(span.name, "POST /{x}");
        span.name = "POST".into();
        assert_client(&span, address, NO_DESCRIPTION, &expected);
    }
    assert_settled(&telemetry, 3, 3);
}

#[tokio::test]
async fn counting_attempts_changes_nothing_of_a_request() {
    for url in ["http://user:pa55word@h/x?q#part", "http://{{host}}/", "data:text/plain,hello"] {
        let mut request = get(url);
        *request.version_mut() = http::Version::HTTP_2;
        *request.timeout_mut() = Some(DEADLINE);
        request.headers_mut().insert("x-a", "1".parse().unwrap());
        let seen = service_fn(|request: Request| async move { Ok::<_, Infallible>(request) });
        let mut seen = AttemptsLayer::new().layer(seen).oneshot(request).await.unwrap();
        assert_eq!((seen.url().as_str(), seen.version()), (url, http::Version::HTTP_2));
        assert_eq!((seen.timeout(), &seen.headers()["x-a"]), (Some(&DEADLINE), &"1".parse().unwrap()));
        assert!(seen.body_mut().is_none());
    }
}

#[tokio::test]
async fn a_template_names_the_span() {
    let address = says(HELLO).await;
    let telemetry = Telemetry::new();
    let layer = telemetry.client();
    let request = plain().get(x(address)).traced_with(&layer).url_template("/{x}");
    request.send().await.unwrap().bytes().await.unwrap();
    let request = http::Request::get(x(address)).extension(UrlTemplate::new("/{x}")).body("").unwrap();
    let request = Request::try_from(request).unwrap();
    Way::Service.send(&layer, &plain(), request).await.unwrap().bytes().await.unwrap();
    assert!(telemetry.spans(2).await.iter().all(|span| span.name == "GET /{x}"));
    let points = telemetry.points(CLIENT_DURATION);
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].attributes["url.template"], "/{x}");
}

#[tokio::test]
async fn the_context_goes_with_the_request() {
    for way in WAYS {
        for sampler in [Sampler::AlwaysOn, Sampler::AlwaysOff] {
            let telemetry = Telemetry::with_sampler(sampler);
            let address = serve_answers(|request| {
                let parents: Vec<_> = request.headers().get_all("traceparent").iter().cloned().collect();
                assert_eq!(parents.len(), 1);
                Response::builder().header("parent", &parents[0]).body(text("hello")).unwrap()
            })
            .await;
            let mut request = get(x(address));
            request.headers_mut().append("traceparent", "nonsense".parse().unwrap());
            request.headers_mut().append("x-mine", "kept".parse().unwrap());
            let response = way.send(&telemetry.client(), &plain(), request).await.unwrap();
            let parent = response.headers()["parent"].to_str().unwrap().to_owned();
            response.bytes().await.unwrap();
            for span in telemetry.spans_now() {
                let (trace, id) = (span.span_context.trace_id(), span.span_context.span_id());
                assert_eq!(
                    parent,
                    format!("00-{trace}-{id}-{:02x}", span.span_context.trace_flags().to_u8())
                );
            }
            assert!(
                parent.len() == 55 && !parent.starts_with("00-00000000000000000000000000000000"),
                "{parent}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_recorded_where_telemetry_is_suppressed() {
    let telemetry = Telemetry::new();
    let address = serve_answers(|request| {
        assert!(!request.headers().contains_key("traceparent"));
        Response::new(text("hello"))
    })
    .await;
    for way in WAYS {
        let layer = telemetry.client();
        let suppressed = Context::current().with_telemetry_suppressed();
        let call = async { way.send(&layer, &plain(), get(x(address))).await.unwrap().bytes().await };
        let call = call.with_context(suppressed);
        assert_eq!(call.await.unwrap(), "hello");
    }
    assert_settled(&telemetry, 0, 0);
}

#[tokio::test]
async fn a_proxy_keeps_one_trace() {
    let telemetry = Telemetry::new();
    let upstream = serve_answers(|_| Response::new(text("hello"))).await;
    let layer = telemetry.client();
    let address = serve_fn(telemetry.server(), move |request| {
        let layer = layer.clone();
        async move {
            let (mut parts, _) = request.into_parts();
            parts.uri = x(upstream).parse().unwrap();
            let request = Request::try_from(http::Request::from_parts(parts, Body::default())).unwrap();
            let response = layer.layer(plain()).oneshot(request).await.unwrap();
            Response::<Body>::from(response)
        }
    })
    .await;
    assert!(common::get(address, "/x").await.ends_with("hello"));
    let spans = telemetry.spans(2).await;
    let [server, client] = ["Server", "Client"]
        .map(|kind| spans.iter().find(|span| format!("{:?}", span.span_kind) == kind).unwrap());
    assert_eq!(client.parent_span_id, server.span_context.span_id());
}

#[tokio::test]
async fn one_word_traces_a_request_with_the_global_provider() {
    let telemetry = Telemetry::new();
    global::set_tracer_provider(telemetry.tracer_provider.clone());
    let address = says(HELLO).await;
    let tracer = telemetry.tracer_provider.tracer("test");
    let text = tracer.in_span("parent", |cx| {
        let call = async { plain().get(x(address)).traced().send().await?.text().await };
        call.with_context(cx)
    });
    assert_eq!(text.await.unwrap(), "hello");
    let spans = telemetry.spans(2).await;
    let [call, parent] = ["GET", "parent"].map(|name| spans.iter().find(|span| span.name == name).unwrap());
    assert_client(call, address, Status::Unset, &[OK]);
    assert_eq!(call.parent_span_id, parent.span_context.span_id());
    // A request that cannot be built fails as it does without us.
    let request = || plain().get("no url");
    let (bare, ours) = (request().send().await.unwrap_err(), request().traced().send().await.unwrap_err());
    assert_eq!(answers(&ours), answers(&bare));
}

#[tokio::test]
async fn hooks_see_the_head_and_reqwest_s_errors() {
    let telemetry = Telemetry::new();
    let layer: ClientLayer = telemetry
        .client()
        .on_request(|parts, span| span.rename(format!("to {}", parts.uri.path())))
        .on_error(|error, span| {
            if error.downcast_ref::<reqwest::Error>().is_some_and(|error| !error.is_connect()) {
                span.error("mine");
            }
        });
    let address = says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await;
    for way in WAYS {
        way.send(&layer, &plain(), get(x(address))).await.unwrap().bytes().await.unwrap_err();
    }
    for span in telemetry.spans(2).await {
        assert_eq!((&*span.name, attribute(&span, "error.type").as_deref()), ("to /x", Some("mine")));
    }
}

/// As those do that set a cookie and ask again.
#[tokio::test]
async fn a_redirect_to_itself_that_is_not_followed_does_not_count() {
    let again = || Response::builder().status(302).header("location", "/x").body(text("")).unwrap();
    let address = serve_answers(move |_| again()).await;
    let telemetry = Telemetry::new();
    let client = client(|builder| builder.redirect(count_redirects(Policy::none())));
    drop(Way::Service.send(&telemetry.client(), &client, get(x(address))).await.unwrap());
    let span = telemetry.span().await;
    assert_eq!(attribute(&span, "otelhttp.redirect.count").as_deref(), Some("0"));
}

/// The documentation of `inject_if` says so, and what to do about it.
#[tokio::test]
async fn a_redirect_inside_takes_the_first_request_s_headers_along() {
    let (telemetry, seen) = (Telemetry::new(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let noted = seen.clone();
    let stranger = serve_answers(move |request| {
        noted.lock().unwrap().push(request.headers().contains_key("traceparent"));
        Response::new(text("hello"))
    })
    .await;
    let location = format!("http://localhost:{}/x", stranger.port());
    let found = move || Response::builder().status(302).header("location", &location).body(text("")).unwrap();
    let ours = serve_answers(move |_| found()).await;
    let layer = telemetry.client().inject_if(|uri| uri.host() == Some("127.0.0.1"));
    for (client, redirects) in [(plain(), 1), (client(|builder| builder.redirect(Policy::none())), 0)] {
        drop(Way::Service.send(&layer, &client, get(x(ours))).await.unwrap());
        assert_eq!(*seen.lock().unwrap(), vec![true; redirects]);
        seen.lock().unwrap().clear();
    }
    // By itself it gets nothing.
    let to_stranger = format!("http://localhost:{}/x", stranger.port());
    drop(Way::Service.send(&layer, &plain(), get(to_stranger)).await.unwrap());
    assert_eq!(*seen.lock().unwrap(), [false]);
}
