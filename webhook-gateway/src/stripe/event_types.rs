//! Which of Stripe's events we ask for, at an endpoint and in its list of events, which takes 20 types at a time
//! (<https://docs.stripe.com/api/events/list#list_events-types>): so there are two lists, each polled from a cursor of its own.
//!
//! `docs/operations.md` tells owners the same. `customer.created` is not asked for: of a customer that pays nothing nothing can come, and
//! what is bought is read with its customer. Nor is `entitlements.active_entitlement_summary.updated`: no role is given by a feature,
//! and a feature that a product gets is such an event of each of its customers.

/// One of the two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventList {
    /// What may change whom a role is for, or whether they have it.
    Access,
    /// What is sold, and what is only to be told.
    Other,
}

impl EventList {
    pub const ALL: [Self; 2] = [Self::Access, Self::Other];

    /// Its event types, in order, 20 at most.
    pub fn types(self) -> &'static [&'static str] {
        match self {
            Self::Access => &ACCESS,
            Self::Other => &OTHER,
        }
    }
}

const ACCESS: [&str; 20] = [
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.refunded",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.paid",
    "invoice.payment_attempt_required",
    "invoice.payment_failed",
    "invoice.voided",
    "refund.failed",
    "refund.updated",
];

const OTHER: [&str; 10] = [
    "customer.subscription.trial_will_end",
    "invoice.payment_action_required",
    "payment_link.created",
    "payment_link.updated",
    "price.created",
    "price.deleted",
    "price.updated",
    "product.created",
    "product.deleted",
    "product.updated",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_fits_one_query_and_no_type_is_asked_for_twice() {
        let mut all: Vec<_> = EventList::ALL.into_iter().flat_map(EventList::types).collect();
        for list in EventList::ALL {
            assert!(list.types().is_sorted() && list.types().len() <= 20, "{list:?}");
        }
        let asked = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), asked);
    }
}
