//! What something that was bought is worth. In: what was read of it, a policy, the time. Out: a [`Worth`], or that nobody knows.

use std::{cmp::Reverse, time::Duration};

use super::{
    facts::Facts,
    policy::{Policy, Rule},
};
use crate::{
    clock::Timestamp,
    domain::billing::{
        purchase::{PurchaseFact, PurchaseStatus},
        reversal::{Dispute, Refund, Reversal},
        subscription::Items,
    },
};

/// What a rule comes to now; more is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    Nothing,
    /// It was worth something for a time that is over.
    Over,
    /// It is not due before that.
    NotBefore(Reverse<Timestamp>),
    DueUntil(Timestamp),
    Due,
}

impl Worth {
    fn until(end: Option<Timestamp>, now: Timestamp) -> Self {
        match end {
            // As long as the time is unknown, nothing says that it is over.
            None => Self::Due,
            Some(end) if now < end => Self::DueUntil(end),
            Some(_) => Self::Over,
        }
    }

    /// The same, within the time that a rule counts from the first payment; `None`: that is unknown.
    fn within(self, rule: Rule, paid_since: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        let end = match self {
            Self::Nothing | Self::Over | Self::NotBefore(_) => return Some(self),
            Self::DueUntil(end) => Some(end),
            Self::Due => None,
        };
        let (from, to) = match rule {
            Rule::AfterDays(days) => (days_after(Some(paid_since?), days), None),
            Rule::FirstDays(days) => (paid_since, Some(days_after(Some(paid_since?), days))),
            Rule::Keep | Rule::KeepDays(_) | Rule::KeepToPeriodEnd => return Some(self),
            Rule::Remove => return Some(Self::Nothing),
        };
        Some(match (from, to.flatten()) {
            (Some(from), _) if now < from => Self::NotBefore(Reverse(from)),
            // So long after a payment that the calendar has no day for it.
            (None, _) => Self::Nothing,
            (Some(_), Some(to)) => Self::until(Some(end.map_or(to, |end| end.min(to))), now),
            (Some(_), None) => self,
        })
    }

    /// The same, if nothing that went back of its payment makes it less; `None`: nobody knows whether it does.
    fn unless_reversed(self, rules: impl Iterator<Item = Rule>, is_unknown: bool) -> Option<Self> {
        let is_due = |worth: &Self| matches!(worth, Self::DueUntil(_) | Self::Due);
        let left = if rules.into_iter().any(|rule| rule == Rule::Remove) { Self::Nothing } else { self };
        // What is not due anyway, or what one refund or dispute takes already, no unknown one gives back.
        if is_unknown && is_due(&left) { None } else { Some(left) }
    }
}

/// So long after a payment; `None`: that is unknown, or beyond the calendar, which never comes.
fn days_after(since: Option<Timestamp>, days: u16) -> Option<Timestamp> {
    since?.checked_add(Duration::from_secs(u64::from(days) * 24 * 3600).try_into().ok()?)
}

/// Something that was bought, as far as it was read.
pub trait Bought {
    fn items(&self) -> &Items;

    /// Whether its state is one that this release knows: no matter of policy.
    fn is_known(&self) -> bool;

    /// What a rule comes to.
    fn worth_by(&self, rule: Rule, now: Timestamp) -> Worth;

    /// What it is worth by a policy; `None`: something about it is unknown that may change that.
    fn worth(&self, policy: &Policy, now: Timestamp) -> Option<Worth>;
}

/// A subscription.
impl Bought for Facts<'_> {
    fn items(&self) -> &Items {
        self.items
    }

    fn is_known(&self) -> bool {
        Policy::DEFAULT.rule(self).is_some()
    }

    fn worth_by(&self, rule: Rule, now: Timestamp) -> Worth {
        match rule {
            Rule::Remove => Worth::Nothing,
            Rule::Keep => Worth::Due,
            Rule::KeepDays(days) => Worth::until(days_after(self.unpaid_since, days), now),
            Rule::KeepToPeriodEnd => Worth::until(self.period_end, now),
            Rule::AfterDays(_) | Rule::FirstDays(_) => {
                // Nobody knows since when: nothing is said to be over.
                Worth::Due.within(rule, self.paid_since, now).unwrap_or(Worth::Due)
            }
        }
    }

    fn worth(&self, policy: &Policy, now: Timestamp) -> Option<Worth> {
        let by_status = match self.worth_by(policy.rule(self)?, now) {
            // What a trial's end did not bring was never paid for.
            _ if self.is_unpaid_trial() && policy.paid_for != Rule::Keep => Worth::Nothing,
            worth => worth.within(policy.paid_for, self.paid_since, now)?,
        };
        let rules = self.reversals.iter().flat_map(|of_invoice| {
            let refund = match of_invoice.reversal.refund {
                Refund::Full if of_invoice.is_managed => policy.invoice_refunded_managed,
                Refund::Full => policy.invoice_refunded,
                Refund::None | Refund::Partial | Refund::Unknown => Rule::Keep,
            };
            [refund, policy.of_dispute(&of_invoice.reversal)]
        });
        by_status
            .unless_reversed(rules, self.reversals.iter().any(|of_invoice| of_invoice.reversal.is_unknown()))
    }
}

/// A one-time purchase.
impl Bought for PurchaseFact {
    fn items(&self) -> &Items {
        &self.items
    }

    fn is_known(&self) -> bool {
        !matches!(self.status, PurchaseStatus::Unknown(_))
    }

    fn worth_by(&self, rule: Rule, now: Timestamp) -> Worth {
        match rule {
            Rule::Remove => Worth::Nothing,
            // It has no period.
            Rule::Keep | Rule::KeepToPeriodEnd => Worth::Due,
            Rule::KeepDays(days) => Worth::until(days_after(self.paid_at, days), now),
            Rule::AfterDays(_) | Rule::FirstDays(_) => {
                Worth::Due.within(rule, self.paid_at, now).unwrap_or(Worth::Due)
            }
        }
    }

    fn worth(&self, policy: &Policy, now: Timestamp) -> Option<Worth> {
        let by_status = match self.status {
            PurchaseStatus::Paid => {
                self.worth_by(policy.one_time, now).within(policy.paid_for, self.paid_at, now)?
            }
            PurchaseStatus::NotPaid => Worth::Nothing,
            PurchaseStatus::Unknown(_) => return None,
        };
        let refund = match self.reversal.refund {
            Refund::Full => policy.refund_full,
            Refund::Partial => policy.refund_partial,
            Refund::None | Refund::Unknown => Rule::Keep,
        };
        let rules = [refund, policy.of_dispute(&self.reversal)].into_iter();
        by_status.unless_reversed(rules, self.reversal.is_unknown())
    }
}

impl Policy {
    fn of_dispute(&self, reversal: &Reversal) -> Rule {
        match reversal.dispute {
            Dispute::Open => self.dispute_open,
            Dispute::Lost => self.dispute_lost,
            Dispute::None | Dispute::Unknown(_) => Rule::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            billing::subscription::{Item, SubscriptionStatus},
            entitlement::{
                evaluate::{State, evaluate},
                facts::ReversedInvoice,
                mapping::{Mapping, Sold},
            },
        },
        ids::RoleId,
    };

    const DAY: i64 = 24 * 3600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_timestamp(seconds).unwrap()
    }

    /// By a rule for how long it was paid for, since day 0.
    fn worth(status: &str, rule: Rule, never_paid: bool, now: i64) -> Option<Worth> {
        let status = SubscriptionStatus::parse(status);
        let facts =
            Facts { paid_since: Some(at(0)), unpaid_since: Some(at(0)), never_paid, ..Facts::of(&status) };
        facts.worth(&Policy { paid_for: rule, ..Policy::DEFAULT }, at(now))
    }

    #[test]
    fn what_must_be_paid_for_long_is_due_from_that_day_on() {
        let after = Rule::AfterDays(180);
        let not_before = Some(Worth::NotBefore(Reverse(at(180 * DAY))));
        assert_eq!(worth("active", after, false, 180 * DAY - 1), not_before);
        assert_eq!(worth("active", after, false, 180 * DAY), Some(Worth::Due));
        assert_eq!(worth("canceled", after, false, 200 * DAY), Some(Worth::Nothing));
        assert_eq!(
            worth("past_due", Rule::AfterDays(3), false, 5 * DAY),
            Some(Worth::DueUntil(at(14 * DAY)))
        );
        assert!(
            Worth::NotBefore(Reverse(at(1))) > Worth::NotBefore(Reverse(at(2))),
            "the first of them counts"
        );
    }

    #[test]
    fn a_welcome_ends_by_itself_and_not_later_than_what_is_paid_for() {
        let first = Rule::FirstDays(30);
        assert_eq!(worth("active", first, false, 5 * DAY), Some(Worth::DueUntil(at(30 * DAY))));
        assert_eq!(worth("active", first, false, 30 * DAY), Some(Worth::Over));
        assert_eq!(worth("past_due", first, false, 5 * DAY), Some(Worth::DueUntil(at(14 * DAY))));
        assert_eq!(worth("trialing", first, false, -DAY), Some(Worth::NotBefore(Reverse(at(0)))));
    }

    #[test]
    fn a_trial_that_no_payment_followed_was_not_paid_for() {
        for rule in [Rule::FirstDays(30), Rule::AfterDays(1)] {
            assert_eq!(worth("past_due", rule, true, DAY / 2), Some(Worth::Nothing));
            assert_ne!(
                worth("active", rule, true, 2 * DAY),
                Some(Worth::Nothing),
                "its first period is paid"
            );
        }
    }

    #[test]
    fn a_mapping_that_is_not_due_yet_takes_nothing_that_another_may_still_give() {
        let item = |n: u64| {
            let (price, product) = (format!("price_{n}").parse().unwrap(), None);
            Item::new(price, product, Some(1))
        };
        let role = RoleId::from_u64(7).unwrap();
        let by = |n, policy| Mapping { sold: Sold::Price(item(n).price), role, policy };
        let after = Policy { paid_for: Rule::AfterDays(180), ..Policy::DEFAULT };
        let dispute = Dispute::Unknown("invented_tomorrow".to_owned());
        let reversals =
            [ReversedInvoice { reversal: Reversal { refund: Refund::None, dispute }, is_managed: false }];
        let items = Items::All(vec![item(1), item(2)]);
        let status = SubscriptionStatus::Active;
        let facts = Facts { items: &items, paid_since: Some(at(0)), ..Facts::of(&status) };
        let state =
            |facts: Facts<'_>, mappings: &[Mapping]| evaluate(&facts, mappings, [role], at(DAY)).roles[&role];
        let unknown = Facts { reversals: &reversals, ..facts };
        assert_eq!(state(unknown, &[by(1, after), by(2, Policy::DEFAULT)]).state, State::Unchanged);
        let alone = state(facts, &[by(1, after)]);
        assert_eq!((alone.state, alone.until), (State::Ended, Some(at(180 * DAY))));
        assert_eq!(state(facts, &[by(1, after), by(2, Policy::DEFAULT)]).state, State::Due);
    }

    #[test]
    fn where_stripe_does_not_say_since_when_nothing_changes() {
        let status = SubscriptionStatus::Active;
        for rule in [Rule::FirstDays(30), Rule::AfterDays(1)] {
            let policy = Policy { paid_for: rule, ..Policy::DEFAULT };
            assert_eq!(Facts::of(&status).worth(&policy, at(0)), None);
        }
        assert_eq!(Facts::of(&status).worth(&Policy::DEFAULT, at(0)), Some(Worth::Due));
    }
}
