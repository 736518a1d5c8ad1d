//! Money that moves. In: who pays how much. Out: payment methods, intents, charges, refunds, disputes.

use serde_json::{Value, json};

use super::{Birth, fresh_id};

/// Who pays how much, and with what.
pub(crate) struct Payment<'a> {
    /// A customer's id, or null for a guest.
    pub(crate) customer: &'a Value,
    pub(crate) email: &'a Value,
    pub(crate) amount: i64,
    pub(crate) currency: &'a Value,
    pub(crate) method: &'a str,
}

fn billing_details(email: &Value) -> Value {
    let address = json!({
        "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null,
    });
    json!({ "address": address, "email": email, "name": null, "phone": null, "tax_id": null })
}

/// The card that everybody tests with.
pub(crate) fn payment_method(birth: Birth, customer: &Value, email: &Value) -> Value {
    json!({
        "id": fresh_id("pm"), "object": "payment_method", "allow_redisplay": "unspecified",
        "billing_details": billing_details(email),
        "card": {
            "brand": "visa",
            "checks": {
                "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass",
            },
            "country": "US", "display_brand": "visa", "exp_month": 8, "exp_year": 2035,
            "fingerprint": "AOB934RVNwzk6xtn", "funding": "credit", "generated_from": null, "last4": "4242",
            "networks": { "available": ["visa"], "preferred": null }, "regulated_status": "unregulated",
            "three_d_secure_usage": { "supported": true }, "wallet": null,
        },
        "created": birth.now, "customer": customer, "customer_account": null, "livemode": birth.live,
        "metadata": {}, "type": "card",
    })
}

/// An attempt to be paid that is still under way.
pub(crate) fn payment_intent(birth: Birth, payment: &Payment<'_>) -> Value {
    let id = fresh_id("pi");
    json!({
        "client_secret": format!("{id}_secret_sandbox"), "id": id, "object": "payment_intent",
        "amount": payment.amount, "amount_capturable": 0, "amount_details": { "tip": {} },
        "amount_received": 0, "application": null, "application_fee_amount": null,
        "automatic_payment_methods": null, "canceled_at": null, "cancellation_reason": null,
        "capture_method": "automatic", "confirmation_method": "automatic", "created": birth.now,
        "currency": payment.currency, "customer": payment.customer, "customer_account": null,
        "description": null, "excluded_payment_method_types": null, "last_payment_error": null,
        "latest_charge": null, "livemode": birth.live, "managed_payments": null, "metadata": {},
        "next_action": null, "on_behalf_of": null, "payment_method": payment.method,
        "payment_method_configuration_details": null, "payment_method_options": {},
        "payment_method_types": ["card"], "processing": null, "receipt_email": null, "review": null,
        "setup_future_usage": null, "shipping": null, "source": null, "statement_descriptor": null,
        "statement_descriptor_suffix": null, "status": "processing", "transfer_data": null,
        "transfer_group": null,
    })
}

/// A card kept for later, without a payment.
pub(crate) fn setup_intent(birth: Birth, customer: &Value, method: &str) -> Value {
    let id = fresh_id("seti");
    json!({
        "client_secret": format!("{id}_secret_sandbox"), "id": id, "object": "setup_intent",
        "application": null, "automatic_payment_methods": null, "cancellation_reason": null,
        "created": birth.now, "customer": customer, "description": null,
        "excluded_payment_method_types": null, "flow_directions": null, "last_setup_error": null,
        "latest_attempt": null, "livemode": birth.live, "mandate": null, "metadata": {}, "next_action": null,
        "on_behalf_of": null, "payment_method": method, "payment_method_configuration_details": null,
        "payment_method_options": {}, "payment_method_types": ["card"], "single_use_mandate": null,
        "status": "succeeded", "usage": "off_session",
    })
}

/// What became of an intent; `paid` or declined.
pub(crate) fn charge(birth: Birth, payment: &Payment<'_>, intent: &str, paid: bool) -> Value {
    let id = fresh_id("ch");
    let (kind, status, seller) = match paid {
        true => ("authorized", "approved_by_network", "Payment complete."),
        false => ("issuer_declined", "declined_by_network", "The bank did not return any further details."),
    };
    json!({
        "receipt_url": format!("https://pay.stripe.com/receipts/payment/{id}"),
        "id": id, "object": "charge", "amount": payment.amount,
        "amount_captured": if paid { payment.amount } else { 0 }, "amount_refunded": 0, "application": null,
        "application_fee": null, "application_fee_amount": null, "balance_transaction": null,
        "billing_details": billing_details(payment.email),
        "calculated_statement_descriptor": "SANDBOX", "captured": paid, "created": birth.now,
        "currency": payment.currency, "customer": payment.customer, "description": null, "disputed": false,
        "failure_balance_transaction": null,
        "failure_code": if paid { Value::Null } else { json!("card_declined") },
        "failure_message": if paid { Value::Null } else { json!("Your card was declined.") },
        "fraud_details": {}, "livemode": birth.live, "metadata": {}, "on_behalf_of": null,
        "outcome": {
            "advice_code": null, "network_advice_code": null, "network_decline_code": null,
            "network_status": status, "reason": if paid { Value::Null } else { json!("generic_decline") },
            "risk_level": "normal", "risk_score": 20, "seller_message": seller, "type": kind,
        },
        "paid": paid, "payment_intent": intent, "payment_method": payment.method,
        "payment_method_details": { "card": card(payment.amount), "type": "card" }, "receipt_email": null,
        "receipt_number": null, "refunded": false, "review": null, "shipping": null, "source": null,
        "source_transfer": null, "statement_descriptor": null, "statement_descriptor_suffix": null,
        "status": if paid { "succeeded" } else { "failed" }, "transfer_data": null, "transfer_group": null,
    })
}

fn card(amount: i64) -> Value {
    json!({
        "amount_authorized": amount, "authorization_code": null, "brand": "visa",
        "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
        "country": "US", "exp_month": 8, "exp_year": 2035, "extended_authorization": { "status": "disabled" },
        "fingerprint": "AOB934RVNwzk6xtn", "funding": "credit",
        "incremental_authorization": { "status": "unavailable" }, "installments": null, "last4": "4242",
        "mandate": null, "multicapture": { "status": "unavailable" }, "network": "visa",
        "network_token": { "used": false }, "network_transaction_id": null,
        "overcapture": { "maximum_amount_capturable": amount, "status": "unavailable" },
        "regulated_status": "unregulated", "three_d_secure": null, "transaction_link_id": null,
        "wallet": null,
    })
}

/// Money on its way back.
pub(crate) fn refund(birth: Birth, charge: &Value, amount: i64, reason: &Value, status: &str) -> Value {
    json!({
        "id": fresh_id("re"), "object": "refund", "amount": amount, "balance_transaction": null,
        "charge": charge["id"], "created": birth.now, "currency": charge["currency"],
        "customer": charge["customer"], "customer_account": null,
        "destination_details": {
            "card": { "type": "refund" },
            "type": "card",
        },
        "metadata": {}, "payment_intent": charge["payment_intent"], "payment_method": charge["payment_method"],
        "reason": reason, "receipt_number": null, "source_transfer_reversal": null, "status": status,
        "transfer_reversal": null,
    })
}

/// A cardholder's complaint; an inquiry moves no money.
pub(crate) fn dispute(birth: Birth, charge: &Value, amount: i64, reason: &str, inquiry: bool) -> Value {
    let (status, case) = match inquiry {
        true => ("warning_needs_response", "inquiry"),
        false => ("needs_response", "chargeback"),
    };
    json!({
        "id": fresh_id("dp"), "object": "dispute", "amount": amount, "balance_transactions": [],
        "charge": charge["id"], "created": birth.now, "currency": charge["currency"],
        "enhanced_eligibility_types": [], "evidence": evidence(charge),
        "evidence_details": {
            "due_by": birth.now + 7 * 24 * 3600, "enhanced_eligibility": {}, "has_evidence": false,
            "past_due": false, "submission_count": 0,
        },
        "is_charge_refundable": inquiry, "livemode": birth.live, "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": { "brand": "visa", "case_type": case, "network": "visa", "network_reason_code": "10.4" },
            "type": "card",
        },
        "reason": reason, "status": status,
    })
}

fn evidence(charge: &Value) -> Value {
    json!({
        "access_activity_log": null, "billing_address": null, "cancellation_policy": null,
        "cancellation_policy_disclosure": null, "cancellation_rebuttal": null,
        "customer_communication": null, "customer_email_address": charge["billing_details"]["email"],
        "customer_name": null, "customer_purchase_ip": null, "customer_signature": null,
        "duplicate_charge_documentation": null, "duplicate_charge_explanation": null,
        "duplicate_charge_id": null, "enhanced_evidence": {}, "product_description": null, "receipt": null,
        "refund_policy": null, "refund_policy_disclosure": null, "refund_refusal_explanation": null,
        "service_date": null, "service_documentation": null, "shipping_address": null,
        "shipping_carrier": null, "shipping_date": null, "shipping_documentation": null,
        "shipping_tracking_number": null, "uncategorized_file": null, "uncategorized_text": null,
    })
}
