use std::future::Future;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::App;
use super::guard::Guard;
use super::otlp::{logs_response, metrics_response, trace_response};

#[derive(Clone)]
struct Intake(App);

/// OTLP over gRPC.
pub(crate) fn server(
    app: &App,
    guard: &Guard,
    listener: TcpListener,
) -> impl Future<Output = Result<(), tonic::transport::Error>> + use<> {
    let check = |guard: Guard| {
        move |request: Request<()>| {
            let authorization = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
            let admits = guard.admits(authorization);
            if admits {
                Ok(request)
            } else {
                Err(Status::unauthenticated("the viewer asks for its token here"))
            }
        }
    };
    let (intake, most) = (Intake(app.clone()), app.body_bytes);
    let traces =
        TraceServiceServer::new(intake.clone()).accept_compressed(Gzip).max_decoding_message_size(most);
    let metrics =
        MetricsServiceServer::new(intake.clone()).accept_compressed(Gzip).max_decoding_message_size(most);
    let logs = LogsServiceServer::new(intake).accept_compressed(Gzip).max_decoding_message_size(most);
    Server::builder()
        .add_service(InterceptedService::new(traces, check(guard.clone())))
        .add_service(InterceptedService::new(metrics, check(guard.clone())))
        .add_service(InterceptedService::new(logs, check(guard.clone())))
        .serve_with_incoming(TcpListenerStream::new(listener))
}

#[tonic::async_trait]
impl TraceService for Intake {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Ok(Response::new(trace_response(self.0.shared.take_spans(&request.get_ref().resource_spans))))
    }
}

#[tonic::async_trait]
impl MetricsService for Intake {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        Ok(Response::new(metrics_response(self.0.shared.take_metrics(&request.get_ref().resource_metrics))))
    }
}

#[tonic::async_trait]
impl LogsService for Intake {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        Ok(Response::new(logs_response(self.0.shared.take_logs(&request.get_ref().resource_logs))))
    }
}
