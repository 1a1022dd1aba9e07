//! OTLP over gRPC: <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Buf;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tonic::Status;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};

use super::App;
use super::guard::Guard;
use super::otlp::{logs_response, metrics_response, trace_response};
use crate::intake::decode::{self, Shaped, Unsound};

const SERVICES: &str = "/opentelemetry.proto.collector";

/// OTLP over gRPC, for its own port.
pub(crate) fn intake(app: App, guard: Guard) -> Router {
    Router::new()
        .route(&format!("{SERVICES}.trace.v1.TraceService/Export"), post(traces))
        .route(&format!("{SERVICES}.metrics.v1.MetricsService/Export"), post(metrics))
        .route(&format!("{SERVICES}.logs.v1.LogsService/Export"), post(logs))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(guard, check))
        .with_state(app)
}

async fn unknown() -> Response {
    refused(Status::unimplemented("the viewer knows the three services of OTLP"))
}

fn refused(status: Status) -> Response {
    status.into_http::<Body>()
}

async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if guard.admits(authorization) {
        super::guard::untraced(next.run(request)).await
    } else {
        refused(Status::unauthenticated("the viewer asks for its token here"))
    }
}

async fn traces(State(app): State<App>, request: Request) -> Response {
    export(&app, request, |app: &App, request: &ExportTraceServiceRequest| {
        trace_response(app.shared.take_spans(&request.resource_spans))
    })
    .await
}

async fn metrics(State(app): State<App>, request: Request) -> Response {
    export(&app, request, |app: &App, request: &ExportMetricsServiceRequest| {
        metrics_response(app.shared.take_metrics(&request.resource_metrics))
    })
    .await
}

async fn logs(State(app): State<App>, request: Request) -> Response {
    export(&app, request, |app: &App, request: &ExportLogsServiceRequest| {
        logs_response(app.shared.take_logs(&request.resource_logs))
    })
    .await
}

async fn export<Q, A>(app: &App, request: http::Request<Body>, take: fn(&App, &Q) -> A) -> Response
where
    Q: Message + Default + Shaped + 'static,
    A: Message + 'static,
{
    let mut grpc =
        Grpc::new(Sound(PhantomData)).accept_compressed(Gzip).max_decoding_message_size(app.body_bytes);
    grpc.unary(Method { app: app.clone(), take }, request).await.into_response()
}

/// What a method does with what it is sent.
struct Method<Q, A> {
    app: App,
    take: fn(&App, &Q) -> A,
}

impl<Q, A> UnaryService<Q> for Method<Q, A> {
    type Response = A;
    type Future = Ready<Result<tonic::Response<A>, Status>>;

    fn call(&mut self, request: tonic::Request<Q>) -> Self::Future {
        ready(Ok(tonic::Response::new((self.take)(&self.app, request.get_ref()))))
    }
}

/// Decodes what is sound.
struct Sound<Q, A>(PhantomData<fn(Q) -> A>);

impl<Q, A> Codec for Sound<Q, A>
where
    Q: Message + Default + Shaped + 'static,
    A: Message + 'static,
{
    type Encode = A;
    type Decode = Q;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self {
        Self(PhantomData)
    }
}

impl<Q, A: Message> Encoder for Sound<Q, A> {
    type Item = A;
    type Error = Status;

    fn encode(&mut self, answer: A, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        answer.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<Q: Message + Default + Shaped, A> Decoder for Sound<Q, A> {
    type Item = Q;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Q>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        decode::protobuf(&bytes).map(Some).map_err(|unsound| match unsound.of("this is no OTLP") {
            // "The client SHOULD interpret `RESOURCE_EXHAUSTED` code as retryable only if the server signals that the recovery
            // from resource exhaustion is possible", which it does not.
            too_much @ Unsound::TooMuch(_) => Status::resource_exhausted(too_much.to_string()),
            Unsound::Malformed(why) => Status::invalid_argument(why),
        })
    }
}
