//! Stripe's JSON shapes. In: the few facts a test chooses. Out: objects with every field of the current version.
//!
//! Typed clients reject a whole page for one missing field, so the shapes are complete rather than minimal.

pub(crate) mod billing;
pub(crate) mod catalogue;
pub(crate) mod checkout;
pub(crate) mod payment;
pub(crate) mod portal;
pub(crate) mod thin;

use serde_json::{Map, Value, json};

/// The API version all objects and events are written in.
pub(crate) const API_VERSION: &str = "2026-10-28.endive";

/// The account behind every key.
pub(crate) const ACCOUNT_ID: &str = "acct_1SandboxNexrole";

/// When an object arises, and in which mode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth {
    pub(crate) now: i64,
    pub(crate) live: bool,
}

/// `prefix_` and 14 random characters.
pub(crate) fn fresh_id(prefix: &str) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}_{}", &random[..14])
}

pub(crate) fn customer(
    birth: Birth,
    email: Option<&str>,
    name: Option<&str>,
    metadata: &Map<String, Value>,
) -> Value {
    json!({
        "id": fresh_id("cus"), "object": "customer", "address": null, "balance": 0, "created": birth.now,
        "currency": null, "customer_account": null, "default_source": null, "delinquent": false,
        "description": null, "discount": null, "email": email, "invoice_prefix": "7FE1103",
        "invoice_settings": {
            "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null,
        },
        "livemode": birth.live, "metadata": metadata, "name": name, "next_invoice_sequence": 1, "phone": null,
        "preferred_locales": [], "shipping": null, "tax_exempt": "none", "test_clock": null,
    })
}

/// An event about an object as it is now; `before` holds the old values of what an update changed.
pub(crate) fn event(birth: Birth, kind: &str, object: &Value, before: Option<Value>, version: &str) -> Value {
    let mut data = json!({ "object": object });
    if let Some(before) = before {
        data["previous_attributes"] = before;
    }
    json!({
        "id": fresh_id("evt"), "object": "event", "api_version": version, "created": birth.now, "data": data,
        "livemode": birth.live, "pending_webhooks": 0,
        "request": { "id": null, "idempotency_key": null }, "type": kind,
    })
}

/// An endpoint as the API shows it, without its secret.
pub(crate) fn webhook_endpoint(birth: Birth, url: &str, events: &[String], version: Option<&str>) -> Value {
    json!({
        "id": fresh_id("we"), "object": "webhook_endpoint", "api_version": version, "application": null,
        "created": birth.now, "description": null, "enabled_events": events, "livemode": birth.live,
        "metadata": {}, "status": "enabled", "url": url,
    })
}

/// The account behind the key.
pub(crate) fn account() -> Value {
    json!({
        "id": ACCOUNT_ID, "object": "account", "business_profile": null, "business_type": null,
        "capabilities": { "card_payments": "active", "transfers": "active" }, "charges_enabled": true,
        "controller": { "type": "account" }, "country": "US", "created": 1_700_000_000,
        "default_currency": "usd", "details_submitted": true, "email": "owner@example.com",
        "external_accounts": list(&format!("/v1/accounts/{ACCOUNT_ID}/external_accounts"), Vec::new(), false),
        "metadata": {}, "payouts_enabled": true, "settings": null, "tos_acceptance": null,
        "type": "standard",
    })
}

pub(crate) fn list(url: &str, data: Vec<Value>, has_more: bool) -> Value {
    json!({ "object": "list", "url": url, "has_more": has_more, "data": Value::Array(data) })
}
