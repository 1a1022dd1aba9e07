//! What serves the requests.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use http_body::Frame;

use super::gate::Gate;
use super::load::Load;

pub(super) fn router(load: Load, gate: &Arc<Gate>) -> Router {
    let routes = (0..load.routes()).map(|route| path(route, "{id}"));
    routes.fold(Router::new(), |app, path| app.route(&path, handler(load, gate.clone())))
}

pub(super) fn path(route: usize, id: &str) -> String {
    format!("/shop-{route}/users/{id}")
}

fn handler(load: Load, gate: Arc<Gate>) -> MethodRouter {
    match load {
        Load::InFlight(_) => get(|Path(id): Path<String>| async move {
            gate.pass().await;
            id
        }),
        Load::Frames(left) => get(async move |Path(_): Path<String>| Body::new(Pieces { left })),
        Load::Headers(_) | Load::Routes(_) | Load::Threads(_) => get(async |Path(id): Path<String>| id),
    }
}

/// A body that does not know its length.
struct Pieces {
    left: usize,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"a piece of a body")))))
    }
}
