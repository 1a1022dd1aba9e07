//! Spans of `tracing` beside ours: none is exported twice, those of `#[instrument]` are below the server's
//! span and a client's are below them, and the span of a request is for the logs alone.

mod common;
#[path = "common/lines.rs"]
mod lines;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use axum::Router;
use axum::routing::get as on_get;
use bytes::Bytes;
use common::client::{answers, get_x, http1_client};
use common::*;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use lines::*;
use opentelemetry::SpanId;
use opentelemetry::trace::{SpanKind, TracerProvider};
use opentelemetry_sdk::trace::SpanData;
use otelhttp::ClientLayer;
use otelhttp::log::{BridgeFilter, RequestSpanLayer, TraceFormat};
use tower::{Layer, Service, ServiceExt};
use tracing::field::Empty;
use tracing::{Span, Subscriber, info, info_span, instrument};
use tracing_subscriber::filter::{FilterExt, LevelFilter};
use tracing_subscriber::fmt::Layer as Fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer as _, Registry};

/// Lines with ids, and no bridge.
fn plain(lines: Lines) -> impl Subscriber + Send + Sync {
    let format = Fmt::new().with_writer(lines).without_time().with_ansi(false);
    Registry::default().with(format.map_event_format(TraceFormat::text)).with(LevelFilter::INFO)
}

/// Lines with ids, and the bridge behind a filter.
fn bridged(lines: Lines, telemetry: &Telemetry) -> impl Subscriber + Send + Sync {
    let tracer = telemetry.tracer_provider.tracer("bridge");
    let bridge = tracing_opentelemetry::layer().with_tracer(tracer);
    let format = Fmt::new().with_writer(lines).without_time().with_ansi(false);
    Registry::default()
        .with(format.map_event_format(TraceFormat::text))
        .with(bridge.with_filter(BridgeFilter.and(LevelFilter::INFO)))
}

#[instrument(skip_all)]
async fn load(client: ClientLayer, stock: SocketAddr) {
    info!(target: "shop", "loading");
    let response = http1_client(&client).oneshot(get_x(stock)).await.unwrap();
    response.into_body().collect().await.unwrap();
}

/// A request whose handler has an `#[instrument]` span, and a client in that.
async fn three_spans(telemetry: &Telemetry, request_span: bool) -> [SpanData; 3] {
    let stock = answers(|_| Response::new(text("apples"))).await;
    let client = telemetry.client();
    let handler = async move || {
        info!(target: "shop", "selling");
        load(client, stock).await;
    };
    let mut app = Router::new().route("/sell", on_get(handler));
    if request_span {
        app = app.layer(RequestSpanLayer::new());
    }
    get(serve_axum(app.layer(telemetry.server())).await, "/sell").await;
    let mut spans = telemetry.spans(3).await;
    spans.sort_by_key(|span| span.span_kind != SpanKind::Client);
    spans.sort_by_key(|span| span.span_kind == SpanKind::Server);
    spans.try_into().unwrap()
}

fn assert_nested([client, load, server]: &[SpanData; 3]) {
    let kinds = [client, load, server].map(|span| (span.span_kind.clone(), &*span.name));
    let expected = [(SpanKind::Client, "GET"), (SpanKind::Internal, "load"), (SpanKind::Server, "GET /sell")];
    assert_eq!(kinds, expected);
    let parents = [client, load, server].map(|span| span.parent_span_id);
    assert_eq!(parents, [load.span_context.span_id(), server.span_context.span_id(), SpanId::INVALID]);
    assert_eq!(client.span_context.trace_id(), server.span_context.trace_id());
    assert_eq!(load.span_context.trace_id(), server.span_context.trace_id());
}

#[tokio::test]
async fn an_instrumented_function_is_below_the_server_and_its_client_below_it() {
    let telemetry = Telemetry::new();
    let (lines, _guard) = capture(|lines| bridged(lines, &telemetry));
    let spans = three_spans(&telemetry, false).await;
    assert_nested(&spans);
    let [_, load, server] = &spans;
    assert_eq!(lines.with("selling"), format!(" INFO shop: selling {}", ids_of(server)));
    assert_eq!(lines.with("loading"), format!(" INFO load: shop: loading {}", ids_of(load)));
}

#[tokio::test]
async fn with_a_span_for_each_request_the_trace_is_the_same_and_the_lines_have_its_fields() {
    let telemetry = Telemetry::new();
    let (lines, _guard) = capture(|lines| bridged(lines, &telemetry));
    let spans = three_spans(&telemetry, true).await;
    assert_nested(&spans);
    let [_, load, server] = &spans;
    let request = r#"request{http.request.method="GET" http.route="/sell"}"#;
    assert_eq!(lines.with("selling"), format!(" INFO {request}: shop: selling {}", ids_of(server)));
    assert_eq!(lines.with("loading"), format!(" INFO {request}:load: shop: loading {}", ids_of(load)));
}

#[tokio::test]
async fn without_the_filter_the_request_would_be_exported_twice() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.tracer_provider.tracer("bridge");
    let bridge = tracing_opentelemetry::layer().with_tracer(tracer);
    let _guard = tracing::subscriber::set_default(Registry::default().with(bridge));
    let app = Router::new().route("/", on_get(async || ())).layer(RequestSpanLayer::new());
    get(serve_axum(app.layer(telemetry.server())).await, "/").await;
    let mut names: Vec<_> = telemetry.spans(2).await.into_iter().map(|span| span.name).collect();
    names.sort();
    assert_eq!(names, ["GET /", "request"]);
}

#[tokio::test]
async fn the_filter_is_for_the_span_of_the_request_alone() {
    let telemetry = Telemetry::new();
    let bridge = tracing_opentelemetry::layer().with_tracer(telemetry.tracer_provider.tracer("bridge"));
    let _guard = tracing::subscriber::set_default(Registry::default().with(bridge.with_filter(BridgeFilter)));
    // The same words in a span that is made elsewhere.
    info_span!("request").in_scope(|| info!("an event of it"));
    let span = telemetry.span().await;
    assert_eq!((&*span.name, span.events.len()), ("request", 1));
}

#[tokio::test]
async fn a_handler_can_add_fields_to_a_span_of_ones_own() {
    let (lines, _guard) = capture(plain);
    let layer = RequestSpanLayer::new().span(|request| {
        info_span!("call", path = request.uri.path(), user = Empty, http.response.status_code = Empty)
    });
    let handler = async || {
        Span::current().record("user", "alice");
        tokio::task::yield_now().await;
        info!(target: "shop", "sold");
        http::StatusCode::IM_A_TEAPOT
    };
    let telemetry = Telemetry::new();
    let app = Router::new().route("/sell", on_get(handler)).layer(layer).layer(telemetry.server());
    get(serve_axum(app).await, "/sell").await;
    let ids = ids_of(&telemetry.span().await);
    assert_eq!(lines.text(), format!(" INFO call{{path=\"/sell\" user=\"alice\"}}: shop: sold {ids}\n"));
}

/// It writes a line with each frame, and when it is dropped.
struct Talking(u8);

impl Body for Talking {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        info!("frame {}", self.0);
        self.0 += 1;
        Poll::Ready((self.0 < 2).then(|| Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        info!("gone");
    }
}

/// A call of a function by a request, without a server.
async fn call<F>(
    layer: &RequestSpanLayer,
    handler: F,
) -> Response<impl Body<Data = Bytes, Error = Infallible> + Unpin>
where
    F: FnMut(Request<()>) -> Result<Response<Talking>, Infallible>,
{
    let mut handler = handler;
    let service = tower::service_fn(move |request| std::future::ready(handler(request)));
    layer.layer(service).call(Request::new(())).await.unwrap()
}

#[tokio::test]
async fn the_span_is_entered_for_the_call_and_for_each_frame_and_for_the_end_of_both() {
    let (lines, _guard) = capture(plain);
    let layer = RequestSpanLayer::new();
    let response = call(&layer, |_| {
        info!("called");
        Ok(Response::builder().status(203).body(Talking(0)).unwrap())
    })
    .await;
    info!("outside");
    response.into_body().collect().await.unwrap();
    let request = "request{http.request.method=\"GET\"";
    assert_eq!(lines.with("called"), format!(" INFO {request}}}: log_spans: called"));
    assert_eq!(lines.with("outside"), " INFO log_spans: outside");
    for line in ["frame 0", "frame 1", "gone"] {
        let expected = format!(" INFO {request} http.response.status_code=203}}: log_spans: {line}");
        assert_eq!(lines.with(line), expected);
    }
}

#[tokio::test]
async fn a_future_that_is_dropped_is_dropped_in_the_span() {
    let (lines, _guard) = capture(plain);
    let service = tower::service_fn(|_: Request<()>| async {
        let talking = Talking(0);
        std::future::pending::<()>().await;
        Ok::<_, Infallible>(Response::new(talking))
    });
    let mut future = Box::pin(RequestSpanLayer::new().layer(service).call(Request::new(())));
    assert!(futures_util::poll!(&mut future).is_pending());
    drop(future);
    assert_eq!(lines.text(), " INFO request{http.request.method=\"GET\"}: log_spans: gone\n");
}

#[tokio::test]
async fn a_closure_that_panics_leaves_the_request_without_a_span() {
    let (lines, _guard) = capture(plain);
    let layer = RequestSpanLayer::new().span(|_| panic!("on purpose"));
    let response = call(&layer, |_| {
        info!("called");
        Ok(Response::new(Talking(0)))
    })
    .await;
    drop(response);
    assert_eq!(lines.text(), " INFO log_spans: called\n INFO log_spans: gone\n");

    // What it had closed is open again.
    let telemetry = Telemetry::new();
    let (_lines, _guard) = capture(|lines| bridged(lines, &telemetry));
    let _response = call(&layer, |_| Ok(Response::new(Talking(0)))).await;
    info_span!("later").in_scope(|| ());
    assert_eq!(telemetry.span().await.name, "later");
}
