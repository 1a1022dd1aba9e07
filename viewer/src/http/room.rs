//! What is decoded at one time has a bound, however many clients send.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::arrival::Gone;
use crate::intake::decode::{Format, MOST, Shaped, Unsound};

/// What weighs less is decoded at once. Two threads can do no more of that than two at a time.
const LIGHT: usize = MOST / 16;
/// What bodies take that are decoded one after the other, and wait for it.
const WAITING: usize = 64 << 20;
const KIB: usize = 1 << 10;

/// Where what is heavy is decoded, one body at a time.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    turn: Arc<Mutex<()>>,
    /// Places for those that wait, in KiB.
    places: Arc<Semaphore>,
}

/// Held while something heavy is there. Who gives it up while waiting gives back the place too.
#[derive(Debug)]
pub(super) struct Turn {
    _turn: OwnedMutexGuard<()>,
    _place: OwnedSemaphorePermit,
}

/// Why something was not taken in.
#[derive(Debug)]
pub(super) enum Untaken {
    Unsound(Unsound),
    Gone(Gone),
}

impl From<Unsound> for Untaken {
    fn from(unsound: Unsound) -> Self {
        Self::Unsound(unsound.of("this is no OTLP"))
    }
}

impl From<Gone> for Untaken {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { turn: Arc::default(), places: Arc::new(Semaphore::new(WAITING / KIB)) }
    }

    /// Decodes a message, if that is not too much, and takes it in. No other that is heavy is there at the same time.
    pub(super) async fn take<Q, A>(
        &self,
        format: Format,
        bytes: Bytes,
        take: impl FnOnce(&Q) -> A,
    ) -> Result<A, Untaken>
    where
        Q: Message + Default + DeserializeOwned + Shaped,
    {
        let is_light = format.weigh::<Q>(&bytes)? <= LIGHT;
        // Given back after the message, which comes later, is gone.
        let _turn = if is_light { None } else { Some(self.turn(bytes.len()).await?) };
        let message: Q = format.decode(&bytes)?;
        Ok(take(&message))
    }

    /// Waits until nothing heavy is there, unless too much waits already.
    pub(super) async fn turn(&self, bytes: usize) -> Result<Turn, Gone> {
        let places = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
        let place = self.places.clone().try_acquire_many_owned(places).map_err(|_| Gone::Crowded)?;
        Ok(Turn { _turn: self.turn.clone().lock_owned().await, _place: place })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::net::SocketAddr;
    use std::time::{Duration, Instant};

    use axum::Router;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::yield_now;

    use super::super::{Allowance, App, Broadcast, Guard, Protocol, grpc, intake, serve};
    use super::*;
    use crate::shared::Shared;
    use crate::store::Limits;

    const SOON: Duration = Duration::from_secs(20);
    const HEAVY: usize = 2 * LIGHT / size_of::<Span>();

    fn spans(count: usize) -> Bytes {
        let scope_spans = vec![ScopeSpans { spans: vec![Span::default(); count], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
    }

    async fn taken(room: &Room, count: usize) -> Result<usize, Untaken> {
        let take = |sent: &ExportTraceServiceRequest| sent.resource_spans[0].scope_spans[0].spans.len();
        room.take(Format::Protobuf, spans(count), take).await
    }

    /// Waits until this is so.
    async fn until(is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + SOON;
        while !is_so() {
            assert!(Instant::now() < deadline, "it is not so");
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_is_heavy_waits_and_what_is_light_does_not() {
        let room = Room::new();
        let turn = room.turn(0).await.unwrap();
        assert_eq!(taken(&room, 1).await.unwrap(), 1);
        let heavy = tokio::spawn({
            let room = room.clone();
            async move { taken(&room, HEAVY).await.unwrap() }
        });
        until(|| room.places.available_permits() < WAITING / KIB).await;
        // A light one comes in between.
        assert_eq!(taken(&room, 1).await.unwrap(), 1);
        assert!(!heavy.is_finished());
        drop(turn);
        assert_eq!(heavy.await.unwrap(), HEAVY);
        assert_eq!(room.places.available_permits(), WAITING / KIB);
    }

    #[tokio::test]
    async fn when_too_much_waits_no_more_does() {
        let room = Room::new();
        let turn = room.turn(WAITING).await.unwrap();
        assert!(matches!(taken(&room, HEAVY).await, Err(Untaken::Gone(Gone::Crowded))));
        assert_eq!(taken(&room, 1).await.unwrap(), 1);
        drop(turn);
        assert_eq!(taken(&room, HEAVY).await.unwrap(), HEAVY);
    }

    async fn start(protocol: Protocol, router: fn(App, Guard) -> Router, room: &Room) -> SocketAddr {
        let (shared, broadcast, room) =
            (Arc::new(Shared::new(Limits::DEFAULT)), Broadcast::new(), room.clone());
        let app = App { shared, broadcast, body_bytes: 1 << 20, room, otlp_http: None, otlp_grpc: None };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(
            listener,
            protocol,
            router(app, Guard::new(&[], None, address.port())),
            Allowance::DEFAULT,
        ));
        address
    }

    /// What is sent waits, and when its client goes there is room again.
    async fn frees_its_place(room: &Room, sending: impl Future) {
        let turn = room.turn(0).await.unwrap();
        let sent = async {
            tokio::select! {
                _ = sending => panic!("it is answered"),
                () = until(|| room.places.available_permits() < WAITING / KIB) => {}
            }
        };
        sent.await;
        until(|| room.places.available_permits() == WAITING / KIB).await;
        drop(turn);
        assert_eq!(taken(room, HEAVY).await.unwrap(), HEAVY);
    }

    #[tokio::test]
    async fn a_client_that_goes_away_frees_its_place() {
        let room = Room::new();
        let address = start(Protocol::Http1, intake, &room).await;
        let body = spans(HEAVY);
        frees_its_place(&room, async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!(
                "POST /v1/traces HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
            stream.read_u8().await
        })
        .await;
        let address = start(Protocol::Http2, grpc, &room).await;
        frees_its_place(&room, async {
            let mut client = TraceServiceClient::connect(format!("http://{address}")).await.unwrap();
            let request: ExportTraceServiceRequest = Format::Protobuf.decode(&body).unwrap();
            client.export(request).await
        })
        .await;
    }
}
