//! A request's body on its way in. In: what hyper reads. Out: the same, and the connection's [`Watch`] learns when it is whole.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::watch::Watch;

pub(super) struct Watched {
    body: Incoming,
    watch: Arc<Watch>,
}

impl Watched {
    /// From here on the connection is busy, once the body is there.
    pub(super) fn new(body: Incoming, watch: Arc<Watch>) -> Self {
        if body.is_end_stream() {
            watch.busy();
        } else {
            watch.body();
        }
        Self { body, watch }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.watch.whole();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
