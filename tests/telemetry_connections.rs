//! The way to a collector: a connection that has died unseen is replaced, a name is checked, and an address may be
//! of either kind.
#![cfg(all(feature = "axum", feature = "telemetry"))]
#![allow(missing_docs)]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::authority::Authority;
use common::collector::{Collector, Told, variables};
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use otelhttp::Telemetry;
use otelhttp::telemetry::{Error, Guard};

const PROTOCOLS: [&str; 2] = ["http/protobuf", "grpc"];

/// Spans alone.
fn telemetry(endpoint: &str, protocol: &str, more: &[(&str, &str)]) -> (Guard, Told) {
    let told = Told::default();
    let mut given = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    given.extend(more);
    let telemetry = Telemetry::from_vars(variables(&given)).on_warning(told.tell());
    (telemetry.build().unwrap().guard(), told)
}

fn export(guard: &Guard) -> Result<(), Error> {
    guard.parts().tracer_provider().tracer("test").in_span("a span", |_| ());
    guard.flush()
}

#[test]
fn a_connection_that_died_unseen_is_replaced_within_one_export() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        let network = Network::before(collector.address);
        let timeout = [("OTEL_EXPORTER_OTLP_TIMEOUT", "3000")];
        let (guard, told) = telemetry(&format!("http://{}", network.address), protocol, &timeout);
        export(&guard).unwrap();
        network.forgets.store(true, Ordering::Release);
        for _ in 0..3 {
            export(&guard).unwrap();
        }
        assert_eq!(collector.received.now(|everything| everything.spans().count()), 4, "{protocol}");
        assert!(told.all().is_empty(), "{:?}", told.all());
    }
}

/// Stands before a server. It may forget the first connection, of which neither end hears any more.
struct Network {
    address: SocketAddr,
    forgets: Arc<AtomicBool>,
}

impl Network {
    fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let forgets = Arc::new(AtomicBool::new(false));
        let forgotten = forgets.clone();
        std::thread::spawn(move || {
            let mut first = Some(forgotten);
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(server).unwrap());
                let forgotten = first.take().unwrap_or_default();
                carry(client.try_clone().unwrap(), server.try_clone().unwrap(), forgotten.clone());
                carry(server, client, forgotten);
            }
        });
        Self { address, forgets }
    }
}

/// Carries bytes from one to the other, until either hangs up.
fn carry(mut from: TcpStream, mut to: TcpStream, forgotten: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let mut bytes = [0; 4_096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if !forgotten.load(Ordering::Acquire) && to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        // Unless the other end must not hear of it.
        if !forgotten.load(Ordering::Acquire) {
            // It may be gone.
            let _ = to.shutdown(Shutdown::Both);
        }
    });
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new("another-name");
    let collector = Collector::start_tls(authority.acceptor(false));
    let more =
        [("OTEL_EXPORTER_OTLP_CERTIFICATE", &*authority.trusted()), ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")];
    for protocol in PROTOCOLS {
        let at = |host: &str| format!("https://{host}:{}", collector.address.port());
        let (guard, told) = telemetry(&at("localhost"), protocol, &more);
        export(&guard).unwrap_err();
        assert!(told.all()[0].contains("not valid for name \"localhost\""), "{:?}", told.all());
        assert_eq!(collector.received.now(|everything| everything.requests.len()), 0, "{protocol}");
    }
    // It is the name alone.
    for protocol in PROTOCOLS {
        let (guard, _) = telemetry(&format!("https://{}", collector.address), protocol, &more);
        export(&guard).unwrap();
    }
}

#[test]
fn an_address_may_be_of_version_six() {
    for protocol in PROTOCOLS {
        let collector = Collector::start_at_v6();
        let (guard, _) = telemetry(&collector.endpoint(), protocol, &[]);
        export(&guard).unwrap();
        assert_eq!(collector.received.spans(1).len(), 1);
    }
}
