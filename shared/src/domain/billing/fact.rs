//! Something that was read from Stripe.

use super::{
    payment::PaymentFact,
    purchase::PurchaseFact,
    subscription::{CustomerFact, SubscriptionFact},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BillingFact {
    /// A customer, and that what it bought may have changed.
    Customer(CustomerFact),
    /// A payment that something may have gone back of.
    Payment(PaymentFact),
    /// A one-time purchase with its customer, and with what went back of it.
    Purchase(PurchaseFact),
    /// A subscription with its customer.
    Subscription(SubscriptionFact),
}

impl BillingFact {
    /// Who pays for it, as read with it; `None`: it is the customer itself, or nobody's.
    pub fn paid_by(&self) -> Option<&CustomerFact> {
        match self {
            Self::Subscription(fact) => Some(&fact.customer),
            Self::Purchase(fact) => fact.customer.as_ref(),
            Self::Customer(_) | Self::Payment(_) => None,
        }
    }
}
