//! A payment that something may have gone back of, with what it paid for.

use super::reversal::Reversal;
use crate::{
    clock::Timestamp,
    ids::{CheckoutSessionId, InvoiceId, PaymentIntentId, SubscriptionId},
};

/// A payment as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFact {
    pub id: PaymentIntentId,
    pub reversal: Reversal,
    /// Stripe sells in its own name, and refunds on its own.
    pub is_managed: bool,
    /// The one-time purchases that it paid.
    pub sessions: Vec<CheckoutSessionId>,
    /// The invoices of subscriptions that it paid.
    pub invoices: Vec<PaidInvoice>,
}

/// An invoice of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidInvoice {
    pub id: InvoiceId,
    pub subscription: SubscriptionId,
    /// When Stripe made it.
    pub created: Timestamp,
}
