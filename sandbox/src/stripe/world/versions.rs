//! Older shapes. In: an object of today and an API version. Out: the object as that version had it.
//!
//! Real accounts stay on the version they began with, and their webhooks too. Only what a membership product could
//! stumble over is turned back (<https://docs.stripe.com/upgrades>).

use serde_json::{Map, Value, json};

use super::clock::period_end;
use super::state::World;
use crate::stripe::kinds::Kind;
use crate::stripe::objects;

/// A change of shape: the first version without the old one, and the way back to it.
type Step = (&'static str, fn(&World, &mut Map<String, Value>));

/// The newest first, as they are undone.
const STEPS: [Step; 6] = [
    ("2026-09-30", before_endive),
    ("2026-03-25", before_dahlia),
    ("2025-09-30", before_clover),
    ("2025-03-31", before_basil),
    ("2022-11-15", with_refunds),
    ("2020-08-27", with_plan),
];

/// A version is a date and, since 2024, a name; dates can be compared as text. A newer one than the sandbox's gets the
/// sandbox's shapes.
pub(crate) fn known(version: &str) -> Option<&str> {
    let date = version.split('.').next().unwrap_or_default();
    let shape = date.len() == 10
        && date
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    shape.then_some(version)
}

/// Turns an object and all that is in it back. What is in an event has the event's own version.
pub(crate) fn render(world: &World, version: &str, value: &mut Value) {
    let own = value["object"] == "event";
    let version =
        if own { value["api_version"].as_str().unwrap_or(version).to_owned() } else { version.to_owned() };
    if version.as_str() >= STEPS[0].0 && !own && !value.is_array() && value["object"] != "list" {
        return;
    }
    match value {
        Value::Object(fields) => {
            if let Some(previous) =
                fields.get_mut("data").and_then(|data| data.get_mut("previous_attributes"))
            {
                before(&version, previous);
            }
            for (_, step) in STEPS.iter().filter(|(first, _)| version.as_str() < *first) {
                step(world, fields);
            }
            for inner in fields.values_mut() {
                render(world, &version, inner);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|inner| render(world, &version, inner)),
        _ => {}
    }
}

/// Old values of a subscription's period stood beside its items.
fn before(version: &str, previous: &mut Value) {
    if version < "2025-03-31"
        && let Some(end) = previous.get("items").and_then(|_| period_end(previous))
    {
        previous["current_period_end"] = end.into();
    }
}

fn is(fields: &Map<String, Value>, object: &str) -> bool {
    fields.get("object").is_some_and(|kind| kind == object)
}

/// Pauses had no cause and items no trial offer.
fn before_endive(_: &World, fields: &mut Map<String, Value>) {
    if is(fields, "subscription") {
        fields.remove("status_details");
    }
    if is(fields, "subscription_item") {
        fields.remove("current_trial");
    }
}

/// Checkout's pages had other names.
fn before_dahlia(_: &World, fields: &mut Map<String, Value>) {
    let old = match fields.get("ui_mode").and_then(Value::as_str) {
        Some("hosted_page") => "hosted",
        Some("embedded_page") => "embedded",
        Some("elements") => "custom",
        _ => return,
    };
    if is(fields, "checkout.session") {
        fields.insert("ui_mode".to_owned(), old.into());
    }
}

fn before_clover(_: &World, fields: &mut Map<String, Value>) {
    if is(fields, "subscription") {
        fields.remove("billing_schedules");
        fields.remove("managed_payments");
    }
    if is(fields, "line_item") {
        fields.remove("subtotal");
        fields.remove("quantity_decimal");
    }
}

/// Periods were the subscription's own; invoices, charges and intents knew each other.
fn before_basil(world: &World, fields: &mut Map<String, Value>) {
    let linked = |field: &str, id: &Value| {
        let payments = world.collection(Kind::InvoicePayment).oldest_first();
        payments.into_iter().find(|payment| *payment.pointer(field).unwrap_or(&Value::Null) == *id).cloned()
    };
    let id = fields.get("id").cloned().unwrap_or_default();
    if is(fields, "subscription") {
        let mut starts = Vec::new();
        let whole = Value::Object(fields.clone());
        fields.insert("current_period_end".to_owned(), json!(period_end(&whole)));
        for item in
            fields.get_mut("items").and_then(|items| items["data"].as_array_mut()).into_iter().flatten()
        {
            if let Some(item) = item.as_object_mut() {
                item.remove("current_period_end");
                starts.extend(item.remove("current_period_start"));
            }
        }
        fields.insert("current_period_start".to_owned(), starts.into_iter().next().unwrap_or_default());
        fields.remove("billing_mode");
    }
    if is(fields, "invoice") {
        let parent = fields.remove("parent").unwrap_or_default();
        let details = &parent["subscription_details"];
        fields.insert("subscription".to_owned(), details["subscription"].clone());
        fields.insert("subscription_details".to_owned(), json!({ "metadata": details["metadata"] }));
        fields.insert("paid".to_owned(), fields.get("status").is_some_and(|status| status == "paid").into());
        let payment = linked("/invoice", &id).unwrap_or_default();
        let intent = payment["payment"]["payment_intent"].clone();
        let charge = intent.as_str().and_then(|intent| world.charge_of(intent));
        fields.insert("payment_intent".to_owned(), intent);
        fields.insert("charge".to_owned(), json!(charge));
    }
    if is(fields, "line_item") {
        let pricing = fields.remove("pricing").unwrap_or_default();
        let parent = fields.remove("parent").unwrap_or_default();
        let price =
            pricing["price_details"]["price"].as_str().and_then(|id| world.collection(Kind::Price).get(id));
        fields.insert("price".to_owned(), price.cloned().unwrap_or_default());
        fields.insert("proration".to_owned(), false.into());
        fields.insert("type".to_owned(), "subscription".into());
        let item = &parent["subscription_item_details"]["subscription_item"];
        fields.insert("subscription_item".to_owned(), item.clone());
    }
    if is(fields, "charge") || is(fields, "payment_intent") {
        let intent = if is(fields, "charge") { fields.get("payment_intent").cloned() } else { Some(id) };
        let payment = linked("/payment/payment_intent", &intent.unwrap_or_default()).unwrap_or_default();
        fields.insert("invoice".to_owned(), payment["invoice"].clone());
    }
}

/// Charges brought their refunds along.
fn with_refunds(world: &World, fields: &mut Map<String, Value>) {
    if is(fields, "charge") && !fields.contains_key("refunds") {
        let id = fields.get("id").cloned().unwrap_or_default();
        let refunds =
            world.collection(Kind::Refund).oldest_first().rev().filter(|refund| refund["charge"] == id);
        let url = format!("/v1/charges/{}/refunds", id.as_str().unwrap_or_default());
        fields.insert("refunds".to_owned(), objects::list(&url, refunds.cloned().collect(), false));
    }
}

/// A subscription to one thing named its plan.
fn with_plan(_: &World, fields: &mut Map<String, Value>) {
    let only =
        fields.get("items").and_then(|items| items["data"].as_array()).filter(|items| items.len() == 1);
    if is(fields, "subscription")
        && let Some(item) = only.map(|items| items[0].clone())
    {
        fields.insert("plan".to_owned(), item["plan"].clone());
        fields.insert("quantity".to_owned(), item["quantity"].clone());
    }
}
