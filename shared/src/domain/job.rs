//! Role jobs: a wake-up with a reason. What is done is planned afresh from the desired and the actual roles.

use crate::ids::{JobId, RoleId, UserId};

/// Why a job exists; it does not command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum JobAction {
    /// Access began.
    Grant,
    /// Access ended.
    Revoke,
    /// Something happened to the member or to us: look again.
    Resync,
}

/// Where a job stands. `docs/job-states.md` has the diagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// To be done at `due_at`.
    Pending,
    /// Discord was changed.
    Applied,
    /// Nothing was to do.
    Noop,
    /// A later state of affairs made it moot.
    Superseded,
    /// Waits for a member, a permission or a person.
    Parked,
    /// Stopped by the mass-revoke breaker.
    Held,
    /// A held job that the owner refused.
    Discarded,
    /// Given up; cannot be done.
    Failed,
}

impl JobState {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Noop => "noop",
            Self::Superseded => "superseded",
            Self::Parked => "parked",
            Self::Held => "held",
            Self::Discarded => "discarded",
            Self::Failed => "failed",
        }
    }
}

/// A job under a guild's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The row.
    pub id: JobId,
    /// Whom it concerns.
    pub user: UserId,
    /// Which role.
    pub role: RoleId,
    /// Why it exists.
    pub action: JobAction,
    /// Failures so far.
    pub attempts: u32,
    /// Its time has come. Others of the same member are planned along, but are not charged for a failure.
    pub is_due: bool,
    /// In words, for people and for Discord's audit log.
    pub cause: String,
}
