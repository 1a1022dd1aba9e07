//! The life of a WebSocket of axum, as a span of its own (feature `ws`).
//!
//! The span of the request that became a WebSocket ends with the 101, as it should: nothing of HTTP
//! comes after it. [`ServerSpan::websocket`] records what does:
//!
//! ```
//! use axum::extract::WebSocketUpgrade;
//! use axum::response::Response;
//! use axum::{Router, routing::any};
//! use otelhttp::websocket::TracedWebSocket;
//! use otelhttp::{ServerLayer, ServerSpan};
//!
//! async fn echo(span: ServerSpan, upgrade: WebSocketUpgrade) -> Response {
//!     span.websocket(upgrade).on_upgrade(async |mut socket: TracedWebSocket| {
//!         while let Some(Ok(message)) = socket.recv().await {
//!             if socket.send(message).await.is_err() {
//!                 break;
//!             }
//!         }
//!     })
//! }
//!
//! let app: Router = Router::new().route("/echo", any(echo)).layer(ServerLayer::new());
//! ```
//!
//! What axum's upgrade can be told (`protocols`, `max_message_size`, `on_failed_upgrade`, …) it is told
//! before.
//!
//! # The span
//!
//! It is of kind internal: one of kind server would stand among the requests, and its hours among their
//! milliseconds. It is the root of a trace of its own, with a link to the request's span: connections
//! outlive what a trace viewer keeps open and what a tail sampler waits for. So the sampler decides
//! about it anew. There is one if the layer records a span of the request, sampled or not, and none
//! where no layer runs or where `observe` says so; the handler is run in any case.
//!
//! Its name is `websocket {route}`, or `websocket` without a route. It begins when the connection has
//! become a WebSocket; an upgrade that fails has none (axum's `on_failed_upgrade` tells of those), but
//! where something puts another response in the place of the 101, hyper hands over what is left of the
//! connection when it ends, and that is a `reset`. The span ends when both the handler has returned and
//! the socket is gone, wherever the handler has put it.
//!
//! While the handler runs the connection's context is the current one, with the caller's baggage. Work
//! for a message nests below it, and `Context::current().span()` takes attributes of your own. A task
//! that is spawned there takes `Context::current()` with it.
//!
//! | attribute | |
//! |---|---|
//! | `http.route` | that of the request, if it was known when the request was answered |
//! | `network.protocol.name` | `websocket` |
//! | `websocket.received.messages`, `websocket.sent.messages` | text and binary messages |
//! | `websocket.received.bytes`, `websocket.sent.bytes` | the bytes in them, without the frames around them |
//! | `websocket.close.code` | that of the first close frame of either side; 1005 for one without a code |
//! | `websocket.close.initiator` | who sent it: `client` or `server` |
//! | `websocket.close.reason` | its text, with [`TracedUpgrade::close_reason`] |
//! | `error.type` | if the connection failed |
//!
//! The first two are known to samplers, the others are set at the end. The conventions have no words for
//! WebSockets yet: those that begin with `websocket.` are this crate's and will follow them. No metric
//! is recorded. Received is what the handler has read, sent is what the socket has accepted.
//!
//! # How it ends
//!
//! | what happened | span status | `error.type` |
//! |---|---|---|
//! | the handler returned, or either side closed | unset | – |
//! | the server closed with 1011 ("an unexpected condition") | error | `1011` |
//! | the connection broke off without a close frame | error | `reset` |
//! | the client broke the protocol, or sent too much | error | `protocol` |
//! | any other error of the socket | error | `_OTHER` |
//! | the handler was dropped, as at the end of the runtime | error | `cancelled`, unless [`cancellation(false)`](crate::ServerLayer::cancellation) |
//! | the handler panicked | error | `panic` |
//!
//! The first error counts, but a panic beats all. Errors after a close frame are none: the two sides had
//! parted. What the handler does not read it does not learn: one that only sends sees no close frame, and
//! takes a client that left for a broken connection.

mod connection;
mod handling;
mod socket;

use std::fmt;
use std::future::Future;

use axum::extract::WebSocketUpgrade;
use axum::extract::ws::OnFailedUpgrade;
use axum::response::Response;
use connection::Origin;
use handling::Handling;
pub use socket::TracedWebSocket;

use crate::exchange::ServerSpan;

impl ServerSpan {
    /// Records the life of the WebSocket that this request becomes, as a span of its own that is linked
    /// to this one. The [module](crate::websocket) tells more.
    pub fn websocket<F>(&self, upgrade: WebSocketUpgrade<F>) -> TracedUpgrade<F> {
        TracedUpgrade { upgrade, span: self.clone(), close_reason: false }
    }
}

/// An upgrade to a WebSocket whose life will be recorded. See [`ServerSpan::websocket`].
#[must_use = "it does nothing until `on_upgrade` is called and its response returned"]
pub struct TracedUpgrade<F> {
    upgrade: WebSocketUpgrade<F>,
    span: ServerSpan,
    close_reason: bool,
}

impl<F> TracedUpgrade<F> {
    /// Records the text of the close frame as `websocket.close.reason`. Default: off, since a client may
    /// write what it likes there.
    pub fn close_reason(self, record: bool) -> Self {
        Self { close_reason: record, ..self }
    }

    /// Accepts the upgrade, and runs the handler with the socket once the connection is a WebSocket, as
    /// [`WebSocketUpgrade::on_upgrade`] does.
    #[must_use = "the connection becomes a WebSocket when this response is returned"]
    pub fn on_upgrade<C, Fut>(self, handler: C) -> Response
    where
        C: FnOnce(TracedWebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
        F: OnFailedUpgrade,
    {
        let origin = Origin::of(&self.span, self.close_reason);
        self.upgrade.on_upgrade(move |socket| {
            let (cx, connection) = origin.open();
            let socket = TracedWebSocket::new(socket, connection.clone());
            Handling::new(async move { handler(socket).await }, cx, connection)
        })
    }
}

impl<F> fmt::Debug for TracedUpgrade<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedUpgrade").field("close_reason", &self.close_reason).finish_non_exhaustive()
    }
}
