//! What a connection is doing, and since when. In: what its stream, its body and its responses report. Out: whether its time
//! limit has passed, and whether it may be closed to free capacity.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::http::limits::Limits;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connected, and no byte has come.
    New(Instant),
    /// A head has begun, and is not whole.
    Head(Instant),
    /// A request's head is whole, its body is not.
    Body(Instant),
    /// A whole request is being answered.
    Busy,
    /// Between two requests.
    Idle(Instant),
}

/// The phase of one connection, shared by its stream, its requests and the accept loop.
#[derive(Debug)]
pub(super) struct ConnectionState(Mutex<Phase>);

impl ConnectionState {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Phase::New(Instant::now())))
    }

    pub(super) fn phase(&self) -> Phase {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, to: impl FnOnce(Phase) -> Phase) {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *phase = to(*phase);
    }

    /// Bytes came in. The time for a head begins with its first byte, or with the connection: not with every byte, or one
    /// byte a second would keep it open for ever.
    pub(super) fn bytes_received(&self) {
        self.change(|phase| match phase {
            Phase::New(since) => Phase::Head(since),
            Phase::Idle(_) => Phase::Head(Instant::now()),
            Phase::Head(_) | Phase::Body(_) | Phase::Busy => phase,
        });
    }

    /// A head is complete. Returns the time by which [`ConnectionState::body_finished`] knows its request.
    pub(super) fn body_started(&self) -> Instant {
        let now = Instant::now();
        self.change(|_| Phase::Body(now));
        now
    }

    /// The body that began then is complete, or nobody wants the rest. For a request that is over by now it changes nothing.
    pub(super) fn body_finished(&self, began: Instant) {
        self.change(|phase| if phase == Phase::Body(began) { Phase::Busy } else { phase });
    }

    pub(super) fn response_sent(&self) {
        self.change(|_| Phase::Idle(Instant::now()));
    }
}

impl Phase {
    /// Since when we wait for the client. `None`: it waits for us, and is never closed to free capacity.
    pub(super) fn waiting_since(self) -> Option<Instant> {
        match self {
            Self::New(since) | Self::Head(since) | Self::Body(since) | Self::Idle(since) => Some(since),
            Self::Busy => None,
        }
    }

    pub(super) fn has_timed_out(self, limits: &Limits, now: Instant) -> bool {
        match self {
            Self::New(since) | Self::Head(since) => now >= since + limits.head,
            Self::Idle(since) => now >= since + limits.idle,
            // Their own time limits end them.
            Self::Body(_) | Self::Busy => false,
        }
    }
}
