//! What we read from Stripe, in our words. Translated once from Stripe's JSON, by the gateway.

use serde::Serialize;

use super::{
    amount::{Cost, Discount, Percent},
    page::LatestInvoice,
};
use crate::{
    clock::Timestamp,
    ids::{CustomerId, PriceId, ProductId, SubscriptionId, UserId},
};

/// A customer as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerFact {
    pub id: CustomerId,
    /// Stripe keeps answering for a deleted customer, with this flag alone.
    pub deleted: bool,
    /// `metadata.discord_user_id`, when it is a snowflake.
    pub discord_user: Option<UserId>,
    /// Keys of its metadata whose values look like Discord ids; `None`: its metadata was not shown.
    pub id_keys: Option<Vec<String>>,
}

/// A subscription as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionFact {
    pub id: SubscriptionId,
    pub customer: CustomerFact,
    /// <https://docs.stripe.com/api/subscriptions/object#subscription_object-status>
    pub status: SubscriptionStatus,
    /// Why it is paused; `None`: it is not, or Stripe did not say.
    pub pause: Option<PauseCause>,
    /// What happens to its invoices while their collection is paused; `None`: they are collected.
    pub collection: Option<CollectionPause>,
    /// When they are collected again; `None`: they are, or Stripe did not say.
    pub collection_resumes_at: Option<Timestamp>,
    /// Since when its latest invoice is to be paid; `None`: it is paid, or Stripe did not say.
    pub unpaid_since: Option<Timestamp>,
    /// Since when it is paid for: its start, or the end of its trial, which may be ahead; `None`: Stripe did not say.
    pub paid_since: Option<Timestamp>,
    /// The first period that is not free is the one that was not paid.
    pub never_paid: bool,
    /// The trial that it is in, or was in as far as Stripe still says.
    pub trial: Option<Trial>,
    pub items: Items,
    /// What is taken off of all of it; `None`: Stripe did not say.
    pub discounts: Option<Vec<Discount>>,
    /// When its latest invoice was made, if that was paid, with money.
    pub paid_invoice_at: Option<Timestamp>,
    /// Where its latest invoice is paid, if it is to be.
    pub latest_invoice: LatestInvoice,
    /// Stripe sells it in its own name, and refunds on its own.
    pub is_managed: bool,
    /// The latest end of a paid period among the items.
    pub current_period_end: Option<Timestamp>,
    /// When it ends by itself; until then it gives access.
    pub ends_at: Option<Timestamp>,
    /// `metadata.discord_user_id` of the subscription itself, when it is a snowflake.
    pub discord_user: Option<UserId>,
    /// Keys of its metadata whose values look like Discord ids.
    pub id_keys: Vec<String>,
    /// The part of its payments that a platform takes (`application_fee_percent`); `None`: none.
    pub application_fee: Option<Percent>,
}

/// A trial of a subscription, free or by a trial offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// When it began; of several the first.
    pub began: Timestamp,
    /// When it ends, or ended; of several the last. `None`: Stripe did not say.
    pub ends: Option<Timestamp>,
}

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

    /// The prices that they are worth, as texts.
    pub fn price_ids(&self) -> Vec<String> {
        self.as_slice().iter().flat_map(Item::prices).map(ToString::to_string).collect()
    }

    /// The products that they are worth, as texts.
    pub fn product_ids(&self) -> Vec<String> {
        self.as_slice().iter().flat_map(Item::products).map(ToString::to_string).collect()
    }
}

/// As JSON it is what our rows keep of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    pub price: PriceId,
    /// The product it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
    /// How many are bought; `None`: Stripe did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    /// What one of it costs, and how often.
    #[serde(flatten)]
    pub cost: Cost,
    /// What is taken off of it alone; `None`: Stripe did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discounts: Option<Vec<Discount>>,
    /// What it goes on with after its trial offer, and is worth already; `None`: it is on none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub afterwards: Option<Afterwards>,
}

/// The plan that a trial offer leads to (`end_behavior.transition` of a trial offer).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Afterwards {
    pub price: PriceId,
    /// The product it belongs to; `None`: Stripe did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
}

impl Item {
    /// So many of a price; nothing else is known.
    pub fn new(price: PriceId, product: Option<ProductId>, quantity: Option<u64>) -> Self {
        Self { price, product, quantity, cost: Cost::default(), discounts: None, afterwards: None }
    }

    /// Its price, and the one that its trial offer leads to.
    pub fn prices(&self) -> impl Iterator<Item = &PriceId> {
        [&self.price].into_iter().chain(self.afterwards.as_ref().map(|afterwards| &afterwards.price))
    }

    /// Its product, and the one that its trial offer leads to.
    pub fn products(&self) -> impl Iterator<Item = &ProductId> {
        let afterwards = self.afterwards.as_ref().and_then(|afterwards| afterwards.product.as_ref());
        self.product.iter().chain(afterwards)
    }
}

/// Why a subscription is paused (`status_details.paused.subscription.type`, since 2026-09-30).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PauseCause {
    /// A renewal failed once, and the account pauses at that.
    FirstPaymentFailure,
    /// Stripe's last retry of the invoice failed.
    FinalPaymentFailure,
    /// The trial ended, and there is no card.
    TrialEndWithoutPaymentMethod,
    /// The customer or the owner asked for it.
    PauseRequested,
    System,
    /// A cause that this release does not know.
    Unknown(String),
}

impl PauseCause {
    /// Stripe's word; one that we do not know becomes the unknown variant, never an error.
    pub fn parse(word: &str) -> Self {
        match word {
            "first_payment_failure" => Self::FirstPaymentFailure,
            "final_payment_failure" => Self::FinalPaymentFailure,
            "trial_end_without_payment_method" => Self::TrialEndWithoutPaymentMethod,
            "pause_requested" => Self::PauseRequested,
            "system" => Self::System,
            other => Self::Unknown(other.to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::FirstPaymentFailure => "first_payment_failure",
            Self::FinalPaymentFailure => "final_payment_failure",
            Self::TrialEndWithoutPaymentMethod => "trial_end_without_payment_method",
            Self::PauseRequested => "pause_requested",
            Self::System => "system",
            Self::Unknown(word) => word,
        }
    }
}

/// What happens to invoices while their collection is paused (`pause_collection.behavior`); the customer keeps the service
/// (<https://docs.stripe.com/billing/subscriptions/pause-payment>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectionPause {
    KeepAsDraft,
    MarkUncollectible,
    Void,
    /// A behaviour that this release does not know.
    Unknown,
}

impl CollectionPause {
    /// Stripe's word; one that we do not know becomes the unknown variant, never an error.
    pub fn parse(word: &str) -> Self {
        match word {
            "keep_as_draft" => Self::KeepAsDraft,
            "mark_uncollectible" => Self::MarkUncollectible,
            "void" => Self::Void,
            _ => Self::Unknown,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeepAsDraft => "keep_as_draft",
            Self::MarkUncollectible => "mark_uncollectible",
            Self::Void => "void",
            Self::Unknown => "unknown",
        }
    }
}

impl SubscriptionFact {
    /// `sub_1 is active`, `sub_1 is paused (first_payment_failure)`: what evidence says.
    pub fn in_words(&self) -> String {
        match &self.pause {
            Some(cause) => format!("{} is {} ({})", self.id, self.status.as_str(), cause.as_str()),
            None => format!("{} is {}", self.id, self.status.as_str()),
        }
    }

    /// Whether a payment is due that may still come: what a grace period is for.
    pub fn is_behind(&self) -> bool {
        match self.status {
            SubscriptionStatus::PastDue => true,
            SubscriptionStatus::Paused => self.pause == Some(PauseCause::FirstPaymentFailure),
            _ => false,
        }
    }

    /// Whether it is paid, so that a grace period is over.
    pub fn is_paid(&self) -> bool {
        matches!(self.status, SubscriptionStatus::Active | SubscriptionStatus::Trialing)
    }
}

/// Stripe's subscription status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionStatus {
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
    /// All that this release knows.
    pub const KNOWN: [Self; 8] = [
        Self::Trialing,
        Self::Active,
        Self::PastDue,
        Self::Unpaid,
        Self::Incomplete,
        Self::IncompleteExpired,
        Self::Canceled,
        Self::Paused,
    ];

    /// Those that no subscription comes back from: who pays again gets another subscription.
    pub const ENDED: [Self; 2] = [Self::IncompleteExpired, Self::Canceled];

    /// Stripe's word; one that we do not know becomes the unknown variant, never an error.
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
