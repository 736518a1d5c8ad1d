//! What each list can be narrowed by. In: a kind, the query, an object. Out: whether the object belongs on the list.

use serde_json::Value;

use super::asked::Asked;
use super::failure::Failure;
use crate::stripe::kinds::Kind;

/// How a parameter narrows a list.
enum Filter {
    /// The field at this JSON pointer is this text, or an object with this id.
    Is(&'static str),
    /// The field at this pointer is `true` or `false`.
    Flag(&'static str),
    /// The field at this pointer is one of several.
    AnyOf(&'static str),
    /// The seconds at this pointer are this, or `[gt]`, `[gte]`, `[lt]`, `[lte]` than this.
    Time(&'static str),
    /// A rule of its own, given the values (none if the parameter was not sent).
    Rule(fn(&Value, &[&str]) -> bool),
}

/// What a customer's account is, only the list knows, which looks at the customer.
const ACCOUNT: (&str, Filter) = ("customer_account", Filter::Rule(|_, _| true));

fn of(kind: Kind) -> &'static [(&'static str, Filter)] {
    use Filter::{AnyOf, Flag, Is, Rule, Time};
    match kind {
        Kind::Customer => &[("email", Is("/email")), ("created", Time("/created"))],
        Kind::Product => &[
            ("active", Flag("/active")),
            ("created", Time("/created")),
            ("ids", AnyOf("/id")),
            ("shippable", Flag("/shippable")),
            ("type", Is("/type")),
            ("url", Is("/url")),
        ],
        Kind::Price => &[
            ("active", Flag("/active")),
            ("created", Time("/created")),
            ("currency", Is("/currency")),
            ("lookup_keys", AnyOf("/lookup_key")),
            ("product", Is("/product")),
            ("recurring[interval]", Is("/recurring/interval")),
            ("recurring[usage_type]", Is("/recurring/usage_type")),
            ("type", Is("/type")),
        ],
        Kind::PaymentLink | Kind::TrialOffer => &[("active", Flag("/active"))],
        Kind::PaymentMethod => &[("customer", Is("/customer")), ACCOUNT, ("type", Is("/type"))],
        Kind::PaymentIntent => &[("created", Time("/created")), ("customer", Is("/customer")), ACCOUNT],
        Kind::SetupIntent => &[
            ("created", Time("/created")),
            ("customer", Is("/customer")),
            ACCOUNT,
            ("payment_method", Is("/payment_method")),
        ],
        Kind::Charge => &[
            ("created", Time("/created")),
            ("customer", Is("/customer")),
            ("payment_intent", Is("/payment_intent")),
        ],
        Kind::Refund | Kind::Dispute => &[
            ("charge", Is("/charge")),
            ("created", Time("/created")),
            ("payment_intent", Is("/payment_intent")),
        ],
        Kind::Invoice => &[
            ("collection_method", Is("/collection_method")),
            ("created", Time("/created")),
            ("customer", Is("/customer")),
            ACCOUNT,
            ("status", Is("/status")),
            ("subscription", Is("/parent/subscription_details/subscription")),
        ],
        Kind::InvoicePayment => &[
            ("invoice", Is("/invoice")),
            ("payment[payment_intent]", Is("/payment/payment_intent")),
            ("payment[type]", Is("/payment/type")),
            ("status", Is("/status")),
        ],
        Kind::CheckoutSession => &[
            ("created", Time("/created")),
            ("customer", Is("/customer")),
            ACCOUNT,
            ("customer_details[email]", Is("/customer_details/email")),
            ("payment_intent", Is("/payment_intent")),
            ("payment_link", Is("/payment_link")),
            ("status", Is("/status")),
            ("subscription", Is("/subscription")),
        ],
        Kind::Subscription => &[
            ("collection_method", Is("/collection_method")),
            ("created", Time("/created")),
            ("customer", Is("/customer")),
            ACCOUNT,
            ("price", Rule(has_price)),
            ("status", Rule(subscription_status)),
        ],
        Kind::WebhookEndpoint => &[],
        Kind::PortalConfiguration => &[("active", Flag("/active")), ("is_default", Flag("/is_default"))],
        Kind::Event => &[
            ("created", Time("/created")),
            ("delivery_success", Rule(delivery)),
            ("type", Rule(event_type)),
            ("types", Rule(event_types)),
        ],
    }
}

fn has_price(subscription: &Value, wanted: &[&str]) -> bool {
    let items = subscription["items"]["data"].as_array().into_iter().flatten();
    wanted.first().is_none_or(|price| items.clone().any(|item| item["price"]["id"] == **price))
}

/// Ended subscriptions are left out unless they are asked for.
fn subscription_status(subscription: &Value, wanted: &[&str]) -> bool {
    let status = subscription["status"].as_str().unwrap_or_default();
    match wanted.first() {
        None => status != "canceled",
        Some(&"all") => true,
        Some(&"ended") => matches!(status, "canceled" | "incomplete_expired"),
        Some(exactly) => status == *exactly,
    }
}

/// Whether every endpoint took the event.
fn delivery(event: &Value, wanted: &[&str]) -> bool {
    let done = event["pending_webhooks"] == 0;
    wanted.first().is_none_or(|wanted| done == (*wanted == "true"))
}

fn event_types(event: &Value, wanted: &[&str]) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| event["type"] == **wanted)
}

/// `*` stands for any rest, as in `customer.subscription.*`.
fn event_type(event: &Value, wanted: &[&str]) -> bool {
    let kind = event["type"].as_str().unwrap_or_default();
    let fits = |wanted: &&str| match wanted.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => kind == *wanted,
    };
    wanted.is_empty() || wanted.iter().any(fits)
}

/// What Stripe refuses about a query that no single object can show.
pub(super) fn check(kind: Kind, asked: &Asked) -> Result<(), Failure> {
    const MOST_TYPES: usize = 20;
    const STATUSES: [&str; 10] = [
        "active",
        "past_due",
        "unpaid",
        "canceled",
        "incomplete",
        "incomplete_expired",
        "trialing",
        "paused",
        "all",
        "ended",
    ];
    match (kind, asked.one("status")) {
        (Kind::Event, _) if asked.all("types").len() > MOST_TYPES => {
            let message = format!("Array types exceeded maximum {MOST_TYPES} allowed elements.");
            Err(Failure::parameter("types", message))
        }
        (Kind::Event, _) if asked.one("type").is_some() && asked.one("types").is_some() => {
            let message = "You may only specify one of these parameters: type, types.";
            Err(Failure::parameter("type", message))
        }
        (Kind::Subscription, Some(status)) if !STATUSES.contains(&status) => Err(Failure::parameter(
            "status",
            format!("Invalid status: must be one of {}", STATUSES.join(", ")),
        )),
        _ => Ok(()),
    }
}

/// The names of a list's own parameters.
pub(super) fn names(kind: Kind) -> Vec<&'static str> {
    of(kind).iter().map(|(name, _)| *name).collect()
}

/// Whether an object passes every filter of the query.
pub(super) fn pass(kind: Kind, asked: &Asked, object: &Value) -> Result<bool, Failure> {
    if object["deleted"] == true {
        return Ok(false);
    }
    for (name, filter) in of(kind) {
        let at = |pointer: &str| object.pointer(pointer).unwrap_or(&Value::Null);
        let fits = match filter {
            Filter::Is(pointer) => asked.one(name).is_none_or(|wanted| is(at(pointer), wanted)),
            Filter::Flag(pointer) => asked.flag(name)?.is_none_or(|wanted| at(pointer) == wanted),
            Filter::AnyOf(pointer) => {
                let wanted = asked.all(name);
                wanted.is_empty() || wanted.iter().any(|wanted| is(at(pointer), wanted))
            }
            Filter::Time(pointer) => in_time(name, asked, at(pointer).as_i64().unwrap_or_default())?,
            Filter::Rule(rule) => rule(object, &asked.all(name)),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is(field: &Value, wanted: &str) -> bool {
    field == wanted || field["id"] == wanted
}

fn in_time(name: &str, asked: &Asked, time: i64) -> Result<bool, Failure> {
    let bound = |sub: &str| asked.integer(&format!("{name}{sub}"));
    Ok(bound("")?.is_none_or(|exactly| time == exactly)
        && bound("[gt]")?.is_none_or(|bound| time > bound)
        && bound("[gte]")?.is_none_or(|bound| time >= bound)
        && bound("[lt]")?.is_none_or(|bound| time < bound)
        && bound("[lte]")?.is_none_or(|bound| time <= bound))
}
