use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Problem, Timing, json, text};
use super::params::{Asked, trace_id};
use super::{App, assets, body};
use crate::intake;
use crate::query::{self, Document};
use crate::store::{Running, Store};

impl App {
    /// Asks the store, and says what that took.
    fn answer<T>(
        &self,
        look: impl FnOnce(&Store, &Running) -> (T, u64),
        write: impl FnOnce(&T) -> Response,
    ) -> Response {
        let timing = Timing::start();
        let (found, scanned) = self.shared.read(|store, running| look(store, running));
        timing.stop(&self.shared, scanned).on(write(&found))
    }

    fn found<T: Serialize>(
        &self,
        what: &str,
        look: impl FnOnce(&Store, &Running) -> Option<(T, u64)>,
    ) -> Response {
        let timing = Timing::start();
        match self.shared.read(|store, running| look(store, running)) {
            Some((found, scanned)) => timing.stop(&self.shared, scanned).on(json(&found)),
            None => Problem::not_kept(what).into_response(),
        }
    }
}

pub(super) async fn traces(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    Ok(app.answer(list(&asked)?, json))
}

pub(super) async fn traces_text(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    Ok(app.answer(list(&asked)?, |list| text(query::traces_text(list))))
}

fn list(asked: &Asked) -> Result<impl FnOnce(&Store, &Running) -> (query::List, u64) + use<>, Problem> {
    let (search, range, now) = (asked.query()?, asked.range(), asked.now);
    let page = (asked.order()?, asked.limit(), asked.before());
    Ok(move |store: &Store, running: &Running| {
        let list = query::list((store, running), &search, range, page, now);
        let scanned = list.scanned;
        (list, scanned)
    })
}

pub(super) async fn points(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let (search, range) = (asked.query()?, asked.range());
    let look = |store: &Store, _: &Running| {
        let points = query::points(store, &search, range);
        let scanned = points.scanned;
        (points, scanned)
    };
    Ok(app.answer(look, json))
}

fn document(app: &App, id: &str) -> Result<(Document, u64), Problem> {
    let id = trace_id(id)?;
    let now = crate::shared::now();
    let document = app.shared.read(|store, running| query::document((store, running), id, now));
    let document = document.ok_or_else(|| Problem::not_kept("this trace"))?;
    let scanned = document.scanned;
    Ok((document, scanned))
}

pub(super) async fn trace(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    let timing = Timing::start();
    let (document, scanned) = document(&app, &id)?;
    Ok(timing.stop(&app.shared, scanned).on(json(&document)))
}

pub(super) async fn trace_otlp(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    let timing = Timing::start();
    let (document, scanned) = document(&app, &id)?;
    let mut response = json(&intake::otlp::back(document.id, &document.spans, &document.logs));
    let name = format!("attachment; filename=\"trace-{}.json\"", document.id);
    if let Ok(name) = HeaderValue::try_from(name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(timing.stop(&app.shared, scanned).on(response))
}

/// `/trace/{id}.txt` is a tree; `/trace/{id}` is one of the page's own addresses.
pub(super) async fn trace_text_or_page(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Response {
    let Some(id) = id.strip_suffix(".txt") else { return assets::serve(uri).await };
    let timing = Timing::start();
    match document(&app, id) {
        Ok((document, scanned)) => timing.stop(&app.shared, scanned).on(text(query::tree(&document))),
        Err(problem) => (problem.status(), text(format!("{}\n", problem.message()))).into_response(),
    }
}

pub(super) async fn suggest(State(app): State<App>, asked: Asked) -> Response {
    let look = |store: &Store, _: &Running| {
        let suggestions = query::suggest(store, asked.text(), asked.cursor(), asked.is_of_logs());
        let scanned = suggestions.scanned;
        (suggestions, scanned)
    };
    app.answer(look, json)
}

pub(super) async fn operations(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    Ok(app.answer(all_operations(&asked)?, json))
}

pub(super) async fn operations_text(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    Ok(app.answer(all_operations(&asked)?, |operations| text(query::operations_text(operations))))
}

fn all_operations(
    asked: &Asked,
) -> Result<impl FnOnce(&Store, &Running) -> (query::Operations, u64) + use<>, Problem> {
    let (search, range, kinds, now) = (asked.query()?, asked.range(), asked.kinds()?, asked.now);
    Ok(move |store: &Store, running: &Running| {
        let operations = query::operations((store, running), &search, range, kinds, now);
        let scanned = operations.scanned;
        (operations, scanned)
    })
}

pub(super) async fn operation(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let (search, range, now) = (asked.bare_query()?, asked.range(), asked.now);
    let of = (asked.required_service()?, asked.required_name()?, asked.kind()?);
    Ok(app.found("anything of this operation", |store, running| {
        let detail = query::detail((store, running), of, &search, range, now)?;
        let scanned = detail.scanned;
        Some((detail, scanned))
    }))
}

pub(super) async fn map(State(app): State<App>, asked: Asked) -> Response {
    let look = |store: &Store, _: &Running| {
        let map = query::map(store, asked.range(), asked.now);
        let scanned = map.scanned;
        (map, scanned)
    };
    app.answer(look, json)
}

pub(super) async fn metrics(State(app): State<App>, asked: Asked) -> Response {
    let look = |store: &Store, _: &Running| {
        let instruments = query::instruments(store, asked.service());
        (instruments, store.metrics.series() as u64)
    };
    app.answer(look, json)
}

pub(super) async fn series(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let wanted = asked.instrument()?;
    Ok(app.found("this instrument", |store, _| {
        let series = query::series(store, wanted, asked.range(), asked.limit())?;
        let scanned = series.scanned;
        Some((series, scanned))
    }))
}

pub(super) async fn logs(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let search = asked.query()?;
    let look = |store: &Store, _: &Running| {
        let logs = query::logs(store, &search, asked.range(), asked.limit(), asked.before());
        let scanned = logs.scanned;
        (logs, scanned)
    };
    Ok(app.answer(look, json))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    version: &'static str,
    paused: bool,
    limits: Limits,
    intake: Intake,
    queries: Queries,
    #[serde(flatten)]
    store: query::Stats,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    bytes: usize,
    spans: usize,
    spans_per_trace: usize,
    logs: usize,
    points: usize,
    body_bytes: usize,
}

#[derive(Serialize)]
struct Intake {
    embedded: bool,
    http: Option<String>,
    grpc: Option<String>,
}

#[derive(Serialize)]
struct Queries {
    count: u64,
    slowest: f64,
    scanned: u64,
}

pub(super) async fn stats(State(app): State<App>) -> Response {
    let (now, body_bytes) = (crate::shared::now(), app.body_bytes);
    let (store, limits) = app.shared.read(|store, running| (query::stats(store, running, now), store.limits));
    let queries = &app.shared.queries;
    let url = |address: Option<std::net::SocketAddr>| address.map(|address| format!("http://{address}"));
    json(&Stats {
        version: env!("CARGO_PKG_VERSION"),
        paused: app.shared.is_paused(),
        limits: Limits {
            bytes: limits.bytes,
            spans: limits.spans,
            spans_per_trace: limits.spans_per_trace,
            logs: limits.logs,
            points: limits.points,
            body_bytes,
        },
        intake: Intake {
            embedded: app.shared.is_embedded(),
            http: url(app.otlp_http),
            grpc: url(app.otlp_grpc),
        },
        queries: Queries {
            count: queries.count.load(Ordering::Relaxed),
            slowest: queries.slowest_micros.load(Ordering::Relaxed) as f64 / 1e3,
            scanned: queries.last_scanned.load(Ordering::Relaxed),
        },
        store,
    })
}

pub(super) async fn clear(State(app): State<App>) -> StatusCode {
    app.shared.clear();
    app.broadcast.tell_anew(&app.shared);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Pause {
    paused: bool,
}

pub(super) async fn pause(State(app): State<App>, request: Request<Body>) -> Result<Response, Problem> {
    let bytes = body::unpacked(request, app.body_bytes).await?;
    let Pause { paused } = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::bad(format!("`{{\"paused\":true}}` or `false` was expected: {error}")))?;
    app.shared.pause(paused);
    Ok(stats(State(app)).await)
}

pub(super) async fn test_trace(State(app): State<App>) -> Response {
    let id = intake::sample(&app.shared);
    json(&json!({ "id": id.to_string() }))
}

pub(super) async fn import(State(app): State<App>, request: Request<Body>) -> Result<Response, Problem> {
    let is_protobuf = body::is_protobuf(request.headers());
    let bytes = body::unpacked(request, app.body_bytes).await?;
    let _turn = app.room.turn(bytes.len()).await?;
    let imported =
        intake::import(&app.shared, &bytes, is_protobuf).map_err(|unsound| Problem::of(&unsound))?;
    Ok(json(&imported))
}
