//! The customer portal. In: the few facts a test chooses. Out: a configuration of it.

use serde_json::{Value, json};

use super::{Birth, fresh_id};

/// The configuration that an owner has after saving the portal's settings, with its login link activated.
pub(crate) fn configuration(birth: Birth) -> Value {
    let mode = if birth.live { "" } else { "test_" };
    json!({
        "id": fresh_id("bpc"), "object": "billing_portal.configuration", "active": true, "application": null,
        "business_profile": { "headline": null, "privacy_policy_url": null, "terms_of_service_url": null },
        "created": birth.now, "default_return_url": null,
        "features": {
            "customer_update": { "allowed_updates": ["email", "tax_id"], "enabled": true },
            "invoice_history": { "enabled": true },
            "payment_method_update": { "enabled": true, "payment_method_configuration": null },
            "subscription_cancel": {
                "cancellation_reason": { "enabled": false, "options": [] }, "enabled": true,
                "mode": "at_period_end", "proration_behavior": "none",
            },
            "subscription_update": {
                "billing_cycle_anchor": null, "default_allowed_updates": [], "enabled": false,
                "proration_behavior": "none",
                "schedule_at_period_end": { "conditions": [{ "type": "decreasing_item_amount" }] },
                "trial_update_behavior": "end_trial",
            },
        },
        "is_default": true, "livemode": birth.live,
        "login_page": {
            "enabled": true, "url": format!("https://billing.stripe.com/p/login/{mode}{}", &fresh_id("x")[2..]),
        },
        "metadata": null, "name": null, "updated": birth.now,
    })
}
