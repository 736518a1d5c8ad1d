//! The kinds of objects Stripe has. In: a kind. Out: its names in URLs, messages, permissions and JSON.

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Customer,
    Product,
    Price,
    PaymentLink,
    Subscription,
    Event,
}

impl Kind {
    /// All of them; each has a list and single objects in the API.
    pub(crate) const ALL: [Self; 6] =
        [Self::Customer, Self::Product, Self::Price, Self::PaymentLink, Self::Subscription, Self::Event];

    /// The `object` field.
    pub(crate) fn object(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Product => "product",
            Self::Price => "price",
            Self::PaymentLink => "payment_link",
            Self::Subscription => "subscription",
            Self::Event => "event",
        }
    }

    /// Below `/v1`.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Customer => "/customers",
            Self::Product => "/products",
            Self::Price => "/prices",
            Self::PaymentLink => "/payment_links",
            Self::Subscription => "/subscriptions",
            Self::Event => "/events",
        }
    }

    /// The list that the kind shows inside objects or below them, if it has one.
    pub(crate) fn has_line_items(self) -> bool {
        matches!(self, Self::PaymentLink)
    }

    /// What error messages call the id in the URL.
    pub(crate) fn id_param(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::PaymentLink => "payment_link",
            Self::Customer | Self::Product | Self::Subscription | Self::Event => "id",
        }
    }
}
