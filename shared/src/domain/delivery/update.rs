//! What a worker's turn with one guild writes down. Plain data.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    domain::{
        audit::AuditAction,
        job::JobState,
        roles::{
            by_hand::QuestionChange,
            grant::{Grant, GrantState, Known},
        },
    },
    ids::{JobId, RoleId, UserId},
};

/// How the outcome of a job begins that waits for what may well come: no failure.
pub const WAITS: &str = "waits";

/// What becomes of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobUpdate {
    pub id: JobId,
    pub state: JobState,
    /// When it is due, from now; for `Pending` and `Parked`.
    pub due_in: Duration,
    /// 1 if this turn was a failure of the job, else 0.
    pub failures: u32,
    /// What happened, in words.
    pub outcome: String,
}

/// A change of one row of `role_grants`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantChange {
    pub user: UserId,
    pub role: RoleId,
    /// As it was; another row is not touched.
    pub from: Option<GrantState>,
    pub to: Option<Grant>,
    /// What the audit log is told of it.
    pub entries: &'static [AuditAction],
    /// Why, for the audit log.
    pub cause: String,
}

impl GrantChange {
    /// `None`: nothing changed.
    pub fn new(user: UserId, role: RoleId, before: Option<Grant>, known: Known, cause: &str) -> Option<Self> {
        let from = before.map(|grant| grant.state);
        let change =
            Self { user, role, from, to: known.grant, entries: known.entries, cause: cause.to_owned() };
        (before != known.grant).then_some(change)
    }
}

/// What a call told of whether the bot can manage a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleHealth {
    /// Discord let us change it.
    Works(RoleId),
    /// Discord says that there is no such role: whether it can be managed is moot, and the list of roles is read again.
    Gone(RoleId),
    /// Discord refused with this code; one call asks again after `probe_in`.
    Parked { role: RoleId, probe_in: Duration, code: u32 },
}

/// How a turn leaves its guild. All but `Open` end the turn at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuildGate {
    /// For whoever comes next.
    #[default]
    Open,
    /// Rate-limited: closed for so long, by Discord's word.
    Paused(Duration),
    /// The bot is not in the guild, says Discord with this code: closed, longer each time, or until the bot is invited. Open, if
    /// that was during the lease.
    Away(u32),
    /// Discord refuses with this code what is not about one role: the same, but for a minute each time while others are answered.
    /// The next call would be refused too, and refusals are counted.
    Refused(u32),
    /// Discord refuses the bot token: no call can succeed, and the process ends.
    Shutdown,
}

/// What becomes of one role of one member, and of the guild. The default changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// Those not named stay as they are.
    pub jobs: Vec<JobUpdate>,
    pub grant: Option<GrantChange>,
    /// What becomes of the question whether a role that a person gave is to follow the payment.
    pub question: Option<(UserId, RoleId, QuestionChange)>,
    pub role: Option<RoleHealth>,
    pub guild: GuildGate,
}

#[derive(Debug, Clone)]
pub struct Settlement {
    /// The lease's token: a turn that lost its lease writes nothing.
    pub owner: Uuid,
    pub guild: GuildGate,
    pub decisions: Vec<Decision>,
    /// What Discord was asked to change, whatever came of it.
    pub called: Vec<(UserId, RoleId)>,
    /// Discord answered a call as it answers a bot that is in the guild: what it refused before is over.
    pub reached: bool,
}
