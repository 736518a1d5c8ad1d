//! A one-time purchase as read: a checkout session, with what it sold once, by itself or beside a subscription, and what became of its
//! payment.

use super::{
    amount::{Amount, Currency},
    reversal::Reversal,
    subscription::{CustomerFact, Items},
};
use crate::{
    clock::Timestamp,
    ids::{CheckoutSessionId, InvoiceId, PriceId, ProductId, UserId},
};

/// A one-time purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseFact {
    pub id: CheckoutSessionId,
    /// Who bought; `None`: a guest, of whom Stripe keeps no customer.
    pub customer: Option<CustomerFact>,
    pub status: PurchaseStatus,
    /// What was bought once.
    pub items: Items,
    /// The subscription's first invoice that it was paid by; `None`: it was bought by itself.
    pub invoice: Option<InvoiceId>,
    /// What all of it comes to, with what is taken off; `None`: Stripe did not say.
    pub total: Option<Amount>,
    /// Of the total.
    pub currency: Option<Currency>,
    /// When it was paid; `None`: it is not, or Stripe did not say.
    pub paid_at: Option<Timestamp>,
    /// What went back of it.
    pub reversal: Reversal,
    /// `metadata.discord_user_id` of the session itself, or of the subscription beside which it was bought, when it is a snowflake.
    pub discord_user: Option<UserId>,
    /// Keys of its metadata whose values look like Discord ids.
    pub id_keys: Vec<String>,
}

/// What was sold once beside a subscription, as the subscription's latest invoice shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SoldBeside {
    /// The first invoice is the latest, and has nothing else on it.
    Nothing,
    /// It has, and what.
    Sold { invoice: InvoiceId, prices: Vec<PriceId>, products: Vec<ProductId> },
    /// The first invoice is not the latest, or was not shown whole.
    NotShown,
}

/// Whether it is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PurchaseStatus {
    /// It is, or nothing was to be paid.
    Paid,
    /// The page is open, has expired, or the bank has not answered.
    NotPaid,
    /// A word that this release does not know.
    Unknown(String),
}

impl PurchaseStatus {
    /// From Stripe's `status` and `payment_status`
    /// (<https://docs.stripe.com/api/checkout/sessions/object#checkout_session_object-payment_status>).
    pub fn parse(status: &str, payment: &str) -> Self {
        match (status, payment) {
            ("open" | "expired", _) => Self::NotPaid,
            ("complete", "paid" | "no_payment_required") => Self::Paid,
            ("complete", "unpaid") => Self::NotPaid,
            ("complete", other) => Self::Unknown(format!("complete, {other}")),
            (other, _) => Self::Unknown(other.to_owned()),
        }
    }

    /// As our rows have it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Paid => "paid",
            Self::NotPaid => "not_paid",
            Self::Unknown(word) => word,
        }
    }
}

impl PurchaseFact {
    /// `cs_1 is paid`, `cs_1 is paid, was refunded`: what evidence says.
    pub fn in_words(&self) -> String {
        let status = match &self.status {
            PurchaseStatus::Paid => "is paid".to_owned(),
            PurchaseStatus::NotPaid => "is not paid".to_owned(),
            PurchaseStatus::Unknown(word) => format!("is {word:?}"),
        };
        let between = if self.reversal == Reversal::NONE { "" } else { ", " };
        format!("{} {status}{between}{}", self.id, self.reversal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_session_is_paid() {
        for (status, payment, expected) in [
            ("complete", "paid", PurchaseStatus::Paid),
            ("complete", "no_payment_required", PurchaseStatus::Paid),
            ("complete", "unpaid", PurchaseStatus::NotPaid),
            ("open", "unpaid", PurchaseStatus::NotPaid),
            ("open", "paid", PurchaseStatus::NotPaid),
            ("expired", "unpaid", PurchaseStatus::NotPaid),
            ("complete", "", PurchaseStatus::Unknown("complete, ".to_owned())),
            ("frozen", "paid", PurchaseStatus::Unknown("frozen".to_owned())),
            ("", "", PurchaseStatus::Unknown(String::new())),
        ] {
            assert_eq!(PurchaseStatus::parse(status, payment), expected, "{status} {payment}");
        }
    }
}
