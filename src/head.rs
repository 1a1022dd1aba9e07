//! The head of a request, where it stands: to take each request apart and to put it together again would
//! move it twice more.

use std::mem::swap;

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Uri, Version};

/// What can be read of a request.
#[derive(Clone, Copy)]
pub(crate) struct Head<'r> {
    pub(crate) method: &'r Method,
    pub(crate) uri: &'r Uri,
    pub(crate) version: Version,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) extensions: &'r Extensions,
}

/// A request, or what is left of one without its body.
pub(crate) trait HasHead {
    fn head(&self) -> Head<'_>;
    fn headers_mut(&mut self) -> &mut HeaderMap;
    fn extensions_mut(&mut self) -> &mut Extensions;

    /// Shows it as hooks want to see it. They must not unwind.
    fn show<T>(&mut self, see: impl FnOnce(&Parts) -> T) -> T;
}

impl HasHead for Parts {
    fn head(&self) -> Head<'_> {
        Head {
            method: &self.method,
            uri: &self.uri,
            version: self.version,
            headers: &self.headers,
            extensions: &self.extensions,
        }
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    fn show<T>(&mut self, see: impl FnOnce(&Parts) -> T) -> T {
        see(self)
    }
}

impl<B> HasHead for Request<B> {
    fn head(&self) -> Head<'_> {
        Head {
            method: self.method(),
            uri: self.uri(),
            version: self.version(),
            headers: self.headers(),
            extensions: self.extensions(),
        }
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn extensions_mut(&mut self) -> &mut Extensions {
        self.extensions_mut()
    }

    fn show<T>(&mut self, see: impl FnOnce(&Parts) -> T) -> T {
        let (mut parts, ()) = Request::new(()).into_parts();
        swap_heads(self, &mut parts);
        let seen = see(&parts);
        swap_heads(self, &mut parts);
        seen
    }
}

fn swap_heads<B>(request: &mut Request<B>, parts: &mut Parts) {
    swap(request.method_mut(), &mut parts.method);
    swap(request.uri_mut(), &mut parts.uri);
    swap(request.version_mut(), &mut parts.version);
    swap(request.headers_mut(), &mut parts.headers);
    swap(request.extensions_mut(), &mut parts.extensions);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_shown_is_what_it_was() {
        let request = Request::put("https://a.example/x?y").version(Version::HTTP_2).header("a", "b");
        let mut request = request.extension(7_u8).body("body").unwrap();
        let told = format!("{request:?}");
        let seen = request.show(|parts| (format!("{parts:?}"), parts.extensions.get::<u8>().copied()));
        assert_eq!(format!("{request:?}"), told);
        assert_eq!(*request.body(), "body");
        let (parts, _) = request.into_parts();
        assert_eq!(seen, (format!("{parts:?}"), Some(7)));
    }
}
