//! What is written down for people to read later. One entry per change, in the transaction that makes it.

use crate::ids::{RoleId, UserId};

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A fact read from Stripe.
    Stripe,
    /// The bot's worker.
    Bot,
    /// Somebody at the command line.
    Operator,
}

impl Actor {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Bot => "bot",
            Self::Operator => "operator",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditAction {
    /// A purchase began to give a member a role.
    AccessBegan,
    /// A purchase stopped giving a member a role.
    AccessEnded,
    /// Discord confirmed a role that we gave.
    RoleGranted,
    /// Discord confirmed that a role we had given is removed.
    RoleRevoked,
    /// A role we had given was lost: the member left, or it vanished.
    RoleLost,
    /// A price or product was mapped to a role.
    MappingAdded,
    /// A customer was linked to a Discord user.
    MemberLinked,
    /// A customer's link was removed.
    MemberUnlinked,
    /// A mapped role is only observed: nothing is changed.
    RoleObserved,
    /// A mapped role was turned on.
    RoleEnforced,
    /// A mapped role turned out to be dangerous: nobody is given it.
    RoleSuspended,
    /// It is not dangerous any more.
    RoleResumed,
}

impl AuditAction {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessBegan => "access.began",
            Self::AccessEnded => "access.ended",
            Self::RoleGranted => "role.granted",
            Self::RoleRevoked => "role.revoked",
            Self::RoleLost => "role.lost",
            Self::MappingAdded => "mapping.added",
            Self::MemberLinked => "member.linked",
            Self::MemberUnlinked => "member.unlinked",
            Self::RoleObserved => "role.observed",
            Self::RoleEnforced => "role.enforced",
            Self::RoleSuspended => "role.suspended",
            Self::RoleResumed => "role.resumed",
        }
    }
}

/// One line of the audit log; the database adds its number and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Who did it.
    pub actor: Actor,
    /// What happened.
    pub action: AuditAction,
    /// Whom it concerns.
    pub user: Option<UserId>,
    /// Which role.
    pub role: Option<RoleId>,
    /// Why, in words without personal data.
    pub cause: String,
}
