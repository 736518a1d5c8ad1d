//! Checkout. In: what is bought on which terms. Out: an open session.

use serde_json::{Map, Value, json};

use super::{Birth, fresh_id};

/// How long a session stays open.
const OPEN_FOR: i64 = 24 * 3600;

/// What a session sells, and to whom.
pub(crate) struct Terms<'a> {
    /// `subscription`, `payment` or `setup`.
    pub(crate) mode: &'a str,
    pub(crate) lines: &'a [Value],
    /// The payment link that opened it, or null.
    pub(crate) link: &'a Value,
    pub(crate) customer: &'a Value,
    pub(crate) customer_creation: &'a str,
    pub(crate) reference: &'a Value,
    pub(crate) metadata: &'a Map<String, Value>,
    pub(crate) success_url: &'a Value,
}

pub(crate) fn session(birth: Birth, terms: &Terms<'_>) -> Value {
    let id = fresh_id(if birth.live { "cs_live" } else { "cs_test" });
    let setup = terms.mode == "setup";
    let sum: i64 = terms.lines.iter().filter_map(|line| line["amount_total"].as_i64()).sum();
    let total = if setup { Value::Null } else { json!(sum) };
    let currency = terms.lines.first().map_or(&Value::Null, |line| &line["currency"]);
    json!({
        "url": format!("https://checkout.stripe.com/c/pay/{id}"),
        "id": id, "object": "checkout.session", "adaptive_pricing": { "enabled": false },
        "after_expiration": null, "allow_promotion_codes": false, "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
        "billing_address_collection": "auto", "cancel_url": null, "client_reference_id": terms.reference,
        "client_secret": null, "collected_information": null, "consent": null, "consent_collection": null,
        "created": birth.now, "currency": currency, "currency_conversion": null, "custom_fields": [],
        "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null,
            "terms_of_service_acceptance": null,
        },
        "customer": terms.customer, "customer_account": null, "customer_creation": terms.customer_creation,
        "customer_details": null, "customer_email": null, "discounts": [],
        "expires_at": birth.now + OPEN_FOR, "integration_identifier": null, "invoice": null,
        "invoice_creation": null, "livemode": birth.live, "locale": "auto", "managed_payments": null,
        "metadata": terms.metadata, "mode": terms.mode, "origin_context": null, "payment_intent": null,
        "payment_link": terms.link, "payment_method_collection": "always",
        "payment_method_configuration_details": null, "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_status": if setup { "no_payment_required" } else { "unpaid" }, "permissions": null,
        "phone_number_collection": { "enabled": false }, "recovered_from": null,
        "saved_payment_method_options": null, "setup_intent": null, "shipping_address_collection": null,
        "shipping_cost": null, "shipping_options": [], "status": "open", "submit_type": null,
        "subscription": null, "success_url": terms.success_url,
        "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
        "ui_mode": "hosted_page", "wallet_options": null,
    })
}

/// Who bought, as the buyer typed it.
pub(crate) fn details(email: &Value, name: &Value) -> Value {
    let address = json!({
        "city": null, "country": "US", "line1": null, "line2": null, "postal_code": "94107", "state": null,
    });
    json!({
        "address": address, "business_name": null, "email": email, "individual_name": null, "name": name,
        "phone": null, "tax_exempt": "none", "tax_ids": [],
    })
}
