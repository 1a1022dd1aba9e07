//! The pages, and the calls between them.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use axum::{Router, routing::get};
use opentelemetry::Context;
use opentelemetry::trace::FutureExt;
use otelhttp::ServerLayer;
use otelhttp::reqwest::RequestBuilderExt;
use reqwest::Client;
use tokio::time::sleep;

use crate::database::Database;

const HOME_WORKS: Duration = Duration::from_millis(50);
/// So much longer that `/async` is still at work when `/home` has answered.
const ASYNC_WORKS: Duration = Duration::from_millis(500);

/// What a page answers, or why it cannot.
type Answer<T> = Result<T, (StatusCode, String)>;
type Cause = Box<dyn Error + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Site {
    address: SocketAddr,
    client: Client,
    database: Arc<Database>,
}

impl Site {
    pub(crate) fn new(address: SocketAddr, database: Database) -> Self {
        Self { address, client: Client::new(), database: Arc::new(database) }
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/", get(index))
            .route("/home", get(home))
            .route("/async", get(background))
            .route("/service", get(service))
            .route("/db", get(db))
            // One line for the server: a span for each request, in the caller's trace.
            .layer(ServerLayer::new())
            // Browsers ask for it by themselves. What comes after the layer is not traced.
            .route("/favicon.ico", get(StatusCode::NO_CONTENT))
            .with_state(self)
    }

    async fn call(&self, path: &'static str) -> Answer<String> {
        let request = self.client.get(format!("http://{}{path}", self.address));
        // One line for the client: a span for the call, and the trace goes with the request. The
        // template names it `GET /db` instead of `GET`; a URL cannot, since it may have an id in it.
        let response = request.traced().url_template(path).send().await.map_err(bad_gateway)?;
        if !response.status().is_success() {
            return Err(bad_gateway(format!("{path} answered {}", response.status())));
        }
        response.text().await.map_err(bad_gateway)
    }
}

async fn index() -> Html<&'static str> {
    Html("<h1>otelhttp</h1><p><a href=/home>Make a trace</a></p>")
}

async fn home(State(site): State<Site>) -> Answer<Html<String>> {
    let own = site.clone();
    let unawaited = async move {
        // Nobody waits for it, so nobody is told if it fails. The trace does tell.
        let _ = own.call("/async").await;
    };
    // A new task begins without a context; this one takes ours along and so stays in the trace.
    tokio::spawn(unawaited.with_current_context());
    sleep(HOME_WORKS).await;
    let items = site.call("/service").await?;
    Ok(Html(format!("<p>In stock: {items}. <a href=/home>Again</a>, and look at the trace!</p>\n")))
}

async fn background(State(site): State<Site>) -> Answer<String> {
    sleep(ASYNC_WORKS).await;
    site.call("/db").await
}

async fn service(State(site): State<Site>) -> Answer<String> {
    site.call("/db").await
}

async fn db(State(site): State<Site>) -> Answer<String> {
    // SQLite blocks, so it gets a thread; there, too, the context must be taken along.
    let context = Context::current();
    let query = move || {
        let _current = context.attach();
        site.database.items()
    };
    let items = tokio::task::spawn_blocking(query).await.map_err(internal)?;
    Ok(items.map_err(internal)?.join(", "))
}

fn bad_gateway(why: impl Into<Cause>) -> (StatusCode, String) {
    (StatusCode::BAD_GATEWAY, why.into().to_string())
}

fn internal(why: impl Into<Cause>) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, why.into().to_string())
}
