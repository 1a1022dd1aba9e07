//! The phases of a new connection, and the connections that are open: wrappers for hyper-util's
//! connectors.
//!
//! ```
//! use http_body_util::Empty;
//! use hyper_util::client::legacy::{Client, connect::HttpConnector, connect::dns::GaiResolver};
//! use hyper_util::rt::TokioExecutor;
//! use otelhttp::{ClientLayer, connect};
//! use tower::ServiceBuilder;
//!
//! let http = HttpConnector::new_with_resolver(connect::dns(GaiResolver::new()));
//! let connector = connect::tcp(http);
//! let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
//! let client = ServiceBuilder::new().layer(ClientLayer::new()).service(client);
//! # let _ = client;
//! ```
//!
//! And with TLS, here of `hyper-rustls`:
//!
//! ```
//! use hyper_rustls::HttpsConnectorBuilder;
//! use hyper_util::client::legacy::{connect::HttpConnector, connect::dns::GaiResolver};
//! use otelhttp::connect;
//!
//! # fn connector(tls: rustls::ClientConfig) {
//! let mut http = HttpConnector::new_with_resolver(connect::dns(GaiResolver::new()));
//! http.enforce_http(false);
//! let https = HttpsConnectorBuilder::new()
//!     .with_tls_config(tls)
//!     .https_or_http()
//!     .enable_all_versions()
//!     .wrap_connector(connect::tcp(http));
//! let connector = connect::tls(https);
//! # let _ = connector;
//! # }
//! ```
//!
//! Each wrapper works without the others. [`Phases`] configures them.
//!
//! # Spans
//!
//! Each phase is a span of kind internal below the current span of the call that needs the connection,
//! which is the request's inside of a [`ClientLayer`](crate::ClientLayer). A request that reuses a
//! connection has none.
//!
//! | name | from | to | attributes |
//! |---|---|---|---|
//! | `dns` | the question | the answer | `server.address` |
//! | `tcp` | the end of `dns` | connected | `server.address`, `server.port`, `network.transport`, `network.peer.address`, `network.peer.port` |
//! | `tls` | the end of `tcp` | the end of the handshake | `server.address`, `server.port`, `network.peer.address`, `network.peer.port` |
//! | `connect` | the end of `dns` | connected | those of `tls`, as far as they are known |
//!
//! `connect` stands for what cannot be told apart: that of [`layer`], and of [`tls`] without [`tcp`]
//! inside. The phases follow each other and do not overlap. A phase that did not begin, since the one
//! before it failed, has no span; neither has TLS for an `http` URL, nor DNS for an address. Behind a
//! proxy the server is the proxy, since that is what is connected to.
//!
//! A phase that fails has the status error and an `error.type` of the [client's list](crate::client#classes-of-errors):
//! `dns` and `tls` are always their own, `tcp` has `connect` or `connect_timeout`, and `connect` what
//! the error's sources tell. The caller gets the connector's error untouched, and the span of the
//! request the same class. A phase that is dropped, since nobody wants the connection any more or since
//! the connector panicked, ends there without an error.
//!
//! hyper-util may finish a connection in a task of its own, when another one became free for the
//! request. A phase that ends after the request's span did not belong to it: it begins a trace of its
//! own, and links to that span. To know this, phases are handed to the tracer when they end, with the
//! times at which they began.
//!
//! [`Phases::events`] makes each phase two events of the request's span instead: `dns.start`, `dns.end`
//! and so on, the second with the attributes. What outlives the request is then not recorded.
//!
//! While telemetry is suppressed nothing is recorded.
//!
//! # Metrics
//!
//! [`tcp`] measures connections, from when they can carry HTTP until they close. With [`tls`] outside,
//! one for `https` begins with the end of the handshake.
//!
//! | metric | unit | attributes |
//! |---|---|---|
//! | `http.client.open_connections` | {connection} | `http.connection.state`, `server.address`, `server.port`, `url.scheme` |
//! | `http.client.connection.duration` | s | `server.address`, `server.port`, `url.scheme`, `network.protocol.version` if there was a response |
//!
//! A connection is `active` from the first byte of a request to the end of the response's body, as
//! [`ClientLayer`](crate::ClientLayer) sees it, and otherwise `idle`. HTTP/2 also sends when nobody asks
//! for anything, so such a connection is active from the head of a response; without TLS, which tells it
//! at once, only after its first response. What is still sent of a request after its response was read
//! makes a connection active until the next response. Without a `ClientLayer` around the client a
//! connection stays active.
//!
//! The registry names no buckets for the duration. They are 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10,
//! 30, 60, 120 and 300 seconds. Source:
//! <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#http-client>, which calls both
//! metrics experimental.
//!
//! # reqwest
//!
//! reqwest lets nobody see what it connects to, nor wrap the connection. A `connect` span is possible, with
//! [`layer`], and with the feature `reqwest` a `dns` span before it: [`dns`] fits its `dns_resolver`. There
//! are no metrics of connections.
#![cfg_attr(feature = "reqwest", doc = "\n```")]
#![cfg_attr(feature = "reqwest", doc = "use otelhttp::connect;\n")]
#![cfg_attr(feature = "reqwest", doc = "let client = reqwest::Client::builder()")]
#![cfg_attr(feature = "reqwest", doc = "    .dns_resolver(connect::system_dns())")]
#![cfg_attr(feature = "reqwest", doc = "    .connector_layer(connect::layer());")]
#![cfg_attr(feature = "reqwest", doc = "# let _ = client;\n```")]

mod attempt;
mod connections;
mod dns;
mod failed;
mod future;
mod io;
mod layer;
mod phase;
mod phases;
#[cfg(feature = "reqwest")]
mod reqwest;
mod tcp;
mod tls;

use http::Extensions;
use hyper_util::client::legacy::connect::Connection;
use hyper_util::client::legacy::connect::dns::GaiResolver;

pub(crate) use connections::Lease;
pub use dns::DnsService;
pub(crate) use failed::failed_phase;
pub use future::PhaseFuture;
pub use io::TcpIo;
pub use layer::{ConnectorLayer, ConnectorService};
pub use phases::Phases;
pub use tcp::TcpService;
pub use tls::TlsService;

/// Records the look-ups of a resolver, with the defaults of [`Phases`]. The [module](self) tells more.
pub fn dns<S>(resolver: S) -> DnsService<S> {
    Phases::new().dns(resolver)
}

/// [`dns`] around the system's resolver.
pub fn system_dns() -> DnsService<GaiResolver> {
    dns(GaiResolver::new())
}

/// Records the connections of a connector, with the defaults of [`Phases`]. The [module](self) tells
/// more.
pub fn tcp<S>(connector: S) -> TcpService<S> {
    Phases::new().tcp(connector)
}

/// Records the handshakes of a connector for TLS, with the defaults of [`Phases`]. The [module](self)
/// tells more.
pub fn tls<S>(connector: S) -> TlsService<S> {
    Phases::new().tls(connector)
}

/// Records what a connector does as one span, `connect`, with the defaults of [`Phases`]. For connectors
/// whose parts are hidden, such as reqwest's. The [module](self) tells more.
pub fn layer() -> ConnectorLayer {
    Phases::new().layer()
}

/// What a connection tells of itself.
fn extras(io: &impl Connection) -> Extensions {
    let mut extras = Extensions::new();
    io.connected().get_extras(&mut extras);
    extras
}
