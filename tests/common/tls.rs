//! TLS with a certificate of the test's own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use otelhttp::{ClientLayer, ClientService};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tower::Layer;

use super::client::accepts;
use super::text;

pub type HttpsClient = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A certificate for 127.0.0.1 and shop.example, signed by itself.
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Identity {
    pub fn new() -> Self {
        let certified =
            rcgen::generate_simple_self_signed(["127.0.0.1", "shop.example"].map(str::to_owned)).unwrap();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        Self { certificate: certified.cert.der().clone(), key }
    }

    /// A server that says hello in this protocol, `h2` or `http/1.1`.
    pub async fn serve(&self, protocol: &str) -> SocketAddr {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key().into())
            .unwrap();
        config.alpn_protocols = vec![protocol.into()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        accepts(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                // A handshake that fails is part of many tests.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let hello = service_fn(|_| async { Ok::<_, Infallible>(Response::new(text("hello"))) });
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), hello)
                    .await;
            }
        })
        .await
    }

    /// hyper-util's client inside of a layer. It trusts this certificate and no other.
    pub fn client(&self, layer: &ClientLayer) -> ClientService<HttpsClient> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        layer.layer(legacy::Client::builder(TokioExecutor::new()).build(self.connector(http)))
    }

    /// TLS around the connections of a connector, for `https` and nothing else.
    pub fn connector<T>(&self, http: T) -> HttpsConnector<T> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_all_versions()
            .wrap_connector(http)
    }
}
