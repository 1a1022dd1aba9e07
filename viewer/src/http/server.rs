//! The connections of an address, and what a client may ask of them: how many there are, and how long it may be silent.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;

use super::arrival::{Arriving, Load};
use super::departure::Departing;

/// What clients may take of an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// So many are served at once. Who comes then waits until one of them goes, in the queue that the system keeps.
    pub(crate) connections: usize,
    /// A request's head comes within this time of the end of the last one, or the connection is closed. Not a time after which
    /// programs use to export: what is sent in the moment of closing is lost.
    pub(crate) head: Duration,
    /// A request's body comes within this time.
    pub(crate) body: Duration,
    /// A client takes something of what it is sent within this time.
    pub(crate) reading: Duration,
    /// All bodies that are on their way take no more than this.
    pub(crate) load: usize,
}

impl Allowance {
    pub(crate) const DEFAULT: Self = Self {
        connections: 256,
        head: Duration::from_secs(100),
        body: Duration::from_secs(30),
        reading: Duration::from_secs(30),
        load: 64 << 20,
    };
}

/// Requests that one connection of HTTP/2 may have open.
const STREAMS: u32 = 64;
/// HTTP/2 has no time for a head: whoever does not answer a ping is gone.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWERED: Duration = Duration::from_secs(20);
/// How long no connection is taken when the system has no more of them.
const EXHAUSTED: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Serves for ever: it ends with the runtime.
pub(crate) async fn serve(listener: TcpListener, protocol: Protocol, router: Router, allowance: Allowance) {
    let places = Arc::new(Semaphore::new(allowance.connections));
    let load = Load::new(allowance.load);
    loop {
        let place = places.clone().acquire_owned().await.expect("nobody closes it");
        match listener.accept().await {
            Ok((stream, _)) => {
                let asked = Arc::new(AtomicBool::new(false));
                let handler =
                    Handler { router: router.clone(), body: allowance.body, load: load.clone(), asked };
                tokio::spawn(connection(stream, protocol, handler, allowance, place));
            }
            // A client that is gone again is nobody's trouble; that files are used up is over in a while.
            Err(error) if is_of_client(&error) => {}
            Err(_) => tokio::time::sleep(EXHAUSTED).await,
        }
    }
}

fn is_of_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(
    stream: TcpStream,
    protocol: Protocol,
    handler: Handler,
    allowance: Allowance,
    _place: OwnedSemaphorePermit,
) {
    // Small answers should not wait for more to come.
    let _ = stream.set_nodelay(true);
    let asked = handler.asked.clone();
    let io = TokioIo::new(Departing::new(stream, allowance.reading));
    let builder = builder(protocol, allowance.head);
    tokio::select! {
        // What has come in time counts, even where this task comes late.
        biased;
        // What goes wrong with a connection is its client's to see.
        _ = builder.serve_connection(io, handler) => {}
        () = silence(&asked, allowance.head) => {}
    }
}

fn builder(protocol: Protocol, head: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWERED);
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}

/// A client of HTTP/2 may send nothing at all, and no ping is sent to it before it has greeted.
async fn silence(asked: &AtomicBool, head: Duration) {
    tokio::time::sleep(head).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// What one connection asks.
#[derive(Clone)]
struct Handler {
    router: Router,
    body: Duration,
    load: Load,
    asked: Arc<AtomicBool>,
}

impl hyper::service::Service<Request<Incoming>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.asked.store(true, Ordering::Relaxed);
        let request = request.map(|body| Body::new(Arriving::new(body, self.body, self.load.clone())));
        Box::pin(self.router.clone().call(request))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::{any, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::http::answer::Problem;
    use crate::http::body;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(50);
    const AT_EASE: Allowance =
        Allowance { connections: 8, head: LONG, body: LONG, reading: LONG, load: 1 << 20 };
    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

    async fn length(request: axum::extract::Request) -> Result<String, Problem> {
        Ok(body::unpacked(request, 1 << 20).await?.len().to_string())
    }

    async fn start(protocol: Protocol, allowance: Allowance) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", any(|| async { "here" }))
            .route("/large", any(|| async { vec![b'x'; 64 << 20] }))
            .route("/length", post(length));
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

    async fn is_closed(mut stream: TcpStream) {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = stream.read_to_end(&mut rest).await;
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

    #[tokio::test]
    async fn a_client_of_http2_that_does_not_greet_is_closed_too() {
        let address = start(Protocol::Http2, Allowance { head: SHORT, ..AT_EASE }).await;
        is_closed(connect(address, b"").await).await;
        is_closed(connect(address, b"PRI * HTTP/2.0\r\n").await).await;
        is_closed(connect(address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await).await;
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let address = start(Protocol::Http1, Allowance { body: SHORT, ..AT_EASE }).await;
        let head = b"POST /length HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n1234";
        let mut stream = connect(address, head).await;
        assert_eq!(line(&mut stream).await, "HTTP/1.1 503 Service Unavailable");
        is_closed(stream).await;
    }

    #[tokio::test]
    async fn bodies_that_come_at_once_have_a_bound_together() {
        let address = start(Protocol::Http1, Allowance { load: 8, ..AT_EASE }).await;
        let head = |length: usize| {
            format!("POST /length HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n")
        };
        // Half of it waits in the server as soon as the other is refused.
        let half = connect(address, (head(10) + "12345").as_bytes()).await;
        let refused = loop {
            let mut other = connect(address, (head(4) + "1234").as_bytes()).await;
            let line = line(&mut other).await;
            if line != "HTTP/1.1 200 OK" {
                break line;
            }
        };
        assert_eq!(refused, "HTTP/1.1 503 Service Unavailable");
        drop(half);
        // What was given up counts no longer.
        loop {
            let mut other = connect(address, (head(8) + "12345678").as_bytes()).await;
            if line(&mut other).await == "HTTP/1.1 200 OK" {
                break;
            }
        }
    }

    #[tokio::test]
    async fn who_comes_when_all_places_are_taken_waits_for_one() {
        let address = start(Protocol::Http1, Allowance { connections: 2, ..AT_EASE }).await;
        let mut taken = [connect(address, GET).await, connect(address, GET).await];
        for stream in &mut taken {
            assert_eq!(line(stream).await, "HTTP/1.1 200 OK");
        }
        let mut waiting = connect(address, GET).await;
        assert!(tokio::time::timeout(SHORT, line(&mut waiting)).await.is_err());
        drop(taken);
        assert_eq!(line(&mut waiting).await, "HTTP/1.1 200 OK");
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
}
