//! One attempt to send a message.

use std::error::Error as StdError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, TE, USER_AGENT};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use super::Settings;
use super::answer::{self, Answer};
use super::endpoint::Endpoint;
use super::secrets::Secrets;
use super::settings::Protocol;
use super::trouble;
use crate::telemetry::Error;

/// "Clients SHOULD limit the size of responses."
const LARGEST_ANSWER: usize = 4 << 20;

/// A connection of HTTP/2 is asked whether it is still there while an answer is awaited, so late and for so long:
/// what a network has silently forgotten would swallow every message otherwise. Servers of gRPC hang up on whoever
/// asks a third time meanwhile.
const ASKED_AFTER: Duration = Duration::from_secs(4);
const ASKED_FOR: Duration = Duration::from_secs(3);

type Connector = HttpsConnector<HttpConnector>;

/// Connections to one endpoint, and what each request there has in common.
pub(super) struct Client {
    client: legacy::Client<Connector, Full<Bytes>>,
    protocol: Protocol,
    endpoint: Endpoint,
    headers: HeaderMap,
    secrets: Secrets,
    /// Whether it has ever answered.
    answered: AtomicBool,
}

/// What is exported, as it is sent.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) body: Bytes,
    /// How it is compressed, if it is.
    pub(super) encoding: Option<HeaderValue>,
    pub(super) agent: Option<HeaderValue>,
}

impl Message {
    /// Of the request that the exporter of `opentelemetry-otlp` makes. Its other headers are those that it
    /// has read from the process by itself, and they come from the settings here.
    pub(super) fn of(request: Request<Bytes>) -> Self {
        let (mut head, body) = request.into_parts();
        let encoding = head.headers.remove(CONTENT_ENCODING);
        Self { body, encoding, agent: head.headers.remove(USER_AGENT) }
    }
}

impl Client {
    pub(super) fn new(settings: Settings) -> Result<Self, Error> {
        let Settings { protocol, endpoint, headers, timeout, certificates, .. } = settings;
        let is_https = endpoint.uri.scheme_str() == Some("https");
        let tls = if is_https { certificates.config()? } else { trusting_nobody() };
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let connector = match protocol {
            Protocol::Grpc => connector.enable_http2().build(),
            Protocol::Http => connector.enable_all_versions().build(),
        };
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).timer(TokioTimer::new());
        // Soon enough that there is time for another connection.
        builder.http2_keep_alive_interval(ASKED_AFTER.min(timeout.mul_f64(0.4)));
        builder.http2_keep_alive_timeout(ASKED_FOR.min(timeout.mul_f64(0.3)));
        let client = builder.http2_only(protocol == Protocol::Grpc).build(connector);
        let secrets = Secrets::new(&headers, &endpoint.secrets);
        Ok(Self { client, protocol, endpoint, headers, secrets, answered: AtomicBool::new(false) })
    }

    /// Sends the message once.
    pub(super) async fn send(&self, message: &Message) -> Answer {
        let request = match self.protocol {
            Protocol::Grpc => self.call(message),
            Protocol::Http => self.post(message),
        };
        match self.client.request(request).await {
            Ok(response) => {
                self.answered.store(true, Ordering::Relaxed);
                self.answer(response).await
            }
            Err(error) => Answer::Again(trouble::why(&error, self.answered.load(Ordering::Relaxed)), None),
        }
    }

    fn post(&self, message: &Message) -> Request<Full<Bytes>> {
        let mut request = self.request(message, message.body.clone());
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        if let Some(encoding) = &message.encoding {
            headers.insert(CONTENT_ENCODING, encoding.clone());
        }
        request
    }

    /// "Length-Prefixed-Message → Compressed-Flag Message-Length Message"
    fn call(&self, message: &Message) -> Request<Full<Bytes>> {
        let mut framed = BytesMut::with_capacity(5 + message.body.len());
        framed.put_u8(message.encoding.is_some().into());
        framed.put_u32(u32::try_from(message.body.len()).unwrap_or(u32::MAX));
        framed.extend_from_slice(&message.body);
        let mut request = self.request(message, framed.freeze());
        *request.version_mut() = Version::HTTP_2;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if let Some(encoding) = &message.encoding {
            headers.insert("grpc-encoding", encoding.clone());
        }
        request
    }

    fn request(&self, message: &Message, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.endpoint.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(agent) = &message.agent {
            request.headers_mut().entry(USER_AGENT).or_insert_with(|| agent.clone());
        }
        request
    }

    async fn answer(&self, response: Response<Incoming>) -> Answer {
        let (head, body) = response.into_parts();
        let body = match Limited::new(body, LARGEST_ANSWER).collect().await {
            Ok(body) => body,
            Err(error) => return self.half_an_answer(&head, &*error),
        };
        let trailers = body.trailers().cloned();
        let body = body.to_bytes();
        match self.protocol {
            Protocol::Http => answer::of_http(head.status, &head.headers, &body, &self.secrets),
            Protocol::Grpc => {
                answer::of_grpc(head.status, &head.headers, trailers.as_ref(), &body, &self.secrets)
            }
        }
    }

    /// The head alone says what to do, except where gRPC's status would have come last.
    fn half_an_answer(&self, head: &Parts, error: &(dyn StdError + Send + Sync + 'static)) -> Answer {
        if self.protocol == Protocol::Http || head.status != StatusCode::OK {
            return answer::of_http(head.status, &head.headers, &[], &self.secrets);
        }
        if error.is::<LengthLimitError>() {
            return Answer::Refused(format!("its answer is longer than {LARGEST_ANSWER} bytes"));
        }
        Answer::Again(format!("its answer breaks off: {error}"), None)
    }
}

/// For endpoints without TLS.
fn trusting_nobody() -> ClientConfig {
    let provider = rustls::crypto::ring::default_provider();
    ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("ring has all ciphers of the default versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}
