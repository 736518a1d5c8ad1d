//! Customers. In: what a test says about one. Out: the customer and the events about it.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::state::{Change, World, chosen, id_of};
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::objects;

/// What a test says about a new customer.
#[derive(Deserialize)]
pub(crate) struct NewCustomer {
    /// Accounts made them up freely once; otherwise one is made.
    id: Option<String>,
    email: Option<String>,
    name: Option<String>,
    /// The Account of the second API that the customer is.
    customer_account: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default)]
    livemode: bool,
}

impl World {
    pub(crate) fn create_customer(&mut self, params: &NewCustomer) -> String {
        let birth = self.birth(params.livemode);
        let mut customer =
            objects::customer(birth, params.email.as_deref(), params.name.as_deref(), &params.metadata);
        chosen(&mut customer, params.id.as_deref());
        customer["customer_account"] = json!(params.customer_account);
        self.add(Kind::Customer, &customer, birth.live, "customer.created")
    }

    pub(crate) fn update_customer(&mut self, id: &str, change: &Value) -> Result<(), Refusal> {
        let changed = self.change(Kind::Customer, id, change, Change::AnyField)?;
        self.emit("customer.updated", &changed.object, changed.live, Some(changed.before));
        Ok(())
    }

    /// Deleting a customer ends its subscriptions first, as on the real Stripe.
    pub(crate) fn delete_customer(&mut self, id: &str) -> Result<(), Refusal> {
        let live = self.live(Kind::Customer, id)?;
        let running = |sub: &&Value| sub["customer"] == id && sub["status"] != "canceled";
        let ending: Vec<String> =
            self.collection(Kind::Subscription).oldest_first().filter(running).map(id_of).collect();
        for subscription in ending {
            self.set_subscription(&subscription, json!({ "status": "canceled" }))?;
        }
        let last = self.bury(Kind::Customer, id);
        self.emit("customer.deleted", &last, live, None);
        Ok(())
    }
}
