//! What Stripe has and we read again: kinds and ids, and no more.

/// The id of all that an account sells, taken as one object.
pub const CATALOGUE: &str = "catalogue";

/// A Stripe object that we read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object {
    pub kind: ObjectKind,
    /// Its id; the alphabet was checked.
    pub id: String,
}

/// The kinds of objects that we read, in the order in which their rows are locked: by their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ObjectKind {
    /// All that an account sells, as one object.
    Catalogue,
    /// `ch_…`; read for its payment intent.
    Charge,
    /// `cs_…`; a one-time purchase, or read for the subscription that it began.
    CheckoutSession,
    /// `cus_…`
    Customer,
    /// `dp_…`; read for the payment intent that it is about.
    Dispute,
    /// `in_…`; read for the subscription that it bills.
    Invoice,
    /// `pi_…`; read for what was bought with it, and what went back of it.
    PaymentIntent,
    /// `re_…`; read for the payment intent that it is about.
    Refund,
    /// `sub_…`
    Subscription,
}

impl ObjectKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::Charge => "charge",
            Self::CheckoutSession => "checkout_session",
            Self::Customer => "customer",
            Self::Dispute => "dispute",
            Self::Invoice => "invoice",
            Self::PaymentIntent => "payment_intent",
            Self::Refund => "refund",
            Self::Subscription => "subscription",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_ordered_as_their_words_are() {
        let kinds = [
            ObjectKind::Catalogue,
            ObjectKind::Charge,
            ObjectKind::CheckoutSession,
            ObjectKind::Customer,
            ObjectKind::Dispute,
            ObjectKind::Invoice,
            ObjectKind::PaymentIntent,
            ObjectKind::Refund,
            ObjectKind::Subscription,
        ];
        assert!(kinds.is_sorted() && kinds.is_sorted_by_key(|kind| kind.as_str()));
    }
}
