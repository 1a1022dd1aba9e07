use std::borrow::Cow;
use std::sync::LazyLock;

use reqwest::{RequestBuilder, Response};
use tower_service::Service;

use super::ResponseFuture;
use crate::client::{ClientLayer, UrlTemplate};

/// What [`traced`](RequestBuilderExt::traced) uses: one for the process, so that what it finds of the
/// global providers is found once.
static DEFAULT: LazyLock<ClientLayer> = LazyLock::new(ClientLayer::new);

/// Records requests that are made with reqwest's own builders.
///
/// ```no_run
/// use otelhttp::reqwest::RequestBuilderExt;
///
/// # async fn call() -> Result<(), reqwest::Error> {
/// let response = reqwest::Client::new().get("http://shop.example/users/7").traced().send().await?;
/// # Ok(())
/// # }
/// ```
pub trait RequestBuilderExt: Sized {
    /// Records the request with the defaults, as [`ClientLayer::new`] does.
    fn traced(self) -> TracedRequest {
        self.traced_with(&DEFAULT)
    }

    /// Records the request as this layer does. Make the layer once: it remembers what it has found of
    /// the global providers.
    fn traced_with(self, layer: &ClientLayer) -> TracedRequest;
}

impl RequestBuilderExt for RequestBuilder {
    fn traced_with(self, layer: &ClientLayer) -> TracedRequest {
        TracedRequest { request: self, layer: layer.clone(), template: None }
    }
}

/// A request that is recorded when it is sent.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct TracedRequest {
    request: RequestBuilder,
    layer: ClientLayer,
    template: Option<UrlTemplate>,
}

impl TracedRequest {
    /// Sets the template of the path, which makes the name of the span and is an attribute of span and
    /// metrics: a [`UrlTemplate`].
    ///
    /// ```no_run
    /// # use otelhttp::reqwest::RequestBuilderExt;
    /// # async fn call(client: reqwest::Client) -> Result<(), reqwest::Error> {
    /// let request = client.get("http://shop.example/users/7").traced();
    /// let response = request.url_template("/users/{id}").send().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn url_template(self, template: impl Into<Cow<'static, str>>) -> Self {
        Self { template: Some(UrlTemplate::new(template)), ..self }
    }

    /// Sends the request.
    ///
    /// # Errors
    ///
    /// Those of reqwest's own `send`. A request that could not be built has no span.
    pub async fn send(self) -> Result<Response, reqwest::Error> {
        let Self { request, layer, template } = self;
        let (mut client, request) = request.build_split();
        let beside = |extensions: &mut http::Extensions| {
            if let Some(template) = template {
                extensions.insert(template);
            }
        };
        ResponseFuture::send(&layer.config, request?, beside, |request| client.call(request)).await
    }
}
