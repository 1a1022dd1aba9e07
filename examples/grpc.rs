//! gRPC: tonic's server and axum on one port, and a client over tonic's channel. One line each records
//! the calls and makes one trace of them.
//!
//! Run with: `cargo run --example grpc --features tonic`
//!
//! The feature lets tonic's errors be told apart; gRPC is recorded without it too.

#[path = "support/console.rs"]
mod console;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use axum::routing::get;
use http::Uri;
use otelhttp::{ClientLayer, ServerLayer};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _console = console::install();
    let address = serve().await?;

    let origin = Uri::try_from(format!("http://{address}"))?;
    let channel = Endpoint::from(origin.clone()).connect_lazy();
    let channel = ServiceBuilder::new().layer(ClientLayer::new()).service(channel);
    // The origin tells the layer whom it calls: the channel keeps that to itself.
    let mut client = HealthClient::with_origin(channel, origin);

    // The second is not known: `NOT_FOUND` is an error for who called, and none for the server.
    for service in ["", "shop"] {
        println!("\nCheck {service:?}");
        match client.check(HealthCheckRequest { service: service.to_owned() }).await {
            Ok(response) => println!("{:?}", response.into_inner()),
            Err(status) => println!("{status}"),
        }
    }

    println!("\nWatch");
    let request = HealthCheckRequest { service: String::new() };
    let mut changes = client.watch(request).await?.into_inner();
    println!("{:?}", changes.message().await?);
    // It would go on for ever. Both spans end here, as cancelled.
    drop(changes);
    // One more call, to see the server's end of the one before.
    client.check(HealthCheckRequest::default()).await?;
    println!("\nThe metrics:");
    Ok(())
}

async fn serve() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let (_, health) = tonic_health::server::health_reporter();
    let app = Routes::new(health)
        .into_axum_router()
        .route("/users/{id}", get(|| async { "hello" }))
        // Inside of the router, where it is known which methods there are.
        .layer(ServerLayer::new());
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}
