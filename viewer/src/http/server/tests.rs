//! What clients get that ask for too much, or for nothing.

mod http2;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;

use axum::routing::{any, get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::http::answer::Problem;
use crate::http::{App, Broadcast, Guard, Room, body};
use crate::shared::Shared;
use crate::store::Limits;

const LONG: Duration = Duration::from_secs(600);
/// So that what never comes fails a test.
const SOON: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);
const AT_EASE: Allowance = Allowance {
    connections: 8,
    head: LONG,
    body: LONG,
    reading: LONG,
    leaving: LONG,
    ping: LONG,
    pong: LONG,
    bodies: 1 << 20,
    answers: 1 << 20,
};
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

async fn length(request: axum::extract::Request) -> Result<String, Problem> {
    Ok(body::unpacked(request, 1 << 20).await?.len().to_string())
}

async fn start(protocol: Protocol, allowance: Allowance) -> SocketAddr {
    let router = Router::new()
        .route("/", any(|| async { "here" }))
        .route("/large", any(|| async { vec![b'x'; 64 << 20] }))
        .route("/length", post(length));
    start_with(router, protocol, allowance).await
}

async fn start_with(router: Router, protocol: Protocol, allowance: Allowance) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, protocol, router, allowance));
    address
}

async fn connect(address: SocketAddr, said: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(said).await.unwrap();
    stream
}

/// The first line of what comes.
async fn line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        if byte == b'\r' {
            break;
        }
        line.push(byte);
    }
    String::from_utf8(line).unwrap()
}

/// Asks until it is answered so.
async fn answered(expected: &str, ask: impl AsyncFn() -> TcpStream) -> TcpStream {
    let asked = async {
        loop {
            let mut stream = ask().await;
            if line(&mut stream).await == expected {
                return stream;
            }
        }
    };
    tokio::time::timeout(SOON, asked).await.expect("it is answered so")
}

/// Whether what comes says when to come again.
async fn says_when_to_come_again(mut stream: TcpStream) {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("\r\nretry-after: 1"), "{answer}");
}

fn app() -> App {
    let (shared, broadcast) = (Arc::new(Shared::new(Limits::DEFAULT)), Broadcast::new());
    App { shared, broadcast, body_bytes: 1 << 20, room: Room::new(), otlp_http: None, otlp_grpc: None }
}

async fn is_closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await.expect("it is closed");
}

#[tokio::test]
async fn a_head_that_does_not_come_closes_its_connection() {
    let address = start(Protocol::Http1, Allowance { head: SHORT, ..AT_EASE }).await;
    is_closed(connect(address, b"").await).await;
    is_closed(connect(address, b"GET / HTTP/1.1\r\nhost").await).await;
    let mut used = connect(address, GET).await;
    assert_eq!(line(&mut used).await, "HTTP/1.1 200 OK");
    is_closed(used).await;
}

/// The bound on its size is that on what is read before it is looked at again.
#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let address = start(Protocol::Http1, AT_EASE).await;
    let asked = async |more: &str| {
        let mut stream = connect(address, b"GET / HTTP/1.1\r\nhost: localhost\r\n").await;
        // It may be refused before its end.
        let _ = stream.write_all(more.as_bytes()).await;
        let _ = stream.write_all(b"\r\n").await;
        line(&mut stream).await
    };
    let long = |length: usize| format!("a: {}\r\n", "a".repeat(length));
    assert_eq!(asked(&"a: a\r\n".repeat(99)).await, "HTTP/1.1 200 OK");
    assert_eq!(asked(&"a: a\r\n".repeat(100)).await, "HTTP/1.1 431 Request Header Fields Too Large");
    assert_eq!(asked(&long(HEAD - 100)).await, "HTTP/1.1 200 OK");
    assert_eq!(asked(&long(3 * HEAD)).await, "HTTP/1.1 431 Request Header Fields Too Large");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let address = start(Protocol::Http1, Allowance { body: SHORT, ..AT_EASE }).await;
    let head = b"POST /length HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n1234";
    says_when_to_come_again(connect(address, head).await).await;
}

/// What bodies may take is for those that are let in.
#[tokio::test]
async fn a_body_without_the_token_is_not_read() {
    let router = crate::http::intake(app(), Guard::new(&[], Some("secret".to_owned()), 0));
    let address = start_with(router, Protocol::Http1, Allowance { bodies: 0, ..AT_EASE }).await;
    let asked = async |more: &str| {
        let head = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        let said = format!("{head}{more}content-length: 2\r\n\r\n{{}}");
        line(&mut connect(address, said.as_bytes()).await).await
    };
    assert_eq!(asked("").await, "HTTP/1.1 401 Unauthorized");
    assert_eq!(asked("authorization: Bearer secret\r\n").await, "HTTP/1.1 503 Service Unavailable");
}

#[tokio::test]
async fn bodies_that_come_at_once_have_a_bound_together() {
    let address = start(Protocol::Http1, Allowance { bodies: 5, ..AT_EASE }).await;
    let head = |length: usize| {
        format!("POST /length HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n")
    };
    // Half of it waits in the server as soon as the other is refused.
    let half = connect(address, (head(10) + "12345").as_bytes()).await;
    let other = async || connect(address, (head(4) + "1234").as_bytes()).await;
    answered("HTTP/1.1 503 Service Unavailable", other).await;
    drop(half);
    // What was given up counts no longer.
    let whole = async || connect(address, (head(8) + "12345678").as_bytes()).await;
    answered("HTTP/1.1 200 OK", whole).await;
}

/// All of them wait in the system's queue, with what they ask, before the server looks at it for the first time.
#[tokio::test]
async fn who_comes_when_all_places_are_taken_waits_for_one() {
    const PLACES: usize = 2;
    static INSIDE: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    async fn stay() {
        MOST.fetch_max(1 + INSIDE.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        // In each turn of the runtime, whoever may come in does.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        INSIDE.fetch_sub(1, Ordering::Relaxed);
    }
    let router = Router::new().route("/", get(stay));
    let address = start_with(router, Protocol::Http1, Allowance { connections: PLACES, ..AT_EASE }).await;
    let streams = [(); 4 * PLACES].map(|()| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        stream.set_nonblocking(true).unwrap();
        TcpStream::from_std(stream).unwrap()
    });
    assert_eq!(MOST.load(Ordering::Relaxed), 0);
    for mut stream in streams {
        assert_eq!(line(&mut stream).await, "HTTP/1.1 200 OK");
    }
    assert_eq!(MOST.load(Ordering::Relaxed), PLACES);
}

/// Larger than what the system keeps for it.
#[tokio::test]
async fn a_client_that_does_not_read_loses_its_place() {
    let address = start(Protocol::Http1, Allowance { connections: 1, reading: SHORT, ..AT_EASE }).await;
    let mut idle = connect(address, b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(line(&mut idle).await, "HTTP/1.1 200 OK");
    assert_eq!(line(&mut connect(address, GET).await).await, "HTTP/1.1 200 OK");
    drop(idle);
}

#[tokio::test]
async fn large_answers_that_nobody_reads_have_a_bound_together() {
    let address = start(Protocol::Http1, Allowance { answers: 1, ..AT_EASE }).await;
    let ask = async |path: &str| {
        let said = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        connect(address, said.as_bytes()).await
    };
    let mut unread = ask("/large").await;
    assert_eq!(line(&mut unread).await, "HTTP/1.1 200 OK");
    says_when_to_come_again(ask("/large").await).await;
    assert_eq!(line(&mut ask("/").await).await, "HTTP/1.1 200 OK");
    // What is taken to its end, or given up, counts no longer.
    is_closed(unread).await;
    let given_up = answered("HTTP/1.1 200 OK", async || ask("/large").await).await;
    assert_eq!(line(&mut ask("/large").await).await, "HTTP/1.1 503 Service Unavailable");
    drop(given_up);
    answered("HTTP/1.1 200 OK", async || ask("/large").await).await;
}
