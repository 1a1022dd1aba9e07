//! gRPC over real sockets: a service that does what a test asks for, tonic's client, and a client that
//! sends what a test likes.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    reason = "each test uses its share"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use opentelemetry::trace::{SpanKind, Status as SpanStatus};
use opentelemetry_sdk::trace::SpanData;
use otelhttp::{ClientLayer, ClientService};
use tonic::body::Body;
use tonic::server::{ClientStreamingService, NamedService, StreamingService};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;
use tower::{Layer, Service};

use crate::common::{assert_span, http2, soon};

pub const CHECK: &str = "grpc.health.v1.Health/Check";
pub const WATCH: &str = "grpc.health.v1.Health/Watch";
pub const TALK: &str = "test.Echo/Talk";
pub const COUNT: &str = "test.Echo/Count";

type Answers = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;
type Echoes = Pin<Box<dyn Stream<Item = Result<HealthCheckRequest, Status>> + Send>>;

/// What a call is asked to do, in place of a service's name.
pub fn asks(script: impl Into<String>) -> HealthCheckRequest {
    HealthCheckRequest { service: script.into() }
}

fn serving() -> HealthCheckResponse {
    HealthCheckResponse { status: 1 }
}

/// `13 disk full` is a status with a message.
fn status(script: &str) -> Option<Status> {
    let (code, message) = script.split_once(' ')?;
    Some(Status::new(Code::from_i32(code.parse().ok()?), message))
}

#[derive(Clone, Debug)]
struct Scripted;

#[tonic::async_trait]
impl Health for Scripted {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        match request.get_ref().service.as_str() {
            "wait" => std::future::pending().await,
            "panic" => panic!("on purpose"),
            "metadata" => {
                let mut response = tonic::Response::new(serving());
                response.metadata_mut().insert("x-cache", "miss".parse().unwrap());
                Ok(response)
            }
            "metadata of an error" => {
                let mut status = Status::not_found("");
                status.metadata_mut().insert("x-cache", "none".parse().unwrap());
                Err(status)
            }
            script => status(script).map_or_else(|| Ok(tonic::Response::new(serving())), Err),
        }
    }

    type WatchStream = Answers;

    /// Two messages, and then what was asked for.
    async fn watch(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Answers>, Status> {
        let messages = stream::iter([Ok(serving()), Ok(serving())]);
        Ok(tonic::Response::new(match request.get_ref().service.as_str() {
            "wait" => messages.chain(stream::pending()).boxed(),
            script => messages.chain(stream::iter(status(script).map(Err))).boxed(),
        }))
    }
}

/// What no `.proto` that comes with a crate has: streams from the client.
#[derive(Clone, Debug)]
pub struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl StreamingService<HealthCheckRequest> for Echo {
    type Response = HealthCheckRequest;
    type ResponseStream = Echoes;
    type Future = std::future::Ready<Result<tonic::Response<Echoes>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<HealthCheckRequest>>) -> Self::Future {
        let echo = request.into_inner().map(|message| {
            let message = message?;
            status(&message.service).map_or(Ok(message), Err)
        });
        std::future::ready(Ok(tonic::Response::new(echo.boxed())))
    }
}

impl ClientStreamingService<HealthCheckRequest> for Echo {
    type Response = HealthCheckResponse;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<HealthCheckResponse>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Streaming<HealthCheckRequest>>) -> Self::Future {
        Box::pin(async {
            let count = request.into_inner().count().await;
            Ok(tonic::Response::new(HealthCheckResponse { status: i32::try_from(count).unwrap() }))
        })
    }
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            Ok(if request.uri().path().ends_with("Count") {
                let codec = ProstCodec::<HealthCheckResponse, HealthCheckRequest>::default();
                tonic::server::Grpc::new(codec).client_streaming(Echo, request).await
            } else {
                let codec = ProstCodec::<HealthCheckRequest, HealthCheckRequest>::default();
                tonic::server::Grpc::new(codec).streaming(Echo, request).await
            })
        })
    }
}

/// Both services.
pub fn services() -> tonic::service::Routes {
    tonic::service::Routes::new(HealthServer::new(Scripted)).add_service(Echo)
}

/// tonic's own server, with a layer around its router.
pub async fn serve_tonic(layer: otelhttp::ServerLayer) -> SocketAddr {
    let incoming = tonic::transport::server::TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = tonic::transport::Server::builder().layer(layer).add_routes(services());
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

pub fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

pub type Traced = ClientService<Channel>;

/// The generated client of the health service inside of a layer.
pub fn health(layer: &ClientLayer, address: SocketAddr) -> HealthClient<Traced> {
    HealthClient::with_origin(layer.layer(channel(address)), format!("http://{address}").parse().unwrap())
}

/// The same without a layer.
pub fn untraced(address: SocketAddr) -> HealthClient<Channel> {
    HealthClient::new(channel(address))
}

/// A client of `Echo`.
pub async fn echo(layer: &ClientLayer, address: SocketAddr) -> tonic::client::Grpc<Traced> {
    let origin = format!("http://{address}").parse().unwrap();
    let mut client = tonic::client::Grpc::with_origin(layer.layer(channel(address)), origin);
    client.ready().await.unwrap();
    client
}

/// Calls a method without tonic: the head, and the trailers of the response if there are any.
pub async fn call(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (HeaderMap, HeaderMap) {
    let request = Request::post(format!("http://{address}{path}")).header("content-type", "application/grpc");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Full::new(Bytes::from_static(&[0; 5]))).unwrap();
    let response = soon("a head", http2(address).await.send_request(request)).await.unwrap();
    let (head, body) = response.into_parts();
    let body = soon("a body", body.collect()).await.unwrap();
    (head.headers, body.trailers().cloned().unwrap_or_default())
}

/// A response of gRPC, an empty message and then these trailers.
pub fn answer(
    trailers: &'static [(&'static str, &'static str)],
) -> Response<http_body_util::combinators::BoxBody<Bytes, Infallible>> {
    let trailers = trailers
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
    let trailers: HeaderMap = trailers.collect();
    let message = Frame::data(Bytes::from_static(&[0; 5]));
    let frames = std::iter::once(message).chain((!trailers.is_empty()).then(|| Frame::trailers(trailers)));
    let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)));
    Response::builder().header("content-type", "application/grpc").body(BodyExt::boxed(body)).unwrap()
}

/// A response of gRPC without messages.
pub fn only(status: &'static str) -> Response<Empty<Bytes>> {
    let response = Response::builder().header("content-type", "application/grpc");
    response.header("grpc-status", status).body(Empty::new()).unwrap()
}

/// Compares a whole span of a call, and what more there is. An empty value takes away what would be
/// there.
#[track_caller]
pub fn assert_rpc(
    span: &SpanData,
    address: SocketAddr,
    method: &str,
    code: &str,
    status: SpanStatus,
    more: &[(&str, &str)],
) {
    let port = address.port().to_string();
    let mut attributes = vec![
        ("rpc.system.name", "grpc"),
        ("rpc.method", method),
        ("rpc.status_code", code),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
    ];
    if span.span_kind == SpanKind::Server {
        attributes.extend([("network.peer.address", "127.0.0.1"), ("network.peer.port", "*")]);
    }
    attributes.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
    attributes.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    let name = if method == "_OTHER" { "grpc" } else { method };
    assert_span(span, span.span_kind.clone(), name, status, &attributes);
}

pub fn error(description: &'static str) -> SpanStatus {
    SpanStatus::error(description)
}
