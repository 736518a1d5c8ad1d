//! Whether roles follow payments yet. In: who holds a role when it is first checked. Out: an [`Enforcement`].

use crate::{
    domain::audit::{Actor, AuditAction, AuditEntry, Change},
    ids::RoleId,
};

/// What may be done with a mapped role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Enforcement {
    /// Discord was not asked yet who holds it: nothing is changed.
    Unseen,
    /// It had holders when it was mapped: access is computed and shown, nothing is changed.
    Observe,
    /// Roles follow payments.
    On,
}

impl Enforcement {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unseen => "unseen",
            Self::Observe => "observe",
            Self::On => "on",
        }
    }
}

/// First contact changes nothing: `holders` have the role, `ours` of them because of us. With anybody else's holders it
/// is for the owner to turn it on.
pub fn first_check(holders: i64, ours: i64) -> Enforcement {
    if holders > ours { Enforcement::Observe } else { Enforcement::On }
}

/// What the audit log is told of a first check. `others`: who hold the role, not because of us.
pub fn first_check_entry(role: RoleId, enforcement: Enforcement, others: i64) -> Option<AuditEntry> {
    if enforcement != Enforcement::Observe {
        return None;
    }
    let cause = format!("{others} hold it already: nothing is changed until the owner turns it on");
    let (was, is) = (Enforcement::Unseen.as_str(), enforcement.as_str());
    let change = Change::default().field("enforcement", Some(was), Some(is));
    Some(AuditEntry::new(Actor::Bot, AuditAction::RoleObserved, cause).role(role).change(change))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_with_somebody_elses_holders_is_only_observed() {
        for (holders, ours, expected) in [
            (0, 0, Enforcement::On),
            (1, 0, Enforcement::Observe),
            (3, 3, Enforcement::On),
            (4, 3, Enforcement::Observe),
            // Intentions that had no effect.
            (2, 3, Enforcement::On),
        ] {
            assert_eq!(first_check(holders, ours), expected, "{holders} hold it, {ours} by us");
        }
    }
}
