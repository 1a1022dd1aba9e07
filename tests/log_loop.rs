//! What a collector receives of a log: each line once, with its trace and span, and nothing of the lines that
//! exporting writes.

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};

use common::PATIENCE;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, SpanId, TraceFlags, TraceId};
use opentelemetry_otlp::{LogExporter, WithExportConfig};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server as logs_service;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use otelhttp::Telemetry;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use tracing::level_filters::LevelFilter;
use tracing::{error, info};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

struct Service(Sender<LogRecord>);

#[tonic::async_trait]
impl logs_service::LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let logs = request.into_inner().resource_logs.into_iter();
        for log in logs.flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records) {
            self.0.send(log).map_err(|error| Status::internal(error.to_string()))?;
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

struct Collector {
    endpoint: String,
    received: Receiver<LogRecord>,
}

impl Collector {
    async fn start() -> Self {
        let (sender, received) = channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let service = logs_service::LogsServiceServer::new(Service(sender));
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { endpoint, received }
    }

    #[track_caller]
    fn next(&self, said: &str) -> LogRecord {
        let log = self.received.recv_timeout(PATIENCE).unwrap();
        let body = log.body.clone().and_then(|body| body.value);
        assert_eq!(body, Some(Value::StringValue(said.to_owned())), "{log:#?}");
        log
    }
}

/// All levels of all crates, in a process of its own, since an export happens on several threads: of the set-up's
/// own exporter, and of another one whose connection lives in the program's runtime.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_arrives_once_and_none_about_its_export() {
    let collectors = [Collector::start().await, Collector::start().await];
    let [ours, other] = [0, 1].map(|collector| collectors[collector].endpoint.clone());
    let exporter = LogExporter::builder().with_tonic().with_endpoint(other).build().unwrap();
    let telemetry = Telemetry::from_vars(move |name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(ours.clone()),
        "OTEL_EXPORTER_OTLP_PROTOCOL" => Some("grpc".to_owned()),
        "OTEL_LOGS_EXPORTER" => Some("otlp".to_owned()),
        "OTEL_TRACES_EXPORTER" | "OTEL_METRICS_EXPORTER" => Some("none".to_owned()),
        _ => None,
    });
    let telemetry = telemetry.log_exporter(exporter).build().unwrap().guard();
    let layer = telemetry.parts().log_layer().with_filter(LevelFilter::TRACE);
    Registry::default().with(layer).init();

    for round in ["one", "two", "three"] {
        info!("{round}");
        telemetry.flush().unwrap();
        collectors.iter().for_each(|collector| _ = collector.next(round));
        // Whatever the export has written would go out now, before the next line.
        telemetry.flush().unwrap();
    }
    let (trace_id, span_id) = (TraceId::from(7), SpanId::from(11));
    {
        let span = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, Default::default());
        let _request = Context::new().with_remote_span_context(span).attach();
        error!("the last");
    }
    telemetry.shutdown().unwrap();
    for collector in &collectors {
        let log = collector.next("the last");
        assert_eq!((log.trace_id, log.span_id), (trace_id.to_bytes().to_vec(), span_id.to_bytes().to_vec()));
        assert_eq!((log.flags & 0xff, &*log.severity_text), (1, "ERROR"));
        let rest: Vec<_> = collector.received.try_iter().collect();
        assert_eq!(rest, []);
    }
}
