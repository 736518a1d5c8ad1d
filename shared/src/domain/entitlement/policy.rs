//! What each state of a subscription or a purchase is worth: data, one per mapping. Who reads it is [`super::bought`].
//!
//! As JSON it has the states that differ from the default: `{"past_due": {"keep_days": 7}, "trialing": "remove"}`; and, beside
//! them, what is done with a role that a person gave to who pays.

use serde::{Deserialize, Serialize};

pub mod words;

use super::facts::Facts;
use crate::domain::{
    billing::subscription::{CollectionPause, PauseCause, SubscriptionStatus},
    roles::by_hand::ByHand,
};

/// What a state does to the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It is due.
    Keep,
    /// It is due for so many days after the payment became due, or was made.
    KeepDays(u16),
    /// It is due to the end of the period that was paid.
    KeepToPeriodEnd,
    /// It is due once it has been paid for so many days.
    AfterDays(u16),
    /// It is due for the first so many days from the first payment.
    FirstDays(u16),
    /// It is not due.
    Remove,
}

/// A rule for each state: Stripe's statuses
/// (<https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>), a pause by its cause, what else Stripe
/// says of a subscription that goes on, one-time purchases, and what went back of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    pub trialing: Rule,
    pub active: Rule,
    /// Also of a pause at the first failed payment.
    pub past_due: Rule,
    /// The same, if nothing was ever paid: a trial ended in a failed payment.
    pub past_due_after_trial: Rule,
    pub paused_by_final_failure: Rule,
    pub paused_without_payment_method: Rule,
    pub pause_requested: Rule,
    pub paused_by_system: Rule,
    pub unpaid: Rule,
    pub incomplete: Rule,
    pub incomplete_expired: Rule,
    pub canceled: Rule,
    /// Collection is paused, and invoices stay drafts.
    pub collection_as_draft: Rule,
    /// Collection is paused, and invoices are marked uncollectible.
    pub collection_uncollectible: Rule,
    /// Collection is paused, and invoices are voided.
    pub collection_void: Rule,
    /// None of it is bought: its quantity is 0.
    pub quantity_zero: Rule,
    /// Whatever the state: how long it must have been paid for, or for how long it is due from the first payment on.
    pub paid_for: Rule,
    /// The latest payment of a subscription was refunded, all of it.
    pub invoice_refunded: Rule,
    /// The same where Stripe sells in its own name, and refunds on its own.
    pub invoice_refunded_managed: Rule,
    /// It was bought once, and paid.
    pub one_time: Rule,
    /// All that was paid for a one-time purchase was refunded.
    pub refund_full: Rule,
    /// A part of it was.
    pub refund_partial: Rule,
    /// The payment is disputed; of a subscription, the latest one.
    pub dispute_open: Rule,
    /// It was disputed, and the customer has the money.
    pub dispute_lost: Rule,
    /// No state: the role was given by a person to who pays. Of several mappings of a role the most careful one counts.
    pub given_by_hand: ByHand,
}

/// Days of grace after a failed payment; Stripe's retries take two weeks by default.
const GRACE_DAYS: u16 = 14;
/// The same if nothing was ever paid.
const GRACE_DAYS_AFTER_TRIAL: u16 = 1;

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Policy {
    /// What a mapping has whose owner chose nothing.
    pub const DEFAULT: Self = Self {
        trialing: Rule::Keep,
        active: Rule::Keep,
        // Retries run: an ordinary failed card must not cost the role. Nor may it be owed for ever.
        past_due: Rule::KeepDays(GRACE_DAYS),
        past_due_after_trial: Rule::KeepDays(GRACE_DAYS_AFTER_TRIAL),
        paused_by_final_failure: Rule::Remove,
        paused_without_payment_method: Rule::Remove,
        pause_requested: Rule::Remove,
        paused_by_system: Rule::Remove,
        unpaid: Rule::Remove,
        incomplete: Rule::Remove,
        incomplete_expired: Rule::Remove,
        canceled: Rule::Remove,
        // Stripe's meaning: the customer keeps the service.
        collection_as_draft: Rule::Keep,
        collection_uncollectible: Rule::Keep,
        collection_void: Rule::Keep,
        quantity_zero: Rule::Remove,
        paid_for: Rule::Keep,
        // The status decides; but where Stripe refunds on its own, it does not end the subscription.
        invoice_refunded: Rule::Keep,
        invoice_refunded_managed: Rule::Remove,
        one_time: Rule::Keep,
        refund_full: Rule::Remove,
        refund_partial: Rule::Keep,
        dispute_open: Rule::Remove,
        dispute_lost: Rule::Remove,
        given_by_hand: ByHand::Ask,
    };

    /// The rule for what was read of a subscription, but for what went back of its payments; `None`: nobody knows what it means, so whatever was before stays.
    pub fn rule(&self, facts: &Facts<'_>) -> Option<Rule> {
        let running = |rule: Rule| match facts.collection {
            None | Some(CollectionPause::Unknown) => rule,
            Some(_) if rule != Rule::Keep => rule,
            Some(CollectionPause::KeepAsDraft) => self.collection_as_draft,
            Some(CollectionPause::MarkUncollectible) => self.collection_uncollectible,
            Some(CollectionPause::Void) => self.collection_void,
        };
        let behind = if facts.never_paid { self.past_due_after_trial } else { self.past_due };
        Some(match (facts.status, facts.pause) {
            (SubscriptionStatus::Trialing, _) => running(self.trialing),
            (SubscriptionStatus::Active, _) => running(self.active),
            (SubscriptionStatus::PastDue, _)
            | (SubscriptionStatus::Paused, Some(PauseCause::FirstPaymentFailure)) => behind,
            (SubscriptionStatus::Paused, Some(PauseCause::FinalPaymentFailure)) => {
                self.paused_by_final_failure
            }
            (SubscriptionStatus::Paused, Some(PauseCause::TrialEndWithoutPaymentMethod)) => {
                self.paused_without_payment_method
            }
            (SubscriptionStatus::Paused, Some(PauseCause::PauseRequested)) => self.pause_requested,
            (SubscriptionStatus::Paused, Some(PauseCause::System)) => self.paused_by_system,
            (SubscriptionStatus::Unpaid, _) => self.unpaid,
            (SubscriptionStatus::Incomplete, _) => self.incomplete,
            (SubscriptionStatus::IncompleteExpired, _) => self.incomplete_expired,
            (SubscriptionStatus::Canceled, _) => self.canceled,
            (SubscriptionStatus::Paused, None | Some(PauseCause::Unknown(_)))
            | (SubscriptionStatus::Unknown(_), _) => return None,
        })
    }
}

/// Stripe's words for the statuses in which somebody pays, or may still: what a query that counts them binds.
pub fn paying_statuses() -> Vec<&'static str> {
    SubscriptionStatus::KNOWN
        .iter()
        .filter(|status| {
            let facts = Facts::of(status);
            matches!(
                Policy::DEFAULT.rule(&facts),
                Some(Rule::Keep | Rule::KeepDays(_) | Rule::KeepToPeriodEnd)
            )
        })
        .map(SubscriptionStatus::as_str)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(status: &str, pause: Option<&str>) -> Option<Rule> {
        let (status, pause) = (SubscriptionStatus::parse(status), pause.map(PauseCause::parse));
        Policy::DEFAULT.rule(&Facts { pause: pause.as_ref(), ..Facts::of(&status) })
    }

    #[test]
    fn the_default_policy_by_status() {
        for (word, expected) in [
            ("trialing", Some(Rule::Keep)),
            ("active", Some(Rule::Keep)),
            ("past_due", Some(Rule::KeepDays(14))),
            ("unpaid", Some(Rule::Remove)),
            ("incomplete", Some(Rule::Remove)),
            ("incomplete_expired", Some(Rule::Remove)),
            ("canceled", Some(Rule::Remove)),
            ("paused", None),
            ("invented_tomorrow", None),
            ("", None),
        ] {
            assert_eq!(rule(word, None), expected, "{word}");
            assert_eq!(SubscriptionStatus::parse(word).as_str(), word);
        }
    }

    #[test]
    fn a_pause_is_worth_what_its_cause_is() {
        for (cause, expected) in [
            ("first_payment_failure", Some(Rule::KeepDays(14))),
            ("final_payment_failure", Some(Rule::Remove)),
            ("trial_end_without_payment_method", Some(Rule::Remove)),
            ("pause_requested", Some(Rule::Remove)),
            ("system", Some(Rule::Remove)),
            ("invented_tomorrow", None),
            ("", None),
        ] {
            assert_eq!(rule("paused", Some(cause)), expected, "{cause}");
            assert_eq!(PauseCause::parse(cause).as_str(), cause);
            assert_eq!(rule("active", Some(cause)), Some(Rule::Keep), "a cause without a pause is none");
        }
    }

    #[test]
    fn paused_collection_is_worth_what_the_owner_says_and_ends_nothing_by_default() {
        let status = SubscriptionStatus::Active;
        let strict = Policy { collection_void: Rule::Remove, ..Policy::DEFAULT };
        for (behaviour, by_default, strictly) in [
            ("keep_as_draft", Rule::Keep, Rule::Keep),
            ("mark_uncollectible", Rule::Keep, Rule::Keep),
            ("void", Rule::Keep, Rule::Remove),
            ("invented_tomorrow", Rule::Keep, Rule::Keep),
        ] {
            let facts = Facts { collection: Some(CollectionPause::parse(behaviour)), ..Facts::of(&status) };
            let rules = (Policy::DEFAULT.rule(&facts), strict.rule(&facts));
            assert_eq!(rules, (Some(by_default), Some(strictly)), "{behaviour}");
        }
    }

    #[test]
    fn who_pays() {
        assert_eq!(paying_statuses(), ["trialing", "active", "past_due"]);
    }

    #[test]
    fn as_json_it_has_what_differs() {
        let read: Policy = serde_json::from_str(
            r#"{"past_due":{"keep_days":7},"pause_requested":"keep_to_period_end","later":1}"#,
        )
        .unwrap();
        let expected =
            Policy { past_due: Rule::KeepDays(7), pause_requested: Rule::KeepToPeriodEnd, ..Policy::DEFAULT };
        assert_eq!(read, expected);
        assert_eq!(serde_json::from_value::<Policy>(serde_json::to_value(read).unwrap()).unwrap(), read);
    }
}
