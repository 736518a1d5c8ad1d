//! What waits for one member, and what is known of each role that it is about. Plain data, read under a guild's lease.

use crate::{
    clock::Timestamp,
    domain::{
        entitlement::ended_by::EndedBy,
        job::ClaimedJob,
        roles::{by_hand::PaidByHand, enforcement::Enforcement, plan::RoleView},
    },
    ids::UserId,
};

/// Whether Discord lets the bot manage a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manageability {
    /// As far as is known.
    Manageable,
    /// It refused a moment ago: make no call for the role.
    Refused,
    /// It refused a while ago: one call may find out whether it still does.
    ProbeDue,
}

/// One role of one member with everything that waits for it.
#[derive(Debug, Clone)]
pub struct RoleWork {
    pub view: RoleView,
    /// Where a person gave it.
    pub by_hand: PaidByHand,
    pub manageability: Manageability,
    /// Whether it may be changed at all.
    pub enforcement: Enforcement,
    /// Why it must not be given, as last read; it is taken all the same.
    pub danger: Option<String>,
    /// By what access ended last; `None`: nobody can tell, or it has not.
    pub ended_by: Option<EndedBy>,
    /// All jobs that wait for this member and role, held ones among them, oldest first; at least one is pending.
    pub jobs: Vec<ClaimedJob>,
}

impl RoleWork {
    /// The cause that people see: of the newest job.
    pub fn cause(&self) -> &str {
        self.jobs.last().map_or("", |job| job.cause.as_str())
    }

    /// Whether a person is to say whether the role is taken.
    pub fn is_held(&self) -> bool {
        self.jobs.iter().any(|job| job.is_held)
    }

    /// The most failures among the jobs that are due: they are tried together.
    pub fn failures(&self) -> u32 {
        self.jobs.iter().filter(|job| job.is_due).map(|job| job.attempts).max().unwrap_or(0)
    }
}

/// One member with all their pending work.
#[derive(Debug, Clone)]
pub struct MemberWork {
    pub user: UserId,
    /// When this was read, by the database's clock.
    pub read_at: Timestamp,
    /// Per role, in the order of role ids.
    pub roles: Vec<RoleWork>,
}

impl MemberWork {
    /// What waits for any role.
    pub fn jobs(&self) -> impl Iterator<Item = &ClaimedJob> {
        self.roles.iter().flat_map(|role| &role.jobs)
    }
}
