//! What is for sale. In: the few facts a test chooses. Out: products, prices, plans, payment links and their lines.

use serde_json::{Map, Value, json};

use super::{Birth, fresh_id};

pub(crate) fn product(birth: Birth, name: &str, metadata: &Map<String, Value>) -> Value {
    json!({
        "id": fresh_id("prod"), "object": "product", "active": true, "created": birth.now, "default_price": null,
        "description": null, "images": [], "livemode": birth.live, "marketing_features": [],
        "metadata": metadata, "name": name, "package_dimensions": null, "shippable": null,
        "statement_descriptor": null, "tax_code": null, "type": "service", "unit_label": null,
        "updated": birth.now, "url": null,
    })
}

/// How often a price is paid: an interval (`day`, `week`, `month`, `year`) and how many of it.
pub(crate) type Rhythm<'a> = (&'a str, i64);

/// A price; without a rhythm it is paid once.
pub(crate) fn price(
    birth: Birth,
    product: &str,
    currency: &str,
    unit_amount: i64,
    rhythm: Option<Rhythm<'_>>,
) -> Value {
    let recurring = rhythm.map(|(interval, count)| {
        json!({
            "interval": interval, "interval_count": count, "meter": null, "trial_period_days": null,
            "usage_type": "licensed",
        })
    });
    let kind = if recurring.is_some() { "recurring" } else { "one_time" };
    json!({
        "id": fresh_id("price"), "object": "price", "active": true, "billing_scheme": "per_unit",
        "created": birth.now, "currency": currency, "custom_unit_amount": null, "livemode": birth.live,
        "lookup_key": null, "metadata": {}, "nickname": null, "product": product, "recurring": recurring,
        "tax_behavior": "unspecified", "tiers_mode": null, "transform_quantity": null, "type": kind,
        "unit_amount": unit_amount, "unit_amount_decimal": unit_amount.to_string(),
    })
}

/// What a product entitles to, as it hangs on the product.
pub(crate) fn product_feature(birth: Birth, lookup_key: &str, name: &str) -> Value {
    json!({
        "id": fresh_id("prodft"), "object": "product_feature",
        "entitlement_feature": {
            "id": fresh_id("feat"), "object": "entitlements.feature", "active": true, "livemode": birth.live,
            "lookup_key": lookup_key, "metadata": {}, "name": name,
        },
        "livemode": birth.live,
    })
}

/// A price for the first periods and another one afterwards.
pub(crate) fn trial_offer(birth: Birth, price: &str, iterations: i64, after: &str) -> Value {
    json!({
        "id": fresh_id("to"), "object": "product_catalog.trial_offer", "active": true,
        "duration": { "relative": { "iterations": iterations }, "type": "relative" },
        "end_behavior": { "transition": { "price": after }, "type": "transition" },
        "livemode": birth.live, "nickname": null, "price": price,
    })
}

/// The old name of a recurring price, which subscription items still carry.
pub(crate) fn plan(price: &Value) -> Value {
    json!({
        "id": price["id"], "object": "plan", "active": price["active"], "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"], "billing_scheme": "per_unit",
        "created": price["created"], "currency": price["currency"],
        "interval": price["recurring"]["interval"], "interval_count": price["recurring"]["interval_count"],
        "livemode": price["livemode"], "metadata": price["metadata"], "meter": null,
        "nickname": price["nickname"], "product": price["product"], "tiers_mode": null,
        "transform_usage": null, "trial_period_days": null, "usage_type": "licensed",
    })
}

/// A page that sells; `redirect` is where the buyer is sent afterwards, else Stripe shows its own thanks.
pub(crate) fn payment_link(
    birth: Birth,
    currency: &Value,
    redirect: Option<&str>,
    recurring: bool,
    metadata: &Map<String, Value>,
) -> Value {
    let id = fresh_id("plink");
    let after = match redirect {
        Some(url) => json!({ "redirect": { "url": url }, "type": "redirect" }),
        None => json!({ "hosted_confirmation": { "custom_message": null }, "type": "hosted_confirmation" }),
    };
    let mode = if birth.live { "" } else { "test_" };
    let subscription = recurring.then(|| {
        json!({
            "description": null, "invoice_settings": { "issuer": { "type": "self" } }, "metadata": {},
            "trial_period_days": null, "trial_settings": null,
        })
    });
    json!({
        "url": format!("https://buy.stripe.com/{mode}{}", &id["plink_".len()..]),
        "id": id, "object": "payment_link", "active": true, "after_completion": after,
        "allow_promotion_codes": false, "application": null, "application_fee_amount": null,
        "application_fee_percent": null, "automatic_tax": { "enabled": false, "liability": null },
        "billing_address_collection": "auto", "consent_collection": null, "currency": currency,
        "custom_fields": [],
        "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null,
            "terms_of_service_acceptance": null,
        },
        "customer_creation": if recurring { "always" } else { "if_required" }, "inactive_message": null,
        "invoice_creation": null, "livemode": birth.live, "managed_payments": null, "metadata": metadata,
        "on_behalf_of": null, "payment_intent_data": null, "payment_method_collection": "always",
        "payment_method_options": null, "payment_method_types": null,
        "phone_number_collection": { "enabled": false }, "restrictions": null,
        "shipping_address_collection": null, "shipping_options": [], "submit_type": "auto",
        "subscription_data": subscription, "tax_id_collection": { "enabled": false, "required": "never" },
        "transfer_data": null,
    })
}

/// One line of a payment link or a checkout.
pub(crate) fn item(price: &Value, description: &Value) -> Value {
    json!({
        "id": fresh_id("li"), "object": "item", "adjustable_quantity": null, "amount_discount": 0,
        "amount_subtotal": price["unit_amount"], "amount_tax": 0, "amount_total": price["unit_amount"],
        "currency": price["currency"], "description": description, "metadata": {}, "price": price,
        "quantity": 1,
    })
}
