//! Is a role kept though a payment is due? In: what was read of a subscription, the mappings, what they come to. Out: a [`Reading`].

use std::collections::BTreeSet;

use crate::{
    clock::Timestamp,
    domain::{
        billing::subscription::SubscriptionStatus,
        entitlement::{
            evaluate::{Evaluation, Reason, State, evaluate},
            facts::Facts,
            mapping::Mapping,
        },
    },
    ids::RoleId,
};

/// The time that a failed payment is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grace {
    /// Since when the payment is due: the first failure of its invoice.
    pub since: Timestamp,
    /// When it costs the roles.
    pub until: Timestamp,
    /// The roles that end first. Where one subscription gives roles for graces of different lengths, the first end is the one
    /// that is told of.
    pub roles: BTreeSet<RoleId>,
}

/// What a read says to whoever is told of a grace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    Grace(Grace),
    /// A payment is due, and costs no role by time.
    NoEnd,
    Paid,
    /// No role is left: the time is over, or Stripe gave up.
    Over,
}

/// `None`: nothing that is known of it ends a grace, or begins one.
pub fn read(
    facts: &Facts<'_>,
    mappings: &[Mapping],
    evaluation: &Evaluation,
    now: Timestamp,
) -> Option<Reading> {
    if matches!(facts.status, SubscriptionStatus::Active | SubscriptionStatus::Trialing) {
        return Some(Reading::Paid);
    }
    let grace = facts.unpaid_since.filter(|_| facts.is_behind());
    if let Some(grace) = grace.and_then(|since| grace_since(since, facts, mappings, evaluation, now)) {
        return Some(Reading::Grace(grace));
    }
    let mut roles = evaluation.roles.values();
    let is_end = |reason| matches!(reason, Reason::Status | Reason::TimeIsOver);
    if roles.clone().all(|role| role.state == State::Ended) && roles.clone().any(|role| is_end(role.reason)) {
        return Some(Reading::Over);
    }
    (!roles.any(|role| role.state == State::Unchanged)).then_some(Reading::NoEnd)
}

/// A role whose end the payment would put off, and no other: not one that takes another's place while a payment is due, nor one
/// that ends anyway.
fn grace_since(
    since: Timestamp,
    facts: &Facts<'_>,
    mappings: &[Mapping],
    evaluation: &Evaluation,
    now: Timestamp,
) -> Option<Grace> {
    let ending = evaluation.roles.iter().filter(|(_, role)| role.state == State::Due);
    let ending: Vec<(RoleId, Timestamp)> =
        ending.filter_map(|(&role, state)| Some((role, state.until?))).collect();
    let if_paid = evaluate(&facts.if_paid(), mappings, ending.iter().map(|(role, _)| *role), now);
    let is_put_off = |(role, end): &&(RoleId, Timestamp)| {
        let paid = if_paid.roles.get(role);
        paid.is_some_and(|paid| paid.state == State::Due && paid.until.is_none_or(|until| until > *end))
    };
    let ending: Vec<_> = ending.iter().filter(is_put_off).collect();
    let until = ending.iter().map(|(_, end)| *end).min()?;
    let roles = ending.iter().filter(|(_, end)| *end == until).map(|(role, _)| *role).collect();
    Some(Grace { since, until, roles })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        billing::subscription::{Item, Items, PauseCause},
        entitlement::{
            mapping::Sold,
            policy::{Policy, Rule},
        },
    };

    const DAY: i64 = 24 * 3600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_timestamp(seconds).unwrap()
    }

    fn role(id: u64) -> RoleId {
        RoleId::from_u64(id).unwrap()
    }

    fn by(id: u64, policy: Policy) -> Mapping {
        Mapping { sold: Sold::Price("price_1".parse().unwrap()), role: role(id), policy }
    }

    /// Of a payment that is due since day 0, on another day.
    fn reading(status: &str, pause: Option<&str>, mappings: &[Mapping], now: i64) -> Option<Reading> {
        let price = "price_1".parse().unwrap();
        let items = Items::All(vec![Item::new(price, None, Some(1))]);
        let status = SubscriptionStatus::parse(status);
        let pause = pause.map(PauseCause::parse);
        let (pause, unpaid_since) = (pause.as_ref(), Some(at(0)));
        let paid_since = Some(at(-100 * DAY));
        let facts = Facts { items: &items, pause, unpaid_since, paid_since, ..Facts::of(&status) };
        let evaluation = evaluate(&facts, mappings, [], at(now));
        read(&facts, mappings, &evaluation, at(now))
    }

    fn grace(until: i64, roles: &[u64]) -> Option<Reading> {
        let roles = roles.iter().map(|id| role(*id)).collect();
        Some(Reading::Grace(Grace { since: at(0), until: at(until), roles }))
    }

    #[test]
    fn what_each_state_says() {
        let vip = [by(7, Policy::DEFAULT)];
        for (status, pause, now, expected) in [
            ("past_due", None, 0, grace(14 * DAY, &[7])),
            ("past_due", None, 13 * DAY, grace(14 * DAY, &[7])),
            ("paused", Some("first_payment_failure"), DAY, grace(14 * DAY, &[7])),
            ("past_due", None, 14 * DAY, Some(Reading::Over)),
            ("unpaid", None, DAY, Some(Reading::Over)),
            ("canceled", None, DAY, Some(Reading::Over)),
            ("paused", Some("final_payment_failure"), DAY, Some(Reading::Over)),
            ("active", None, DAY, Some(Reading::Paid)),
            ("trialing", None, DAY, Some(Reading::Paid)),
            ("invented_tomorrow", None, DAY, None),
            ("paused", None, DAY, None),
        ] {
            assert_eq!(reading(status, pause, &vip, now), expected, "{status} {pause:?} at {now}");
        }
    }

    #[test]
    fn a_grace_is_what_the_payment_would_put_off() {
        let past_due = |past_due| Policy { past_due, ..Policy::DEFAULT };
        let stand_in = Policy {
            active: Rule::Remove,
            trialing: Rule::Remove,
            past_due: Rule::KeepDays(14),
            ..Policy::DEFAULT
        };
        let welcome = Policy { paid_for: Rule::FirstDays(105), ..Policy::DEFAULT };
        for (mappings, expected) in [
            (vec![by(7, past_due(Rule::KeepDays(0)))], Some(Reading::Over)),
            (vec![by(7, past_due(Rule::Remove))], Some(Reading::Over)),
            (vec![by(7, past_due(Rule::Keep))], Some(Reading::NoEnd)),
            (vec![by(8, stand_in)], Some(Reading::NoEnd)),
            (vec![by(7, Policy::DEFAULT), by(8, stand_in)], grace(14 * DAY, &[7])),
            (vec![by(7, welcome)], Some(Reading::NoEnd)),
            (vec![by(7, Policy::DEFAULT), by(9, Policy::DEFAULT)], grace(14 * DAY, &[7, 9])),
            (vec![by(7, Policy::DEFAULT), by(9, past_due(Rule::KeepDays(7)))], grace(7 * DAY, &[9])),
            (Vec::new(), Some(Reading::NoEnd)),
        ] {
            assert_eq!(reading("past_due", None, &mappings, 3600), expected, "{mappings:?}");
        }
    }
}
