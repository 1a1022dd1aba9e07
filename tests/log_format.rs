//! Each line that is written inside a request carries the ids of its trace and span, and no span of
//! `tracing` is needed for it.

mod common;
#[path = "common/lines.rs"]
mod lines;

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use axum::Router;
use axum::routing::get as on_get;
use bytes::Bytes;
use common::*;
use http::Response;
use http_body::{Body, Frame};
use lines::*;
use opentelemetry::trace::FutureExt;
use opentelemetry::{Context, TraceFlags};
use opentelemetry_sdk::trace::{Sampler, SpanData};
use otelhttp::ServerLayer;
use otelhttp::log::TraceFormat;
use serde_json::json;
use tracing::{Subscriber, info, info_span};
use tracing_subscriber::fmt;

/// Serves one request, whose handler does this, and gives its span.
async fn request(handler: impl FnOnce() + Clone + Send + Sync + 'static) -> SpanData {
    let telemetry = Telemetry::new();
    let app = Router::new()
        .route(
            "/",
            on_get(async move || {
                tokio::task::yield_now().await;
                handler();
            }),
        )
        .layer(telemetry.server());
    get(serve_axum(app).await, "/").await;
    telemetry.span().await
}

fn text(lines: Lines) -> impl Subscriber + Send + Sync {
    fmt().with_writer(lines).without_time().with_ansi(false).map_event_format(TraceFormat::text).finish()
}

fn compact(lines: Lines) -> impl Subscriber + Send + Sync {
    let format = fmt().with_writer(lines).without_time().with_ansi(false);
    format.compact().map_event_format(TraceFormat::text).finish()
}

fn json_lines(lines: Lines) -> impl Subscriber + Send + Sync {
    fmt().with_writer(lines).without_time().json().map_event_format(TraceFormat::json).finish()
}

fn flattened(lines: Lines) -> impl Subscriber + Send + Sync {
    let format = fmt().with_writer(lines).without_time().json().flatten_event(true);
    format.map_event_format(TraceFormat::json).finish()
}

#[tokio::test]
async fn a_plain_line_ends_with_the_ids() {
    let (lines, _guard) = capture(text);
    let span = request(|| info!(target: "shop", item = 7, "sold")).await;
    assert_eq!(lines.text(), format!(" INFO shop: sold item=7 {}\n", ids_of(&span)));
}

#[tokio::test]
async fn a_compact_line_ends_with_the_ids() {
    let (lines, _guard) = capture(compact);
    let span = request(|| info_span!("till", number = 3).in_scope(|| info!(target: "shop", "sold"))).await;
    assert_eq!(lines.text(), format!(" INFO till: shop: sold number=3 {}\n", ids_of(&span)));
}

#[tokio::test]
async fn a_pretty_paragraph_ends_with_the_ids() {
    let make = |lines| {
        let format = fmt().with_writer(lines).without_time().with_ansi(false);
        format.pretty().with_file(false).with_line_number(false).map_event_format(TraceFormat::text).finish()
    };
    let (lines, _guard) = capture(make);
    let span = request(|| info!(target: "shop", item = 7, "sold")).await;
    assert_eq!(lines.text(), format!("   INFO shop: sold, item: 7 {}\n\n", ids_of(&span)));
}

#[tokio::test]
async fn colours_stay_and_the_ids_are_dim() {
    let make = |lines| {
        fmt().with_writer(lines).without_time().with_ansi(true).map_event_format(TraceFormat::text).finish()
    };
    let (lines, _guard) = capture(make);
    let span = request(|| info!(target: "shop", "sold")).await;
    let line = lines.text();
    assert!(line.starts_with("\x1b[32m INFO\x1b[0m \x1b[2mshop"), "{line:?}");
    assert!(line.ends_with(&format!("sold \x1b[2m{}\x1b[0m\n", ids_of(&span))), "{line:?}");
}

#[tokio::test]
async fn line_breaks_within_a_line_stay_where_they_are() {
    let (lines, _guard) = capture(text);
    let span = request(|| info!(target: "shop", "one\n\ntwo\n")).await;
    assert_eq!(lines.text(), format!(" INFO shop: one\n\ntwo {}\n\n", ids_of(&span)));
}

#[tokio::test]
async fn the_ids_are_members_of_the_json_object() {
    let (lines, _guard) = capture(json_lines);
    let span = request(|| info!(target: "shop", item = 7, trace_id = "mine", "sold")).await;
    let ids = &span.span_context;
    let expected = json!({
        "trace_id": ids.trace_id().to_string(),
        "span_id": ids.span_id().to_string(),
        "trace_flags": "01",
        "level": "INFO",
        "target": "shop",
        "fields": { "message": "sold", "item": 7, "trace_id": "mine" },
    });
    assert_eq!(lines.json("sold"), expected);
    assert!(lines.text().ends_with("}\n"), "{}", lines.text());
}

#[tokio::test]
async fn a_field_of_the_same_name_stands_beside_the_ids() {
    let (lines, _guard) = capture(flattened);
    let span = request(|| {
        let _till = info_span!("till", span_id = "of the till").entered();
        info!(target: "shop", trace_id = "\"mine\"", trace_flags = true, text = "\"span_id\":{", "sold");
    })
    .await;
    let ids = &span.span_context;
    let line = lines.with("sold");
    for name in ["trace_id", "trace_flags"] {
        assert_eq!(line.matches(&format!("\"{name}\":")).count(), 1, "{line}");
    }
    let expected = json!({
        "trace_id": ids.trace_id().to_string(),
        "span_id": ids.span_id().to_string(),
        "trace_flags": "01",
        "level": "INFO",
        "target": "shop",
        "message": "sold",
        "text": "\"span_id\":{",
        "fields.trace_id": "\"mine\"",
        "fields.trace_flags": true,
        "span": { "name": "till", "span_id": "of the till" },
        "spans": [{ "name": "till", "span_id": "of the till" }],
    });
    assert_eq!(lines.json("sold"), expected);
}

#[tokio::test]
async fn a_field_that_is_called_as_one_that_gave_way_gives_way_too() {
    let (lines, _guard) = capture(flattened);
    request(|| info!(target: "shop", trace_id = 1, fields.trace_id = 2, fields.span_id = 3, "sold")).await;
    let (text, line) = (lines.with("sold"), lines.json("sold"));
    for (name, value) in [("fields.trace_id", 1), ("fields.fields.trace_id", 2), ("fields.span_id", 3)] {
        assert_eq!(text.matches(&format!("\"{name}\":")).count(), 1, "{text}");
        assert_eq!(line[name], value, "{text}");
    }
}

#[tokio::test]
async fn outside_of_a_request_a_line_is_what_it_is_without_us() {
    let (lines, _guard) = capture(text);
    info!(target: "shop", item = 7, "open");
    assert_eq!(lines.text(), " INFO shop: open item=7\n");

    let (lines, _guard) = capture(json_lines);
    info!(target: "shop", item = 7, "open");
    let expected = json!({ "level": "INFO", "target": "shop", "fields": { "message": "open", "item": 7 } });
    assert_eq!(lines.json("open"), expected);
}

#[tokio::test]
async fn a_request_that_is_not_sampled_has_ids_and_the_flag_says_so() {
    let (lines, _guard) = capture(text);
    let telemetry = Telemetry::with_sampler(Sampler::AlwaysOff);
    let app = Router::new().route(
        "/",
        on_get(async || {
            let ids = Context::map_current(|cx| {
                opentelemetry::trace::TraceContextExt::span(cx).span_context().clone()
            });
            info!(target: "shop", "sold");
            assert_eq!(ids.trace_flags(), TraceFlags::default());
            format!("{} {}", ids.trace_id(), ids.span_id())
        }),
    );
    let answer = get(serve_axum(app.layer(telemetry.server())).await, "/").await;
    let (trace_id, span_id) = answer.rsplit_once("\r\n").unwrap().1.split_once(' ').unwrap();
    let expected = format!(" INFO shop: sold trace_id={trace_id} span_id={span_id} trace_flags=00\n");
    assert_eq!(lines.text(), expected);
}

#[tokio::test]
async fn where_nothing_is_traced_the_ids_are_those_of_the_caller() {
    let (lines, _guard) = capture(text);
    let provider = opentelemetry::trace::noop::NoopTracerProvider::new();
    let layer = ServerLayer::new().tracer_provider(provider);
    let app = Router::new().route("/", on_get(async || info!(target: "shop", "sold"))).layer(layer);
    let address = serve_axum(app).await;
    get_with(address, "/", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n").await;
    let ids = "trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331 trace_flags=01";
    assert_eq!(lines.text(), format!(" INFO shop: sold {ids}\n"));
}

#[tokio::test]
async fn a_spawned_task_has_the_ids_of_the_context_that_it_was_given() {
    let (lines, _guard) = capture(text);
    let telemetry = Telemetry::new();
    let handler = async || {
        let given = tokio::spawn(async { info!("given") }.with_context(Context::current()));
        let bare = tokio::spawn(async { info!("bare") });
        given.await.unwrap();
        bare.await.unwrap();
    };
    get(serve_axum(Router::new().route("/", on_get(handler)).layer(telemetry.server())).await, "/").await;
    let ids = ids_of(&telemetry.span().await);
    assert!(lines.with("given").ends_with(&ids), "{}", lines.text());
    assert!(lines.with("bare").ends_with("bare"), "{}", lines.text());
}

/// A body that writes a line with each frame.
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
        Poll::Ready((self.0 < 3).then(|| Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

#[tokio::test]
async fn lines_of_the_body_have_the_ids_too() {
    let (lines, _guard) = capture(text);
    let telemetry = Telemetry::new();
    let address = serve_fn(telemetry.server(), async |_| Response::new(Talking(0))).await;
    get(address, "/").await;
    let ids = ids_of(&telemetry.span().await);
    for frame in ["frame 0", "frame 1", "frame 2"] {
        assert!(lines.with(frame).ends_with(&ids), "{}", lines.text());
    }
}

/// Requests that are handled at the same time keep their own ids.
#[tokio::test]
async fn requests_side_by_side_do_not_mix() {
    let (lines, _guard) = capture(text);
    let telemetry = Telemetry::new();
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(20));
    let handler = move |axum::extract::Path(number): axum::extract::Path<u32>| {
        let barrier = barrier.clone();
        async move {
            info!("before {number}.");
            barrier.wait().await;
            info!("after {number}.");
        }
    };
    let app = Router::new().route("/{number}", on_get(handler)).layer(telemetry.server());
    let address = serve_axum(app).await;
    let requests: Vec<_> = (0..20)
        .map(|number| tokio::spawn(async move { get(address, &format!("/{number}")).await }))
        .collect();
    for request in requests {
        soon("a request", request).await.unwrap();
    }
    for span in telemetry.spans(20).await {
        let number = attribute(&span, "url.path").unwrap().split_off(1);
        for when in ["before", "after"] {
            let line = lines.with(&format!("{when} {number}."));
            assert!(line.ends_with(&ids_of(&span)), "{line}");
        }
    }
}

/// OpenTelemetry writes some lines while it changes the current context, which must not be read then.
#[tokio::test]
async fn lines_of_opentelemetry_itself_are_left_alone() {
    let (lines, _guard) = capture(text);
    request(|| info!(target: "opentelemetry_sdk", "exporting")).await;
    assert_eq!(lines.text(), " INFO opentelemetry_sdk: exporting\n");
}
