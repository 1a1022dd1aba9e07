use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_core::Stream;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::{Instant, interval_at};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::App;
use super::answer::{Problem, Timing, json};
use crate::query;
use crate::shared::{Shared, now};

/// How many pages are told at once.
const MOST: usize = 32;
/// How many events a page may be behind, before it is told all anew.
const BEHIND: usize = 1_024;
const SECOND: u64 = 1_000_000_000;

/// Tells all pages what happens.
#[derive(Clone, Debug)]
pub(crate) struct Broadcast {
    pages: broadcast::Sender<Said>,
    places: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
struct Said {
    event: &'static str,
    data: Arc<str>,
}

impl Said {
    fn new(event: &'static str, data: &impl Serialize) -> Self {
        let data = serde_json::to_string(data).expect("keys are texts, and nothing else of it can fail");
        Self { event, data: data.into() }
    }
}

impl Broadcast {
    pub(crate) fn new() -> Self {
        Self { pages: broadcast::Sender::new(BEHIND), places: Arc::new(Semaphore::new(MOST)) }
    }

    /// Once a second, for ever.
    pub(crate) async fn run(self, shared: Arc<Shared>) {
        // Just after each second, so that what ended in it has come.
        let next = Duration::from_nanos(SECOND - now() % SECOND) + Duration::from_millis(50);
        let mut seconds = interval_at(Instant::now() + next, Duration::from_secs(1));
        let mut told = shared.write(|store| store.live.failed());
        loop {
            seconds.tick().await;
            told = match self.pages.receiver_count() {
                // Whoever comes is told the past anyway.
                0 => shared.write(|store| store.live.failed()),
                _ => self.tell(&shared, told),
            };
        }
    }

    /// What the pages had been told is no more.
    pub(super) fn tell_anew(&self, shared: &Shared) {
        if self.pages.receiver_count() > 0 {
            // The last of them may have gone.
            let _ = self.pages.send(Said::new("history", &past(shared).0));
        }
    }

    fn tell(&self, shared: &Shared, told: u64) -> u64 {
        let now = now();
        let (seconds, recent, running, (failures, last)) = shared.read(|store, running| {
            store.live.advance(now);
            let seconds = store.live.take_new(now / SECOND);
            (seconds, store.recent(&query::MEASURED, now), running.clone(), query::failures(store, told))
        });
        let store = recent.into_store();
        let ticks: Vec<query::Tick> =
            seconds.iter().map(|second| query::tick(&store, &running, second, now)).collect();
        // Nobody may be there any more.
        let say = |said: Said| self.pages.send(said).is_ok();
        ticks.iter().map(|tick| Said::new("tick", tick)).for_each(|said| {
            say(said);
        });
        failures.iter().map(|failure| Said::new("failure", failure)).for_each(|said| {
            say(said);
        });
        last
    }
}

/// What happened, and how many rows were looked at for it. Nobody waits while it is made of them.
fn past(shared: &Shared) -> (impl Serialize + use<>, u64) {
    let now = now();
    let (recent, running) = shared.read(|store, running| {
        store.live.advance(now);
        (store.recent(&query::MEASURED, now), running.clone())
    });
    let scanned = recent.scanned;
    (query::history(&mut recent.into_store(), &running, now), scanned)
}

pub(super) async fn history(State(app): State<App>) -> Response {
    let timing = Timing::start();
    let (past, scanned) = past(&app.shared);
    timing.stop(&app.shared, scanned).on(json(&past))
}

pub(super) async fn stream(State(app): State<App>) -> Response {
    let Ok(place) = app.broadcast.places.clone().try_acquire_owned() else {
        let message = format!("{MOST} pages are looking already");
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, message).into_response();
    };
    // What comes while the past is written is told twice rather than not at all.
    let told = BroadcastStream::new(app.broadcast.pages.subscribe());
    let first = Some(Said::new("history", &past(&app.shared).0));
    let events = Events { first, told, shared: app.shared, _place: place };
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// The past, and then what happens.
struct Events {
    first: Option<Said>,
    told: BroadcastStream<Said>,
    shared: Arc<Shared>,
    /// One of those that there are, until the page goes.
    _place: OwnedSemaphorePermit,
}

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let said = match self.first.take() {
            Some(first) => first,
            None => match std::task::ready!(Pin::new(&mut self.told).poll_next(cx)) {
                Some(Ok(said)) => said,
                Some(Err(BroadcastStreamRecvError::Lagged(_))) => Said::new("history", &past(&self.shared).0),
                None => return Poll::Ready(None),
            },
        };
        Poll::Ready(Some(Ok(Event::default().event(said.event).data(&*said.data))))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;

    use super::*;
    use crate::http::Room;
    use crate::intake;
    use crate::store::Limits;

    fn app(shared: &Arc<Shared>) -> App {
        let (broadcast, room) = (Broadcast::new(), Room::new());
        App { shared: shared.clone(), broadcast, body_bytes: 1, room, otlp_http: None, otlp_grpc: None }
    }

    /// What is said next: an event and its data, a line each.
    async fn said(body: &mut Body) -> String {
        let frame = body.frame().await.expect("it goes on").expect("it does not break off");
        String::from_utf8(frame.into_data().expect("no trailers").to_vec()).unwrap()
    }

    async fn event(body: &mut Body) -> String {
        said(body)
            .await
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("event: "))
            .unwrap_or_default()
            .to_owned()
    }

    #[tokio::test]
    async fn all_pages_are_told_that_the_store_is_cleared() {
        let shared = Arc::new(Shared::new(Limits::DEFAULT));
        let app = app(&shared);
        intake::sample(&shared);
        let mut bodies =
            [stream(State(app.clone())).await, stream(State(app.clone())).await].map(Response::into_body);
        for body in &mut bodies {
            assert!(said(body).await.contains("POST /orders"));
        }
        crate::http::api::clear(State(app)).await;
        for body in &mut bodies {
            let history = said(body).await;
            assert!(history.contains(r#""failures":[]"#), "{history}");
        }
    }

    #[tokio::test]
    async fn a_page_that_is_too_far_behind_is_told_all_anew() {
        let shared = Arc::new(Shared::new(Limits::DEFAULT));
        let app = app(&shared);
        let mut body = stream(State(app.clone())).await.into_body();
        assert_eq!(event(&mut body).await, "history");
        let tell = || {
            intake::sample(&shared);
            app.broadcast.tell(&shared, 0)
        };
        tell();
        assert_ne!(event(&mut body).await, "history");
        (0..2 * BEHIND).for_each(|_| {
            tell();
        });
        let mut next = event(&mut body).await;
        // What was written before is read first.
        for _ in 0..BEHIND {
            if next == "history" {
                break;
            }
            next = event(&mut body).await;
        }
        assert_eq!(next, "history");
    }
}
