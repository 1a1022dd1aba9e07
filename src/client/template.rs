use std::borrow::Cow;
use std::sync::Arc;

use http::Extensions;

/// The template of an outgoing request's path, as an extension of the request.
///
/// It becomes `url.template` on span and metrics and makes the name of the span, so it must be one
/// of few. A redirect that is followed outside of the layer copies it to the next request, whatever
/// that one's path is.
///
/// ```
/// use otelhttp::UrlTemplate;
///
/// let request = http::Request::get("http://shop.example/users/7")
///     .extension(UrlTemplate::new("/users/{id}"))
///     .body(())?;
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlTemplate(Arc<str>);

impl UrlTemplate {
    /// A path whose variable parts are placeholders.
    #[must_use]
    pub fn new(template: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::from(template.into()))
    }

    /// Taken out, since calls further in have paths of their own.
    pub(super) fn take(extensions: &mut Extensions) -> Option<Arc<str>> {
        extensions.remove::<Self>().map(|template| template.0)
    }
}
