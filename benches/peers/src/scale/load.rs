use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

use super::app;

/// What grows. All else is as small as it can be: one route, one request at a time, one thread, no further
/// headers, and a body of one piece whose length is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Load {
    /// Headers beside `traceparent` and five ordinary ones.
    Headers(usize),
    /// Routes over which the requests go round.
    Routes(usize),
    /// Requests that wait in their handlers until all of them do.
    InFlight(usize),
    /// Pieces of a body of unknown length.
    Frames(usize),
    /// Threads, each with its own runtime and its own clone of the service.
    Threads(usize),
}

impl Load {
    pub(super) fn parse(dimension: &str, size: &str) -> Self {
        let size = size.parse().expect("a size");
        match dimension {
            "headers" => Self::Headers(size),
            "routes" => Self::Routes(size),
            "in-flight" => Self::InFlight(size),
            "frames" => Self::Frames(size),
            "threads" => Self::Threads(size),
            other => panic!("expected headers, routes, in-flight, frames or threads, got {other}"),
        }
    }

    pub(super) fn routes(self) -> usize {
        if let Self::Routes(routes) = self { routes } else { 1 }
    }

    pub(super) fn threads(self) -> usize {
        if let Self::Threads(threads) = self { threads } else { 1 }
    }

    fn headers(self) -> usize {
        if let Self::Headers(headers) = self { headers } else { 0 }
    }
}

/// Makes the requests of one thread. Nothing of it is shared with another thread: the counts of what its
/// texts are used by would be a place where the threads meet.
pub(super) struct Requests {
    uris: Vec<Uri>,
    headers: HeaderMap,
    next: usize,
}

impl Requests {
    pub(super) fn new(load: Load) -> Self {
        let uri = |route| ["http://shop.example", &app::path(route, "7")].concat().parse().expect("a URI");
        Self { uris: (0..load.routes()).map(uri).collect(), headers: headers(load.headers()), next: 0 }
    }

    pub(super) fn next(&mut self) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = self.uris[self.next].clone();
        *request.headers_mut() = self.headers.clone();
        self.next = (self.next + 1) % self.uris.len();
        request
    }
}

fn headers(more: usize) -> HeaderMap {
    let ordinary = [
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("host", "shop.example"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip"),
        ("accept-language", "en"),
        ("user-agent", "curl/8.0"),
    ];
    let ordinary = ordinary.map(|(name, value)| (name.to_owned(), value));
    let further = (0..more).map(|number| (format!("x-further-{number:02}"), "something"));
    let parse = |name: String| HeaderName::try_from(name).expect("the name of a header");
    let lines = ordinary.into_iter().chain(further);
    lines.map(|(name, value)| (parse(name), HeaderValue::from_static(value))).collect()
}
