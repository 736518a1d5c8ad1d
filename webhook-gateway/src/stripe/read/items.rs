//! What is in a subscription, or in a checkout session: lines with a price.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use shared::{
    clock::Timestamp,
    domain::billing::subscription::{Afterwards, Item, Items},
    ids::{PriceId, ProductId},
};

use super::{
    cost::{Coupons, WireCost, WireDiscounts},
    timestamp,
};
use crate::stripe::event::{Reference, lenient};

/// A list that Stripe embeds, or the first of it.
#[derive(Deserialize)]
pub(super) struct WireItems {
    #[serde(default, deserialize_with = "lenient")]
    data: Option<Vec<WireItem>>,
    #[serde(default, deserialize_with = "lenient")]
    has_more: Option<bool>,
}

impl WireItems {
    /// Of a list that was read to its end.
    pub(super) fn whole(items: Vec<WireItem>) -> Self {
        Self { data: Some(items), has_more: Some(false) }
    }

    pub(super) fn as_slice(&self) -> &[WireItem] {
        self.data.as_deref().unwrap_or_default()
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [WireItem] {
        self.data.as_deref_mut().unwrap_or_default()
    }

    pub(super) fn has_more(&self) -> bool {
        self.has_more.unwrap_or(false)
    }

    /// All items, or some: an item without price or product, one on a trial offer of which nobody knows where it leads, a cut-off
    /// list and an empty one are no evidence of an end.
    pub(super) fn items(&self, coupons: &Coupons) -> Items {
        self.items_that(|_| true, coupons)
    }

    /// The same of those that are sold once.
    pub(super) fn sold_once(&self) -> Items {
        self.items_that(WireItem::is_sold_once, &Coupons::new())
    }

    fn items_that(&self, wanted: impl Fn(&WireItem) -> bool, coupons: &Coupons) -> Items {
        let wanted: Vec<&WireItem> = self.as_slice().iter().filter(|item| wanted(item)).collect();
        let read: Vec<Item> = wanted.iter().filter_map(|item| item.item(coupons)).collect();
        let whole = read.len() == wanted.len()
            && read.iter().all(|item| item.product.is_some())
            && !wanted.iter().any(|item| item.is_unresolved());
        if read.is_empty() || self.has_more() || !whole { Items::Some(read) } else { Items::All(read) }
    }
}

/// An item of a subscription, or a line of a checkout session.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireItem {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    price: Option<WirePrice>,
    /// What items had before prices; the same ids.
    #[serde(default, deserialize_with = "lenient")]
    plan: Option<WirePrice>,
    #[serde(default, deserialize_with = "lenient")]
    quantity: Option<u64>,
    /// Of a line, with what is taken off.
    #[serde(default, deserialize_with = "lenient")]
    amount_total: Option<i64>,
    /// Here since 2025-03-31.basil, on the subscription before; so is its start.
    #[serde(default, deserialize_with = "lenient")]
    current_period_end: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    current_period_start: Option<i64>,
    /// Since 2026-09-30, while it is on a trial offer: its price is the offer's until then.
    #[serde(default, deserialize_with = "lenient")]
    current_trial: Option<WireTrial>,
    #[serde(default, deserialize_with = "lenient")]
    discounts: Option<WireDiscounts>,
    /// Not Stripe's: where the trial offer leads, which its own object tells.
    #[serde(skip)]
    afterwards: Option<Afterwards>,
}

/// A price with its product, or what a plan was; and what it costs, which may be whatever it likes.
struct WirePrice {
    name: WirePriceName,
    cost: Option<WireCost>,
}

#[derive(Deserialize)]
struct WirePriceName {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    product: Option<Reference>,
    /// `one_time` or `recurring`.
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<String>,
}

impl<'de> Deserialize<'de> for WirePrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let name = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        Ok(Self { name, cost: serde_json::from_str(raw.get()).ok() })
    }
}

impl WirePrice {
    fn id(&self) -> Option<PriceId> {
        self.name.id.parse().ok()
    }

    fn product(&self) -> Option<ProductId> {
        self.name.product.as_ref()?.id().parse().ok()
    }
}

#[derive(Deserialize)]
struct WireTrial {
    #[serde(default, deserialize_with = "lenient")]
    trial_offer: Option<Reference>,
    #[serde(default, deserialize_with = "lenient")]
    start_date: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    end_date: Option<i64>,
}

impl WireItem {
    pub(in crate::stripe) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn is_sold_once(&self) -> bool {
        self.price.as_ref().is_some_and(|price| price.name.kind.as_deref() == Some("one_time"))
    }

    pub(super) fn amount_total(&self) -> Option<i64> {
        self.amount_total
    }

    pub(super) fn current_period_end(&self) -> Option<i64> {
        self.current_period_end
    }

    pub(super) fn current_period_start(&self) -> Option<i64> {
        self.current_period_start
    }

    /// The coupons that its discounts come from.
    pub(super) fn coupons(&self) -> Vec<String> {
        self.discounts.as_ref().map(WireDiscounts::coupons).unwrap_or_default()
    }

    /// The trial offer that it is on.
    pub(in crate::stripe) fn trial_offer(&self) -> Option<&str> {
        Some(self.current_trial.as_ref()?.trial_offer.as_ref()?.id())
    }

    /// From when to when it is on a trial offer.
    pub(super) fn trial(&self) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        let trial = self.current_trial.as_ref()?;
        Some((trial.start_date.and_then(timestamp), trial.end_date.and_then(timestamp)))
    }

    /// Where the trial offer leads.
    pub(in crate::stripe) fn set_afterwards(&mut self, afterwards: Afterwards) {
        self.afterwards = Some(afterwards);
    }

    fn is_unresolved(&self) -> bool {
        self.current_trial.is_some() && self.afterwards.is_none()
    }

    fn item(&self, coupons: &Coupons) -> Option<Item> {
        let price = self.price.as_ref().or(self.plan.as_ref())?;
        Some(Item {
            price: price.id()?,
            product: price.product(),
            quantity: self.quantity,
            cost: price.cost.as_ref().map(WireCost::cost).unwrap_or_default(),
            discounts: self.discounts.as_ref().map(|discounts| discounts.discounts(coupons)),
            afterwards: self.afterwards.clone(),
        })
    }
}
