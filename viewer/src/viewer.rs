use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::trace::FutureExt;

use crate::error::Error;
use crate::http::{self, Allowance, App, Broadcast, Guard, Protocol, Room};
use crate::serving::{Serving, Threads};
use crate::shared::Shared;
use crate::store::Limits;

/// What a request may hold, unpacked.
const BODY: usize = 16 << 20;

/// What a viewer keeps, and where it listens.
///
/// ```
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use otelhttp_viewer::Viewer;
///
/// let viewer = Viewer::new().serve("127.0.0.1:0")?;
/// let provider = SdkTracerProvider::builder().with_span_processor(viewer.span_processor()).build();
/// println!("Traces are shown at {}", viewer.url());
/// # drop(provider);
/// # Ok::<(), otelhttp_viewer::Error>(())
/// ```
///
/// With other limits, and for other processes too:
///
/// ```
/// use otelhttp_viewer::Viewer;
///
/// let viewer = Viewer::new()
///     .memory(16 << 20)
///     .otlp_http("127.0.0.1:0")
///     .otlp_grpc("127.0.0.1:0")
///     .serve("127.0.0.1:0")?;
/// println!("OTEL_EXPORTER_OTLP_ENDPOINT=http://{}", viewer.otlp_http().expect("it was asked for"));
/// # Ok::<(), otelhttp_viewer::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it serves"]
pub struct Viewer {
    limits: Limits,
    otlp_http: Option<String>,
    otlp_grpc: Option<String>,
    token: Option<String>,
    hosts: Vec<String>,
}

impl Default for Viewer {
    fn default() -> Self {
        Self::new()
    }
}

impl Viewer {
    /// Keeps 64 MiB, of which at most 200,000 spans, 50,000 log records and 200,000 points of metrics.
    pub fn new() -> Self {
        Self { limits: Limits::DEFAULT, otlp_http: None, otlp_grpc: None, token: None, hosts: Vec::new() }
    }

    /// How much memory may be taken by what is kept, in bytes; at least 4 MiB. The default is 64 MiB. The oldest traces go first;
    /// of each operation the slowest and those that failed stay longest.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes.max(Limits::LEAST);
        self
    }

    /// How many spans are kept, whatever memory they take. The default is 200,000.
    pub fn spans(mut self, most: usize) -> Self {
        self.limits.spans = most.max(1);
        self
    }

    /// Takes OTLP over HTTP here too; the usual address is `127.0.0.1:4318`. On the page's own address it is always taken.
    pub fn otlp_http(mut self, address: impl Into<String>) -> Self {
        self.otlp_http = Some(address.into());
        self
    }

    /// Takes OTLP over gRPC here; the usual address is `127.0.0.1:4317`.
    pub fn otlp_grpc(mut self, address: impl Into<String>) -> Self {
        self.otlp_grpc = Some(address.into());
        self
    }

    /// Who asks must know this token, whatever the address. Without it there is a random one for each address that is
    /// not loopback, and none for loopback. It is made of letters, digits and `-._~`, since it goes through addresses and cookies.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// A name under which the viewer is reached, besides `localhost` and addresses. Requests for other names are refused, since
    /// a name that leads here may belong to a page that should not read what is here.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Serves the page, in two threads of its own, until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// If an address cannot be listened on ([`Error::is_address`]), the token is none ([`Error::is_token`]), or the threads cannot
    /// be started.
    pub fn serve(self, address: impl ToSocketAddrs) -> Result<Serving, Error> {
        let threads = Threads::start()?;
        let entered = threads.handle.enter();
        let page = listen(address)?;
        let otlp_http = self.otlp_http.as_ref().map(listen).transpose()?;
        let otlp_grpc = self.otlp_grpc.as_ref().map(listen).transpose()?;
        let local = |listener: &tokio::net::TcpListener| listener.local_addr().map_err(Error::start);
        let shared = Arc::new(Shared::new(self.limits));
        let app = App {
            shared: shared.clone(),
            broadcast: Broadcast::new(),
            body_bytes: BODY,
            room: Room::new(),
            otlp_http: Some(otlp_http.as_ref().map_or_else(|| local(&page), local)?),
            otlp_grpc: otlp_grpc.as_ref().map(local).transpose()?,
        };
        let address = local(&page)?;
        let (otlp_http_address, otlp_grpc_address) =
            (otlp_http.as_ref().map(local).transpose()?, app.otlp_grpc);
        let addresses = [Some(address), otlp_http_address, otlp_grpc_address];
        let token = self.token_for(addresses.iter().flatten())?;
        let guard = |of: SocketAddr| Guard::new(&self.hosts, token.clone(), of.port());
        threads.handle.spawn(run(app, guard(address), page, otlp_http, otlp_grpc).with_context(suppressed()));
        drop(entered);
        Ok(Serving {
            shared,
            address,
            otlp_http: otlp_http_address,
            otlp_grpc: otlp_grpc_address,
            token,
            threads,
        })
    }

    /// None is needed where only this machine can ask.
    fn token_for<'a>(
        &self,
        mut addresses: impl Iterator<Item = &'a SocketAddr>,
    ) -> Result<Option<String>, Error> {
        if self.token.as_deref().is_some_and(|token| !is_token(token)) {
            return Err(Error::token());
        }
        if self.token.is_some() || addresses.all(|address| address.ip().is_loopback()) {
            return Ok(self.token.clone());
        }
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| Error::start(std::io::Error::other(error)))?;
        Ok(Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

fn is_token(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().all(is_plain) && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

fn suppressed() -> Context {
    Context::new().with_telemetry_suppressed()
}

fn listen(address: impl ToSocketAddrs) -> Result<tokio::net::TcpListener, Error> {
    let addresses =
        address.to_socket_addrs().map_err(|error| Error::address("the address that was given", error))?;
    let mut failure = Error::address("the address that was given", std::io::ErrorKind::NotFound.into());
    for address in addresses {
        let bound = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        });
        match bound {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = Error::listening(address, error),
        }
    }
    Err(failure)
}

async fn run(
    app: App,
    guard: Guard,
    page: tokio::net::TcpListener,
    otlp_http: Option<tokio::net::TcpListener>,
    otlp_grpc: Option<tokio::net::TcpListener>,
) {
    let shared = app.shared.clone();
    tokio::spawn(app.broadcast.clone().run(shared.clone()));
    tokio::spawn(async move { shared.work().await });
    let allowance = Allowance::DEFAULT;
    if let Some(listener) = otlp_http {
        let router = http::intake(app.clone(), guard.clone());
        tokio::spawn(http::serve(listener, Protocol::Http1, router, allowance));
    }
    if let Some(listener) = otlp_grpc {
        let router = http::grpc(app.clone(), guard.clone());
        tokio::spawn(http::serve(listener, Protocol::Http2, router, allowance));
    }
    http::serve(page, Protocol::Http1, http::page(app, guard), allowance).await;
}
