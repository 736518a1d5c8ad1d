//! How long a connection has been doing what it does. In: what the wire and the answering see. Out: when it is over.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::Limits;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connected, and has not said a byte.
    New(Instant),
    /// A head has begun, and is not whole.
    Head(Instant),
    /// A request's body is still coming.
    Body,
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
            Phase::Head(_) | Phase::Body | Phase::Busy => phase,
        });
    }

    pub(super) fn body(&self) {
        self.change(|_| Phase::Body);
    }

    pub(super) fn busy(&self) {
        self.change(|_| Phase::Busy);
    }

    /// The body has ended; what was answered before that stays answered.
    pub(super) fn whole(&self) {
        self.change(|phase| if phase == Phase::Body { Phase::Busy } else { phase });
    }

    pub(super) fn answered(&self) {
        self.change(|_| Phase::Idle(Instant::now()));
    }
}

impl Phase {
    /// Whether the connection may be closed for somebody else's sake. While a body comes, too: or a few hundred that come
    /// slowly would lock everybody out. An honest one is whole with its first packets.
    pub(super) fn can_be_asked_to_go(self) -> bool {
        self != Self::Busy
    }

    /// Whether its time is over.
    pub(super) fn is_over(self, limits: &Limits, now: Instant) -> bool {
        match self {
            Self::New(since) | Self::Head(since) => now >= since + limits.head,
            Self::Idle(since) => now >= since + limits.idle,
            // Their own time limits end them.
            Self::Body | Self::Busy => false,
        }
    }
}
