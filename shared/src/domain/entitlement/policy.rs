//! Does this subscription give access? In: a status and items. Out: [`Access`].

use crate::domain::billing::subscription::{Items, SubscriptionStatus};

/// What a subscription says about the roles mapped to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The roles of its items are due, and no others of this subscription.
    Exactly,
    /// The roles of its items are due; what it gave before stays, for lack of evidence that it ended.
    AtLeast,
    /// Access has ended: Stripe said so.
    Ended,
    /// We do not know what this means; whatever was before stays.
    Unchanged,
}

/// The default policy. Only a status that Stripe documents as without access ends it
/// (<https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>).
pub fn access(status: &SubscriptionStatus, items: &Items) -> Access {
    match status {
        // Retries run while past_due: an ordinary failed card must not cost the role.
        SubscriptionStatus::Trialing | SubscriptionStatus::Active | SubscriptionStatus::PastDue => {
            match items {
                Items::All(_) => Access::Exactly,
                Items::Some(_) => Access::AtLeast,
            }
        }
        SubscriptionStatus::Unpaid
        | SubscriptionStatus::Incomplete
        | SubscriptionStatus::IncompleteExpired
        | SubscriptionStatus::Canceled
        | SubscriptionStatus::Paused => Access::Ended,
        SubscriptionStatus::Unknown(_) => Access::Unchanged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_table() {
        for (word, expected) in [
            ("trialing", Access::Exactly),
            ("active", Access::Exactly),
            ("past_due", Access::Exactly),
            ("unpaid", Access::Ended),
            ("incomplete", Access::Ended),
            ("incomplete_expired", Access::Ended),
            ("canceled", Access::Ended),
            ("paused", Access::Ended),
            ("invented_tomorrow", Access::Unchanged),
            ("", Access::Unchanged),
        ] {
            let status = SubscriptionStatus::parse(word);
            assert_eq!(access(&status, &Items::All(Vec::new())), expected, "{word}");
            assert_eq!(status.as_str(), word);
        }
    }

    #[test]
    fn missing_items_never_end_access() {
        assert_eq!(access(&SubscriptionStatus::Active, &Items::Some(Vec::new())), Access::AtLeast);
    }
}
