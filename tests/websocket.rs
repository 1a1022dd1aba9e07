//! The request that becomes a WebSocket has a short span; its connection has one of its own, which ends
//! once, however the connection ends.

mod common;

use std::future::Future;

use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message};
use axum::response::Response;
use axum::routing::any;
use common::*;
use futures_util::{SinkExt, StreamExt};
use http::Request;
use hyper_util::rt::TokioIo;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SpanData};
use otelhttp::websocket::TracedWebSocket;
use otelhttp::{Observe, ServerLayer, ServerSpan};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as ClientMessage;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame as ClientClose, Role};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const HANDSHAKE: &str = "GET /chat/7 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A route whose connections are handled so.
fn route<F, Fut>(layer: ServerLayer, handler: F) -> Router
where
    F: FnOnce(TracedWebSocket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let accept = move |span: ServerSpan, upgrade: WebSocketUpgrade| async move {
        span.websocket(upgrade).on_upgrade(handler)
    };
    Router::new().route("/chat/{room}", any(accept)).layer(layer)
}

async fn serve_route<F, Fut>(layer: ServerLayer, handler: F) -> Client
where
    F: FnOnce(TracedWebSocket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    join(route(layer, handler)).await
}

type Client = WebSocketStream<TcpStream>;

/// A client of a new server.
async fn join(app: Router) -> Client {
    let stream = connect(serve_axum(app).await).await;
    let request = Request::get("ws://shop.example/chat/7")
        .header("host", "shop.example")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("traceparent", PARENT)
        .header("baggage", "tenant=acme");
    let joined = tokio_tungstenite::client_async(request.body(()).unwrap(), stream);
    soon("the handshake", joined).await.unwrap().0
}

/// Sends back what comes, until nothing does.
async fn echo(mut socket: TracedWebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(_) | Message::Binary(_) = message {
            socket.send(message).await.unwrap();
        }
    }
}

/// The server's span and that of the connection, whichever ended first. There are no others.
async fn pair(telemetry: &Telemetry) -> (SpanData, SpanData) {
    let mut spans = telemetry.spans(2).await;
    spans.sort_by_key(|span| span.span_kind == SpanKind::Internal);
    let connection = spans.pop().unwrap();
    (spans.pop().unwrap(), connection)
}

/// What every connection has, and what more there is.
fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut attributes = vec![
        ("http.route", "/chat/{room}"),
        ("network.protocol.name", "websocket"),
        ("websocket.received.messages", "0"),
        ("websocket.received.bytes", "0"),
        ("websocket.sent.messages", "0"),
        ("websocket.sent.bytes", "0"),
    ];
    attributes.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
    attributes.extend(more);
    attributes
}

#[track_caller]
fn assert_connection(span: &SpanData, status: Status, more: &[(&str, &str)]) {
    assert_span(span, SpanKind::Internal, "websocket /chat/{room}", status, &with(more));
}

#[tokio::test]
async fn a_request_ends_with_the_101_and_its_connection_is_a_linked_span() {
    let telemetry = Telemetry::new();
    let mut client = serve_route(telemetry.server(), echo).await;
    let server = telemetry.span().await;
    assert_eq!((&*server.name, &server.status), ("GET /chat/{room}", &Status::Unset));
    assert_eq!(attribute(&server, "http.response.status_code").as_deref(), Some("101"));
    assert_eq!(telemetry.active("http.server.active_requests"), 0.0);

    client.send(ClientMessage::text("grüß")).await.unwrap();
    client.send(ClientMessage::binary(vec![0; 70_000])).await.unwrap();
    client.send(ClientMessage::Ping("not counted".into())).await.unwrap();
    for _ in 0..2 {
        soon("the echo", client.next()).await.unwrap().unwrap();
    }
    assert_eq!(telemetry.spans_now().len(), 1, "the connection lives on");
    client.close(None).await.unwrap();
    let (server, connection) = pair(&telemetry).await;
    let expected = [
        ("websocket.received.messages", "2"),
        ("websocket.received.bytes", "70006"),
        ("websocket.sent.messages", "2"),
        ("websocket.sent.bytes", "70006"),
        ("websocket.close.code", "1005"),
        ("websocket.close.initiator", "client"),
    ];
    assert_connection(&connection, Status::Unset, &expected);
    assert_eq!(connection.parent_span_id, SpanId::INVALID, "it is a root");
    assert_ne!(connection.span_context.trace_id(), server.span_context.trace_id());
    let links: Vec<_> = connection.links.iter().map(|link| &link.span_context).collect();
    assert_eq!(links, [&server.span_context]);
    assert!(telemetry.points("http.server.request.duration").is_empty(), "nothing of it is a request's");
    let at_start = &telemetry.started()[1];
    assert_attributes(&texts(&at_start.attributes), &with(&[])[..2]);
}

#[tokio::test]
async fn work_for_a_message_nests_below_the_connection_and_knows_the_caller() {
    let telemetry = Telemetry::new();
    let tracer = std::sync::Arc::new(telemetry.tracer_provider.tracer("app"));
    let mut client = serve_route(telemetry.server(), async move |mut socket: TracedWebSocket| {
        let message = socket.recv().await.unwrap().unwrap();
        tracer.in_span("work", |cx| {
            assert_eq!(cx.baggage().get("tenant").map(opentelemetry::StringValue::as_str), Some("acme"));
        });
        Context::current().span().set_attribute(KeyValue::new("app.room", 7));
        socket.send(message).await.unwrap();
        let (tracer, cx) = (tracer.clone(), Context::current());
        tokio::spawn(async move { drop(tracer.start_with_context("spawned", &cx)) }).await.unwrap();
    })
    .await;
    client.send(ClientMessage::text("hello")).await.unwrap();
    let spans = telemetry.spans(4).await;
    let connection = spans.iter().find(|span| span.name == "websocket /chat/{room}").unwrap();
    assert_eq!(attribute(connection, "app.room").as_deref(), Some("7"));
    for name in ["work", "spawned"] {
        let work = spans.iter().find(|span| span.name == name).unwrap();
        assert_eq!(work.parent_span_id, connection.span_context.span_id(), "{name}");
        assert_eq!(work.span_context.trace_id(), connection.span_context.trace_id(), "{name}");
    }
}

#[tokio::test]
async fn a_handler_that_returns_is_no_error() {
    let telemetry = Telemetry::new();
    let _client = serve_route(telemetry.server(), async |_| ()).await;
    assert_connection(&pair(&telemetry).await.1, Status::Unset, &[]);
}

#[tokio::test]
async fn a_close_frame_of_the_server_is_told_and_1011_is_an_error() {
    for (code, status, error) in [(4000, Status::Unset, None), (1011, NO_DESCRIPTION, Some("1011"))] {
        let telemetry = Telemetry::new();
        let mut client = serve_route(telemetry.server(), async move |mut socket: TracedWebSocket| {
            let close = CloseFrame { code, reason: "s3cret".into() };
            socket.send(Message::Close(Some(close))).await.unwrap();
            // The peer's answer is not the first, and what is sent after it is no failure.
            while socket.recv().await.is_some() {}
            socket.send("too late".into()).await.unwrap_err();
        })
        .await;
        soon("the close frame", client.next()).await.unwrap().unwrap();
        assert!(soon("the end", client.next()).await.is_none());
        let (_, connection) = pair(&telemetry).await;
        let code = code.to_string();
        let mut expected =
            vec![("websocket.close.code", code.as_str()), ("websocket.close.initiator", "server")];
        expected.extend(error.map(|error| ("error.type", error)));
        assert_connection(&connection, status, &expected);
        assert!(!telemetry.everything().contains("s3cret"), "its text was not asked for");
    }
}

#[tokio::test]
async fn what_the_client_says_when_it_closes_is_recorded_if_asked_for() {
    for asked in [false, true] {
        let telemetry = Telemetry::new();
        let accept = move |span: ServerSpan, upgrade: WebSocketUpgrade| async move {
            span.websocket(upgrade).close_reason(asked).on_upgrade(echo)
        };
        let app = Router::new().route("/chat/{room}", any(accept)).layer(telemetry.server());
        let mut client = join(app).await;
        let close = ClientClose { code: 1001.into(), reason: "lunch".into() };
        client.close(Some(close)).await.unwrap();
        let mut expected = vec![("websocket.close.code", "1001"), ("websocket.close.initiator", "client")];
        expected.extend(asked.then_some(("websocket.close.reason", "lunch")));
        assert_connection(&pair(&telemetry).await.1, Status::Unset, &expected);
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_is_reset() {
    for (linger, description) in [
        (true, "reset: WebSocket protocol error: Connection reset without closing handshake"),
        (false, "reset: Connection reset by peer (os error 104)"),
    ] {
        let telemetry = Telemetry::new();
        let client = serve_route(telemetry.server(), echo).await;
        if !linger {
            client.get_ref().set_zero_linger().unwrap();
        }
        drop(client);
        let (_, connection) = pair(&telemetry).await;
        assert_connection(&connection, Status::error(description), &[("error.type", "reset")]);
    }
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_told_so() {
    // A text that is not masked; one that is not UTF-8.
    for (frame, description) in [
        (&b"\x81\x05hello"[..], "protocol: WebSocket protocol error"),
        (&b"\x81\x81\0\0\0\0\xff"[..], "protocol: UTF-8 encoding error"),
    ] {
        let telemetry = Telemetry::new();
        let mut client = serve_route(telemetry.server(), echo).await;
        client.get_mut().write_all(frame).await.unwrap();
        let (_, connection) = pair(&telemetry).await;
        assert_connection(&connection, Status::error(description), &[("error.type", "protocol")]);
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_breaks_the_protocol() {
    let telemetry = Telemetry::new();
    let accept = async |span: ServerSpan, upgrade: WebSocketUpgrade| {
        span.websocket(upgrade.max_message_size(4)).on_upgrade(echo)
    };
    let app = Router::new().route("/chat/{room}", any(accept)).layer(telemetry.server());
    let mut client = join(app).await;
    client.send(ClientMessage::text("hello")).await.unwrap();
    let status = Status::error("protocol: Space limit exceeded");
    assert_connection(&pair(&telemetry).await.1, status, &[("error.type", "protocol")]);
}

#[tokio::test]
async fn a_handler_that_panics_is_told_as_a_panic() {
    let telemetry = Telemetry::new();
    let client = serve_route(telemetry.server(), async |mut socket: TracedWebSocket| {
        socket.recv().await.unwrap().expect("on purpose");
    })
    .await;
    // The broken connection is the reason, but the panic is what is to be mended.
    drop(client);
    let (_, connection) = pair(&telemetry).await;
    assert_connection(&connection, NO_DESCRIPTION, &[("error.type", "panic")]);

    let telemetry = Telemetry::new();
    let _client =
        serve_route(telemetry.server(), |_| -> std::future::Ready<()> { panic!("on purpose") }).await;
    let (_, connection) = pair(&telemetry).await;
    assert_connection(&connection, NO_DESCRIPTION, &[("error.type", "panic")]);
}

#[test]
fn a_handler_that_is_dropped_was_cancelled() {
    for (cancellation, status, error) in
        [(true, NO_DESCRIPTION, Some("cancelled")), (false, Status::Unset, None)]
    {
        let telemetry = Telemetry::new();
        let server =
            tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
        let client = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (running, runs) = std::sync::mpsc::channel();
        let layer = telemetry.server().cancellation(cancellation);
        let app = route(layer, async move |_socket| {
            running.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        let address = server.block_on(serve_axum(app));
        let mut stream = client.block_on(connect(address));
        client.block_on(stream.write_all(HANDSHAKE.as_bytes())).unwrap();
        runs.recv_timeout(PATIENCE).unwrap();
        drop(server);
        let (_, connection) = client.block_on(pair(&telemetry));
        let expected: Vec<_> = error.map(|error| ("error.type", error)).into_iter().collect();
        assert_connection(&connection, status, &expected);
    }
}

#[tokio::test]
async fn a_connection_lasts_until_its_socket_is_gone() {
    let telemetry = Telemetry::new();
    let (returned, returns) = oneshot::channel();
    let returned = std::sync::Arc::new(std::sync::Mutex::new(Some(returned)));
    let mut client = serve_route(telemetry.server(), async move |socket: TracedWebSocket| {
        let (mut sink, mut stream) = socket.split();
        tokio::spawn(async move {
            let message = stream.next().await.unwrap().unwrap();
            sink.send(message).await.unwrap();
            sink.close().await.unwrap();
        });
        returned.lock().unwrap().take().unwrap().send(()).unwrap();
    })
    .await;
    soon("the handler to return", returns).await.unwrap();
    telemetry.span().await;
    client.send(ClientMessage::text("hello")).await.unwrap();
    let expected = [
        ("websocket.received.messages", "1"),
        ("websocket.received.bytes", "5"),
        ("websocket.sent.messages", "1"),
        ("websocket.sent.bytes", "5"),
        ("websocket.close.code", "1005"),
        ("websocket.close.initiator", "server"),
    ];
    assert_connection(&pair(&telemetry).await.1, Status::Unset, &expected);
}

#[tokio::test]
async fn the_sampler_decides_about_a_connection_anew() {
    // Its parent decides about the request, and the ratio about the connection, which is a root.
    for (flags, ratio, sampled) in [("00", 1.0, 1), ("01", 0.0, 1)] {
        let telemetry =
            Telemetry::with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))));
        let (told, tells) = oneshot::channel::<SpanContext>();
        let told = std::sync::Arc::new(std::sync::Mutex::new(Some(told)));
        let app = route(telemetry.server(), async move |mut socket: TracedWebSocket| {
            let cx = Context::current().span().span_context().clone();
            told.lock().unwrap().take().unwrap().send(cx).unwrap();
            socket.send("hello".into()).await.unwrap();
        });
        let app = app.layer(axum::middleware::map_request(move |mut request: axum::extract::Request| {
            let parent = format!("{}{flags}", &PARENT[..53]);
            request.headers_mut().insert("traceparent", parent.parse().unwrap());
            async { request }
        }));
        let mut client = join(app).await;
        soon("a message", client.next()).await.unwrap().unwrap();
        let context = soon("the context", tells).await.unwrap();
        assert_ne!(context.trace_id().to_string(), PARENT[3..35], "a trace of its own");
        assert_eq!(context.is_sampled(), ratio > 0.0);
        while soon("the end", client.next()).await.is_some_and(|message| message.is_ok()) {}
        assert_eq!(telemetry.spans(sampled).await.len(), sampled);
    }
}

#[tokio::test]
async fn where_no_span_is_recorded_the_handler_runs_in_the_callers_context() {
    let telemetry = Telemetry::new();
    let unobserved = [Observe::MetricsOnly, Observe::Nothing];
    let apps = unobserved.map(|observe| telemetry.server().observe(move |_| observe));
    for layer in apps {
        let mut client = serve_route(layer, async |mut socket: TracedWebSocket| {
            let trace = Context::current().span().span_context().trace_id().to_string();
            socket.send(trace.into()).await.unwrap();
        })
        .await;
        let message = soon("a message", client.next()).await.unwrap().unwrap();
        assert_eq!(message.to_text().unwrap(), &PARENT[3..35]);
    }
    // And where no layer runs.
    let accept = async |span: ServerSpan, upgrade: WebSocketUpgrade| span.websocket(upgrade).on_upgrade(echo);
    let mut client = join(Router::new().route("/chat/{room}", any(accept))).await;
    client.send(ClientMessage::text("hello")).await.unwrap();
    assert_eq!(soon("the echo", client.next()).await.unwrap().unwrap().to_text().unwrap(), "hello");
    assert!(telemetry.spans_now().is_empty());
}

#[tokio::test]
async fn a_websocket_that_nobody_asked_to_trace_has_only_its_request() {
    let telemetry = Telemetry::new();
    let (ended, ends) = oneshot::channel();
    let ended = std::sync::Arc::new(std::sync::Mutex::new(Some(ended)));
    let accept = async move |upgrade: WebSocketUpgrade| -> Response {
        upgrade.on_upgrade(async move |mut socket| {
            while socket.recv().await.is_some() {}
            ended.lock().unwrap().take().unwrap().send(()).unwrap();
        })
    };
    let mut client = join(Router::new().route("/chat/{room}", any(accept)).layer(telemetry.server())).await;
    assert_eq!(telemetry.span().await.name, "GET /chat/{room}");
    client.close(None).await.unwrap();
    soon("the end", ends).await.unwrap();
    telemetry.span().await;
}

#[tokio::test]
async fn an_upgrade_that_fails_is_no_connection() {
    let telemetry = Telemetry::new();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let accept = async move |span: ServerSpan, upgrade: WebSocketUpgrade| -> Response {
        let failed = tell.clone();
        let upgrade = upgrade.on_failed_upgrade(move |_| failed.send("failed").unwrap());
        let _response = span.websocket(upgrade).on_upgrade(echo);
        tell.send("accepted").unwrap();
        std::future::pending().await
    };
    let app = Router::new().route("/chat/{room}", any(accept)).layer(telemetry.server());
    let mut stream = connect(serve_axum(app).await).await;
    stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    assert_eq!(soon("the handler", told.recv()).await, Some("accepted"));
    drop(stream);
    assert_eq!(soon("axum to tell", told.recv()).await, Some("failed"));
    let server = telemetry.span().await;
    assert_eq!(attribute(&server, "error.type").as_deref(), Some("cancelled"));
}

#[tokio::test]
async fn a_websocket_over_http2_is_a_connection_too() {
    use tower::ServiceExt;
    let telemetry = Telemetry::new();
    let accept = async |span: ServerSpan, upgrade: WebSocketUpgrade| {
        span.websocket(upgrade.protocols(["chat"])).on_upgrade(async |socket: TracedWebSocket| {
            assert_eq!(socket.protocol().unwrap(), "chat");
            echo(socket).await;
        })
    };
    let app = Router::new().route("/chat/{room}", any(accept)).layer(telemetry.server());
    let app = app.map_request(|request: Request<hyper::body::Incoming>| request.map(axum::body::Body::new));
    let address = serve(app).await;
    let mut sender = http2::<http_body_util::Empty<bytes::Bytes>>(address).await;
    // The server must have said that it knows the protocol before the client may ask for it.
    let settings = Request::get(format!("http://{address}/")).body(Default::default()).unwrap();
    soon("the settings", sender.send_request(settings)).await.unwrap();
    let request = Request::connect(format!("http://{address}/chat/7"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat")
        .extension(hyper::ext::Protocol::from_static("websocket"));
    let response =
        soon("a head", sender.send_request(request.body(Default::default()).unwrap())).await.unwrap();
    let io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let mut client = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
    client.send(ClientMessage::text("hello")).await.unwrap();
    soon("the echo", client.next()).await.unwrap().unwrap();
    client.close(None).await.unwrap();
    let spans = telemetry.spans(3).await;
    assert_eq!((&*spans[1].name, &spans[1].status), ("CONNECT /chat/{room}", &Status::Unset));
    let expected = [
        ("websocket.received.messages", "1"),
        ("websocket.received.bytes", "5"),
        ("websocket.sent.messages", "1"),
        ("websocket.sent.bytes", "5"),
        ("websocket.close.code", "1005"),
        ("websocket.close.initiator", "client"),
    ];
    assert_connection(&spans[2], Status::Unset, &expected);
    assert_eq!(spans[2].links.iter().next().unwrap().span_context, spans[1].span_context);
}

/// hyper hands the connection over when it ends, whatever the response was.
#[tokio::test]
async fn a_101_that_was_replaced_leaves_a_broken_connection() {
    let telemetry = Telemetry::new();
    let accept = async |span: ServerSpan, upgrade: WebSocketUpgrade| {
        drop(span.websocket(upgrade).on_upgrade(echo));
        http::StatusCode::SERVICE_UNAVAILABLE
    };
    let app = Router::new().route("/chat/{room}", any(accept)).layer(telemetry.server());
    let mut stream = connect(serve_axum(app).await).await;
    stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    drop(stream);
    let (server, connection) = pair(&telemetry).await;
    assert_eq!(attribute(&server, "http.response.status_code").as_deref(), Some("503"));
    assert_eq!(attribute(&connection, "error.type").as_deref(), Some("reset"));
}
