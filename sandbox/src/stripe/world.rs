//! Customers, prices and subscriptions, and the events they cause. In: a change. Out: objects, events, an outbox.

use serde_json::{Map, Value, json};

use super::objects;
use super::records::{Attempt, Mode};
use super::shelf::Shelf;
use crate::refusal::Refusal;

/// Where events go.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) secret: String,
}

/// Everything one fake Stripe knows.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) customers: Shelf,
    pub(crate) products: Shelf,
    pub(crate) prices: Shelf,
    pub(crate) subscriptions: Shelf,
    pub(crate) events: Shelf,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) webhook: Option<Webhook>,
    pub(crate) mode: Mode,
    /// Ids of events waiting for release, oldest first.
    pub(crate) held: Vec<String>,
    /// Events that arose live and have not been handed to the courier yet.
    pub(crate) outbox: Vec<Value>,
}

/// What a test says about a new subscription.
pub(crate) struct NewSubscription<'a> {
    pub(crate) customer: &'a str,
    pub(crate) prices: &'a [String],
    pub(crate) status: &'a str,
    pub(crate) metadata: &'a Map<String, Value>,
}

impl World {
    pub(crate) fn create_customer(
        &mut self,
        now: i64,
        email: Option<&str>,
        name: Option<&str>,
        metadata: &Map<String, Value>,
    ) -> String {
        let customer = objects::customer(now, email, name, metadata);
        self.customers.add(customer.clone());
        self.emit(now, "customer.created", &customer, None);
        id_of(&customer)
    }

    pub(crate) fn update_customer(&mut self, now: i64, id: &str, change: &Value) -> Result<(), Refusal> {
        let customer = self.customers.get_mut(id).filter(|customer| customer["deleted"] != true);
        let customer = customer.ok_or_else(|| Refusal::missing(format!("customer: {id}")))?;
        let before = merge(customer, change);
        let customer = customer.clone();
        self.emit(now, "customer.updated", &customer, Some(before));
        Ok(())
    }

    /// Deleting a customer ends its subscriptions first, as on the real Stripe.
    pub(crate) fn delete_customer(&mut self, now: i64, id: &str) -> Result<(), Refusal> {
        let customer = self.customers.get(id).filter(|customer| customer["deleted"] != true).cloned();
        let customer = customer.ok_or_else(|| Refusal::missing(format!("customer: {id}")))?;
        let live = |sub: &&Value| sub["customer"] == id && !over(sub);
        let ending: Vec<String> = self.subscriptions.oldest_first().iter().filter(live).map(id_of).collect();
        for subscription in ending {
            self.set_subscription(now, &subscription, json!({ "status": "canceled" }))?;
        }
        if let Some(place) = self.customers.get_mut(id) {
            *place = objects::deleted_customer(id);
        }
        self.emit(now, "customer.deleted", &customer, None);
        Ok(())
    }

    pub(crate) fn create_product(&mut self, now: i64, name: &str) -> String {
        let product = objects::product(now, name);
        self.products.add(product.clone());
        self.emit(now, "product.created", &product, None);
        id_of(&product)
    }

    pub(crate) fn create_price(&mut self, now: i64, product: &str, amount: i64) -> Result<String, Refusal> {
        self.products.get(product).ok_or_else(|| Refusal::missing(format!("product: {product}")))?;
        let price = objects::price(now, product, amount);
        self.prices.add(price.clone());
        self.emit(now, "price.created", &price, None);
        Ok(id_of(&price))
    }

    /// A subscription; one that starts out paid gets its invoice too.
    pub(crate) fn subscribe(&mut self, now: i64, wish: &NewSubscription<'_>) -> Result<String, Refusal> {
        let customer = self.customers.get(wish.customer).filter(|customer| customer["deleted"] != true);
        let customer =
            customer.cloned().ok_or_else(|| Refusal::missing(format!("customer: {}", wish.customer)))?;
        let prices = self.priced(wish.prices)?;
        let mut subscription = objects::subscription(now, wish.customer, wish.status, &prices, wish.metadata);
        let paid = matches!(wish.status, "active" | "trialing");
        let invoice =
            paid.then(|| objects::paid_invoice(now, &customer, &subscription, "subscription_create"));
        if let Some(invoice) = &invoice {
            subscription["latest_invoice"] = invoice["id"].clone();
        }
        if over(&subscription) {
            end(&mut subscription, now);
        }
        self.subscriptions.add(subscription.clone());
        self.emit(now, "customer.subscription.created", &subscription, None);
        if let Some(invoice) = invoice {
            self.emit(now, "invoice.paid", &invoice, None);
        }
        Ok(id_of(&subscription))
    }

    /// Merges top-level fields. `prices` replaces the items, `current_period_end` moves them, `silent` keeps
    /// the change from causing an event, as if the event were lost on the way.
    pub(crate) fn set_subscription(&mut self, now: i64, id: &str, mut change: Value) -> Result<(), Refusal> {
        let fields =
            change.as_object_mut().ok_or_else(|| Refusal::malformed("a change must be an object"))?;
        let silent = fields.remove("silent").is_some_and(|silent| silent == true);
        if let Some(prices) = fields.remove("prices") {
            let ids: Vec<String> = serde_json::from_value(prices)
                .map_err(|_| Refusal::malformed("prices must be a list of price ids"))?;
            fields.insert("items".to_owned(), objects::items(now, id, &self.priced(&ids)?));
        }
        let period_end = fields.remove("current_period_end");
        let missing = || Refusal::missing(format!("subscription: {id}"));
        let subscription = self.subscriptions.get_mut(id).ok_or_else(missing)?;
        let was_over = over(subscription);
        let mut before = merge(subscription, &change);
        if let Some(period_end) = period_end {
            before["items"] = subscription["items"].clone();
            for item in subscription["items"]["data"].as_array_mut().into_iter().flatten() {
                item["current_period_end"] = period_end.clone();
            }
        }
        let ends = !was_over && over(subscription);
        if ends {
            end(subscription, now);
        }
        let subscription = subscription.clone();
        match (silent, ends) {
            (true, _) => {}
            (false, true) => self.emit(now, "customer.subscription.deleted", &subscription, None),
            (false, false) => {
                self.emit(now, "customer.subscription.updated", &subscription, Some(before));
            }
        }
        Ok(())
    }

    fn priced(&self, ids: &[String]) -> Result<Vec<Value>, Refusal> {
        let find = |id: &String| {
            self.prices.get(id).cloned().ok_or_else(|| Refusal::missing(format!("price: {id}")))
        };
        ids.iter().map(find).collect()
    }

    /// Records an event and sends it on its way, according to the mode it arose in.
    fn emit(&mut self, now: i64, kind: &str, object: &Value, before: Option<Value>) {
        let event = objects::event(now, kind, object, before, u8::from(self.webhook.is_some()));
        match self.mode {
            Mode::Live => self.outbox.push(event.clone()),
            Mode::Hold => self.held.push(id_of(&event)),
            Mode::Drop => {}
        }
        self.events.add(event);
    }
}

/// An object's id.
pub(crate) fn id_of(object: &Value) -> String {
    object["id"].as_str().unwrap_or_default().to_owned()
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

/// Overwrites top-level fields and answers the old values of those that changed.
fn merge(object: &mut Value, change: &Value) -> Value {
    let mut before = json!({});
    for (key, value) in change.as_object().into_iter().flatten() {
        if object[key] != *value {
            before[key] = object[key].take();
            object[key] = value.clone();
        }
    }
    before
}
