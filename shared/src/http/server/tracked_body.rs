//! A request's body on its way in. In: hyper's. Out: the same, and the connection's [`Watch`] learns when nothing more is
//! wanted from the client.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use super::connection_state::Watch;

pub(super) struct Arriving {
    body: Incoming,
    watch: Arc<Watch>,
    began: Instant,
}

impl Arriving {
    /// The head is whole.
    pub(super) fn new(body: Incoming, watch: Arc<Watch>) -> Self {
        let began = watch.body_begins();
        let arriving = Self { body, watch, began };
        if arriving.is_end_stream() {
            arriving.is_over();
        }
        arriving
    }

    fn is_over(&self) {
        self.watch.body_ended(self.began);
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.is_end_stream() {
            self.is_over();
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

/// Whoever does not want the rest is about to answer.
impl Drop for Arriving {
    fn drop(&mut self) {
        self.is_over();
    }
}
