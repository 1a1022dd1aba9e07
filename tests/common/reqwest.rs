//! reqwest inside of a layer in each way that there is, and bare beside it.
#![allow(dead_code, reason = "each test uses its share")]

use std::error::Error;

use otelhttp::ClientLayer;
use otelhttp::reqwest::RequestBuilderExt;
use reqwest::{Client, ClientBuilder, Request, RequestBuilder, Response};
use tower::{Layer, ServiceExt};

use super::soon;

pub(crate) type Answer = reqwest::Result<Response>;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Service,
    Extension,
}

pub(crate) const WAYS: [Way; 2] = [Way::Service, Way::Extension];

impl Way {
    pub(crate) async fn send(self, layer: &ClientLayer, client: &Client, request: Request) -> Answer {
        soon("an answer", async {
            match self {
                Self::Service => layer.layer(client.clone()).oneshot(request).await,
                Self::Extension => {
                    RequestBuilder::from_parts(client.clone(), request).traced_with(layer).send().await
                }
            }
        })
        .await
    }
}

/// A client that the environment's proxies do not concern.
pub(crate) fn client(configure: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
    configure(Client::builder().no_proxy()).build().unwrap()
}

pub(crate) fn plain() -> Client {
    client(|builder| builder)
}

pub(crate) fn get(url: impl AsRef<str>) -> Request {
    Request::new(reqwest::Method::GET, url.as_ref().parse().unwrap())
}

/// Everything that an error of reqwest answers, but for the way to its innermost source.
pub(crate) fn answers(error: &reqwest::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    let innermost = sources.last().map(ToString::to_string);
    format!(
        "{error}, url {:?}, status {:?}, builder {}, redirect {}, status {}, timeout {}, request {}, \
         connect {}, dns {}, body {}, decode {}, upgrade {}, because of {innermost:?}",
        error.url().map(ToString::to_string),
        error.status(),
        error.is_builder(),
        error.is_redirect(),
        error.is_status(),
        error.is_timeout(),
        error.is_request(),
        error.is_connect(),
        error.is_dns(),
        error.is_body(),
        error.is_decode(),
        error.is_upgrade(),
    )
}
