//! What needs a socket: the server under load, and the clients on top of reqwest.

use std::io::Read;
use std::net::SocketAddr;

use axum::Router;
use http::{Request, Response};
use otelhttp::ClientLayer;
use tokio::net::TcpListener;
use tower::{Layer, Service, service_fn};

use crate::work::{Stopwatch, plain_request};
use crate::{Setting, telemetry, work};

/// Serves until the program's input ends.
pub(crate) async fn serve(app: Router) {
    let listener = bind().await;
    println!("{}", listener.local_addr().expect("an address").port());
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    axum::serve(listener, app).await.expect("axum does not stop serving");
}

pub(crate) async fn run<S, F>(subject: &str, setting: Setting, stopwatch: Stopwatch<S>) -> String
where
    S: FnOnce() -> F,
    F: FnOnce(u32) -> String,
{
    let listener = bind().await;
    let uri = format!("http://{}/users/7", listener.local_addr().expect("an address"));
    // On the same thread, so that all is counted in the same order.
    tokio::spawn(async { axum::serve(listener, work::router()).await });
    let request = || plain_request(&uri);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    match subject {
        "reqwest-bare" => stopwatch.run(as_service(client), request).await,
        "reqwest-otelhttp" => {
            let _parent = telemetry::v33::enter_parent(setting);
            stopwatch.run(ClientLayer::new().layer(as_service(client)), request).await
        }
        "reqwest-tracing" => {
            let _parent = telemetry::v32::enter_parent(setting);
            let client = reqwest_middleware::ClientBuilder::new(client)
                .with(reqwest_tracing::TracingMiddleware::default())
                .build();
            let service = service_fn(move |request: Request<reqwest::Body>| {
                let client = client.clone();
                async move {
                    let request = request.try_into().expect("a valid address");
                    client.execute(request).await.map(Response::<reqwest::Body>::from)
                }
            });
            stopwatch.run(service, request).await
        }
        other => panic!("{other} is no client"),
    }
}

fn as_service(
    client: reqwest::Client,
) -> impl Service<Request<reqwest::Body>, Response = Response<reqwest::Body>, Error = reqwest::Error> {
    service_fn(move |request: Request<reqwest::Body>| {
        let client = client.clone();
        async move { client.execute(request.try_into()?).await.map(Response::from) }
    })
}

async fn bind() -> TcpListener {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port")
}
