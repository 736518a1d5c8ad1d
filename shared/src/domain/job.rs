//! Role jobs: a wake-up with a reason. What is done is planned afresh from the desired and the actual roles.

use std::time::Duration;

use crate::ids::{JobId, RoleId, UserId};

/// Why a job exists; it does not command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum JobAction {
    Grant,
    Revoke,
    /// Something happened to the member or to us: check again.
    Resync,
}

/// Where a job comes from. What one member asked for goes before what concerns many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum JobOrigin {
    /// What a member pays for changed.
    Purchase,
    /// A member was heard to join.
    Join,
    /// One member was asked about: by the operator, or by a worker that lost its lease.
    Command,
    /// Many members at once: a mapping was added, a role was turned on, an account was read from the start.
    Bulk,
    /// Nobody asked: a regular check, or one because a member left.
    Sweep,
    /// A second check, some time after an answer that one alone does not prove.
    Recheck,
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
    /// It would take a role from too many within a day: a person is to agree first.
    Held,
    /// A held job that the owner refused: the member keeps the role.
    Discarded,
    /// Given up; cannot be done.
    Failed,
}

impl JobState {
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
    pub id: JobId,
    /// The guild's member.
    pub user: UserId,
    pub role: RoleId,
    pub action: JobAction,
    pub origin: JobOrigin,
    pub attempts: u32,
    /// How long ago it was made.
    pub age: Duration,
    /// Its time has come. Others of the same member are planned along, but are not charged for a failure.
    pub is_due: bool,
    /// A person is to answer it first: only what is final answers it otherwise.
    pub is_held: bool,
    /// In words, for people and for Discord's audit log.
    pub cause: String,
}
