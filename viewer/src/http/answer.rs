use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::intake::decode::Unsound;
use crate::shared::Shared;

const ROWS_SCANNED: HeaderName = HeaderName::from_static("x-rows-scanned");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What went wrong, for who asked.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    message: String,
    at: Option<usize>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), at: None }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// What was sent is not taken in.
    pub(super) fn of(unsound: &Unsound) -> Self {
        let status = match unsound {
            Unsound::TooMuch(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Unsound::Malformed(_) => StatusCode::BAD_REQUEST,
        };
        Self::new(status, unsound.to_string())
    }

    pub(super) fn at(self, at: usize) -> Self {
        Self { at: Some(at), ..self }
    }

    pub(super) fn not_kept(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} is not kept, or no longer"))
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut error = json!({ "message": self.message });
        if let Some(at) = self.at {
            error["at"] = at.into();
        }
        (self.status, json(&json!({ "error": error }))).into_response()
    }
}

pub(super) fn json(body: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(body).expect("keys are texts, and nothing else of it can fail");
    typed("application/json", bytes)
}

pub(super) fn text(body: String) -> Response {
    typed("text/plain; charset=utf-8", body.into_bytes())
}

fn typed(kind: &'static str, mut body: Vec<u8>) -> Response {
    // It has grown by doubling, and may wait for long until it is read.
    body.shrink_to_fit();
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
    (headers, body).into_response()
}

pub(super) async fn nothing_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address; openapi.yaml lists what there is")
}

/// Says how long the store was asked, and how much of it was looked at.
pub(super) struct Timing(Instant);

impl Timing {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn stop(self, shared: &Shared, scanned: u64) -> Timed {
        let micros = u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX);
        shared.queries.count.fetch_add(1, Ordering::Relaxed);
        shared.queries.slowest_micros.fetch_max(micros, Ordering::Relaxed);
        shared.queries.last_scanned.store(scanned, Ordering::Relaxed);
        Timed { micros, scanned }
    }
}

pub(super) struct Timed {
    micros: u64,
    scanned: u64,
}

impl Timed {
    pub(super) fn on(&self, mut response: Response) -> Response {
        let timing = format!("query;dur={:.3}", self.micros as f64 / 1e3);
        let headers = response.headers_mut();
        headers.insert(ROWS_SCANNED, self.scanned.into());
        if let Ok(timing) = HeaderValue::try_from(timing) {
            headers.insert(SERVER_TIMING, timing);
        }
        response
    }
}
