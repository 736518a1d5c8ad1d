//! By what a member's access ended. In: what was read, and why it was read. Out: [`EndedBy`], which says how many may lose a role by the
//! like of it within a day (`domain/delivery/breaker.rs`).

use super::{
    bought::{Bought, Worth},
    evaluate::{Reason, RoleState, State},
    policy::Policy,
};
use crate::{clock::Timestamp, domain::job::JobOrigin};

/// By what it ended, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EndedBy {
    /// What was read of that very subscription or purchase says so.
    Read,
    /// An owner's act: on one member, or on many whom they were shown before.
    Owner,
    /// It was given for a while, which is over.
    Time,
    /// Nothing is mapped to the role any more, and no owner removed that.
    Unmapped,
}

/// By what a role ended that something bought gave: `None` where it is rather what we know, or were told, that changed. `role`: what
/// was read says of it; `is_mapped`: anything is mapped to the role; `origin`: why it was read.
pub fn of_read(
    bought: &impl Bought,
    role: RoleState,
    is_mapped: bool,
    origin: JobOrigin,
    now: Timestamp,
) -> Option<EndedBy> {
    let is_theirs = role.state == State::Ended;
    let by_default = bought.worth(&Policy::DEFAULT, now);
    if is_theirs && matches!(by_default, Some(Worth::Nothing | Worth::Over)) {
        // It would give nothing whatever its owner had said.
        return Some(EndedBy::Read);
    }
    if !is_theirs && origin == JobOrigin::Command {
        // `nexrole link remove`, or a member who is forgotten: it is nobody's, or somebody else's.
        return Some(EndedBy::Owner);
    }
    // It goes on, and gives no role any more. What an owner removes ends with it (`actions/unmap.rs`), and never comes here.
    if is_theirs && role.reason == Reason::NotSold && !is_mapped {
        return Some(EndedBy::Unmapped);
    }
    // One by one, as events tell of it, that is a plan that was changed; of many at once it may be our mistake, or the owner's.
    (origin != JobOrigin::Bulk).then_some(EndedBy::Read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{billing::subscription::Items, entitlement::policy::Rule};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    static NO_ITEMS: Items = Items::All(Vec::new());

    /// Something that is worth this by the default policy.
    struct Anything(Worth);

    impl Bought for Anything {
        fn items(&self) -> &Items {
            &NO_ITEMS
        }

        fn is_known(&self) -> bool {
            true
        }

        fn worth_by(&self, _: Rule, _: Timestamp) -> Worth {
            self.0
        }

        fn worth(&self, _: &Policy, _: Timestamp) -> Option<Worth> {
            Some(self.0)
        }
    }

    #[test]
    fn what_stripe_ended_is_told_from_what_we_or_an_owner_changed() {
        use EndedBy::{Owner, Read, Unmapped};
        use JobOrigin::{Bulk, Command, Purchase};
        const ACTIVE: Worth = Worth::Due;
        const CANCELED: Worth = Worth::Nothing;
        let ended = |reason| RoleState { state: State::Ended, until: None, reason };
        let due = RoleState { state: State::Due, until: None, reason: Reason::Status };
        for (worth, role, is_mapped, origin, expected) in [
            // Cancelled is cancelled, however many are read, and whatever is mapped.
            (CANCELED, ended(Reason::Status), true, Purchase, Some(Read)),
            (CANCELED, ended(Reason::Status), true, Bulk, Some(Read)),
            (CANCELED, ended(Reason::NotSold), false, Bulk, Some(Read)),
            // A policy that takes the role from who pays, and was changed a moment ago.
            (ACTIVE, ended(Reason::Status), true, Bulk, None),
            // The same, long after.
            (ACTIVE, ended(Reason::Status), true, Purchase, Some(Read)),
            (ACTIVE, ended(Reason::TimeIsOver), true, Purchase, Some(Read)),
            // Another plan; and no mapping at all.
            (ACTIVE, ended(Reason::NotSold), true, Purchase, Some(Read)),
            (ACTIVE, ended(Reason::NotSold), false, Purchase, Some(Unmapped)),
            (ACTIVE, ended(Reason::NotSold), false, Bulk, Some(Unmapped)),
            (ACTIVE, ended(Reason::NotSold), true, Bulk, None),
            // It changed hands.
            (ACTIVE, due, true, Purchase, Some(Read)),
            (ACTIVE, due, true, Command, Some(Owner)),
            (ACTIVE, due, true, Bulk, None),
        ] {
            let found = of_read(&Anything(worth), role, is_mapped, origin, NOW);
            assert_eq!(found, expected, "{worth:?} {role:?} {is_mapped} {origin:?}");
        }
    }
}
