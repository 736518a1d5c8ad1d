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

impl Object {
    /// `subscription sub_1`
    pub fn in_words(&self) -> String {
        format!("{} {}", self.kind.as_str(), self.id)
    }

    /// The same back; `None`: it is not of that form.
    pub fn from_words(words: &str) -> Option<Self> {
        let (kind, id) = words.split_once(' ')?;
        let kind = ObjectKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        Some(Self { kind, id: id.to_owned() })
    }
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
    pub const ALL: [Self; 9] = [
        Self::Catalogue,
        Self::Charge,
        Self::CheckoutSession,
        Self::Customer,
        Self::Dispute,
        Self::Invoice,
        Self::PaymentIntent,
        Self::Refund,
        Self::Subscription,
    ];

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

    /// The kind whose ids Stripe makes begin so; `None`: this is none of them. An id that somebody made up may begin with anything.
    pub fn of_id(id: &str) -> Option<Self> {
        let (prefix, _) = id.split_once('_')?;
        Some(match prefix {
            "ch" | "py" => Self::Charge,
            "cs" => Self::CheckoutSession,
            "cus" => Self::Customer,
            "dp" | "du" => Self::Dispute,
            "in" => Self::Invoice,
            "pi" => Self::PaymentIntent,
            "re" | "pyr" => Self::Refund,
            "sub" => Self::Subscription,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_ordered_as_their_words_are() {
        let kinds = ObjectKind::ALL;
        assert!(kinds.is_sorted() && kinds.is_sorted_by_key(|kind| kind.as_str()));
    }

    #[test]
    fn an_object_is_read_as_it_is_written() {
        for words in ["subscription sub_1", "customer 5 $ + VAT"] {
            assert_eq!(Object::from_words(words).unwrap().in_words(), words);
        }
        assert_eq!((Object::from_words("x sub_1"), Object::from_words("subscription")), (None, None));
    }

    #[test]
    fn an_id_says_of_which_kind_it_is() {
        for (id, expected) in [
            ("sub_1", Some(ObjectKind::Subscription)),
            ("cs_test_1", Some(ObjectKind::CheckoutSession)),
            ("catalogue", None),
            ("vip/monthly", None),
        ] {
            assert_eq!(ObjectKind::of_id(id), expected, "{id}");
        }
    }
}
