//! What a read subscription or purchase changes. In: whom it gave what so far, what it says now, whose it is. Out: begins and ends.

use std::collections::BTreeSet;

use super::evaluate::{Evaluation, Reason, State};
use crate::ids::{RoleId, UserId};

/// How the evidence of an end goes on where what was read does not end it alone.
pub(in crate::domain) const TOO_LONG: &str = ", for longer than the role is kept";
pub(in crate::domain) const NOT_LONG_ENOUGH: &str = ", not for long enough";
pub(in crate::domain) const NOT_SOLD: &str = ", without what gives the role";

/// One role that one source gives one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleEntitlement {
    pub user: UserId,
    pub role: RoleId,
}

/// A change of one access source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transition {
    /// Access begins (or begins again).
    Begin(RoleEntitlement),
    /// Access ends, on evidence.
    End(RoleEntitlement),
}

impl Evaluation {
    /// What is written down of a change: what was read, in words, and why a role ends though it goes on.
    pub fn evidence(&self, read: &str, change: Transition) -> String {
        let ended = match change {
            Transition::Begin(_) => None,
            Transition::End(it) => self.roles.get(&it.role).filter(|role| role.state == State::Ended),
        };
        match ended.map(|role| role.reason) {
            Some(Reason::TimeIsOver) => format!("{read}{TOO_LONG}"),
            Some(Reason::NotYet) => format!("{read}{NOT_LONG_ENOUGH}"),
            Some(Reason::NotSold) => format!("{read}{NOT_SOLD}"),
            _ => read.to_owned(),
        }
    }
}

/// The changes that turn `live` (what this source gives now, as our rows have it) into what it should give. `user` is whom it belongs
/// to; of a role that is not evaluated nothing changes.
pub fn transitions(
    live: &BTreeSet<RoleEntitlement>,
    evaluation: &Evaluation,
    user: Option<UserId>,
) -> BTreeSet<Transition> {
    let due = |role: RoleId| user.map(|user| RoleEntitlement { user, role });
    let begins = evaluation
        .roles
        .iter()
        .filter(|(_, role)| role.state == State::Due)
        .filter_map(|(&role, _)| due(role))
        .filter(|entitlement| !live.contains(entitlement))
        .map(Transition::Begin);
    let ends = live
        .iter()
        .filter(|entitlement| match evaluation.roles.get(&entitlement.role).map(|role| role.state) {
            Some(State::Ended) => true,
            // It is somebody else's now, or nobody's.
            Some(State::Due) => evaluation.is_whole && due(entitlement.role) != Some(**entitlement),
            Some(State::Unchanged) | None => false,
        })
        .copied()
        .map(Transition::End);
    begins.chain(ends).collect()
}
