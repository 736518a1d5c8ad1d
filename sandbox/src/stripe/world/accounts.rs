//! Customers that are Accounts of the second API. In: what is about to be shown. Out: the same, naming its customer's account.
//!
//! Subscriptions, invoices, sessions and payments name the account beside the customer
//! (<https://docs.stripe.com/connect/accounts-v2/use-accounts-as-customers>). Whether the customer may then be null
//! is not documented, so that a test can have it either way.

use serde_json::{Map, Value};

use super::state::World;
use crate::stripe::kinds::Kind;

/// Names accounts in an object and all that is in it.
pub(crate) fn render(world: &World, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            name(world, fields);
            fields.values_mut().for_each(|inner| render(world, inner));
        }
        Value::Array(values) => values.iter_mut().for_each(|inner| render(world, inner)),
        _ => {}
    }
}

/// Whether an object belongs to the customer with this account.
pub(crate) fn is_of(world: &World, object: &Value, account: &str) -> bool {
    of(world, &object["customer"]) == account
}

fn name(world: &World, fields: &mut Map<String, Value>) {
    if !fields.contains_key("customer_account") {
        return;
    }
    let Some(account) = fields.get("customer").map(|customer| of(world, customer)) else { return };
    if account.is_null() {
        return;
    }
    if world.settings.customers_by_account {
        fields.insert("customer".to_owned(), Value::Null);
    }
    fields.insert("customer_account".to_owned(), account);
}

/// The account of a customer, given as an id or expanded.
fn of(world: &World, customer: &Value) -> Value {
    let id = customer.as_str().or(customer["id"].as_str());
    let customer = id.and_then(|id| world.collection(Kind::Customer).get(id));
    customer.map_or(Value::Null, |customer| customer["customer_account"].clone())
}
