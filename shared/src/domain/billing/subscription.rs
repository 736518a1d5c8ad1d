//! What we read from Stripe, in our words. Translated once from Stripe's JSON, by the gateway.

use crate::{
    clock::Timestamp,
    ids::{CustomerId, PriceId, ProductId, SubscriptionId, UserId},
};

/// Something that was read from Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BillingFact {
    /// A customer, and that its subscriptions may have changed.
    Customer(CustomerFact),
    /// A subscription with its customer.
    Subscription(SubscriptionFact),
}

/// A customer as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerFact {
    pub id: CustomerId,
    /// Stripe keeps answering for a deleted customer, with this flag alone.
    pub deleted: bool,
    /// `metadata.discord_user_id`, when it is a snowflake.
    pub discord_user: Option<UserId>,
}

/// A subscription as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionFact {
    pub id: SubscriptionId,
    pub customer: CustomerFact,
    /// <https://docs.stripe.com/api/subscriptions/object#subscription_object-status>
    pub status: SubscriptionStatus,
    /// What is bought.
    pub items: Items,
    /// The latest end of a paid period among the items.
    pub current_period_end: Option<Timestamp>,
    /// It ends by itself; until then it gives access.
    pub cancel_at_period_end: bool,
    /// `metadata.discord_user_id` of the subscription itself, when it is a snowflake.
    pub discord_user: Option<UserId>,
}

/// A subscription's items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Items {
    /// All of them, at least one.
    All(Vec<Item>),
    /// None, or Stripe has more than it sent: enough to begin access, not to end any.
    Some(Vec<Item>),
}

impl Items {
    /// The items that were read.
    pub fn as_slice(&self) -> &[Item] {
        match self {
            Self::All(items) | Self::Some(items) => items,
        }
    }
}

/// One bought price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub price: PriceId,
    /// The product it belongs to.
    pub product: Option<ProductId>,
}

/// Stripe's subscription status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionStatus {
    /// In a trial.
    Trialing,
    /// The latest payment went through.
    Active,
    /// The latest payment failed, Stripe still retries.
    PastDue,
    /// Retries are exhausted.
    Unpaid,
    /// The first payment is pending.
    Incomplete,
    /// The first payment never came; terminal.
    IncompleteExpired,
    Canceled,
    /// Paused: service is suspended.
    Paused,
    /// A status that this release does not know.
    Unknown(String),
}

impl SubscriptionStatus {
    /// From Stripe's word.
    pub fn parse(word: &str) -> Self {
        match word {
            "trialing" => Self::Trialing,
            "active" => Self::Active,
            "past_due" => Self::PastDue,
            "unpaid" => Self::Unpaid,
            "incomplete" => Self::Incomplete,
            "incomplete_expired" => Self::IncompleteExpired,
            "canceled" => Self::Canceled,
            "paused" => Self::Paused,
            other => Self::Unknown(other.to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Canceled => "canceled",
            Self::Paused => "paused",
            Self::Unknown(word) => word,
        }
    }
}
