//! How long a connection has been doing what it does. In: what the wire and the answering see. Out: when it is over.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::http::Limits;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connected, and has not said a byte.
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

/// The phase of one connection, seen from its wire, its answers and the accept loop.
#[derive(Debug)]
pub(super) struct Watch(Mutex<Phase>);

impl Watch {
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
    pub(super) fn heard(&self) {
        self.change(|phase| match phase {
            Phase::New(since) => Phase::Head(since),
            Phase::Idle(_) => Phase::Head(Instant::now()),
            Phase::Head(_) | Phase::Body(_) | Phase::Busy => phase,
        });
    }

    /// A head is whole. Out: the time that [`Watch::body_ended`] wants to be told.
    pub(super) fn body_begins(&self) -> Instant {
        let now = Instant::now();
        self.change(|_| Phase::Body(now));
        now
    }

    /// The body that began then is whole, or nobody wants the rest. A request that is over by now changes nothing.
    pub(super) fn body_ended(&self, began: Instant) {
        self.change(|phase| if phase == Phase::Body(began) { Phase::Busy } else { phase });
    }

    pub(super) fn answered(&self) {
        self.change(|_| Phase::Idle(Instant::now()));
    }
}

impl Phase {
    /// Since when we wait for the client; `None`: it waits for us, and is never closed for somebody else's sake.
    pub(super) fn waits_since(self) -> Option<Instant> {
        match self {
            Self::New(since) | Self::Head(since) | Self::Body(since) | Self::Idle(since) => Some(since),
            Self::Busy => None,
        }
    }

    /// Whether its time is over.
    pub(super) fn is_over(self, limits: &Limits, now: Instant) -> bool {
        match self {
            Self::New(since) | Self::Head(since) => now >= since + limits.head,
            Self::Idle(since) => now >= since + limits.idle,
            // Their own time limits end them.
            Self::Body(_) | Self::Busy => false,
        }
    }
}
