//! What to do about one role of one member. In: desired, actual, and what we believe we gave. Out: a [`Step`].
//!
//! We remove only what we granted. A role that Discord shows without a record of ours was given by a human, and stays.

use std::collections::BTreeSet;

use time::Duration;

use crate::{clock::Timestamp, ids::RoleId};

/// How far Discord's clock and ours may be apart when a joining is compared with a grant.
const CLOCKS: Duration = Duration::minutes(1);

/// What our books say about a role that we gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum GrantState {
    /// We were about to give it; the answer is not recorded.
    Intended,
    /// Discord confirmed it.
    Confirmed,
}

/// What Discord says about the member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// In the guild.
    Present {
        /// Their roles.
        roles: BTreeSet<RoleId>,
        /// Since when; roles do not survive leaving.
        joined_at: Option<Timestamp>,
    },
    /// Not in the guild.
    Absent,
}

/// One role of one member, as our books have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleView {
    /// The role.
    pub role: RoleId,
    /// At least one live access source.
    pub desired: bool,
    /// What we gave.
    pub grant: Option<GrantState>,
    /// When Discord last confirmed what we gave.
    pub confirmed_at: Option<Timestamp>,
    /// A job says that access began; otherwise this is only a look.
    pub asked: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `PUT` the role. `Regrant::Lost`: it was ours and is gone, so its loss is recorded too.
    Grant(Regrant),
    /// `DELETE` the role. `Unrecorded` means that the grant itself was never recorded.
    Revoke(Recorded),
    /// It is there and was to be: a call whose answer we missed went through.
    Confirm,
    /// It is gone and was to go: a call whose answer we missed, or somebody else, removed it.
    RecordGone,
    /// Drop the intention; nothing was done.
    Forget,
    /// As desired, and ours.
    AlreadySo,
    /// Desired, ours, and gone, though the member never left: a person may have taken it, and nobody asked for it again.
    Missing,
    /// As desired or not: it is there and a human gave it.
    HumansOwn,
    /// Not there, not desired, not ours.
    Nothing,
    /// Desired, but the member is not in the guild. Whatever we had given went with them.
    AwaitMember(LostWith),
    /// Not desired, and the member is not in the guild.
    MemberGone(LostWith),
}

/// Whether a grant repeats one that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regrant {
    /// For the first time, as far as the books say.
    Fresh,
    /// The books have it as confirmed, Discord does not.
    Lost,
}

/// Whether the grant that a revoke ends was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Yes.
    Confirmed,
    /// No: it was intended, and went through without our hearing of it.
    Unrecorded,
}

/// What the books had when the member turned out to be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostWith {
    /// A confirmed grant: its loss is recorded.
    Grant,
    /// An intention, dropped.
    Intention,
    /// Nothing.
    Nothing,
}

/// Plans each role by itself; the order of roles is kept.
pub fn plan(views: &[RoleView], member: &Member) -> Vec<(RoleId, Step)> {
    views.iter().map(|view| (view.role, step(*view, member))).collect()
}

fn step(view: RoleView, member: &Member) -> Step {
    use GrantState::{Confirmed, Intended};
    let Member::Present { roles, joined_at } = member else {
        let lost = match view.grant {
            Some(Confirmed) => LostWith::Grant,
            Some(Intended) => LostWith::Intention,
            None => LostWith::Nothing,
        };
        return if view.desired { Step::AwaitMember(lost) } else { Step::MemberGone(lost) };
    };
    match (view.desired, roles.contains(&view.role), view.grant) {
        (_, true, None) => Step::HumansOwn,
        (true, true, Some(Intended)) => Step::Confirm,
        (true, true, Some(Confirmed)) => Step::AlreadySo,
        (true, false, None | Some(Intended)) => Step::Grant(Regrant::Fresh),
        (true, false, Some(Confirmed)) if view.asked || has_rejoined(view.confirmed_at, *joined_at) => {
            Step::Grant(Regrant::Lost)
        }
        (true, false, Some(Confirmed)) => Step::Missing,
        (false, true, Some(Intended)) => Step::Revoke(Recorded::Unrecorded),
        (false, true, Some(Confirmed)) => Step::Revoke(Recorded::Confirmed),
        (false, false, None) => Step::Nothing,
        (false, false, Some(Intended)) => Step::Forget,
        (false, false, Some(Confirmed)) => Step::RecordGone,
    }
}

/// Whether the role went by leaving. When it cannot be told, it did: a paying member is not to lose a role by doubt.
fn has_rejoined(confirmed_at: Option<Timestamp>, joined_at: Option<Timestamp>) -> bool {
    match (confirmed_at, joined_at) {
        (Some(confirmed_at), Some(joined_at)) => joined_at + CLOCKS > confirmed_at,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn role(n: u64) -> RoleId {
        RoleId::from_u64(n).unwrap()
    }
    fn present(roles: &[u64]) -> Member {
        Member::Present { roles: roles.iter().map(|&n| role(n)).collect(), joined_at: None }
    }
    fn view(desired: bool, grant: Option<GrantState>) -> RoleView {
        RoleView { role: role(7), desired, grant, confirmed_at: None, asked: true }
    }

    #[test]
    fn the_table() {
        use GrantState::{Confirmed, Intended};
        for (desired, held, grant, expected) in [
            (true, true, None, Step::HumansOwn),
            (true, true, Some(Intended), Step::Confirm),
            (true, true, Some(Confirmed), Step::AlreadySo),
            (true, false, None, Step::Grant(Regrant::Fresh)),
            (true, false, Some(Intended), Step::Grant(Regrant::Fresh)),
            (true, false, Some(Confirmed), Step::Grant(Regrant::Lost)),
            (false, true, None, Step::HumansOwn),
            (false, true, Some(Intended), Step::Revoke(Recorded::Unrecorded)),
            (false, true, Some(Confirmed), Step::Revoke(Recorded::Confirmed)),
            (false, false, None, Step::Nothing),
            (false, false, Some(Intended), Step::Forget),
            (false, false, Some(Confirmed), Step::RecordGone),
        ] {
            let member = present(if held { &[7, 9] } else { &[9] });
            let found = plan(&[view(desired, grant)], &member);
            assert_eq!(found, [(role(7), expected)], "desired {desired}, held {held}, {grant:?}");
        }
    }

    #[test]
    fn an_absent_member_is_awaited_when_something_is_due() {
        for (desired, grant, expected) in [
            (true, None, Step::AwaitMember(LostWith::Nothing)),
            (true, Some(GrantState::Confirmed), Step::AwaitMember(LostWith::Grant)),
            (false, Some(GrantState::Confirmed), Step::MemberGone(LostWith::Grant)),
            (false, Some(GrantState::Intended), Step::MemberGone(LostWith::Intention)),
        ] {
            assert_eq!(plan(&[view(desired, grant)], &Member::Absent), [(role(7), expected)]);
        }
    }

    #[test]
    fn a_role_that_vanished_comes_back_if_they_left_or_it_is_asked_for() {
        let at = |minute: i64| Timestamp::UNIX_EPOCH + Duration::minutes(minute);
        for (asked, confirmed_at, joined_at, expected) in [
            (false, Some(at(60)), Some(at(10)), Step::Missing),
            (false, Some(at(60)), Some(at(61)), Step::Grant(Regrant::Lost)),
            (true, Some(at(60)), Some(at(10)), Step::Grant(Regrant::Lost)),
            (false, Some(at(60)), None, Step::Grant(Regrant::Lost)),
            (false, None, Some(at(10)), Step::Grant(Regrant::Lost)),
        ] {
            let view = RoleView { confirmed_at, asked, ..view(true, Some(GrantState::Confirmed)) };
            let member = Member::Present { roles: BTreeSet::new(), joined_at };
            assert_eq!(
                plan(&[view], &member),
                [(role(7), expected)],
                "{asked} {confirmed_at:?} {joined_at:?}"
            );
        }
    }

    fn any_view(id: u64) -> impl Strategy<Value = RoleView> {
        let grant =
            prop_oneof![Just(None), Just(Some(GrantState::Intended)), Just(Some(GrantState::Confirmed))];
        (any::<bool>(), grant).prop_map(move |(desired, grant)| RoleView {
            role: role(id),
            desired,
            grant,
            confirmed_at: None,
            asked: true,
        })
    }

    proptest! {
        /// Law: after the plan is carried out, every role is as desired, or a human's; and planning again is quiet.
        #[test]
        fn actual_plus_plan_is_desired(
            views in (any_view(1), any_view(2), any_view(3)).prop_map(|(a, b, c)| vec![a, b, c]),
            held in proptest::collection::btree_set(1_u64..6, 0..5),
        ) {
            let mut roles: BTreeSet<RoleId> = held.iter().map(|&n| role(n)).collect();
            let before = roles.clone();
            let member = |roles: &BTreeSet<RoleId>| Member::Present { roles: roles.clone(), joined_at: None };
            let mut after = views.clone();
            for ((id, step), view) in plan(&views, &member(&roles)).into_iter().zip(&mut after) {
                match step {
                    Step::Grant(_) => { roles.insert(id); view.grant = Some(GrantState::Confirmed); }
                    Step::Confirm => view.grant = Some(GrantState::Confirmed),
                    Step::Revoke(_) => { roles.remove(&id); view.grant = None; }
                    Step::RecordGone | Step::Forget => view.grant = None,
                    Step::AlreadySo | Step::Missing | Step::HumansOwn | Step::Nothing => {}
                    Step::AwaitMember(_) | Step::MemberGone(_) => prop_assert!(false, "the member is present"),
                }
            }
            for view in &after {
                let ours = view.grant.is_some();
                prop_assert!(roles.contains(&view.role) == view.desired || !ours);
            }
            // Law: roles outside the plan are never touched.
            prop_assert_eq!(roles.contains(&role(4)), before.contains(&role(4)));
            // Law: plan(x, x) is empty.
            for (_, step) in plan(&after, &member(&roles)) {
                prop_assert!(matches!(step, Step::AlreadySo | Step::HumansOwn | Step::Nothing));
            }
        }
    }
}
