//! Shapes. In: one object of each kind, as the API shows it. Out: what async-stripe's strict types and, if there is a
//! copy of Stripe's own fixtures, those say about it.
//!
//! `VENDOR_SPECS` names a folder with `stripe-fixtures3.json` of github.com/stripe/openapi.

use serde_json::{Value, json};

use crate::scene::{Scene, ids, scene};

/// Where our objects differ from the fixtures, and why that is right.
const EXCEPTIONS: [(&str, &str); 19] = [
    ("charge.outcome.risk_level: not Stripe's", "optional, and the fixture has none"),
    ("charge.outcome.risk_score: not Stripe's", "optional, and the fixture has none"),
    ("charge.refunds: missing", "shown only when expanded since 2022-11-15"),
    ("customer.customer_account: not Stripe's", "in Stripe's specification, but not in the fixture"),
    (
        "event.data.previous_attributes: not Stripe's",
        "only `….updated` events have it; the fixture is another",
    ),
    ("invoice.lines.data[].pricing.price_details: not Stripe's", "optional, and the fixture has none"),
    ("invoice.subscription: missing", "moved to `parent` by 2025-03-31.basil"),
    ("invoice_payment.payment.payment_intent: not Stripe's", "optional, and the fixture has none"),
    ("payment_intent.last_payment_error.charge: not Stripe's", "optional, and the fixture has only `type`"),
    ("payment_intent.last_payment_error.code: not Stripe's", "optional, and the fixture has only `type`"),
    (
        "payment_intent.last_payment_error.decline_code: not Stripe's",
        "optional, and the fixture has only `type`",
    ),
    ("payment_intent.last_payment_error.doc_url: not Stripe's", "optional, and the fixture has only `type`"),
    ("payment_intent.last_payment_error.message: not Stripe's", "optional, and the fixture has only `type`"),
    ("refund.failure_reason: not Stripe's", "only failed refunds have it; the fixture is another"),
    ("payment_link.after_completion.hosted_confirmation: missing", "the other variant"),
    ("payment_link.after_completion.redirect: not Stripe's", "the other variant"),
    ("subscription.items.data[].current_trial: not Stripe's", "since 2026-09-30; the fixture is of August"),
    ("subscription.status_details: not Stripe's", "since 2026-09-30, and only of a paused one"),
    ("subscription_item.current_trial: not Stripe's", "since 2026-09-30; the fixture is of August"),
];

/// Below `/v1`: the list, and what the fixtures call an object on it.
const LISTS: [(&str, &str); 21] = [
    ("/customers", "customer"),
    ("/products", "product"),
    ("/products>/products/{}/features", "product_feature"),
    ("/prices", "price"),
    ("/payment_links", "payment_link"),
    ("/payment_links>/payment_links/{}/line_items", "item"),
    ("/payment_methods", "payment_method"),
    ("/payment_intents", "payment_intent"),
    ("/setup_intents", "setup_intent"),
    ("/charges", "charge"),
    ("/refunds", "refund"),
    ("/disputes", "dispute"),
    ("/subscriptions", "subscription"),
    ("/invoices", "invoice"),
    ("/invoice_payments", "invoice_payment"),
    ("/checkout/sessions", "checkout.session"),
    ("/checkout/sessions>/checkout/sessions/{}/line_items", "item"),
    ("/subscriptions>/subscription_items?subscription={}", "subscription_item"),
    ("/webhook_endpoints", "webhook_endpoint"),
    ("/billing_portal/configurations", "billing_portal.configuration"),
    ("/events", "event"),
];

impl Scene {
    /// Purchases of every mode, a refund and a dispute: at least one object of each kind.
    pub(crate) async fn populated(self) -> Self {
        let (_, subscription) = self.quiet_subscription().await;
        let (_, found) = self.get(&format!("/subscriptions/{subscription}")).await;
        let monthly = found["items"]["data"][0]["price"]["id"].clone();
        let once = json!({ "product": found["items"]["data"][0]["price"]["product"], "unit_amount": 9900, "type": "one_time" });
        let once = self.control.create_price_with(once).await.unwrap();
        let product = found["items"]["data"][0]["price"]["product"].as_str().unwrap();
        self.control.add_feature(product, json!({ "lookup_key": "vip" })).await.unwrap();
        let link = self.control.create_payment_link(json!({ "price": monthly })).await.unwrap();
        let visit = json!({ "email": "ben@example.com", "client_reference_id": "tok_1" });
        self.control.buy(&link, visit).await.unwrap();
        let setup = self
            .control
            .open_session(json!({ "mode": "setup", "customer": found["customer"] }))
            .await
            .unwrap();
        self.control.complete_session(&setup, json!({})).await.unwrap();
        let params = json!({ "price": once, "redirect_url": "https://example.com/thanks" });
        let link = self.control.create_payment_link(params).await.unwrap();
        let bought = self.control.buy(&link, json!({ "email": "eve@example.com" })).await.unwrap();
        self.control
            .refund(json!({ "payment_intent": bought["payment_intent"], "amount": 100 }))
            .await
            .unwrap();
        self.control.dispute(json!({ "payment_intent": bought["payment_intent"] })).await.unwrap();
        // And what goes wrong: declined, late, disputed, lapsed, paused, deleted.
        let customer = self.control.create_customer(None, &[]).await.unwrap();
        let trial = json!({ "customer": customer, "prices": [monthly], "status": "trialing" });
        let trial = self.control.subscribe_with(trial).await.unwrap();
        let paused = json!({ "pause_collection": { "behavior": "void", "resumes_at": null } });
        self.control.set_subscription(&trial, paused).await.unwrap();
        let resting = json!({ "customer": customer, "prices": [monthly] });
        let resting = self.control.subscribe_with(resting).await.unwrap();
        self.control.pause(&resting, "pause_requested").await.unwrap();
        let unpaid = json!({ "customer": customer, "prices": [monthly] });
        let unpaid = self.control.subscribe_with(unpaid).await.unwrap();
        for payer in ["declines", "needs_action", "pending"] {
            self.control.set_payer(&customer, payer).await.unwrap();
            let invoice = self.control.bill(&unpaid).await.unwrap();
            self.control
                .step_invoice(&invoice, if payer == "pending" { "void" } else { "mark_uncollectible" })
                .await
                .unwrap();
        }
        let late = self.control.open_session(json!({ "prices": [once] })).await.unwrap();
        self.control.complete_session(&late, json!({ "payment": "pending" })).await.unwrap();
        self.control.settle_session(&late, false).await.unwrap();
        let lapsed = self.control.open_session(json!({ "prices": [monthly] })).await.unwrap();
        self.control.expire_session(&lapsed).await.unwrap();
        let refund = json!({ "payment_intent": bought["payment_intent"], "status": "pending", "amount": 5 });
        let refund = self.control.refund(refund).await.unwrap();
        self.control.fail_refund(&refund).await.unwrap();
        let inquiry = json!({ "payment_intent": bought["payment_intent"], "inquiry": true });
        let inquiry = self.control.dispute(inquiry).await.unwrap();
        self.control.close_dispute(&inquiry, "warning_closed").await.unwrap();
        let appealed = json!({ "payment_intent": bought["payment_intent"] });
        let appealed = self.control.dispute(appealed).await.unwrap();
        self.control.close_dispute(&appealed, "lost").await.unwrap();
        self.control.advance_dispute(&appealed, "appeal_needs_response").await.unwrap();
        self.control.move_clock(json!({ "advance_seconds": 20 * 24 * 3600 })).await.unwrap();
        self.control.delete_customer(&customer).await.unwrap();
        let endpoint = json!({ "url": "http://127.0.0.1:9/", "enabled_events": ["invoice.paid"] });
        self.control.create_webhook_endpoint(endpoint).await.unwrap();
        self
    }

    /// Every object on a list; before `>` stands the list whose ids take the place of `{}`.
    async fn all(&self, path: &str) -> Vec<Value> {
        let paths = match path.split_once('>') {
            None => vec![format!("{path}?limit=100")],
            Some((parents, pattern)) => {
                let (_, page) = self.get(parents).await;
                ids(&page).into_iter().map(|id| pattern.replace("{}", id)).collect()
            }
        };
        let mut found = Vec::new();
        for path in paths {
            let (status, page) = self.get(&path).await;
            assert_eq!(status, 200, "{path}: {page}");
            found.extend(page["data"].as_array().unwrap().iter().cloned());
        }
        assert!(!found.is_empty(), "nothing at {path}");
        found
    }
}

fn parses(kind: &str, object: &Value) -> bool {
    let text = object.to_string();
    fn read<T: miniserde::Deserialize>(text: &str) -> bool {
        miniserde::json::from_str::<T>(text).is_ok()
    }
    match kind {
        "customer" => read::<stripe_shared::Customer>(&text),
        "product" => read::<stripe_shared::Product>(&text),
        "price" => read::<stripe_shared::Price>(&text),
        "payment_link" => read::<stripe_shared::PaymentLink>(&text),
        "item" => read::<stripe_shared::CheckoutSessionItem>(&text),
        "payment_method" => read::<stripe_shared::PaymentMethod>(&text),
        "payment_intent" => read::<stripe_shared::PaymentIntent>(&text),
        "setup_intent" => read::<stripe_shared::SetupIntent>(&text),
        "charge" => read::<stripe_shared::Charge>(&text),
        "refund" => read::<stripe_shared::Refund>(&text),
        "dispute" => read::<stripe_shared::Dispute>(&text),
        "subscription" => read::<stripe_shared::Subscription>(&text),
        "invoice" => read::<stripe_shared::Invoice>(&text),
        "invoice_payment" => read::<stripe_shared::InvoicePayment>(&text),
        "checkout.session" => read::<stripe_shared::CheckoutSession>(&text),
        "subscription_item" => read::<stripe_shared::SubscriptionItem>(&text),
        "event" => read::<stripe_shared::Event>(&text),
        other => panic!("no strict type for {other}"),
    }
}

#[tokio::test]
async fn every_object_parses_with_async_stripes_strict_types() {
    let s = scene().await.populated().await;
    // Of these async-stripe-shared has no type.
    let typed =
        |kind: &str| !matches!(kind, "webhook_endpoint" | "product_feature" | "billing_portal.configuration");
    for (path, kind) in LISTS.into_iter().filter(|(_, kind)| typed(kind)) {
        for object in s.all(path).await {
            assert!(parses(kind, &object), "{kind}: {object:#}");
            // The check can fail: without its id nothing is an object.
            let mut broken = object.clone();
            broken["id"] = json!(7);
            assert!(!parses(kind, &broken), "{kind} parses with a number for an id");
        }
    }
    let mut embedded = 0;
    for event in s.all("/events").await {
        let object = &event["data"]["object"];
        assert!(parses(object["object"].as_str().unwrap(), object), "{}: {object:#}", event["type"]);
        embedded += 1;
    }
    assert!(embedded > 70, "only {embedded} events");
}

#[tokio::test]
async fn every_field_is_one_of_stripes_fixtures_and_none_is_missing() {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration of their own")]
    let Ok(folder) = std::env::var("VENDOR_SPECS") else {
        println!("NOT CHECKED against Stripe's fixtures: VENDOR_SPECS names no folder");
        return;
    };
    let text = std::fs::read_to_string(format!("{folder}/stripe-fixtures3.json")).unwrap();
    let fixtures: Value = serde_json::from_str(&text).unwrap();
    let s = scene().await.populated().await;
    let mut differences = std::collections::BTreeSet::new();
    for (path, kind) in LISTS {
        for object in s.all(path).await {
            compare(kind, &object, &fixtures["resources"][kind], &mut differences);
        }
    }
    differences.retain(|difference| !EXCEPTIONS.iter().any(|(known, _)| difference == known));
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Field names must be the same and types compatible; where one side is null or empty there is nothing to compare.
fn compare(path: &str, ours: &Value, theirs: &Value, differences: &mut std::collections::BTreeSet<String>) {
    match (ours, theirs) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(ours), Value::Object(theirs)) => {
            let free_form = path.ends_with(".metadata") || path == "event.data.object";
            if ours.is_empty() || theirs.is_empty() || free_form {
                return;
            }
            for (key, value) in ours {
                match theirs.get(key) {
                    Some(their_value) => compare(&format!("{path}.{key}"), value, their_value, differences),
                    None => drop(differences.insert(format!("{path}.{key}: not Stripe's"))),
                }
            }
            for key in theirs.keys().filter(|key| !ours.contains_key(*key)) {
                differences.insert(format!("{path}.{key}: missing"));
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            for (ours, theirs) in ours.iter().zip(theirs) {
                compare(&format!("{path}[]"), ours, theirs, differences);
            }
        }
        _ if std::mem::discriminant(ours) == std::mem::discriminant(theirs) => {}
        _ => drop(differences.insert(format!("{path}: {ours} where Stripe has {theirs}"))),
    }
}
