use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::answer::Problem;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

const NO_PAGE: &str =
    "The page is not part of this build. The API is: see /api/v1/stats, /traces.txt and /operations.txt.\n";

/// A file of the page, or the page itself for one of its own addresses.
pub(super) async fn serve(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    if let Some((name, bytes)) = FILES.iter().find(|(name, _)| *name == path) {
        return file(name, bytes);
    }
    let is_below =
        |folder: &str| path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.contains('.') || is_below("api") || is_below("v1") {
        return Problem::new(StatusCode::NOT_FOUND, "there is no such file").into_response();
    }
    match FILES.iter().find(|(name, _)| *name == "index.html") {
        Some((name, bytes)) => file(name, bytes),
        None => (StatusCode::NOT_FOUND, super::answer::text(NO_PAGE.to_owned())).into_response(),
    }
}

fn file(name: &str, bytes: &'static [u8]) -> Response {
    let caching = if is_hashed(name) { "public, max-age=31536000, immutable" } else { "no-cache" };
    ([(header::CONTENT_TYPE, kind(name)), (header::CACHE_CONTROL, caching)], bytes).into_response()
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Such a name is never another file's: `app-1a2b3c4d.js`.
fn is_hashed(name: &str) -> bool {
    let stem = name.rsplit('/').next().and_then(|file| file.split_once('.')).map_or("", |(stem, _)| stem);
    let is_of_hash = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let hash = stem.len().checked_sub(9).and_then(|dash| stem.get(dash..));
    hash.is_some_and(|hash| hash.starts_with('-') && hash.bytes().all(is_of_hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_told_from_a_name() {
        for (name, expected) in [
            ("app-1a2b3c4d.js", true),
            ("assets/app-1a2b3c_-.css", true),
            ("app.js", false),
            ("my-app.js", false),
            ("index.html", false),
            ("", false),
        ] {
            assert_eq!(is_hashed(name), expected, "{name}");
        }
    }
}
