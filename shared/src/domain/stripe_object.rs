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

/// The kinds of objects that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ObjectKind {
    /// All that an account sells, as one object.
    Catalogue,
    /// `cs_…`; read for the subscription that it began.
    CheckoutSession,
    /// `cus_…`
    Customer,
    /// `in_…`; read for the subscription that it bills.
    Invoice,
    /// `sub_…`
    Subscription,
}

impl ObjectKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::CheckoutSession => "checkout_session",
            Self::Customer => "customer",
            Self::Invoice => "invoice",
            Self::Subscription => "subscription",
        }
    }
}
