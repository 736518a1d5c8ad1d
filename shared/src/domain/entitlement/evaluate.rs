//! Which roles does a subscription or a purchase give? In: what was read, the mappings with their policies, the time. Out: a state
//! per role.
//!
//! A role ends by what was read, and by nothing that is missing: an item that Stripe did not send, or a status that nobody knows,
//! leaves it as it was.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    bought::{Bought, Worth},
    mapping::Mapping,
    policy::Policy,
};
use crate::{clock::Timestamp, domain::billing::subscription::Items, ids::RoleId};

/// Whether a role is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Due,
    /// It is not, on evidence.
    Ended,
    /// Nobody knows: it stays as it is.
    Unchanged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// By the policy of a mapping, for its status, and for what went back of its payment.
    Status,
    /// The time that the policy gives to this status is over.
    TimeIsOver,
    /// It has not been paid for long enough.
    NotYet,
    /// Nothing that is in it is mapped to the role.
    NotSold,
    /// Stripe did not send all that is in it, and the rest may be mapped to the role.
    ItemsMissing,
    /// Its status, the cause of its pause, or a refund or dispute of its payment is none that this release knows.
    UnknownState,
}

/// What a subscription or a purchase says of one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleState {
    pub state: State,
    /// When it is to be evaluated again, since it may end or begin then; `None`: nothing changes it by time alone.
    pub until: Option<Timestamp>,
    pub reason: Reason,
}

/// What a subscription or a purchase says of the roles that it gave or that anything in it is mapped to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    pub roles: BTreeMap<RoleId, RoleState>,
    /// Whether all that is in it was read: enough to say that it is nobody else's.
    pub is_whole: bool,
}

impl Evaluation {
    /// When it is to be evaluated again; `None`: not before something changes.
    pub fn until(&self) -> Option<Timestamp> {
        self.roles.values().filter_map(|role| role.until).min()
    }
}

/// Evaluates `mappings` and the roles that it gave so far, `held`. `mappings` are all those of the roles in question: those of what is
/// in it, and those of the roles that it gave.
pub fn evaluate(
    bought: &impl Bought,
    mappings: &[Mapping],
    held: impl IntoIterator<Item = RoleId>,
    now: Timestamp,
) -> Evaluation {
    let is_whole = matches!(bought.items(), Items::All(_));
    let roles = held.into_iter().chain(mappings.iter().map(|mapping| mapping.role));
    let roles = roles.map(|role| {
        let of_role: Vec<&Mapping> = mappings.iter().filter(|mapping| mapping.role == role).collect();
        (role, of_one_role(bought, &of_role, now))
    });
    Evaluation { roles: roles.collect(), is_whole }
}

fn of_one_role(bought: &impl Bought, mappings: &[&Mapping], now: Timestamp) -> RoleState {
    let state = |state, until, reason| RoleState { state, until, reason };
    if !bought.is_known() {
        return state(State::Unchanged, None, Reason::UnknownState);
    }
    let items = bought.items();
    let found: Vec<Option<Worth>> =
        mappings.iter().flat_map(|mapping| of_items(bought, mapping, now)).collect();
    let best = found.iter().flatten().max().copied();
    match (best, items) {
        (Some(Worth::Due), _) => return state(State::Due, None, Reason::Status),
        (Some(Worth::DueUntil(end)), _) => return state(State::Due, Some(end), Reason::Status),
        _ if found.contains(&None) => return state(State::Unchanged, None, Reason::UnknownState),
        (Some(Worth::NotBefore(Reverse(from))), Items::All(_)) => {
            return state(State::Ended, Some(from), Reason::NotYet);
        }
        (None, Items::All(_)) => return state(State::Ended, None, Reason::NotSold),
        (Some(_), Items::All(_)) | (_, Items::Some(_)) => {}
    }
    // What was not sent may be what gives it. A role that nothing is mapped to any more has the default policy.
    let policies = mappings.iter().map(|mapping| &mapping.policy);
    let mut unseen: Vec<Option<Worth>> = policies.map(|policy| bought.worth(policy, now)).collect();
    if unseen.is_empty() {
        unseen.push(bought.worth(&Policy::DEFAULT, now));
    }
    let may_be_due = unseen.iter().any(|worth| !matches!(worth, Some(Worth::Nothing | Worth::Over)));
    if !matches!(items, Items::All(_)) && may_be_due {
        return state(State::Unchanged, None, Reason::ItemsMissing);
    }
    let over = best.or(unseen.into_iter().flatten().max()) == Some(Worth::Over);
    state(State::Ended, None, if over { Reason::TimeIsOver } else { Reason::Status })
}

/// What each item that a mapping sells is worth by it.
fn of_items(bought: &impl Bought, mapping: &Mapping, now: Timestamp) -> Vec<Option<Worth>> {
    let sold = bought.items().as_slice().iter().filter(|item| mapping.sold.is_in(item));
    sold.map(|item| {
        let worth = bought.worth(&mapping.policy, now)?;
        // Of none of it the stricter rule counts.
        let of_none = || bought.worth_by(mapping.policy.quantity_zero, now);
        Some(if item.quantity == Some(0) { worth.min(of_none()) } else { worth })
    })
    .collect()
}
