//! Frames as they are written (RFC 9113), since a client of hyper's keeps what it is told to keep.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tokio::runtime::Builder;

use super::*;
use crate::http::grpc;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

const ACK: u8 = 1;
/// Of a request that has no body.
const WHOLE: u8 = 1 | 4;

/// `:status`, as HPACK writes it.
const OK: &[u8] = &[0x88];
const TOO_LARGE: &[u8] = &[0x48, 0x83, 0x69, 0x90, 0xff];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn ask(stream: u32, path: &str, more: &[u8]) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let (path, authority) = (text(path), text("localhost"));
    frame(HEADERS, WHOLE, stream, &[&[0x82, 0x86, 0x04], &path[..], &[0x01], &authority, more].concat())
}

fn take_back(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

struct Client(TcpStream);

impl Client {
    async fn greet(address: SocketAddr) -> Self {
        let settings = frame(SETTINGS, 0, 0, &[]);
        Self(connect(address, &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..]].concat()).await)
    }

    async fn say(&mut self, frames: &[u8]) {
        self.0.write_all(frames).await.unwrap();
    }

    /// Nothing when it is closed.
    async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let number = |from: usize| u32::from_be_bytes(head[from..from + 4].try_into().unwrap());
        let mut payload = vec![0; number(0) as usize >> 8];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind: head[3], stream: number(5), payload })
    }

    /// Whatever else comes before it.
    async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        let waited = async {
            loop {
                let frame = self.next().await?;
                if frame.kind == kind {
                    return Some(frame);
                }
            }
        };
        tokio::time::timeout(SOON, waited).await.expect("it comes, or the connection is closed")
    }

    async fn is_answered(&mut self, stream: u32, status: &[u8]) {
        let frame = self.next_of(HEADERS).await.expect("it is not closed");
        assert!(frame.stream == stream && frame.payload.starts_with(status), "{frame:x?}");
    }

    async fn is_sent_away(&mut self, code: u32) {
        let frame = self.next_of(GOAWAY).await.expect("it is told");
        assert_eq!(frame.number(4), code, "{frame:x?}");
    }
}

async fn start(allowance: Allowance) -> SocketAddr {
    let slow = || tokio::time::sleep(3 * SHORT);
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/slow", get(slow))
        .route("/never", get(std::future::pending::<()>))
        .merge(grpc(app(), Guard::new(&[], None, 0)));
    start_with(router, Protocol::Http2, allowance).await
}

#[tokio::test]
async fn a_client_that_does_not_greet_is_closed() {
    let address = start(Allowance { head: SHORT, leaving: SHORT, ..AT_EASE }).await;
    is_closed(connect(address, b"").await).await;
    is_closed(connect(address, b"PRI * HTTP/2.0\r\n").await).await;
}

#[tokio::test]
async fn a_client_that_greets_and_asks_nothing_is_told_before_it_is_closed() {
    let address = start(Allowance { head: SHORT, leaving: SHORT, ..AT_EASE }).await;
    let mut client = Client::greet(address).await;
    client.is_sent_away(NO_ERROR).await;
    is_closed(client.0).await;
}

#[tokio::test]
async fn who_asks_while_it_is_told_to_go_is_answered() {
    let address = start(Allowance { head: SHORT, ..AT_EASE }).await;
    let mut client = Client::greet(address).await;
    client.is_sent_away(NO_ERROR).await;
    let ping = client.next_of(PING).await.unwrap();
    client.say(&ask(1, "/", &[])).await;
    client.is_answered(1, OK).await;
    client.say(&frame(PING, ACK, 0, &ping.payload)).await;
    let last = client.next_of(GOAWAY).await.unwrap();
    assert_eq!(last.number(0), 1, "{last:x?}");
    is_closed(client.0).await;
}

/// Whether the question came in time is not known.
#[tokio::test]
async fn who_asks_while_it_is_told_to_go_is_answered_however_long_that_takes() {
    let address = start(Allowance { head: SHORT, leaving: SHORT, ..AT_EASE }).await;
    let asked = async {
        loop {
            let mut client = Client::greet(address).await;
            client.is_sent_away(NO_ERROR).await;
            client.say(&ask(1, "/slow", &[])).await;
            if client.next_of(HEADERS).await.is_some() {
                break;
            }
        }
    };
    tokio::time::timeout(SOON, asked).await.expect("it is answered");
}

/// It sleeps while it is told to go, and wakes up with a question. Who comes after it is told after it.
#[test]
fn a_client_of_tonic_that_asks_while_it_is_told_to_go_loses_nothing() {
    let serving = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let address = serving.block_on(start(Allowance { head: SHORT, ..AT_EASE }));
    let asking = Builder::new_current_thread().enable_all().build().unwrap();
    let mut client = asking.block_on(TraceServiceClient::connect(format!("http://{address}"))).unwrap();
    serving.block_on(async { Client::greet(address).await.next_of(GOAWAY).await });
    for _ in 0..3 {
        asking.block_on(client.export(ExportTraceServiceRequest::default())).unwrap();
    }
}

#[tokio::test]
async fn who_answers_no_ping_is_gone() {
    let address = start(Allowance { ping: SHORT, pong: SHORT, ..AT_EASE }).await;
    let mut client = Client::greet(address).await;
    client.next_of(PING).await.unwrap();
    is_closed(client.0).await;
}

#[tokio::test]
async fn who_answers_pings_stays() {
    let address = start(Allowance { ping: SHORT, ..AT_EASE }).await;
    let mut client = Client::greet(address).await;
    for _ in 0..3 {
        let ping = client.next_of(PING).await.unwrap();
        client.say(&frame(PING, ACK, 0, &ping.payload)).await;
    }
    client.say(&ask(1, "/", &[])).await;
    client.is_answered(1, OK).await;
}

/// Most clients keep what they are told; others are held to it.
#[tokio::test]
async fn its_bounds_are_told() {
    let mut client = Client::greet(start(AT_EASE).await).await;
    let told = client.next_of(SETTINGS).await.unwrap().payload;
    let told: Vec<(u8, u32)> = told
        .chunks(6)
        .map(|setting| (setting[1], u32::from_be_bytes(setting[2..].try_into().unwrap())))
        .collect();
    let (most_streams, window, list) = ((3, STREAMS), (4, WINDOW), (6, super::super::HEADERS));
    for bound in [most_streams, window, list] {
        assert!(told.contains(&bound), "{bound:?}: {told:?}");
    }
}

#[tokio::test]
async fn one_stream_too_many_is_refused_until_another_is_over() {
    let mut client = Client::greet(start(AT_EASE).await).await;
    let stream = |number: u32| 2 * number + 1;
    for number in 0..STREAMS {
        client.say(&ask(stream(number), "/never", &[])).await;
    }
    client.say(&ask(stream(STREAMS), "/", &[])).await;
    let refused = client.next_of(RST_STREAM).await.unwrap();
    assert_eq!((refused.stream, refused.number(0)), (stream(STREAMS), REFUSED_STREAM), "{refused:x?}");
    client.say(&take_back(1)).await;
    client.say(&ask(stream(STREAMS + 1), "/", &[])).await;
    client.is_answered(stream(STREAMS + 1), OK).await;
}

/// `a` with nothing in it: four bytes that count as 33.
#[tokio::test]
async fn headers_that_are_too_many_are_refused() {
    const HEADER: &[u8] = &[0, 1, b'a', 0];
    let address = start(AT_EASE).await;
    let mut client = Client::greet(address).await;
    client.say(&ask(1, "/", &HEADER.repeat(400))).await;
    client.is_answered(1, OK).await;
    client.say(&ask(3, "/", &HEADER.repeat(500))).await;
    client.is_answered(3, TOO_LARGE).await;
    client.say(&ask(5, "/", &[])).await;
    client.is_answered(5, OK).await;
    client.say(&ask(7, "/", &HEADER.repeat(4_000))).await;
    client.is_sent_away(ENHANCE_YOUR_CALM).await;
    is_closed(client.0).await;
    Client::greet(address).await.next_of(SETTINGS).await.unwrap();
}

/// They would not count as streams, and would be work all the same (CVE-2023-44487).
#[tokio::test]
async fn who_takes_back_again_and_again_what_it_asked_is_sent_away() {
    let mut client = Client::greet(start(AT_EASE).await).await;
    let stream = |number: u32| 2 * number + 1;
    let asked = |number: u32| [ask(stream(number), "/never", &[]), take_back(stream(number))].concat();
    client.say(&(0..TAKEN_BACK as u32 + 1).flat_map(asked).collect::<Vec<u8>>()).await;
    client.is_sent_away(ENHANCE_YOUR_CALM).await;
    is_closed(client.0).await;
}

#[tokio::test]
async fn a_message_without_the_token_is_not_read() {
    let router = grpc(app(), Guard::new(&[], Some("secret".to_owned()), 0));
    let address = start_with(router, Protocol::Http2, Allowance { bodies: 0, ..AT_EASE }).await;
    let mut client = TraceServiceClient::connect(format!("http://{address}")).await.unwrap();
    let mut asked = async |token: Option<&str>| {
        let mut request = tonic::Request::new(ExportTraceServiceRequest::default());
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", token.parse().unwrap());
        }
        client.export(request).await.unwrap_err().code()
    };
    assert_eq!(asked(None).await, tonic::Code::Unauthenticated);
    assert_eq!(asked(Some("Bearer secret")).await, tonic::Code::Unavailable);
}
