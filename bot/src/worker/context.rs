//! What every stage of a turn needs: the database, Discord, the lease, and when to stop.

use std::time::{Duration, Instant};

use shared::{clock::Timestamp, db::pool::Pool, ids::GuildId};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::stopping::after;
use crate::discord::client::RoleClient;

/// Kept of the lease for settling.
const FOR_SETTLING: Duration = Duration::from_secs(1);
/// At the end, for a call under way: then it counts as one whose answer was missed. Platforms kill after three seconds.
const LAST_CALL: Duration = Duration::from_secs(1);

/// A guild under lease.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) guild: GuildId,
    /// The lease's token, by which the database knows whose it is.
    pub(super) owner: Uuid,
    /// When it runs out; taken before it was asked for, so never too late.
    pub(super) until: Instant,
}

impl Lease {
    /// Calls must have ended by then.
    pub(super) fn calls_until(&self) -> Instant {
        self.until.checked_sub(FOR_SETTLING).unwrap_or(self.until)
    }
}

/// A turn under way.
pub(super) struct Context<'a> {
    pub(super) pool: &'a Pool,
    pub(super) discord: &'a RoleClient,
    pub(super) lease: Lease,
    /// Between calls it is asked; what was begun is settled.
    pub(super) stop: &'a CancellationToken,
}

impl Context<'_> {
    /// The answer of a call, unless we are to stop and it does not come soon.
    pub(super) async fn unless_stopped<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            answer = call => Some(answer),
            () = after(self.stop, LAST_CALL) => None,
        }
    }
}

/// The database's clock: the rows of a turn have its times, and are compared with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// What it showed…
    pub(super) read: Timestamp,
    pub(super) at: Instant,
}

impl Clock {
    pub(super) fn now(self) -> Timestamp {
        self.read + self.at.elapsed()
    }
}
