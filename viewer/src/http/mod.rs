//! The page, its API, and OTLP over HTTP.

mod answer;
mod api;
mod arrival;
mod assets;
mod body;
mod departure;
mod grpc;
mod guard;
mod live;
mod load;
mod otlp;
mod params;
mod room;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};

use crate::shared::Shared;

pub(crate) use grpc::intake as grpc;
pub(crate) use guard::Guard;
pub(crate) use live::Broadcast;
pub(crate) use room::Room;
pub(crate) use server::{Allowance, Protocol, serve};

/// What every handler may ask.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) shared: Arc<Shared>,
    pub(crate) broadcast: Broadcast,
    /// What a request may hold when it is unpacked, in bytes.
    pub(crate) body_bytes: usize,
    pub(crate) room: Room,
    pub(crate) otlp_http: Option<SocketAddr>,
    pub(crate) otlp_grpc: Option<SocketAddr>,
}

/// The page with its API, and the intake beside it.
pub(crate) fn page(app: App, guard: Guard) -> Router {
    let api = Router::new()
        .route("/traces", get(api::traces))
        .route("/traces/points", get(api::points))
        .route("/traces/{id}", get(api::trace))
        .route("/traces/{id}/otlp.json", get(api::trace_otlp))
        .route("/suggest", get(api::suggest))
        .route("/operations", get(api::operations))
        .route("/operations/detail", get(api::operation))
        .route("/map", get(api::map))
        .route("/live", get(live::stream))
        .route("/live/history", get(live::history))
        .route("/metrics", get(api::metrics))
        .route("/metrics/series", get(api::series))
        .route("/logs", get(api::logs))
        .route("/stats", get(api::stats))
        .route("/clear", post(api::clear))
        .route("/pause", post(api::pause))
        .route("/test-trace", post(api::test_trace))
        .route("/import", post(api::import))
        .fallback(answer::nothing_here);
    Router::new()
        .nest("/api/v1", api)
        .route("/traces.txt", get(api::traces_text))
        .route("/trace/{id}", get(api::trace_text_or_page))
        .route("/operations.txt", get(api::operations_text))
        .merge(signals())
        .fallback(assets::serve)
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .with_state(app)
}

/// OTLP alone, for its own port.
pub(crate) fn intake(app: App, guard: Guard) -> Router {
    signals()
        .fallback(answer::nothing_here)
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .with_state(app)
}

fn signals() -> Router<App> {
    Router::new()
        .route("/v1/traces", post(otlp::traces))
        .route("/v1/metrics", post(otlp::metrics))
        .route("/v1/logs", post(otlp::logs))
}
