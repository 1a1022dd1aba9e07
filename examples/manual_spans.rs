//! Spans of one's own beside the layer's: one below the request, and one in a job that outlives it.
//!
//! The handler puts an order into a queue and answers. What is worked at later would hold the
//! request's trace open, so it is a trace of its own, linked to what caused it. The context goes
//! through the queue as text, and would go through another program's the same.
//!
//! Run with: `cargo run --example manual_spans`

#[path = "support/console.rs"]
mod console;

use std::collections::HashMap;
use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Router, routing::post};
use opentelemetry::trace::{FutureExt, Link, Span, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use otelhttp::{ServerLayer, propagation};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, Receiver, Sender};

struct Job {
    order: i64,
    context: HashMap<String, String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let (queue, jobs) = mpsc::channel(100);
    let worker = tokio::spawn(work(jobs));
    let app = Router::new().route("/orders/{id}", post(accept)).layer(ServerLayer::new()).with_state(queue);

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("Try: curl -X POST http://{}/orders/7", listener.local_addr()?);
    let interrupted = async { tokio::signal::ctrl_c().await.expect("Ctrl-C can be waited for") };
    axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    Ok(worker.await?)
}

async fn accept(State(queue): State<Sender<Job>>, Path(order): Path<i64>) -> StatusCode {
    let tracer = global::tracer("shop");
    // Below the server's span, which is the current one.
    let span = tracer.span_builder("send orders").with_kind(SpanKind::Producer).start(&tracer);
    let cx = Context::current_with_span(span);
    let mut job = Job { order, context: HashMap::new() };
    propagation::inject_into(&cx, &mut job.context);
    match queue.send(job).with_context(cx).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn work(mut jobs: Receiver<Job>) {
    let tracer = global::tracer("shop");
    while let Some(job) = jobs.recv().await {
        let cause = propagation::extract_from(&Context::new(), &job.context);
        let link = Link::with_context(cause.span().span_context().clone());
        let span = tracer.span_builder("process orders").with_kind(SpanKind::Consumer).with_links(vec![link]);
        let span = span.start_with_context(&tracer, &Context::new());
        charge(job.order).with_context(Context::new().with_span(span)).await;
    }
}

async fn charge(order: i64) {
    // Below "process orders", whose context is attached around this future.
    let mut span = global::tracer("shop").start("charge");
    span.set_attribute(KeyValue::new("app.order", order));
    tokio::time::sleep(Duration::from_millis(20)).await;
    span.add_event("charged", vec![KeyValue::new("app.cents", 995)]);
}
