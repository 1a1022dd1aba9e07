//! OTLP over HTTP: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::Code;

use super::answer::{Problem, json};
use super::room::Untaken;
use super::{App, body};
use crate::intake::Report;
use crate::intake::decode::{Format, Shaped};

/// `google.rpc.Status`, as far as OTLP uses it.
#[derive(Clone, PartialEq, Message)]
struct Failed {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

pub(super) async fn traces(State(app): State<App>, request: Request<Body>) -> Response {
    receive(&app, request, |request: &ExportTraceServiceRequest| {
        trace_response(app.shared.take_spans(&request.resource_spans))
    })
    .await
}

pub(super) async fn metrics(State(app): State<App>, request: Request<Body>) -> Response {
    receive(&app, request, |request: &ExportMetricsServiceRequest| {
        metrics_response(app.shared.take_metrics(&request.resource_metrics))
    })
    .await
}

pub(super) async fn logs(State(app): State<App>, request: Request<Body>) -> Response {
    receive(&app, request, |request: &ExportLogsServiceRequest| {
        logs_response(app.shared.take_logs(&request.resource_logs))
    })
    .await
}

/// "If the request is only partially accepted, the server MUST initialize the `partial_success` field", and otherwise not.
pub(super) fn trace_response(report: Report) -> ExportTraceServiceResponse {
    let partial = partial(report)
        .map(|(rejected_spans, error_message)| ExportTracePartialSuccess { rejected_spans, error_message });
    ExportTraceServiceResponse { partial_success: partial }
}

pub(super) fn metrics_response(report: Report) -> ExportMetricsServiceResponse {
    let partial = partial(report).map(|(rejected_data_points, error_message)| ExportMetricsPartialSuccess {
        rejected_data_points,
        error_message,
    });
    ExportMetricsServiceResponse { partial_success: partial }
}

pub(super) fn logs_response(report: Report) -> ExportLogsServiceResponse {
    let partial = partial(report).map(|(rejected_log_records, error_message)| ExportLogsPartialSuccess {
        rejected_log_records,
        error_message,
    });
    ExportLogsServiceResponse { partial_success: partial }
}

fn partial(report: Report) -> Option<(i64, String)> {
    let rejected = i64::try_from(report.rejected).unwrap_or(i64::MAX);
    (rejected > 0).then(|| (rejected, report.why.unwrap_or_default()))
}

/// "The response MUST use the same Content-Type as the request."
async fn receive<Q, A>(app: &App, request: Request<Body>, take: impl FnOnce(&Q) -> A) -> Response
where
    Q: Message + Default + DeserializeOwned + Shaped,
    A: Message + Serialize,
{
    let format = match body::kind(request.headers()) {
        Some("application/x-protobuf") => Format::Protobuf,
        Some("application/json") => Format::Json,
        _ => {
            let message = "`content-type` must be application/x-protobuf or application/json";
            return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response();
        }
    };
    let bytes = match body::unpacked(request, app.body_bytes).await {
        Ok(bytes) => bytes,
        Err(problem) => return failed(format, &problem),
    };
    match app.room.take(format, bytes, take).await {
        Ok(answer) => written(format, StatusCode::OK, &answer),
        Err(Untaken::Unsound(unsound)) => failed(format, &Problem::of(&unsound)),
        Err(Untaken::Gone(gone)) => failed(format, &gone.into()),
    }
}

fn written(format: Format, status: StatusCode, message: &(impl Message + Serialize)) -> Response {
    match format {
        Format::Protobuf => protobuf(status, message),
        Format::Json => (status, json(message)).into_response(),
    }
}

fn protobuf(status: StatusCode, message: &impl Message) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-protobuf")], message.encode_to_vec()).into_response()
}

/// As gRPC says it.
fn code(status: StatusCode) -> Code {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::PAYLOAD_TOO_LARGE => Code::ResourceExhausted,
        _ => Code::InvalidArgument,
    }
}

fn failed(format: Format, problem: &Problem) -> Response {
    let failed = Failed { code: code(problem.status()) as i32, message: problem.message().to_owned() };
    match format {
        Format::Protobuf => protobuf(problem.status(), &failed),
        Format::Json => {
            let body = serde_json::json!({ "code": failed.code, "message": failed.message });
            (problem.status(), json(&body)).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::super::arrival::Arriving;
    use super::super::load::Load;
    use super::*;
    use crate::http::{Broadcast, Room};
    use crate::shared::Shared;
    use crate::store::Limits;

    const LIMIT: usize = 100;

    /// What is said is what gRPC says, and whether to send it again.
    #[tokio::test]
    async fn a_refusal_has_the_code_of_its_reason() {
        let (shared, broadcast) = (Arc::new(Shared::new(Limits::DEFAULT)), Broadcast::new());
        let room = Room::new();
        let app = App { shared, broadcast, body_bytes: LIMIT, room, otlp_http: None, otlp_grpc: None };
        let crowded = Arriving::new(Body::from("{}"), Duration::from_secs(600), &Load::new(0));
        for (body, status, code) in [
            (Body::new(crowded), 503, 14),
            (vec![b' '; LIMIT + 1].into(), 413, 8),
            ("no protobuf".into(), 400, 3),
        ] {
            let request = Request::post("/v1/traces").header(header::CONTENT_TYPE, "application/x-protobuf");
            let answer = traces(State(app.clone()), request.body(body).unwrap()).await;
            assert_eq!(answer.status(), status);
            let said = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(Failed::decode(said).unwrap().code, code);
        }
    }
}
