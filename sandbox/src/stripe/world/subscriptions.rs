//! Subscriptions. In: what a test says about one. Out: the subscription, its invoice, and the events about both.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::pause::forget_pause;
use super::payer::Payer;
use super::state::{Change, World, id_of};
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::billing::{self as objects, BillingMode};

/// Days.
const DEFAULT_TRIAL: i64 = 14;

/// What a test says about a new subscription.
#[derive(Deserialize)]
pub(crate) struct NewSubscription {
    customer: String,
    #[serde(default)]
    prices: Vec<String>,
    /// Items that begin with a trial offer, after those of `prices`.
    #[serde(default)]
    trial_offers: Vec<String>,
    status: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
    /// A subscription without items, which Stripe's API can show for a moment.
    #[serde(default)]
    items_empty: bool,
    /// With `status: "trialing"`.
    trial_period_days: Option<i64>,
    /// The account's unless said.
    billing_mode: Option<BillingMode>,
    /// The part of each payment that the platform takes that made it.
    application_fee_percent: Option<f64>,
}

impl World {
    /// A subscription; one that starts out paid gets its invoice too, and of that only `invoice.paid` is told.
    pub(crate) fn subscribe(&mut self, params: &NewSubscription) -> Result<String, Refusal> {
        let prices = [params.prices.clone(), self.offered_prices(&params.trial_offers)?].concat();
        if prices.is_empty() && !params.items_empty {
            return Err(Refusal::malformed("no prices; say items_empty if that is meant"));
        }
        let live = self.live(Kind::Customer, &params.customer)?;
        let birth = self.birth(live);
        let prices = self.priced(if params.items_empty { &[] } else { &prices })?;
        let status = params.status.as_deref().unwrap_or("active");
        let mut subscription =
            objects::subscription(birth, &params.customer, status, &prices, &params.metadata);
        let mode = params.billing_mode.unwrap_or(self.settings.billing_mode);
        subscription["billing_mode"] = objects::billing_mode(mode);
        subscription["application_fee_percent"] = json!(params.application_fee_percent);
        self.begin_trials(&mut subscription, &params.trial_offers);
        if status == "trialing" {
            try_out(&mut subscription, birth.now, params.trial_period_days.unwrap_or(DEFAULT_TRIAL));
        }
        if over(&subscription) {
            end(&mut subscription, birth.now);
        }
        let id = id_of(&subscription);
        self.collection_mut(Kind::Subscription).add(subscription, live);
        let invoice = match status {
            "active" | "trialing" => {
                let free = status == "trialing";
                Some(self.quietly(|world| world.bill(&id, "subscription_create", free, Payer::Pays))?)
            }
            _ => None,
        };
        let subscription = self.find(Kind::Subscription, &id)?.clone();
        self.emit("customer.subscription.created", &subscription, live, None);
        if let Some(invoice) = invoice {
            let invoice = self.find(Kind::Invoice, &invoice)?.clone();
            self.emit("invoice.paid", &invoice, live, None);
        }
        Ok(id)
    }

    /// A subscription as Checkout starts it, with everything that is told about its first invoice, which has what is sold `once` beside
    /// it, too.
    pub(super) fn start_subscription(
        &mut self,
        customer: &str,
        (prices, once): (&[Value], &[Value]),
        metadata: &Map<String, Value>,
        trial_days: Option<i64>,
        payer: Payer,
    ) -> Result<String, Refusal> {
        let live = self.live(Kind::Customer, customer)?;
        let birth = self.birth(live);
        let status = if trial_days.is_some() { "trialing" } else { "active" };
        let mut subscription = objects::subscription(birth, customer, status, prices, metadata);
        subscription["billing_mode"] = objects::billing_mode(self.settings.billing_mode);
        if let Some(days) = trial_days {
            try_out(&mut subscription, birth.now, days);
        }
        let id = self.add(Kind::Subscription, &subscription, live, "customer.subscription.created");
        self.bill_with(&id, once, "subscription_create", trial_days.is_some(), payer)?;
        Ok(id)
    }

    /// Merges top-level fields. `prices` replaces the items, `current_period_end` moves them, `silent` keeps
    /// the change from causing an event, as if the event were lost on the way.
    pub(crate) fn set_subscription(&mut self, id: &str, mut change: Value) -> Result<(), Refusal> {
        let birth = self.birth(self.live(Kind::Subscription, id)?);
        let was_over = over(self.find(Kind::Subscription, id)?);
        let fields =
            change.as_object_mut().ok_or_else(|| Refusal::malformed("a change must be an object"))?;
        let silent = fields.remove("silent").is_some_and(|silent| silent == true);
        let mut ids = |field: &str| match fields.remove(field).map(serde_json::from_value::<Vec<String>>) {
            None => Ok(None),
            Some(Ok(ids)) => Ok(Some(ids)),
            Some(Err(_)) => Err(Refusal::malformed(format!("{field} must be a list of ids"))),
        };
        let (prices, offers) = (ids("prices")?, ids("trial_offers")?.unwrap_or_default());
        if prices.is_some() || !offers.is_empty() {
            let prices = [prices.unwrap_or_default(), self.offered_prices(&offers)?].concat();
            let mut sold = json!({ "items": objects::items(birth, id, &self.priced(&prices)?) });
            self.begin_trials(&mut sold, &offers);
            fields.insert("items".to_owned(), sold["items"].take());
        }
        let period_end = fields.remove("current_period_end");
        if let Some(ends) = fields.get("cancel_at_period_end").and_then(Value::as_bool)
            && !fields.contains_key("cancel_at")
        {
            let at = period_end
                .clone()
                .unwrap_or_else(|| json!(end_of_period(self.collection(Kind::Subscription).get(id))));
            fields.insert("cancel_at".to_owned(), if ends { at } else { Value::Null });
            fields.insert("canceled_at".to_owned(), if ends { birth.now.into() } else { Value::Null });
        }
        let mut changed = self.change(Kind::Subscription, id, &change, Change::AnyField)?;
        let subscription = &mut changed.object;
        if let Some(period_end) = period_end {
            changed.before["items"] = subscription["items"].clone();
            for item in subscription["items"]["data"].as_array_mut().into_iter().flatten() {
                item["current_period_end"] = period_end.clone();
            }
        }
        if let Some(gone) = forget_pause(subscription) {
            changed.before["status_details"] = gone;
        }
        let ends = !was_over && over(subscription);
        if ends {
            end(subscription, birth.now);
        }
        self.put(Kind::Subscription, subscription);
        match (silent, ends) {
            (true, _) => {}
            (false, true) => self.emit("customer.subscription.deleted", subscription, birth.live, None),
            (false, false) => {
                let before = Some(changed.before);
                self.emit("customer.subscription.updated", subscription, birth.live, before);
            }
        }
        Ok(())
    }
}

impl World {
    /// The customer cancels in the portal: a flexible subscription ends at a time, a classic one with its period. The owner,
    /// the API and disputes go on setting `cancel_at_period_end`.
    pub(crate) fn cancel_in_portal(&mut self, id: &str) -> Result<(), Refusal> {
        let subscription = self.find(Kind::Subscription, id)?;
        let mut details = subscription["cancellation_details"].clone();
        details["reason"] = "cancellation_requested".into();
        let end = json!(end_of_period(Some(subscription)));
        let change = match objects::is_flexible(subscription) {
            true => json!({ "cancel_at": end, "canceled_at": self.now(), "cancellation_details": details }),
            false => json!({ "cancel_at_period_end": true, "cancellation_details": details }),
        };
        self.set_subscription(id, change)
    }
}

fn end_of_period(subscription: Option<&Value>) -> Option<i64> {
    subscription.and_then(super::clock::period_end)
}

fn over(subscription: &Value) -> bool {
    subscription["status"] == "canceled"
}

fn end(subscription: &mut Value, now: i64) {
    for at in ["canceled_at", "ended_at"] {
        if subscription[at].is_null() {
            subscription[at] = now.into();
        }
    }
}

/// The first period is free.
fn try_out(subscription: &mut Value, now: i64, days: i64) {
    let end = now + days * 24 * 3600;
    subscription["trial_start"] = now.into();
    subscription["trial_end"] = end.into();
    subscription["billing_cycle_anchor"] = end.into();
    for item in subscription["items"]["data"].as_array_mut().into_iter().flatten() {
        item["current_period_end"] = end.into();
    }
}
