//! OTLP over gRPC: <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::DeserializeOwned;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};

use super::App;
use super::arrival::{Gone, gone};
use super::guard::Guard;
use super::otlp::{logs_response, metrics_response, trace_response};
use super::room::Untaken;
use crate::intake::decode::{Format, Shaped, Unsound};

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
    Q: Message + Default + DeserializeOwned + Shaped + 'static,
    A: Message + 'static,
{
    let mut grpc =
        Grpc::new(Undecoded(PhantomData)).accept_compressed(Gzip).max_decoding_message_size(app.body_bytes);
    let request = request.map(|body| Body::new(body.map_err(|error| broken_off(&error))));
    final_if_too_large(grpc.unary(Method { app: app.clone(), take }, request).await.into_response())
}

fn broken_off(error: &axum::Error) -> Status {
    gone(error).map_or_else(|| Status::cancelled("the body broke off"), Status::from)
}

impl From<Gone> for Status {
    /// A code by which exporters know whether to send it once more.
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Late => Self::deadline_exceeded(gone.to_string()),
            Gone::Crowded => Self::unavailable(gone.to_string()),
        }
    }
}

impl From<Untaken> for Status {
    fn from(untaken: Untaken) -> Self {
        match untaken {
            // "The client SHOULD interpret `RESOURCE_EXHAUSTED` code as retryable only if the server signals that the recovery
            // from resource exhaustion is possible", which it does not.
            Untaken::Unsound(too_much @ Unsound::TooMuch(_)) => {
                Self::resource_exhausted(too_much.to_string())
            }
            Untaken::Unsound(Unsound::Malformed(why)) => Self::invalid_argument(why),
            Untaken::Gone(gone) => gone.into(),
        }
    }
}

/// tonic says `OUT_OF_RANGE` of a message that is too large, and exporters send what gets that again.
fn final_if_too_large(mut answer: Response) -> Response {
    let is_too_large =
        Status::from_header_map(answer.headers()).is_some_and(|status| status.code() == Code::OutOfRange);
    if is_too_large {
        answer.headers_mut().insert("grpc-status", (Code::ResourceExhausted as i32).into());
    }
    answer
}

/// What a method does with what it is sent.
struct Method<Q, A> {
    app: App,
    take: fn(&App, &Q) -> A,
}

impl<Q, A> UnaryService<Bytes> for Method<Q, A>
where
    Q: Message + Default + DeserializeOwned + Shaped + 'static,
    A: 'static,
{
    type Response = A;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<A>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (app, take) = (self.app.clone(), self.take);
        Box::pin(async move {
            let taken = app.room.take(Format::Protobuf, request.into_inner(), |sent| take(&app, sent)).await;
            Ok(tonic::Response::new(taken?))
        })
    }
}

/// Hands on what is sent, for there may be no room yet for what it is decoded.
struct Undecoded<A>(PhantomData<fn() -> A>);

impl<A: Message + 'static> Codec for Undecoded<A> {
    type Encode = A;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self {
        Self(PhantomData)
    }
}

impl<A: Message> Encoder for Undecoded<A> {
    type Item = A;
    type Error = Status;

    fn encode(&mut self, answer: A, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        answer.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<A> Decoder for Undecoded<A> {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tower_service::Service;

    use super::super::arrival::Arriving;
    use super::super::load::Load;
    use super::*;
    use crate::http::{Broadcast, Room};
    use crate::shared::Shared;
    use crate::store::Limits;

    const LIMIT: usize = 1_000;
    const LONG: Duration = Duration::from_secs(600);

    async fn answered(body: Body) -> Status {
        let (shared, broadcast) = (Arc::new(Shared::new(Limits::DEFAULT)), Broadcast::new());
        let room = Room::new();
        let app = App { shared, broadcast, body_bytes: LIMIT, room, otlp_http: None, otlp_grpc: None };
        let request = Request::post(format!("{SERVICES}.trace.v1.TraceService/Export"));
        let request = request.header("content-type", "application/grpc").body(body).unwrap();
        let answer = intake(app, Guard::new(&[], None, 0)).call(request).await.unwrap();
        Status::from_header_map(answer.headers()).expect("it is refused")
    }

    /// A message of nothing, said to be so long.
    fn message(length: u32) -> Body {
        [&[0][..], &length.to_be_bytes()].concat().into()
    }

    /// "The client MUST NOT retry" but for codes of a list, which has `OUT_OF_RANGE` in it and not `RESOURCE_EXHAUSTED`.
    #[tokio::test]
    async fn what_is_too_large_is_not_sent_again() {
        let status = answered(message(LIMIT as u32 + 1)).await;
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    }

    /// The same list has these.
    #[tokio::test]
    async fn what_could_not_be_waited_for_is_sent_again() {
        let crowded = Arriving::new(message(0), LONG, &Load::new(0));
        let never = Body::from_stream(tokio_stream::pending::<Result<Bytes, Status>>());
        let late = Arriving::new(never, Duration::ZERO, &Load::new(LIMIT));
        for (body, expected) in [(crowded, Code::Unavailable), (late, Code::DeadlineExceeded)] {
            let status = answered(Body::new(body)).await;
            assert_eq!(status.code(), expected, "{status}");
        }
    }
}
