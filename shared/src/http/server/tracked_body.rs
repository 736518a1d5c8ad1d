//! A request's body on its way in: hyper's own, which also tells the connection's [`ConnectionState`] when nothing more is
//! expected from the client.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use super::connection_state::ConnectionState;

pub(super) struct TrackedBody {
    body: Incoming,
    state: Arc<ConnectionState>,
    began: Instant,
}

impl TrackedBody {
    /// To be made when the head is complete.
    pub(super) fn new(body: Incoming, state: Arc<ConnectionState>) -> Self {
        let began = state.body_started();
        let tracked = Self { body, state, began };
        if tracked.is_end_stream() {
            tracked.finish();
        }
        tracked
    }

    fn finish(&self) {
        self.state.body_finished(self.began);
    }
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.is_end_stream() {
            self.finish();
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

/// A handler that drops the body does not want the rest, and is about to answer.
impl Drop for TrackedBody {
    fn drop(&mut self) {
        self.finish();
    }
}
