//! The connections of an address, and what a client may ask of them: how many there are, and how long it may be silent.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;

use super::arrival::Arriving;
use super::departure::{self, Departing};
use super::load::Load;

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
    /// A client of HTTP/2 that has asked nothing in time is told so, and may go within this time, or ask after all.
    pub(crate) leaving: Duration,
    /// HTTP/2 has no time for a head: who has been silent for so long is pinged,
    pub(crate) ping: Duration,
    /// and gone if this brings no answer.
    pub(crate) pong: Duration,
    /// All bodies that are on their way take no more than this.
    pub(crate) bodies: usize,
    /// So do all answers that are, and the last of them.
    pub(crate) answers: usize,
}

impl Allowance {
    pub(crate) const DEFAULT: Self = Self {
        connections: 256,
        head: Duration::from_secs(100),
        body: Duration::from_secs(30),
        reading: Duration::from_secs(30),
        leaving: Duration::from_secs(5),
        ping: Duration::from_secs(30),
        pong: Duration::from_secs(20),
        bodies: 64 << 20,
        answers: 256 << 20,
    };
}

/// What the head of a request takes of HTTP/1. It may have a hundred headers, which is hyper's bound: to say the same would cost each
/// request an allocation.
const HEAD: usize = 64 << 10;
/// What it takes of HTTP/2, as that counts it (32 bytes more for each header).
const HEADERS: u32 = 16 << 10;
/// Requests that one connection of HTTP/2 may have open.
const STREAMS: u32 = 64;
/// Those that it may take back before they were looked at, and those that may be refused: beyond it is closed.
const TAKEN_BACK: usize = 20;
const REFUSED: usize = 1_024;
/// What it may send of its bodies before somebody reads them.
const WINDOW: u32 = 256 << 10;
/// What of an answer waits in the connection.
const SENDING: usize = 64 << 10;
/// How long no connection is taken when the system has no more of them.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// After so many seconds who found no room may come again.
const AGAIN: &str = "1";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Serves for ever: it ends with the runtime.
pub(crate) async fn serve(listener: TcpListener, protocol: Protocol, router: Router, allowance: Allowance) {
    let places = Arc::new(Semaphore::new(allowance.connections));
    let (bodies, answers) = (Load::new(allowance.bodies), Load::new(allowance.answers));
    loop {
        let place = places.clone().acquire_owned().await.expect("nobody closes it");
        match listener.accept().await {
            Ok((stream, _)) => {
                let handler = Handler {
                    router: router.clone(),
                    body: allowance.body,
                    bodies: bodies.clone(),
                    answers: answers.clone(),
                    asked: Arc::default(),
                };
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
    let builder = builder(protocol, &allowance);
    let mut connection = pin!(builder.serve_connection(io, handler));
    // Whoever asks in the moment in which it is told to go is answered, and then knows that it must come anew.
    for patience in [allowance.head, allowance.leaving] {
        tokio::select! {
            // What has come in time counts, even where this task comes late.
            biased;
            // What goes wrong with a connection is its client's to see.
            _ = connection.as_mut() => return,
            () = silence(&asked, patience) => connection.as_mut().graceful_shutdown(),
        }
    }
}

fn builder(protocol: Protocol, allowance: &Allowance) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(allowance.head).max_buf_size(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(TAKEN_BACK)
        .max_local_error_reset_streams(REFUSED)
        .max_header_list_size(HEADERS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SENDING)
        .keep_alive_interval(allowance.ping)
        .keep_alive_timeout(allowance.pong);
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
    bodies: Load,
    answers: Load,
    asked: Arc<AtomicBool>,
}

impl hyper::service::Service<Request<Incoming>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.asked.store(true, Ordering::Relaxed);
        let request = request.map(|body| Body::new(Arriving::new(body, self.body, &self.bodies)));
        let (answer, answers) = (self.router.clone().call(request), self.answers.clone());
        Box::pin(async move { answer.await.map(|answer| again(departure::counted(answer, &answers))) })
    }
}

/// "The server MAY include a `Retry-After` header": what it could not take for want of room has some soon.
fn again(mut answer: Response<Body>) -> Response<Body> {
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(AGAIN));
    }
    answer
}

#[cfg(test)]
mod tests;
