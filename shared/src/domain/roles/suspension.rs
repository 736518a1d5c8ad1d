//! What a newly read list of a server's roles means for those that are mapped. In: why each must not be given, as known before and as
//! read now. Out: which are suspended, and which go on. Pure.

use std::collections::BTreeMap;

use crate::{
    domain::audit::{Actor, AuditAction, AuditEntry},
    ids::RoleId,
};

/// Roles of a server, each with why it must not be given, if so.
pub type JudgedRoles = BTreeMap<RoleId, Option<String>>;

/// A mapped role that must not be given any more, or may be again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuspensionChange {
    /// Or it must not be given for another reason than before.
    Suspended { role: RoleId, danger: String },
    /// What waited for it goes on.
    Resumed { role: RoleId, danger_before: String },
}

impl SuspensionChange {
    /// What the audit log is told.
    pub fn entry(&self) -> AuditEntry {
        let (role, action, cause) = match self {
            Self::Suspended { role, danger } => {
                let cause = format!("{danger}: nobody is given it; who has it keeps it while they pay");
                (role, AuditAction::RoleSuspended, cause)
            }
            Self::Resumed { role, danger_before } => {
                (role, AuditAction::RoleResumed, format!("not any more: {danger_before}"))
            }
        };
        AuditEntry::new(Actor::Bot, action, cause).role(*role)
    }
}

/// `before`: the mapped roles, in the order in which the changes are wanted. What is not in the list was deleted, and does not change.
pub fn changes(before: Vec<(RoleId, Option<String>)>, now: &JudgedRoles) -> Vec<SuspensionChange> {
    let change = |(role, before): (RoleId, Option<String>)| match (before, now.get(&role)?) {
        (before, Some(danger)) if before.as_ref() != Some(danger) => {
            Some(SuspensionChange::Suspended { role, danger: danger.clone() })
        }
        (Some(danger_before), None) => Some(SuspensionChange::Resumed { role, danger_before }),
        _ => None,
    };
    before.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_suspended_and_resumed_when_its_danger_changes() {
        let role = |n| RoleId::from_u64(n).unwrap();
        let (bans, kicks) = ("it gives Ban Members".to_owned(), "it gives Kick Members".to_owned());
        let before = vec![
            (role(1), None),
            (role(2), None),
            (role(3), Some(bans.clone())),
            (role(4), Some(bans.clone())),
            (role(5), Some(bans.clone())),
            (role(6), Some(bans.clone())),
        ];
        let now = JudgedRoles::from([
            (role(1), None),
            (role(2), Some(bans.clone())),
            (role(3), Some(bans.clone())),
            (role(4), Some(kicks.clone())),
            (role(5), None),
            (role(7), Some(kicks.clone())),
        ]);
        let expected = [
            SuspensionChange::Suspended { role: role(2), danger: bans.clone() },
            SuspensionChange::Suspended { role: role(4), danger: kicks },
            SuspensionChange::Resumed { role: role(5), danger_before: bans },
        ];
        assert_eq!(changes(before, &now), expected, "role 6 was deleted, role 7 is not mapped");
    }
}
