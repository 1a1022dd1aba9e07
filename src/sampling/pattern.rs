//! What a rule of a sampler is about.

/// A path or a route, with its method if it has one.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    method: Option<Box<str>>,
    /// Without its first `/`; nothing if it has none, and then nothing fits.
    path: Option<Box<str>>,
}

/// Where a request goes, as far as is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'t> {
    /// The router's template.
    Route(&'t str),
    /// The path as it was sent.
    Path(&'t str),
}

impl Pattern {
    /// `/users/{id}`, or `GET /users/{id}`.
    pub(super) fn parse(text: &str) -> Self {
        let (method, path) = match text.trim().split_once(' ') {
            Some((method, path)) => (Some(method.into()), path.trim_start()),
            None => (None, text.trim()),
        };
        Self { method, path: path.strip_prefix('/').map(Into::into) }
    }

    /// Whether it could ever fit.
    pub(super) fn is_path(&self) -> bool {
        self.path.is_some()
    }

    pub(super) fn fits(&self, method: &str, target: Target<'_>) -> bool {
        let same_method = self.method.as_deref().is_none_or(|own| own == method);
        same_method && self.path.as_deref().is_some_and(|path| target.fits(path))
    }
}

impl Target<'_> {
    /// Both are without their first `/`.
    fn fits(self, pattern: &str) -> bool {
        let (Self::Route(text) | Self::Path(text)) = self;
        let mut segments = text.split('/');
        for own in pattern.split('/') {
            let Some(segment) = segments.next() else {
                return false;
            };
            if is_tail(own) {
                return !segment.is_empty() || segments.next().is_some();
            }
            if own != segment && !(is_parameter(own) && self.is_filled(segment)) {
                return false;
            }
        }
        segments.next().is_none()
    }

    /// In a route only a parameter is one: `/users/me` is a route of its own beside `/users/{id}`.
    fn is_filled(self, segment: &str) -> bool {
        match self {
            Self::Route(_) => is_parameter(segment),
            Self::Path(_) => !segment.is_empty(),
        }
    }
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}') && !is_tail(segment)
}

/// The last segment of a route whose length is open.
pub(super) fn is_tail(segment: &str) -> bool {
    segment.starts_with("{*") && segment.ends_with('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_paths_and_routes() {
        use Target::{Path, Route};
        for (pattern, target, expected) in [
            ("/health", Path("health"), true),
            ("/health", Path("health/"), false),
            ("/health", Path("healthy"), false),
            ("/health", Path("Health"), false),
            ("/health", Path(""), false),
            ("/", Path(""), true),
            ("/", Path("x"), false),
            ("/users/{id}", Path("users/7"), true),
            ("/users/{id}", Path("users/"), false),
            ("/users/{id}", Path("users"), false),
            ("/users/{id}", Path("users/7/orders"), false),
            ("/users/{id}/orders", Path("users/7/orders"), true),
            ("/users/{id}", Route("users/{id}"), true),
            ("/users/{id}", Route("users/{name}"), true),
            ("/users/{id}", Route("users/me"), false),
            ("/users/{id}", Route("users/{*rest}"), false),
            ("/users/me", Route("users/{id}"), false),
            ("/api/{*rest}", Path("api/users/7"), true),
            ("/api/{*rest}", Path("api//"), true),
            ("/api/{*rest}", Path("api/"), false),
            ("/api/{*rest}", Path("api"), false),
            ("/api/{*rest}", Route("api/users/{id}"), true),
            ("/api/{*rest}", Route("api/{*all}"), true),
            ("/{*rest}", Path("x/y"), true),
            ("/{id}", Path("\u{1F980}"), true),
            ("health", Path("health"), false),
            ("", Path(""), false),
        ] {
            assert_eq!(Pattern::parse(pattern).fits("GET", target), expected, "{pattern} {target:?}");
        }
    }

    #[test]
    fn a_method_narrows_it_and_case_counts() {
        let fits = |pattern: &str, method: &str| Pattern::parse(pattern).fits(method, Target::Path("x"));
        assert!(fits("GET /x", "GET"));
        assert!(fits("  GET   /x ", "GET"));
        assert!(!fits("GET /x", "POST"));
        assert!(!fits("get /x", "GET"));
        assert!(fits("/x", "_OTHER"));
    }
}
