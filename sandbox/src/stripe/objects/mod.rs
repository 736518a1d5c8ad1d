//! Stripe's JSON shapes. In: the few facts a test chooses. Out: objects with every field of the current version.
//!
//! Typed clients reject a whole page for one missing field, so the shapes are complete rather than minimal.

pub(crate) mod catalogue;

use serde_json::{Map, Value, json};
use time::{Date, Month, OffsetDateTime};

/// The API version all objects and events are written in.
pub(crate) const API_VERSION: &str = "2026-09-30.endive";

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

/// One period after `from`: calendar months and years, clamped to the month's last day as Stripe does. A price without
/// a rhythm counts as monthly.
pub(crate) fn later(from: i64, recurring: &Value) -> i64 {
    const DAY: i64 = 24 * 3600;
    let count = recurring["interval_count"].as_i64().unwrap_or(1);
    match recurring["interval"].as_str() {
        Some("day") => from + count * DAY,
        Some("week") => from + count * 7 * DAY,
        Some("year") => months_later(from, count * 12),
        _ => months_later(from, count),
    }
}

fn months_later(from: i64, count: i64) -> i64 {
    let later = || {
        let time = OffsetDateTime::from_unix_timestamp(from).ok()?;
        let months = i64::from(time.year()) * 12 + i64::from(u8::from(time.month())) - 1 + count;
        let year = i32::try_from(months.div_euclid(12)).ok()?;
        let month = Month::try_from(u8::try_from(months.rem_euclid(12) + 1).ok()?).ok()?;
        let day = time.day().min(month.length(year));
        let date = Date::from_calendar_date(year, month, day).ok()?;
        Some(time.replace_date(date).unix_timestamp())
    };
    // Only beyond the year 9999, where no test goes.
    later().unwrap_or(from)
}

/// The items of a subscription, one per price, in a period that starts now.
pub(crate) fn items(birth: Birth, subscription: &str, prices: &[Value]) -> Value {
    let items = prices.iter().map(|price| {
        json!({
            "id": fresh_id("si"), "object": "subscription_item", "billing_thresholds": null, "created": birth.now,
            "current_period_end": later(birth.now, &price["recurring"]), "current_period_start": birth.now, "discounts": [],
            "metadata": {}, "plan": catalogue::plan(price), "price": price, "quantity": 1,
            "subscription": subscription, "tax_rates": [],
        })
    });
    let url = format!("/v1/subscription_items?subscription={subscription}");
    list(&url, items.collect(), false)
}

pub(crate) fn subscription(
    birth: Birth,
    customer: &str,
    status: &str,
    prices: &[Value],
    metadata: &Map<String, Value>,
) -> Value {
    let id = fresh_id("sub");
    json!({
        "id": id, "object": "subscription", "application": null, "application_fee_percent": null,
        "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
        "billing_cycle_anchor": birth.now, "billing_cycle_anchor_config": null,
        "billing_mode": { "type": "classic", "flexible": null }, "billing_schedules": [],
        "billing_thresholds": null, "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null,
        "cancellation_details": { "comment": null, "feedback": null, "reason": null },
        "collection_method": "charge_automatically", "created": birth.now, "currency": "usd",
        "customer": customer, "customer_account": null, "days_until_due": null,
        "default_payment_method": null, "default_source": null, "default_tax_rates": [],
        "description": null, "discounts": [], "ended_at": null,
        "invoice_settings": {
            "account_tax_ids": null, "custom_fields": null, "description": null, "footer": null,
            "issuer": { "type": "self" },
        },
        "items": items(birth, &id, prices), "latest_invoice": null, "livemode": birth.live,
        "managed_payments": null, "metadata": metadata, "next_pending_invoice_item_invoice": null,
        "on_behalf_of": null, "pause_collection": null,
        "payment_settings": {
            "payment_method_options": null, "payment_method_types": null,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": null, "pending_setup_intent": null, "pending_update": null,
        "schedule": null, "start_date": birth.now, "status": status, "test_clock": null, "transfer_data": null,
        "trial_end": null,
        "trial_settings": { "end_behavior": { "missing_payment_method": "create_invoice" } },
        "trial_start": null,
    })
}

/// The paid invoice of a subscription's current period.
pub(crate) fn paid_invoice(birth: Birth, customer: &Value, subscription: &Value, reason: &str) -> Value {
    let id = fresh_id("in");
    let items = subscription["items"]["data"].as_array().map_or(&[][..], Vec::as_slice);
    let total: i64 = items.iter().filter_map(|item| item["price"]["unit_amount"].as_i64()).sum();
    let lines = items.iter().map(|item| line(birth, &id, item)).collect();
    json!({
        "id": id, "object": "invoice", "account_country": "US", "account_name": "Sandbox",
        "account_tax_ids": null, "amount_due": total, "amount_overpaid": 0, "amount_paid": total,
        "amount_remaining": 0, "amount_shipping": 0, "application": null, "attempt_count": 1,
        "attempted": true, "auto_advance": false,
        "automatic_tax": {
            "disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null,
        },
        "automatically_finalizes_at": null, "billing_reason": reason,
        "collection_method": "charge_automatically", "created": birth.now, "currency": "usd",
        "custom_fields": null, "customer": customer["id"], "customer_account": null,
        "customer_address": null, "customer_email": customer["email"], "customer_name": customer["name"],
        "customer_phone": null, "customer_shipping": null, "customer_tax_exempt": "none",
        "customer_tax_ids": [], "default_payment_method": null, "default_source": null,
        "default_tax_rates": [], "description": null, "discounts": [], "due_date": null,
        "effective_at": birth.now, "ending_balance": 0, "footer": null, "from_invoice": null,
        "hosted_invoice_url": null, "invoice_pdf": null, "issuer": { "type": "self" },
        "last_finalization_error": null, "latest_revision": null,
        "lines": list(&format!("/v1/invoices/{id}/lines"), lines, false), "livemode": birth.live,
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
        "period_end": birth.now, "period_start": birth.now, "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0, "receipt_number": null, "rendering": null,
        "shipping_cost": null, "shipping_details": null, "starting_balance": 0,
        "statement_descriptor": null, "status": "paid",
        "status_transitions": {
            "finalized_at": birth.now, "marked_uncollectible_at": null, "paid_at": birth.now, "voided_at": null,
        },
        "subtotal": total, "subtotal_excluding_tax": total, "test_clock": null, "total": total,
        "total_discount_amounts": [], "total_excluding_tax": total, "total_pretax_credit_amounts": [],
        "total_taxes": [], "webhooks_delivered_at": null,
    })
}

fn line(birth: Birth, invoice: &str, item: &Value) -> Value {
    let price = &item["price"];
    json!({
        "id": fresh_id("il"), "object": "line_item", "amount": price["unit_amount"], "currency": "usd",
        "description": null, "discount_amounts": [], "discountable": true, "discounts": [],
        "invoice": invoice, "livemode": birth.live, "metadata": {},
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
pub(crate) fn event(birth: Birth, kind: &str, object: &Value, before: Option<Value>, webhooks: u8) -> Value {
    let mut data = json!({ "object": object });
    if let Some(before) = before {
        data["previous_attributes"] = before;
    }
    json!({
        "id": fresh_id("evt"), "object": "event", "api_version": API_VERSION, "created": birth.now, "data": data,
        "livemode": birth.live, "pending_webhooks": webhooks,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_on_the_same_day_or_the_last_one() {
        let check = |from: i64, interval: &str, count: i64, to: i64| {
            let recurring = json!({ "interval": interval, "interval_count": count });
            assert_eq!(later(from, &recurring), to, "{interval} {count}");
        };
        // 2024-01-31T12:00:00Z
        check(1_706_702_400, "month", 1, 1_709_208_000);
        check(1_706_702_400, "month", 12, 1_738_324_800);
        check(1_706_702_400, "week", 2, 1_707_912_000);
        // 2024-02-29 has no day of its own a year later.
        check(1_709_208_000, "year", 1, 1_740_744_000);
    }
}
