//! How what is exported travels: over HTTP or gRPC, in clear or in TLS, once or again.
//!
//! The exporter of `opentelemetry-otlp` writes the messages and takes this for its HTTP client. A call of
//! gRPC is a POST too, with five bytes before the message and a status behind the answer; so both are here,
//! and whatever a collector answers is seen.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderValue, Request};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Settings;
use super::answer::Answer;
use super::client::{Client, Message};
use crate::telemetry::Error;
use crate::telemetry::deliver::Outcome;
use crate::telemetry::driver::Driver;

/// The first pause; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How much of the time one attempt may take.
const LONGEST_ATTEMPT: f64 = 0.75;

/// The way to one endpoint.
pub(crate) struct Transport {
    road: Arc<Road>,
    driver: Driver,
    gzip: bool,
    /// What has become of the last message: the exporter of `opentelemetry-otlp` keeps it to itself.
    outcome: Mutex<Option<Outcome>>,
}

/// When the program ends, once that is known.
type End = watch::Receiver<Option<Instant>>;

/// What a message needs on its way.
struct Road {
    client: Client,
    timeout: Duration,
    /// Until when the server wants to be left alone, and what it said.
    resting: Mutex<Option<(Instant, String)>>,
}

impl Transport {
    pub(super) fn new(settings: Settings, driver: Driver) -> Result<Self, Error> {
        let Settings { timeout, gzip, .. } = settings;
        let road = Road { client: Client::new(settings)?, timeout, resting: Mutex::default() };
        Ok(Self { road: Arc::new(road), driver, gzip, outcome: Mutex::default() })
    }

    /// What has become of the last message, if it has got here.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn send(&self, message: Message) -> Outcome {
        let (road, end) = (self.road.clone(), self.driver.end());
        // On the thread that has the connections, so that this future can be polled anywhere.
        let mut task = Task(self.driver.handle().spawn(async move { road.deliver(message, end).await }));
        (&mut task.0).await.unwrap_or_else(|error| Err(format!("the export has ended early: {error}")))
    }
}

#[async_trait::async_trait]
impl HttpClient for Transport {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let message = Message::of(request);
        let message = if self.gzip { zipped(message) } else { message };
        let outcome = self.send(message).await;
        let taken = outcome.is_ok();
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        // An empty answer: the message is taken, and there is nothing more to say.
        if taken { Ok(http::Response::new(Bytes::new())) } else { Err("see the outcome".into()) }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl Road {
    /// Sends the message until it is taken or refused, or there is no more time: "the maximum time the OTLP
    /// exporter will wait for each batch export". A program that ends does not wait for long: there is one
    /// more attempt then, since a connection may only have grown stale, and none that would come too late.
    async fn deliver(&self, message: Message, mut end: End) -> Outcome {
        let deadline = Instant::now() + self.timeout;
        self.rest(deadline, &mut end).await?;
        let mut trouble = format!("no answer within {:?}", self.timeout);
        let (mut pause, mut last) = (PAUSE, false);
        loop {
            // Not all of the time: a connection may hang, and the next one not.
            let enough = deadline.min(Instant::now() + self.timeout.mul_f64(LONGEST_ATTEMPT));
            let answer = tokio::time::timeout_at(enough, self.client.send(&message)).await;
            // What went wrong before says more than that this attempt takes too long.
            let (why, after) = match answer.unwrap_or(Answer::Again(trouble, None)) {
                Answer::Taken(accepted) => return Ok(accepted),
                Answer::Refused(why) => return Err(why),
                Answer::Again(why, after) => (why, after),
            };
            // Whoever asks for no pause at all gets one all the same.
            let until = Instant::now() + jittered(pause).max(after.unwrap_or_default());
            if after.is_some() {
                *self.resting() = Some((until, why.clone()));
            }
            if last || until >= deadline || ends_before(until, &mut end).await {
                return Err(why);
            }
            last = end.borrow().is_some();
            trouble = why;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// "The client SHOULD honor the waiting interval", with the next messages too.
    async fn rest(&self, deadline: Instant, end: &mut End) -> Result<(), String> {
        let Some((until, why)) = self.resting().clone() else { return Ok(()) };
        if ends_before(until.min(deadline), end).await || until >= deadline {
            return Err(why);
        }
        Ok(())
    }

    fn resting(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits, unless the program ends before that.
async fn ends_before(until: Instant, end: &mut End) -> bool {
    let before = |end: &Option<Instant>| end.is_some_and(|end| end <= until);
    tokio::time::timeout_at(until, end.wait_for(before)).await.is_ok()
}

/// So that many programs do not come back at once.
fn jittered(pause: Duration) -> Duration {
    // Its keys are random. A clock is not, where it ticks in microseconds.
    let random = RandomState::new().hash_one(pause) % 1_000;
    pause.mul_f64(0.75 + random as f64 / 2_000.0)
}

fn zipped(message: Message) -> Message {
    // It may come compressed, if a program turns that on in `opentelemetry-otlp`.
    if message.encoding.is_some() {
        return message;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    match encoder.write_all(&message.body).and_then(|()| encoder.finish()) {
        Ok(body) => {
            Message { body: body.into(), encoding: Some(HeaderValue::from_static("gzip")), ..message }
        }
        // Writing into memory does not fail.
        Err(_) => message,
    }
}

/// Nobody waits for an export that was given up.
struct Task(JoinHandle<Outcome>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
