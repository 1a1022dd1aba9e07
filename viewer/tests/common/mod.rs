//! A viewer on a port of its own, and what it answers.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use otelhttp_viewer::{Serving, Viewer};
use reqwest::blocking::{Client, Response};
use serde_json::Value;

pub(crate) const SOON: Duration = Duration::from_secs(20);
/// What is large takes its time in debug builds.
pub(crate) const LONG: Duration = Duration::from_secs(300);

pub(crate) struct Page {
    pub(crate) viewer: Serving,
    pub(crate) client: Client,
}

pub(crate) fn page() -> Page {
    serve(Viewer::new())
}

pub(crate) fn serve(viewer: Viewer) -> Page {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    Page { viewer: viewer.serve("127.0.0.1:0").unwrap(), client }
}

impl Page {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.viewer.address())
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().unwrap()
    }

    /// What `/api/v1` answers at this address.
    #[track_caller]
    pub(crate) fn json(&self, path: &str) -> Value {
        let response = self.get(&format!("/api/v1{path}"));
        assert_eq!(response.status(), 200, "{path}");
        response.json().unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Response {
        let request = self.client.post(self.url(path)).header("content-type", "application/json");
        request.body(body.into()).send().unwrap()
    }

    #[track_caller]
    pub(crate) fn import(&self, body: impl Into<Vec<u8>>) -> Value {
        let response = self.post("/api/v1/import", body);
        let status = response.status();
        let answer: Value = response.json().unwrap();
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Waits until this holds of the answer, and tells it.
    #[track_caller]
    pub(crate) fn wait(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            let answer = self.json(path);
            if holds(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path} still answers {answer}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A provider of this service whose spans this viewer shows.
    pub(crate) fn provider(&self, service: &'static str) -> SdkTracerProvider {
        let resource = Resource::builder_empty().with_service_name(service).build();
        SdkTracerProvider::builder()
            .with_resource(resource)
            .with_span_processor(self.viewer.span_processor())
            .build()
    }
}

/// The value of an attribute among pairs.
#[track_caller]
pub(crate) fn attribute<'a>(of: &'a Value, key: &str) -> &'a Value {
    let pairs = of["attributes"].as_array().unwrap_or_else(|| panic!("no attributes: {of}"));
    let pair = pairs.iter().find(|pair| pair[0] == key);
    pair.map_or_else(|| panic!("no {key}: {of}"), |pair| &pair[1])
}

/// The span of this name in a trace.
#[track_caller]
pub(crate) fn span<'a>(trace: &'a Value, name: &str) -> &'a Value {
    let spans = trace["spans"].as_array().unwrap();
    spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no span {name}: {trace}"))
}

/// Sends what is encoded already, and looks at no answer.
pub(crate) struct Encoded;

impl tonic::codec::Codec for Encoded {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl tonic::codec::Encoder for Encoded {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut tonic::codec::EncodeBuf<'_>) -> Result<(), tonic::Status> {
        bytes::BufMut::put_slice(to, &item);
        Ok(())
    }
}

impl tonic::codec::Decoder for Encoded {
    type Item = ();
    type Error = tonic::Status;

    fn decode(&mut self, from: &mut tonic::codec::DecodeBuf<'_>) -> Result<Option<()>, tonic::Status> {
        let length = bytes::Buf::remaining(from);
        bytes::Buf::advance(from, length);
        Ok(Some(()))
    }
}

pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

pub(crate) fn within(number: u8, inner: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(inner.len() + 8);
    let kind = prost::encoding::WireType::LengthDelimited;
    prost::encoding::encode_key(u32::from(number), kind, &mut message);
    prost::encoding::encode_varint(inner.len() as u64, &mut message);
    message.extend_from_slice(inner);
    message
}

pub(crate) fn send(page: &Page, path: &str, kind: &str, packed: &[u8]) -> (u16, Vec<u8>) {
    let request = page.client.post(page.url(path)).header("content-type", kind);
    let answer =
        request.header("content-encoding", "gzip").body(packed.to_vec()).timeout(LONG).send().unwrap();
    (answer.status().as_u16(), answer.bytes().unwrap().to_vec())
}
