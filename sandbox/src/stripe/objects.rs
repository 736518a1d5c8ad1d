//! Stripe's JSON shapes. In: the few facts a test chooses. Out: objects with every field of the current version.
//!
//! Typed clients reject a whole page for one missing field, so the shapes are complete rather than minimal.

use serde_json::{Map, Value, json};

/// The API version all objects and events are written in.
pub(crate) const API_VERSION: &str = "2026-09-30.endive";

/// 30 days: a month is close enough where only "later" matters.
const PERIOD: i64 = 30 * 24 * 3600;

/// `prefix_` and 14 random characters.
pub(crate) fn fresh_id(prefix: &str) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}_{}", &random[..14])
}

pub(crate) fn customer(
    now: i64,
    email: Option<&str>,
    name: Option<&str>,
    metadata: &Map<String, Value>,
) -> Value {
    json!({
        "id": fresh_id("cus"), "object": "customer", "address": null, "balance": 0, "created": now,
        "currency": null, "customer_account": null, "default_source": null, "delinquent": false,
        "description": null, "discount": null, "email": email, "invoice_prefix": "7FE1103",
        "invoice_settings": {
            "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null,
        },
        "livemode": false, "metadata": metadata, "name": name, "next_invoice_sequence": 1, "phone": null,
        "preferred_locales": [], "shipping": null, "tax_exempt": "none", "test_clock": null,
    })
}

/// All that Stripe still says about a deleted customer.
pub(crate) fn deleted_customer(id: &str) -> Value {
    json!({ "id": id, "object": "customer", "deleted": true })
}

pub(crate) fn product(now: i64, name: &str) -> Value {
    json!({
        "id": fresh_id("prod"), "object": "product", "active": true, "created": now, "default_price": null,
        "description": null, "images": [], "livemode": false, "marketing_features": [], "metadata": {},
        "name": name, "package_dimensions": null, "shippable": null, "statement_descriptor": null,
        "tax_code": null, "type": "service", "unit_label": null, "updated": now, "url": null,
    })
}

/// A monthly price in US dollars.
pub(crate) fn price(now: i64, product: &str, unit_amount: i64) -> Value {
    json!({
        "id": fresh_id("price"), "object": "price", "active": true, "billing_scheme": "per_unit",
        "created": now, "currency": "usd", "custom_unit_amount": null, "livemode": false,
        "lookup_key": null, "metadata": {}, "nickname": null, "product": product,
        "recurring": {
            "interval": "month", "interval_count": 1, "meter": null, "trial_period_days": null,
            "usage_type": "licensed",
        },
        "tax_behavior": "unspecified", "tiers_mode": null, "transform_quantity": null,
        "type": "recurring", "unit_amount": unit_amount, "unit_amount_decimal": unit_amount.to_string(),
    })
}

/// The old name of a price, which subscription items still carry.
fn plan(price: &Value) -> Value {
    json!({
        "id": price["id"], "object": "plan", "active": price["active"], "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"], "billing_scheme": "per_unit",
        "created": price["created"], "currency": price["currency"], "interval": "month",
        "interval_count": 1, "livemode": false, "metadata": {}, "meter": null, "nickname": null,
        "product": price["product"], "tiers_mode": null, "transform_usage": null,
        "trial_period_days": null, "usage_type": "licensed",
    })
}

/// The items of a subscription, one per price, in a period that starts now.
pub(crate) fn items(now: i64, subscription: &str, prices: &[Value]) -> Value {
    let items = prices.iter().map(|price| {
        json!({
            "id": fresh_id("si"), "object": "subscription_item", "billing_thresholds": null, "created": now,
            "current_period_end": now + PERIOD, "current_period_start": now, "discounts": [],
            "metadata": {}, "plan": plan(price), "price": price, "quantity": 1,
            "subscription": subscription, "tax_rates": [],
        })
    });
    let url = format!("/v1/subscription_items?subscription={subscription}");
    list(&url, items.collect(), false)
}

pub(crate) fn subscription(
    now: i64,
    customer: &str,
    status: &str,
    prices: &[Value],
    metadata: &Map<String, Value>,
) -> Value {
    let id = fresh_id("sub");
    json!({
        "id": id, "object": "subscription", "application": null, "application_fee_percent": null,
        "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
        "billing_cycle_anchor": now, "billing_cycle_anchor_config": null,
        "billing_mode": { "type": "classic", "flexible": null }, "billing_schedules": [],
        "billing_thresholds": null, "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null,
        "cancellation_details": { "comment": null, "feedback": null, "reason": null },
        "collection_method": "charge_automatically", "created": now, "currency": "usd",
        "customer": customer, "customer_account": null, "days_until_due": null,
        "default_payment_method": null, "default_source": null, "default_tax_rates": [],
        "description": null, "discounts": [], "ended_at": null,
        "invoice_settings": {
            "account_tax_ids": null, "custom_fields": null, "description": null, "footer": null,
            "issuer": { "type": "self" },
        },
        "items": items(now, &id, prices), "latest_invoice": null, "livemode": false,
        "managed_payments": null, "metadata": metadata, "next_pending_invoice_item_invoice": null,
        "on_behalf_of": null, "pause_collection": null,
        "payment_settings": {
            "payment_method_options": null, "payment_method_types": null,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": null, "pending_setup_intent": null, "pending_update": null,
        "schedule": null, "start_date": now, "status": status, "test_clock": null, "transfer_data": null,
        "trial_end": null,
        "trial_settings": { "end_behavior": { "missing_payment_method": "create_invoice" } },
        "trial_start": null,
    })
}

/// The paid invoice of a subscription's current period.
pub(crate) fn paid_invoice(now: i64, customer: &Value, subscription: &Value, reason: &str) -> Value {
    let id = fresh_id("in");
    let items = subscription["items"]["data"].as_array().map_or(&[][..], Vec::as_slice);
    let total: i64 = items.iter().filter_map(|item| item["price"]["unit_amount"].as_i64()).sum();
    let lines = items.iter().map(|item| line(&id, item)).collect();
    json!({
        "id": id, "object": "invoice", "account_country": "US", "account_name": "Sandbox",
        "account_tax_ids": null, "amount_due": total, "amount_overpaid": 0, "amount_paid": total,
        "amount_remaining": 0, "amount_shipping": 0, "application": null, "attempt_count": 1,
        "attempted": true, "auto_advance": false,
        "automatic_tax": {
            "disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null,
        },
        "automatically_finalizes_at": null, "billing_reason": reason,
        "collection_method": "charge_automatically", "created": now, "currency": "usd",
        "custom_fields": null, "customer": customer["id"], "customer_account": null,
        "customer_address": null, "customer_email": customer["email"], "customer_name": customer["name"],
        "customer_phone": null, "customer_shipping": null, "customer_tax_exempt": "none",
        "customer_tax_ids": [], "default_payment_method": null, "default_source": null,
        "default_tax_rates": [], "description": null, "discounts": [], "due_date": null,
        "effective_at": now, "ending_balance": 0, "footer": null, "from_invoice": null,
        "hosted_invoice_url": null, "invoice_pdf": null, "issuer": { "type": "self" },
        "last_finalization_error": null, "latest_revision": null,
        "lines": list(&format!("/v1/invoices/{id}/lines"), lines, false), "livemode": false,
        "metadata": {}, "next_payment_attempt": null, "number": "7FE1103-0001", "on_behalf_of": null,
        "parent": {
            "quote_details": null,
            "subscription_details": {
                "metadata": subscription["metadata"], "subscription": subscription["id"],
            },
            "type": "subscription_details",
        },
        "payment_settings": {
            "default_mandate": null, "payment_method_options": null, "payment_method_types": null,
        },
        "period_end": now, "period_start": now, "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0, "receipt_number": null, "rendering": null,
        "shipping_cost": null, "shipping_details": null, "starting_balance": 0,
        "statement_descriptor": null, "status": "paid",
        "status_transitions": {
            "finalized_at": now, "marked_uncollectible_at": null, "paid_at": now, "voided_at": null,
        },
        "subtotal": total, "subtotal_excluding_tax": total, "test_clock": null, "total": total,
        "total_discount_amounts": [], "total_excluding_tax": total, "total_pretax_credit_amounts": [],
        "total_taxes": [], "webhooks_delivered_at": null,
    })
}

fn line(invoice: &str, item: &Value) -> Value {
    let price = &item["price"];
    json!({
        "id": fresh_id("il"), "object": "line_item", "amount": price["unit_amount"], "currency": "usd",
        "description": null, "discount_amounts": [], "discountable": true, "discounts": [],
        "invoice": invoice, "livemode": false, "metadata": {},
        "parent": {
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": null, "proration": false,
                "proration_details": { "credited_items": null },
                "subscription": item["subscription"], "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": { "end": item["current_period_end"], "start": item["current_period_start"] },
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": { "price": price["id"], "product": price["product"] },
            "type": "price_details", "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": 1, "quantity_decimal": "1", "subscription": item["subscription"],
        "subtotal": price["unit_amount"], "taxes": [],
    })
}

/// An event about an object as it is now; `before` holds the old values of what an update changed.
pub(crate) fn event(now: i64, kind: &str, object: &Value, before: Option<Value>, webhooks: u8) -> Value {
    let mut data = json!({ "object": object });
    if let Some(before) = before {
        data["previous_attributes"] = before;
    }
    json!({
        "id": fresh_id("evt"), "object": "event", "api_version": API_VERSION, "created": now, "data": data,
        "livemode": false, "pending_webhooks": webhooks,
        "request": { "id": null, "idempotency_key": null }, "type": kind,
    })
}

/// The account behind the key.
pub(crate) fn account() -> Value {
    json!({
        "id": "acct_1SandboxNexrole", "object": "account", "business_profile": null, "business_type": null,
        "capabilities": { "card_payments": "active", "transfers": "active" }, "charges_enabled": true,
        "controller": { "type": "account" }, "country": "US", "created": 1_700_000_000,
        "default_currency": "usd", "details_submitted": true, "email": "owner@example.com",
        "external_accounts": list("/v1/accounts/acct_1SandboxNexrole/external_accounts", Vec::new(), false),
        "metadata": {}, "payouts_enabled": true, "settings": null, "tos_acceptance": null,
        "type": "standard",
    })
}

/// One page.
pub(crate) fn list(url: &str, data: Vec<Value>, has_more: bool) -> Value {
    json!({ "object": "list", "url": url, "has_more": has_more, "data": Value::Array(data) })
}
