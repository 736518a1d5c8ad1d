//! What to do about the roles of one member. In: what is desired, what Discord shows, and what we believe we gave. Out: for each
//! role a [`Step`], and its row of `role_grants` as it is to be before that step.
//!
//! We remove only what we granted, and what the owner let follow the payment. Any other role that Discord shows without a row of ours
//! was given by a person, and stays.

use std::collections::BTreeSet;

use super::grant::{Grant, Known, Seen, Step, Wanted, check};
use crate::{clock::Timestamp, ids::RoleId};

/// What Discord says about the member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// In the guild.
    Present {
        roles: BTreeSet<RoleId>,
        /// Since when; roles do not survive leaving.
        joined_at: Option<Timestamp>,
    },
    /// Not in the guild.
    Absent,
}

impl Member {
    /// The same, of one role.
    pub fn seen(&self, role: RoleId) -> Seen {
        match self {
            Self::Present { roles, joined_at } => {
                Seen::Present { held: roles.contains(&role), joined_at: *joined_at }
            }
            Self::Absent => Seen::Absent,
        }
    }
}

/// One role of one member, as our rows have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleView {
    pub role: RoleId,
    /// What is wanted of it.
    pub wanted: Wanted,
    /// Our row about the role, if we ever gave it.
    pub grant: Option<Grant>,
}

/// What is planned for one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// The row, as it is to be written; before the call, if the step is one.
    pub known: Known,
    /// What is to be done, or was found.
    pub step: Step,
}

/// Plans each role by itself; the order of roles is kept.
pub fn plan<'a>(
    views: impl IntoIterator<Item = &'a RoleView>,
    member: &Member,
    now: Timestamp,
) -> Vec<Planned> {
    let planned = |view: &RoleView| {
        let (known, step) = check(view.grant, member.seen(view.role), view.wanted, now);
        Planned { known, step }
    };
    views.into_iter().map(planned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{delivery::outcome::CallOutcome, roles::grant::GrantState};
    use proptest::prelude::*;
    use time::Duration;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn role(n: u64) -> RoleId {
        RoleId::from_u64(n).unwrap()
    }

    fn any_view(id: u64) -> impl Strategy<Value = RoleView> {
        let state =
            prop_oneof![Just(GrantState::Intended), Just(GrantState::Confirmed), Just(GrantState::Ending)];
        let grant = (state, any::<bool>()).prop_map(|(state, unseen)| Grant {
            state,
            since: NOW - Duration::DAY,
            absent_since: None,
            look_at: Some(NOW),
            unseen,
            taken_at: None,
        });
        (any::<bool>(), any::<bool>(), proptest::option::of(grant)).prop_map(
            move |(desired, follows, grant)| RoleView {
                role: role(id),
                wanted: Wanted { desired, asked: true, follows },
                grant,
            },
        )
    }

    proptest! {
        /// Law: after the plan is carried out, every role of ours is as desired; and planning again makes no call.
        #[test]
        fn actual_plus_plan_is_desired(
            views in (any_view(1), any_view(2), any_view(3)).prop_map(|(a, b, c)| vec![a, b, c]),
            held in proptest::collection::btree_set(1_u64..6, 0..5),
        ) {
            let mut roles: BTreeSet<RoleId> = held.iter().map(|&n| role(n)).collect();
            let before = roles.clone();
            let member = |roles: &BTreeSet<RoleId>| Member::Present { roles: roles.clone(), joined_at: None };
            let mut after = views.clone();
            for (Planned { known, step }, view) in plan(&views, &member(&roles), NOW).into_iter().zip(&mut after) {
                let over = view.grant.is_some();
                view.grant = known.grant;
                match step {
                    Step::Grant => drop(roles.insert(view.role)),
                    Step::Revoke => drop(roles.remove(&view.role)),
                    Step::AwaitMember | Step::MemberGone => prop_assert!(false, "the member is present"),
                    _ => continue,
                }
                view.grant = crate::domain::roles::grant::settle(known.grant, step, over, &CallOutcome::Done, NOW).grant;
            }
            for view in &after {
                prop_assert!(roles.contains(&view.role) == view.wanted.desired || view.grant.is_none());
            }
            // Law: roles outside the plan are never touched.
            prop_assert_eq!(roles.contains(&role(4)), before.contains(&role(4)));
            // Law: plan(x, x) makes no call.
            for planned in plan(&after, &member(&roles), NOW) {
                prop_assert!(!planned.step.is_call(), "{:?}", planned);
            }
        }
    }
}
