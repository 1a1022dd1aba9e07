//! A collector that receives OTLP over HTTP and gRPC on one port, on threads of its own, as a program of its own
//! would. It can be killed, and told what to answer.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse, logs_service_server,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
    metrics_service_server,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse, trace_service_server,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;

use super::PATIENCE;

/// It ends when it is dropped.
pub struct Collector {
    pub address: SocketAddr,
    pub received: Received,
    runtime: Option<Runtime>,
}

/// What it has received, and what it answers. It outlives the collector.
#[derive(Clone, Default)]
pub struct Received(Arc<(Mutex<Everything>, Condvar)>);

#[derive(Default)]
pub struct Everything {
    /// The batches of spans, each as it came.
    pub batches: Vec<Vec<Span>>,
    pub logs: Vec<LogRecord>,
    pub metrics: Vec<Metric>,
    /// Of whatever came last.
    pub resource: Resource,
    pub headers: HeaderMap,
    pub path: String,
    /// Each time that somebody asked for something.
    pub requests: Vec<Instant>,
    answer: Answer,
    others: Answer,
}

/// What is answered to whoever sends something.
#[derive(Clone, Debug, Default)]
pub enum Answer {
    #[default]
    Take,
    /// So many are rejected, and why.
    Partly(i64, &'static str),
    /// Over HTTP.
    Status(u16, Vec<(&'static str, &'static str)>, &'static str),
    /// Over gRPC.
    Code(tonic::Code, &'static str),
    /// There is none.
    Never,
}

impl Collector {
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), Received::default(), None)
    }

    /// At `::1`.
    pub fn start_at_v6() -> Self {
        Self::start_at((std::net::Ipv6Addr::LOCALHOST, 0).into(), Received::default(), None)
    }

    pub fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), Received::default(), Some(acceptor))
    }

    /// The same that was killed there.
    pub fn start_again(address: SocketAddr, received: &Received) -> Self {
        Self::start_at(address, received.clone(), None)
    }

    fn start_at(address: SocketAddr, received: Received, tls: Option<TlsAcceptor>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).unwrap()
        };
        runtime.spawn(accept(listener, tls, router(&received)));
        Self { address, received, runtime: Some(runtime) }
    }

    /// Where to export to, for both protocols.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// To whoever sends metrics or logs.
    pub fn answers_others(&self, answer: Answer) {
        self.received.0.0.lock().unwrap().others = answer;
    }

    /// To whoever sends spans.
    pub fn answers(&self, answer: Answer) {
        self.received.0.0.lock().unwrap().answer = answer;
    }
}

impl Drop for Collector {
    /// All connections break, and nobody listens any more.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Serves whatever connects, until the runtime ends.
pub async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, app: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, app) = (tls.clone(), app.clone());
        tokio::spawn(async move {
            let Some(tls) = tls else { return serve(stream, app).await };
            // A handshake that fails is part of many tests.
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, app).await;
            }
        });
    }
}

async fn serve<S>(stream: S, app: Router)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    // It breaks when the other side does.
    let server = auto::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)).await;
}

fn router(received: &Received) -> Router {
    let gzip = CompressionEncoding::Gzip;
    let traces = trace_service_server::TraceServiceServer::new(received.clone()).accept_compressed(gzip);
    let metrics = metrics_service_server::MetricsServiceServer::new(received.clone()).accept_compressed(gzip);
    let logs = logs_service_server::LogsServiceServer::new(received.clone()).accept_compressed(gzip);
    let http = Router::new()
        .route("/v1/traces", post(http_traces))
        .route("/own/traces", post(http_traces))
        .route("/v1/metrics", post(http_metrics))
        .route("/v1/logs", post(http_logs))
        .with_state(received.clone());
    Routes::new(traces).add_service(metrics).add_service(logs).into_axum_router().merge(http)
}

async fn http_traces(
    State(received): State<Received>,
    uri: http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let request = decoded(&headers, &body);
    let answer = received.traces(request, uri.path(), headers);
    over_http(answer, |answer| protobuf(&partial(answer))).await
}

/// What has an answer in protobuf gets that one.
async fn over_http(
    answer: Answer,
    taken: impl FnOnce(Answer) -> axum::response::Response,
) -> axum::response::Response {
    let (status, given, text) = match answer {
        Answer::Status(status, headers, text) => (status, headers, text),
        Answer::Never => std::future::pending().await,
        answer => return taken(answer),
    };
    let mut response = (StatusCode::from_u16(status).unwrap(), text).into_response();
    for (name, value) in given {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

async fn http_metrics(
    State(received): State<Received>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let answer = received.metrics(decoded(&headers, &body));
    over_http(answer, |answer| protobuf(&partial_metrics(answer))).await
}

async fn http_logs(State(received): State<Received>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let answer = received.logs(decoded(&headers, &body));
    over_http(answer, |answer| protobuf(&partial_logs(answer))).await
}

fn decoded<M: Message + Default>(headers: &HeaderMap, body: &[u8]) -> M {
    assert_eq!(headers[CONTENT_TYPE], "application/x-protobuf");
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return M::decode(body).unwrap() };
    assert_eq!(encoding, "gzip");
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
    M::decode(plain.as_slice()).unwrap()
}

fn protobuf(message: &impl Message) -> axum::response::Response {
    ([(CONTENT_TYPE, "application/x-protobuf")], message.encode_to_vec()).into_response()
}

fn rejected(answer: Answer) -> Option<(i64, String)> {
    if let Answer::Partly(rejected, why) = answer { Some((rejected, why.to_owned())) } else { None }
}

fn partial(answer: Answer) -> ExportTraceServiceResponse {
    let partial =
        |(rejected_spans, error_message)| ExportTracePartialSuccess { rejected_spans, error_message };
    ExportTraceServiceResponse { partial_success: rejected(answer).map(partial) }
}

fn partial_metrics(answer: Answer) -> ExportMetricsServiceResponse {
    let partial = |(rejected_data_points, error_message)| ExportMetricsPartialSuccess {
        rejected_data_points,
        error_message,
    };
    ExportMetricsServiceResponse { partial_success: rejected(answer).map(partial) }
}

fn partial_logs(answer: Answer) -> ExportLogsServiceResponse {
    let partial = |(rejected_log_records, error_message)| ExportLogsPartialSuccess {
        rejected_log_records,
        error_message,
    };
    ExportLogsServiceResponse { partial_success: rejected(answer).map(partial) }
}

/// The status of a call that has one.
async fn over_grpc(answer: Answer) -> Result<Answer, tonic::Status> {
    match answer {
        Answer::Code(code, text) => Err(tonic::Status::new(code, text)),
        Answer::Never => std::future::pending().await,
        answer => Ok(answer),
    }
}

#[tonic::async_trait]
impl trace_service_server::TraceService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let (metadata, _, request) = request.into_parts();
        let answer = over_grpc(self.traces(request, "grpc", metadata.into_headers())).await?;
        Ok(tonic::Response::new(partial(answer)))
    }
}

#[tonic::async_trait]
impl metrics_service_server::MetricsService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        let answer = over_grpc(self.metrics(request.into_inner())).await?;
        Ok(tonic::Response::new(partial_metrics(answer)))
    }
}

#[tonic::async_trait]
impl logs_service_server::LogsService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, tonic::Status> {
        let answer = over_grpc(self.logs(request.into_inner())).await?;
        Ok(tonic::Response::new(partial_logs(answer)))
    }
}

impl Received {
    /// Waits until this is so.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, found: impl Fn(&Everything) -> Option<T>) -> T {
        let (everything, news) = &*self.0;
        let deadline = Instant::now() + PATIENCE;
        let mut everything = everything.lock().unwrap();
        loop {
            if let Some(found) = found(&everything) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}");
            everything = news.wait_timeout(everything, left).unwrap().0;
        }
    }

    /// So many spans, or more.
    #[track_caller]
    pub fn spans(&self, count: usize) -> Vec<Span> {
        self.wait(&format!("{count} spans"), |everything| {
            let spans: Vec<_> = everything.spans().cloned().collect();
            (spans.len() >= count).then_some(spans)
        })
    }

    pub fn now<T>(&self, look: impl FnOnce(&Everything) -> T) -> T {
        look(&self.0.0.lock().unwrap())
    }

    fn traces(&self, request: ExportTraceServiceRequest, path: &str, headers: HeaderMap) -> Answer {
        self.note(|everything| {
            everything.requests.push(Instant::now());
            everything.headers = headers;
            path.clone_into(&mut everything.path);
            let answer = everything.answer.clone();
            if matches!(answer, Answer::Take | Answer::Partly(..)) {
                let mut batch = Vec::new();
                for from in request.resource_spans {
                    everything.resource = from.resource.unwrap_or_default();
                    batch.extend(from.scope_spans.into_iter().flat_map(|scope| scope.spans));
                }
                everything.batches.push(batch);
            }
            answer
        })
    }

    fn metrics(&self, request: ExportMetricsServiceRequest) -> Answer {
        self.note(|everything| {
            let answer = everything.others.clone();
            if !matches!(answer, Answer::Take | Answer::Partly(..)) {
                return answer;
            }
            for from in request.resource_metrics {
                everything.resource = from.resource.unwrap_or_default();
                everything.metrics.extend(from.scope_metrics.into_iter().flat_map(|scope| scope.metrics));
            }
            answer
        })
    }

    fn logs(&self, request: ExportLogsServiceRequest) -> Answer {
        self.note(|everything| {
            let answer = everything.others.clone();
            if !matches!(answer, Answer::Take | Answer::Partly(..)) {
                return answer;
            }
            for from in request.resource_logs {
                everything.resource = from.resource.unwrap_or_default();
                everything.logs.extend(from.scope_logs.into_iter().flat_map(|scope| scope.log_records));
            }
            answer
        })
    }

    fn note<T>(&self, note: impl FnOnce(&mut Everything) -> T) -> T {
        let (everything, news) = &*self.0;
        let noted = note(&mut everything.lock().unwrap());
        news.notify_all();
        noted
    }
}

impl Everything {
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.batches.iter().flatten()
    }

    pub fn attribute(&self, key: &str) -> Option<String> {
        let attribute = self.resource.attributes.iter().find(|attribute| attribute.key == key)?;
        match attribute.value.clone()?.value? {
            Value::StringValue(text) => Some(text),
            other => Some(format!("{other:?}")),
        }
    }
}

/// Waits until this is so, for what has no event of its own.
#[track_caller]
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What a user is told.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    pub fn tell(&self) -> impl Fn(&str) + Send + Sync + 'static + use<> {
        let told = self.0.clone();
        move |message| told.lock().unwrap().push(message.to_owned())
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The only message that has this in it, once there is one.
    #[track_caller]
    pub fn one(&self, part: &str) -> String {
        let found = || self.all().into_iter().filter(|message| message.contains(part)).collect::<Vec<_>>();
        until(&format!("{part:?} in {:?}", self.all()), || !found().is_empty());
        let found = found();
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    }
}

/// Variables that were made up.
pub fn variables(
    variables: &[(&str, &str)],
) -> impl Fn(&str) -> Option<String> + Send + Sync + 'static + use<> {
    let variables: Vec<_> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    move |name| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}
