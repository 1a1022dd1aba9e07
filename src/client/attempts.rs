use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use http::{Extensions, Request};
use tower_layer::Layer;
use tower_service::Service;

/// Counts the attempts of a request, for `http.request.resend_count`.
///
/// It goes outside of the retries or redirects whose attempts are counted, and the
/// [`ClientLayer`](crate::ClientLayer) inside: retries copy the request before they send it, so a
/// count that is put in further in would be lost with each copy.
///
/// ```
/// use otelhttp::{AttemptsLayer, ClientLayer};
/// use tower::ServiceBuilder;
/// use tower_http::follow_redirect::FollowRedirectLayer;
/// # let client = tower::service_fn(|_: http::Request<String>| async {
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
/// # });
///
/// let client = ServiceBuilder::new()
///     .layer(AttemptsLayer::new())
///     .layer(FollowRedirectLayer::new())
///     .layer(ClientLayer::new())
///     .service(client);
/// # let _ = client;
/// ```
#[derive(Clone, Debug, Default)]
pub struct AttemptsLayer(());

impl AttemptsLayer {
    /// The layer has nothing to be configured.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for AttemptsLayer {
    type Service = AttemptsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AttemptsService { inner }
    }
}

/// What [`AttemptsLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct AttemptsService<S> {
    pub(crate) inner: S,
}

impl<S, B> Service<Request<B>> for AttemptsService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(Attempts::default());
        self.inner.call(request)
    }
}

/// The number of attempts so far, shared by all copies of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts(Arc<AtomicU32>);

impl Attempts {
    /// "The ordinal number of request resending attempt": counts this one, and tells nothing of the
    /// first ("if and only if request was retried"). Taken out, since calls further in are no
    /// attempts of this one; retries copied the request before.
    pub(super) fn take(extensions: &mut Extensions) -> Option<u32> {
        let before = extensions.remove::<Self>()?.0.fetch_add(1, Ordering::Relaxed);
        (before > 0).then_some(before)
    }
}
