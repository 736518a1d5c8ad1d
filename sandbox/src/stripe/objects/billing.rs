//! Subscriptions and invoices. In: who pays for which prices. Out: their objects, and when a period ends.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::{Date, Month, OffsetDateTime};

use super::catalogue::plan;
use super::{ACCOUNT_ID, Birth, fresh_id, list};

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
            "id": fresh_id("si"), "object": "subscription_item", "billing_thresholds": null, "created": birth.now, "current_trial": null,
            "current_period_end": later(birth.now, &price["recurring"]), "current_period_start": birth.now, "discounts": [],
            "metadata": {}, "plan": plan(price), "price": price, "quantity": 1,
            "subscription": subscription, "tax_rates": [],
        })
    });
    let url = format!("/v1/subscription_items?subscription={subscription}");
    list(&url, items.collect(), false)
}

/// How Stripe computes what a subscription owes; since 2025-09-30 flexible unless the owner says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BillingMode {
    Classic,
    #[default]
    Flexible,
}

pub(crate) fn billing_mode(mode: BillingMode) -> Value {
    match mode {
        BillingMode::Classic => json!({ "type": "classic", "flexible": null }),
        BillingMode::Flexible => {
            json!({ "type": "flexible", "flexible": { "proration_discounts": "included" } })
        }
    }
}

pub(crate) fn is_flexible(subscription: &Value) -> bool {
    subscription["billing_mode"]["type"] == "flexible"
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
        "billing_mode": billing_mode(BillingMode::Flexible), "billing_schedules": [],
        "billing_thresholds": null, "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null,
        "cancellation_details": { "comment": null, "feedback": null, "reason": null },
        "collection_method": "charge_automatically", "created": birth.now,
        "currency": prices.first().map_or(&json!("usd"), |price| &price["currency"]), "customer": customer, "customer_account": null, "days_until_due": null,
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

/// Who pays for what, as an invoice tells it.
pub(crate) struct Bill<'a> {
    pub(crate) customer: &'a Value,
    pub(crate) subscription: &'a Value,
    /// `subscription_create`, `subscription_cycle`, `subscription_update`, `manual`.
    pub(crate) reason: &'a str,
    /// Of the subscription itself nothing is due during a trial.
    pub(crate) free: bool,
    /// One-time prices that are billed with it.
    pub(crate) once: &'a [Value],
}

/// The open invoice of a subscription's current period.
pub(crate) fn invoice(birth: Birth, bill: &Bill<'_>) -> Value {
    let id = fresh_id("in");
    let (customer, subscription) = (bill.customer, bill.subscription);
    let items = subscription["items"]["data"].as_array().map_or(&[][..], Vec::as_slice);
    let once = bill.once.iter().map(|price| once_line(birth, &id, price, &subscription["id"]));
    let lines: Vec<Value> = once.chain(items.iter().map(|item| line(birth, &id, item, bill.free))).collect();
    let total: i64 = lines.iter().filter_map(|line| line["amount"].as_i64()).sum();
    json!({
        "id": id, "object": "invoice", "account_country": "US", "account_name": "Sandbox",
        "account_tax_ids": null, "amount_due": total, "amount_overpaid": 0, "amount_paid": 0,
        "amount_remaining": total, "amount_shipping": 0, "application": null, "attempt_count": 0,
        "attempted": false, "auto_advance": true,
        "automatic_tax": {
            "disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null,
        },
        "automatically_finalizes_at": null, "billing_reason": bill.reason,
        "collection_method": "charge_automatically", "created": birth.now,
        "currency": subscription["currency"], "custom_fields": null, "customer": customer["id"],
        "customer_account": null, "customer_address": null, "customer_email": customer["email"],
        "customer_name": customer["name"], "customer_phone": null, "customer_shipping": null,
        "customer_tax_exempt": "none", "customer_tax_ids": [], "default_payment_method": null,
        "default_source": null, "default_tax_rates": [], "description": null, "discounts": [],
        "due_date": null, "effective_at": birth.now, "ending_balance": 0, "footer": null,
        "from_invoice": null, "hosted_invoice_url": invoice_page(birth.live),
        "invoice_pdf": format!("https://pay.stripe.com/invoice/{id}/pdf"), "issuer": { "type": "self" },
        "last_finalization_error": null, "latest_revision": null,
        "lines": list(&format!("/v1/invoices/{id}/lines"), lines, false), "livemode": birth.live,
        "metadata": {}, "next_payment_attempt": null, "number": format!("7FE1103-{}", &id[3..7].to_uppercase()),
        "on_behalf_of": null,
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
        "statement_descriptor": null, "status": "open",
        "status_transitions": {
            "finalized_at": birth.now, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null,
        },
        "subtotal": total, "subtotal_excluding_tax": total, "test_clock": null, "total": total,
        "total_discount_amounts": [], "total_excluding_tax": total, "total_pretax_credit_amounts": [],
        "total_taxes": [], "webhooks_delivered_at": null,
    })
}

/// The payment of an invoice: what leads from a charge back to its subscription.
pub(crate) fn invoice_payment(birth: Birth, invoice: &Value, intent: &str) -> Value {
    json!({
        "id": fresh_id("inpay"), "object": "invoice_payment", "amount_paid": null,
        "amount_requested": invoice["amount_due"], "created": birth.now, "currency": invoice["currency"],
        "invoice": invoice["id"], "is_default": true, "livemode": birth.live,
        "payment": { "payment_intent": intent, "type": "payment_intent" }, "status": "open",
        "status_transitions": { "canceled_at": null, "paid_at": null },
    })
}

/// Another address each time that it is asked for: it has the time at which it stops to work.
pub(crate) fn invoice_page(live: bool) -> String {
    let mode = if live { "live" } else { "test" };
    let token = uuid::Uuid::new_v4().simple();
    format!("https://invoice.stripe.com/i/{ACCOUNT_ID}/{mode}_{token}0200?s=ap")
}

/// Shows addresses of today in the invoices of an answer; of a draft there is none, and an event shows what was.
pub(crate) fn show_pages(value: &mut Value) {
    match value {
        Value::Object(fields) if fields.get("object").is_some_and(|of| of == "event") => {}
        Value::Object(fields) => {
            if fields.get("object").is_some_and(|of| of == "invoice") {
                let live = fields.get("livemode") == Some(&Value::Bool(true));
                if let Some(page) = fields.get_mut("hosted_invoice_url").filter(|page| page.is_string()) {
                    *page = invoice_page(live).into();
                }
            }
            fields.values_mut().for_each(show_pages);
        }
        Value::Array(values) => values.iter_mut().for_each(show_pages),
        _ => {}
    }
}

/// What an invoice says of each line, whatever it is for.
struct Line<'a> {
    price: &'a Value,
    amount: Value,
    parent: Value,
    period: Value,
    subscription: &'a Value,
}

fn line(birth: Birth, invoice: &str, item: &Value, free: bool) -> Value {
    let price = &item["price"];
    let line = Line {
        price,
        amount: if free { json!(0) } else { price["unit_amount"].clone() },
        parent: json!({
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": null, "proration": false,
                "proration_details": { "credited_items": null },
                "subscription": item["subscription"], "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        }),
        period: json!({ "end": item["current_period_end"], "start": item["current_period_start"] }),
        subscription: &item["subscription"],
    };
    invoice_line(birth, invoice, line)
}

/// What was bought once beside a subscription: an invoice item, which only its first invoice has.
fn once_line(birth: Birth, invoice: &str, price: &Value, subscription: &Value) -> Value {
    let line = Line {
        price,
        amount: price["unit_amount"].clone(),
        parent: json!({
            "invoice_item_details": {
                "invoice_item": fresh_id("ii"), "proration": false,
                "proration_details": { "credited_items": null }, "subscription": subscription,
            },
            "subscription_item_details": null,
            "type": "invoice_item_details",
        }),
        period: json!({ "end": birth.now, "start": birth.now }),
        subscription,
    };
    invoice_line(birth, invoice, line)
}

fn invoice_line(birth: Birth, invoice: &str, line: Line<'_>) -> Value {
    let Line { price, amount, parent, period, subscription } = line;
    json!({
        "id": fresh_id("il"), "object": "line_item", "amount": amount, "currency": price["currency"],
        "description": null, "discount_amounts": [], "discountable": true, "discounts": [],
        "invoice": invoice, "livemode": birth.live, "metadata": {}, "parent": parent, "period": period,
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": { "price": price["id"], "product": price["product"] },
            "type": "price_details", "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": 1, "quantity_decimal": "1", "subscription": subscription,
        "subtotal": amount, "taxes": [],
    })
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
