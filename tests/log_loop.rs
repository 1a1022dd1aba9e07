//! Exporting lines writes lines; none of those is exported.

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};

use common::PATIENCE;
use opentelemetry_otlp::{LogExporter, WithExportConfig};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server as logs_service;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use otelhttp::Telemetry;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use tracing::level_filters::LevelFilter;
use tracing::{error, info};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

struct Collector(Sender<Vec<String>>);

#[tonic::async_trait]
impl logs_service::LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let logs = request.into_inner().resource_logs.into_iter();
        let logs = logs.flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records);
        let text = |body| match body {
            Some(Value::StringValue(text)) => text,
            other => format!("{other:?}"),
        };
        let bodies = logs.map(|log| text(log.body.and_then(|body| body.value))).collect();
        self.0.send(bodies).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

async fn collector() -> (String, Receiver<Vec<String>>) {
    let (sender, received) = channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let service = logs_service::LogsServiceServer::new(Collector(sender));
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (endpoint, received)
}

/// All levels of all crates, in a process of its own, since an export happens on several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_exporting_lines_writes_is_not_exported() {
    let (endpoint, received) = collector().await;
    let exporter = LogExporter::builder().with_tonic().with_endpoint(endpoint).build().unwrap();
    let telemetry = Telemetry::from_vars(|name| match name {
        "OTEL_TRACES_EXPORTER" | "OTEL_METRICS_EXPORTER" | "OTEL_LOGS_EXPORTER" => Some("none".to_owned()),
        _ => None,
    });
    let telemetry = telemetry.log_exporter(exporter).build().unwrap().guard();
    let layer = telemetry.parts().log_layer().with_filter(LevelFilter::TRACE);
    Registry::default().with(layer).init();

    for round in ["one", "two", "three"] {
        info!("{round}");
        telemetry.flush().unwrap();
        assert_eq!(received.recv_timeout(PATIENCE).unwrap(), [round]);
        // Whatever the export has written would go out now.
        telemetry.flush().unwrap();
    }
    error!("the last");
    telemetry.shutdown().unwrap();
    let rest: Vec<_> = received.try_iter().flatten().collect();
    assert_eq!(rest, ["the last"]);
}
