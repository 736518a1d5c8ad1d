//! What a read subscription changes. In: what it gave so far, what it should give now. Out: begins and ends.

use std::collections::BTreeSet;

use super::policy::Access;
use crate::ids::{RoleId, UserId};

/// One role that one subscription gives one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gift {
    pub user: UserId,
    pub role: RoleId,
}

/// A change of one access source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transition {
    /// Access begins (or begins again).
    Begin(Gift),
    /// Access ends, on evidence.
    End(Gift),
}

/// The changes that turn `live` (what this subscription gives now, as our rows have it) into what it should give.
/// `user` is whom its customer is linked to; `roles` are those mapped to its items.
pub fn transitions(
    live: &BTreeSet<Gift>,
    access: Access,
    user: Option<UserId>,
    roles: &BTreeSet<RoleId>,
) -> BTreeSet<Transition> {
    let due: BTreeSet<Gift> =
        user.into_iter().flat_map(|user| roles.iter().map(move |&role| Gift { user, role })).collect();
    let begins = || due.difference(live).copied().map(Transition::Begin);
    match access {
        Access::Exactly => begins().chain(live.difference(&due).copied().map(Transition::End)).collect(),
        Access::AtLeast => begins().collect(),
        Access::Ended => live.iter().copied().map(Transition::End).collect(),
        Access::Unchanged => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u64) -> UserId {
        UserId::from_u64(n).unwrap()
    }
    fn role(n: u64) -> RoleId {
        RoleId::from_u64(n).unwrap()
    }
    fn gifts(list: &[(u64, u64)]) -> BTreeSet<Gift> {
        list.iter().map(|&(u, r)| Gift { user: user(u), role: role(r) }).collect()
    }
    /// `+u.r` begins, `-u.r` ends.
    fn check(live: &[(u64, u64)], access: Access, linked: Option<u64>, roles: &[u64], expected: &str) {
        let roles = roles.iter().map(|&r| role(r)).collect();
        let found = transitions(&gifts(live), access, linked.map(user), &roles);
        let words: Vec<String> = found
            .iter()
            .map(|t| match t {
                Transition::Begin(g) => format!("+{}.{}", g.user, g.role),
                Transition::End(g) => format!("-{}.{}", g.user, g.role),
            })
            .collect();
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn the_table() {
        check(&[], Access::Exactly, Some(1), &[7], "+1.7");
        check(&[(1, 7)], Access::Exactly, Some(1), &[7], "");
        check(&[(1, 7)], Access::Ended, Some(1), &[7], "-1.7");
        check(&[(1, 7)], Access::Ended, None, &[], "-1.7");
        check(&[], Access::Ended, Some(1), &[7], "");
        // A plan change moves the role; a moved link moves it to the other member.
        check(&[(1, 7)], Access::Exactly, Some(1), &[8], "+1.8 -1.7");
        check(&[(1, 7)], Access::Exactly, Some(2), &[7], "+2.7 -1.7");
        // Nobody linked, or a price that nobody mapped: nothing to give.
        check(&[], Access::Exactly, None, &[7], "");
        check(&[], Access::Exactly, Some(1), &[], "");
        // No evidence, no end.
        check(&[(1, 7)], Access::AtLeast, Some(1), &[8], "+1.8");
        check(&[(1, 7)], Access::AtLeast, Some(1), &[], "");
        check(&[(1, 7)], Access::Unchanged, Some(1), &[8], "");
    }

    #[test]
    fn applying_twice_changes_nothing() {
        let roles = BTreeSet::from([role(7), role(8)]);
        let due = gifts(&[(1, 7), (1, 8)]);
        assert!(transitions(&due, Access::Exactly, Some(user(1)), &roles).is_empty());
    }
}
