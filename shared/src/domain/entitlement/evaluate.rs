//! Which roles does a subscription give? In: what was read, the mappings with their policies, the time. Out: a state per role.
//!
//! A role ends by what was read, and by nothing that is missing: an item that Stripe did not send, or a status that nobody knows,
//! leaves it as it was.

use std::{collections::BTreeMap, time::Duration};

use super::{
    facts::Facts,
    mapping::Mapping,
    policy::{Policy, Rule},
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
    /// By the policy of a mapping, for the subscription's status.
    Status,
    /// The time that the policy gives to this status is over.
    TimeIsOver,
    /// Nothing that is in the subscription is mapped to the role.
    NotSold,
    /// Stripe did not send all that is in it, and the rest may be mapped to the role.
    ItemsMissing,
    /// Its status, or the cause of its pause, is none that this release knows.
    UnknownState,
}

/// What a subscription says of one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleState {
    pub state: State,
    /// When it is to be evaluated again, since it may end then; `None`: nothing ends it by time alone.
    pub until: Option<Timestamp>,
    pub reason: Reason,
}

/// What a subscription says of the roles that it gave or that anything in it is mapped to.
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
/// in the subscription, and those of the roles that it gave.
pub fn evaluate(
    facts: Facts<'_>,
    mappings: &[Mapping],
    held: impl IntoIterator<Item = RoleId>,
    now: Timestamp,
) -> Evaluation {
    let is_whole = matches!(facts.items, Items::All(_));
    let roles = held.into_iter().chain(mappings.iter().map(|mapping| mapping.role));
    let roles = roles.map(|role| {
        let of_role: Vec<&Mapping> = mappings.iter().filter(|mapping| mapping.role == role).collect();
        (role, of_one_role(facts, &of_role, now))
    });
    Evaluation { roles: roles.collect(), is_whole }
}

fn of_one_role(facts: Facts<'_>, mappings: &[&Mapping], now: Timestamp) -> RoleState {
    let state = |state, until, reason| RoleState { state, until, reason };
    // Whether a state is known is no matter of policy.
    if Policy::DEFAULT.rule(&facts).is_none() {
        return state(State::Unchanged, None, Reason::UnknownState);
    }
    let by_status = |policy: &Policy| Some(worth(policy.rule(&facts)?, facts, now));
    let bought = mappings.iter().filter_map(|mapping| {
        let items = facts.items.as_slice().iter().filter(|item| mapping.sold.is_in(item));
        items
            .filter_map(|item| {
                let by_status = by_status(&mapping.policy)?;
                // Of none of it the stricter rule counts.
                let of_none = || worth(mapping.policy.quantity_zero, facts, now);
                Some(if item.quantity == Some(0) { by_status.min(of_none()) } else { by_status })
            })
            .max()
    });
    let best = bought.max();
    match (best, facts.items) {
        (Some(Worth::Due), _) => return state(State::Due, None, Reason::Status),
        (Some(Worth::DueUntil(end)), _) => return state(State::Due, Some(end), Reason::Status),
        (None, Items::All(_)) => return state(State::Ended, None, Reason::NotSold),
        (Some(Worth::Over | Worth::Nothing), Items::All(_)) | (_, Items::Some(_)) => {}
    }
    // What was not sent may be what gives it. A role that nothing is mapped to any more has the default policy.
    let policies = mappings.iter().map(|mapping| &mapping.policy);
    let unseen = policies.filter_map(by_status).max().or_else(|| by_status(&Policy::DEFAULT));
    if !matches!(facts.items, Items::All(_)) && matches!(unseen, Some(Worth::Due | Worth::DueUntil(_))) {
        return state(State::Unchanged, None, Reason::ItemsMissing);
    }
    let over = best.or(unseen) == Some(Worth::Over);
    state(State::Ended, None, if over { Reason::TimeIsOver } else { Reason::Status })
}

/// What a rule comes to now; more is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Nothing,
    Over,
    DueUntil(Timestamp),
    Due,
}

fn worth(rule: Rule, facts: Facts<'_>, now: Timestamp) -> Worth {
    let end = match rule {
        Rule::Remove => return Worth::Nothing,
        Rule::Keep => None,
        Rule::KeepDays(days) => {
            let time = Duration::from_secs(u64::from(days) * 24 * 3600);
            // A time beyond the calendar never comes.
            facts.unpaid_since.and_then(|since| since.checked_add(time.try_into().ok()?))
        }
        Rule::KeepToPeriodEnd => facts.period_end,
    };
    match end {
        // As long as the time is unknown, nothing says that it is over.
        None => Worth::Due,
        Some(end) if now < end => Worth::DueUntil(end),
        Some(_) => Worth::Over,
    }
}
