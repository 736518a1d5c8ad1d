//! Products, prices and payment links. In: what an owner does in the dashboard. Out: objects and their events.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::state::{Change, World, chosen, id_of};
use crate::refusal::Refusal;
use crate::stripe::collection::Collection;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::catalogue as objects;

/// What a test says about a new product.
#[derive(Deserialize)]
pub(crate) struct NewProduct {
    id: Option<String>,
    name: String,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default)]
    livemode: bool,
}

/// What a test says about a new price.
#[derive(Deserialize)]
pub(crate) struct NewPrice {
    /// As plans had it, which are prices now.
    id: Option<String>,
    product: String,
    unit_amount: i64,
    #[serde(default = "usd")]
    currency: String,
    #[serde(default)]
    r#type: Payment,
    #[serde(default = "month")]
    interval: String,
    #[serde(default = "one")]
    interval_count: i64,
}

/// What a test says about a feature of a product.
#[derive(Deserialize)]
pub(crate) struct NewFeature {
    lookup_key: String,
    /// The key unless said.
    name: Option<String>,
}

/// How often a price is paid.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Payment {
    #[default]
    Recurring,
    OneTime,
}

/// What a test says about a new payment link.
#[derive(Deserialize)]
pub(crate) struct NewLink {
    price: Option<String>,
    #[serde(default)]
    prices: Vec<String>,
    redirect_url: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
    active: Option<bool>,
    /// How many days a subscription bought here is free.
    trial_period_days: Option<u32>,
    /// For one-time purchases: `always`, or `if_required`, which leaves the buyer a guest.
    customer_creation: Option<String>,
}

fn usd() -> String {
    "usd".to_owned()
}

fn month() -> String {
    "month".to_owned()
}

fn one() -> i64 {
    1
}

impl World {
    pub(crate) fn create_product(&mut self, params: &NewProduct) -> String {
        let mut product = objects::product(self.birth(params.livemode), &params.name, &params.metadata);
        chosen(&mut product, params.id.as_deref());
        self.add(Kind::Product, &product, params.livemode, "product.created")
    }

    /// Hangs a feature on a product; Stripe has no event for it.
    pub(crate) fn add_feature(&mut self, product: &str, new: &NewFeature) -> Result<String, Refusal> {
        let live = self.live(Kind::Product, product)?;
        let name = new.name.as_deref().unwrap_or(&new.lookup_key);
        let feature = objects::product_feature(self.birth(live), &new.lookup_key, name);
        let id = id_of(&feature);
        self.features.entry(product.to_owned()).or_default().push(feature);
        Ok(id)
    }

    pub(crate) fn create_price(&mut self, params: &NewPrice) -> Result<String, Refusal> {
        let live = self.live(Kind::Product, &params.product)?;
        if !matches!(params.interval.as_str(), "day" | "week" | "month" | "year") || params.interval_count < 1
        {
            return Err(Refusal::malformed("interval: day, week, month or year; interval_count: 1 or more"));
        }
        let rhythm = match params.r#type {
            Payment::Recurring => Some((params.interval.as_str(), params.interval_count)),
            Payment::OneTime => None,
        };
        let mut price =
            objects::price(self.birth(live), &params.product, &params.currency, params.unit_amount, rhythm);
        chosen(&mut price, params.id.as_deref());
        Ok(self.add(Kind::Price, &price, live, "price.created"))
    }

    /// A payment link and its lines.
    pub(crate) fn create_link(&mut self, params: &NewLink) -> Result<String, Refusal> {
        let prices: Vec<String> = params.price.iter().chain(&params.prices).cloned().collect();
        let first = prices.first().ok_or_else(|| Refusal::malformed("a payment link sells a price"))?;
        let live = self.live(Kind::Price, first)?;
        let prices = self.priced(&prices)?;
        let recurring = prices.iter().any(|price| price["type"] == "recurring");
        let redirect = params.redirect_url.as_deref();
        let mut link = objects::payment_link(
            self.birth(live),
            &prices[0]["currency"],
            redirect,
            recurring,
            &params.metadata,
        );
        link["active"] = params.active.unwrap_or(true).into();
        if let Some(days) = params.trial_period_days {
            link["subscription_data"]["trial_period_days"] = days.into();
        }
        if let Some(creation) = &params.customer_creation {
            link["customer_creation"] = creation.as_str().into();
        }
        self.lines.insert(id_of(&link), self.lines_for(&prices));
        Ok(self.add(Kind::PaymentLink, &link, live, "payment_link.created"))
    }

    /// Overwrites top-level fields, as the dashboard and the API would.
    pub(crate) fn change_catalogue(
        &mut self,
        kind: Kind,
        id: &str,
        mut change: Value,
    ) -> Result<(), Refusal> {
        if let Some(url) = change.as_object_mut().and_then(|fields| fields.remove("redirect_url")) {
            change["after_completion"] = json!({ "redirect": { "url": url }, "type": "redirect" });
        }
        let now = self.now();
        let mut change = self.change(kind, id, &change, Change::KnownFields)?;
        if change.object.get("updated").is_some() {
            change.object["updated"] = now.into();
            self.put(kind, &change.object);
        }
        if kind == Kind::Price {
            self.reprice(&change.object);
        }
        self.emit(&format!("{}.updated", kind.object()), &change.object, change.live, Some(change.before));
        Ok(())
    }

    /// Deletes a product or price; archiving is `active: false`.
    pub(crate) fn delete_from_catalogue(&mut self, kind: Kind, id: &str) -> Result<(), Refusal> {
        let live = self.live(kind, id)?;
        let last = self.bury(kind, id);
        self.emit(&format!("{}.deleted", kind.object()), &last, live, None);
        Ok(())
    }

    /// Prices are embedded in subscriptions and lines, where readers see them as they are now.
    fn reprice(&mut self, price: &Value) {
        let subscriptions =
            self.collections.get_mut(&Kind::Subscription).into_iter().flat_map(Collection::all_mut);
        let items = subscriptions
            .filter_map(|subscription| subscription["items"]["data"].as_array_mut())
            .chain(self.lines.values_mut())
            .flatten()
            .filter(|item| item["price"]["id"] == price["id"]);
        for item in items {
            item["price"] = price.clone();
            if item.get("plan").is_some() {
                item["plan"] = objects::plan(price);
            }
        }
    }

    /// What a page that sells these prices lists.
    pub(crate) fn lines_for(&self, prices: &[Value]) -> Vec<Value> {
        prices.iter().map(|price| objects::item(price, self.product_name(price))).collect()
    }

    fn product_name(&self, price: &Value) -> &Value {
        let product = price["product"].as_str().and_then(|id| self.collection(Kind::Product).get(id));
        product.map_or(&Value::Null, |product| &product["name"])
    }

    pub(crate) fn priced(&self, ids: &[String]) -> Result<Vec<Value>, Refusal> {
        ids.iter().map(|id| self.find(Kind::Price, id).cloned()).collect()
    }
}
