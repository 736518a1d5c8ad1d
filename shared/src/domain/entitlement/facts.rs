//! What of a subscription decides.

use crate::{
    clock::Timestamp,
    domain::billing::{
        reversal::Reversal,
        subscription::{CollectionPause, Items, PauseCause, SubscriptionFact, SubscriptionStatus},
    },
};

/// What went back of the payment of an invoice after which none was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversedInvoice {
    pub reversal: Reversal,
    /// Stripe sells in its own name, and refunds on its own (<https://docs.stripe.com/payments/managed-payments>).
    pub is_managed: bool,
}

/// What was read of a subscription, as far as it decides.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub status: &'a SubscriptionStatus,
    pub pause: Option<&'a PauseCause>,
    pub collection: Option<CollectionPause>,
    pub items: &'a Items,
    /// Since when a payment is due; `None`: unknown.
    pub unpaid_since: Option<Timestamp>,
    /// Nothing was ever paid.
    pub never_paid: bool,
    /// Since when it is paid for: its start, or the end of its trial; `None`: unknown.
    pub paid_since: Option<Timestamp>,
    /// When the period ends that was paid last; `None`: unknown.
    pub period_end: Option<Timestamp>,
    /// What went back of what was paid last, as far as Stripe ever told.
    pub reversals: &'a [ReversedInvoice],
}

impl<'a> Facts<'a> {
    /// A status, and nothing else.
    pub fn of(status: &'a SubscriptionStatus) -> Self {
        static NOTHING: Items = Items::Some(Vec::new());
        Self {
            status,
            pause: None,
            collection: None,
            items: &NOTHING,
            unpaid_since: None,
            never_paid: false,
            paid_since: None,
            period_end: None,
            reversals: &[],
        }
    }

    /// The payment that followed a trial failed.
    pub fn is_unpaid_trial(&self) -> bool {
        // The period that was paid for first begins there, too.
        self.never_paid && matches!(self.status, SubscriptionStatus::PastDue | SubscriptionStatus::Paused)
    }

    /// Whether a payment is due that may still come: what a grace is for.
    pub fn is_behind(&self) -> bool {
        match self.status {
            SubscriptionStatus::PastDue => true,
            SubscriptionStatus::Paused => self.pause == Some(&PauseCause::FirstPaymentFailure),
            _ => false,
        }
    }

    /// The same, had the payment that is due come.
    #[must_use]
    pub fn if_paid(self) -> Self {
        let status = &SubscriptionStatus::Active;
        Self { status, pause: None, unpaid_since: None, never_paid: false, ..self }
    }

    /// `unpaid_since`: what was remembered of it, which no read moves on.
    pub fn read(
        fact: &'a SubscriptionFact,
        unpaid_since: Option<Timestamp>,
        reversals: &'a [ReversedInvoice],
    ) -> Self {
        Self {
            status: &fact.status,
            pause: fact.pause.as_ref(),
            collection: fact.collection,
            items: &fact.items,
            unpaid_since,
            never_paid: fact.never_paid,
            paid_since: fact.paid_since,
            period_end: fact.current_period_end,
            reversals,
        }
    }
}
