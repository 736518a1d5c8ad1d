//! Money. In: purchases, refunds, disputes and invoices. Out: the objects and the events that a membership follows.

use serde_json::{Value, json};

use crate::scene::{Scene, ids, scene};

impl Scene {
    /// A product with a monthly price and one that is paid once.
    async fn shop(&self) -> (String, String) {
        let product = self.control.create_product("VIP").await.unwrap();
        let monthly = self.control.create_price(&product, 500).await.unwrap();
        let once = json!({ "product": product, "unit_amount": 9900, "type": "one_time" });
        (monthly, self.control.create_price_with(once).await.unwrap())
    }

    /// Types of the events since the last call of this sort.
    async fn told(&self, since: &mut usize) -> Vec<String> {
        let events = self.control.events().await.unwrap();
        let new = events[*since..].iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
        *since = events.len();
        new
    }

    async fn one(&self, path: &str, id: &Value) -> Value {
        let (status, object) = self.get(&format!("{path}/{}", id.as_str().unwrap())).await;
        assert_eq!(status, 200, "{path}/{id}");
        object
    }
}

#[tokio::test]
async fn a_membership_bought_through_a_payment_link() {
    let s = scene().await;
    let (monthly, _) = s.shop().await;
    let params = json!({ "price": monthly, "redirect_url": "https://example.com/claim?session_id={CHECKOUT_SESSION_ID}" });
    let link = s.control.create_payment_link(params).await.unwrap();
    let mut seen = 0;
    s.told(&mut seen).await;
    let visit = json!({ "email": "ana@example.com", "name": "Ana", "client_reference_id": "tok-7_A" });
    let bought = s.control.buy(&link, visit).await.unwrap();
    assert_eq!(
        s.told(&mut seen).await,
        [
            "customer.created",
            "customer.subscription.created",
            "invoice.created",
            "invoice.finalized",
            "payment_method.attached",
            "payment_intent.created",
            "charge.succeeded",
            "payment_intent.succeeded",
            "invoice.paid",
            "invoice.payment_succeeded",
            "invoice_payment.paid",
            "checkout.session.completed",
        ]
    );
    let session = s.one("/checkout/sessions", &bought["id"]).await;
    let redirect = format!("https://example.com/claim?session_id={}", session["id"].as_str().unwrap());
    assert_eq!(bought["redirect"], redirect);
    for (field, expected) in [
        ("client_reference_id", json!("tok-7_A")),
        ("mode", json!("subscription")),
        ("status", json!("complete")),
        ("payment_status", json!("paid")),
        ("payment_link", json!(link)),
        ("amount_total", json!(500)),
        ("customer", bought["customer"].clone()),
        ("subscription", bought["subscription"].clone()),
    ] {
        assert_eq!(session[field], expected, "{field}");
    }
    assert_eq!(session["customer_details"]["email"], "ana@example.com");
    let subscription = s.one("/subscriptions", &bought["subscription"]).await;
    assert_eq!((&subscription["status"], &subscription["customer"]), (&json!("active"), &bought["customer"]));
    let invoice = s.one("/invoices", &subscription["latest_invoice"]).await;
    assert_eq!((&invoice["status"], &invoice["amount_paid"]), (&json!("paid"), &json!(500)));
    // From a charge back to its subscription, as the API has it since March 2025.
    let (_, payments) =
        s.get(&format!("/invoice_payments?invoice={}", invoice["id"].as_str().unwrap())).await;
    let intent = &payments["data"][0]["payment"]["payment_intent"];
    let path = format!(
        "/invoice_payments?payment[type]=payment_intent&payment[payment_intent]={}",
        intent.as_str().unwrap()
    );
    assert_eq!(ids(&s.get(&path).await.1), ids(&payments));
    let (_, charges) = s.get(&format!("/charges?payment_intent={}", intent.as_str().unwrap())).await;
    assert_eq!(charges["data"][0]["paid"], true);

    let (_, open) =
        s.get(&format!("/checkout/sessions?payment_link={link}&status=complete&created[gte]=1")).await;
    assert_eq!(ids(&open), [session["id"].as_str().unwrap()]);
    for empty in ["status=open".to_owned(), format!("created[lt]={}", session["created"])] {
        assert_eq!(ids(&s.get(&format!("/checkout/sessions?{empty}")).await.1), [""; 0], "{empty}");
    }
    let lines = s.get(&format!("/checkout/sessions/{}/line_items", session["id"].as_str().unwrap())).await.1;
    assert_eq!(lines["data"][0]["price"]["id"], monthly.as_str());
}

#[tokio::test]
async fn what_is_sold_once_beside_a_subscription_is_billed_by_its_first_invoice_alone() {
    let s = scene().await;
    let (monthly, once) = s.shop().await;
    let session = s.control.open_session(json!({ "prices": [monthly, once] })).await.unwrap();
    let bought = s.control.complete_session(&session, json!({})).await.unwrap();
    let session = s.one("/checkout/sessions", &bought["id"]).await;
    assert_eq!((&session["mode"], &session["amount_total"]), (&json!("subscription"), &json!(10_400)));
    assert_eq!(session["payment_intent"], Value::Null, "the invoice's payment pays for both");
    let subscription = s.one("/subscriptions", &bought["subscription"]).await;
    let prices = |list: &Value, of: &str| -> Vec<Value> {
        list["data"].as_array().unwrap().iter().map(|line| line.pointer(of).cloned().unwrap()).collect()
    };
    assert_eq!(prices(&subscription["items"], "/price/id"), [json!(monthly)]);
    let invoice = s.one("/invoices", &bought["invoice"]).await;
    assert_eq!(prices(&invoice["lines"], "/pricing/price_details/price"), [json!(once), json!(monthly)]);
    let kinds = ["invoice_item_details", "subscription_item_details"];
    assert_eq!(prices(&invoice["lines"], "/parent/type"), kinds);
    assert_eq!(invoice["amount_paid"], 10_400);
    let next = s.control.bill(bought["subscription"].as_str().unwrap()).await.unwrap();
    let next = s.one("/invoices", &json!(next)).await;
    assert_eq!(prices(&next["lines"], "/pricing/price_details/price"), [json!(monthly)]);
}

#[tokio::test]
async fn what_a_link_cannot_carry_is_dropped_and_a_closed_one_sells_nothing() {
    let s = scene().await;
    let (_, once) = s.shop().await;
    let link = s.control.create_payment_link(json!({ "price": once })).await.unwrap();
    let bought = s.control.buy(&link, json!({ "client_reference_id": "no spaces!" })).await.unwrap();
    let session = s.one("/checkout/sessions", &bought["id"]).await;
    // A guest: one-time purchases make a customer only when the link says so.
    assert_eq!((&session["client_reference_id"], &session["customer"]), (&Value::Null, &Value::Null));
    assert_eq!((&session["mode"], &session["payment_status"]), (&json!("payment"), &json!("paid")));
    let params = json!({ "price": once, "customer_creation": "always" });
    let always = s.control.create_payment_link(params).await.unwrap();
    let bought = s.control.buy(&always, json!({ "email": "ana@example.com" })).await.unwrap();
    assert_eq!(s.one("/customers", &bought["customer"]).await["email"], "ana@example.com");
    s.control.update_payment_link(&link, json!({ "active": false })).await.unwrap();
    assert!(s.control.buy(&link, json!({})).await.is_err());
    assert!(s.control.buy(&always, json!({ "payment": "declines" })).await.is_err());
}

#[tokio::test]
async fn a_slow_bank_answers_after_the_session_is_complete() {
    let s = scene().await;
    let (_, once) = s.shop().await;
    for (paid, event, status) in [(true, "succeeded", "paid"), (false, "failed", "unpaid")] {
        let session = s.control.open_session(json!({ "prices": [once] })).await.unwrap();
        s.control.complete_session(&session, json!({ "payment": "pending" })).await.unwrap();
        let found = s.one("/checkout/sessions", &json!(session)).await;
        assert_eq!((&found["status"], &found["payment_status"]), (&json!("complete"), &json!("unpaid")));
        s.control.settle_session(&session, paid).await.unwrap();
        let last = s.control.events().await.unwrap().pop().unwrap();
        assert_eq!(last["type"], format!("checkout.session.async_payment_{event}"));
        assert_eq!(last["data"]["object"]["payment_status"], status);
    }
    let session = s.control.open_session(json!({ "prices": [once] })).await.unwrap();
    s.control.expire_session(&session).await.unwrap();
    assert_eq!(s.control.events().await.unwrap().pop().unwrap()["type"], "checkout.session.expired");
    assert!(s.control.complete_session(&session, json!({})).await.is_err());
}

#[tokio::test]
async fn refunds_add_up_and_a_bounced_one_is_taken_back() {
    let s = scene().await;
    let (_, once) = s.shop().await;
    let session = s.control.open_session(json!({ "prices": [once] })).await.unwrap();
    let bought = s.control.complete_session(&session, json!({})).await.unwrap();
    let intent = &bought["payment_intent"];
    let charge = s.one("/payment_intents", intent).await["latest_charge"].clone();
    let mut seen = 0;
    s.told(&mut seen).await;

    s.control
        .refund(json!({ "payment_intent": intent, "amount": 900, "reason": "requested_by_customer" }))
        .await
        .unwrap();
    assert_eq!(s.told(&mut seen).await, ["charge.refunded", "refund.created"]);
    let part = s.one("/charges", &charge).await;
    assert_eq!((&part["amount_refunded"], &part["refunded"]), (&json!(900), &json!(false)));
    let rest = s.control.refund(json!({ "charge": charge, "status": "pending" })).await.unwrap();
    let full = s.one("/charges", &charge).await;
    assert_eq!((&full["amount_refunded"], &full["refunded"]), (&json!(9900), &json!(true)));
    assert!(s.control.refund(json!({ "charge": charge })).await.is_err());
    s.told(&mut seen).await;

    s.control.fail_refund(&rest).await.unwrap();
    assert_eq!(s.told(&mut seen).await, ["charge.refund.updated", "refund.updated", "refund.failed"]);
    let again = s.one("/charges", &charge).await;
    assert_eq!((&again["amount_refunded"], &again["refunded"]), (&json!(900), &json!(false)));
    let (_, refunds) = s.get(&format!("/refunds?charge={}", charge.as_str().unwrap())).await;
    assert_eq!((ids(&refunds).len(), &refunds["data"][0]["status"]), (2, &json!("failed")));
    let (_, inside) = s.get(&format!("/charges/{}/refunds", charge.as_str().unwrap())).await;
    assert_eq!(ids(&inside), ids(&refunds));
}

#[tokio::test]
async fn a_dispute_is_opened_and_closed() {
    let s = scene().await;
    let (_, once) = s.shop().await;
    let session = s.control.open_session(json!({ "prices": [once] })).await.unwrap();
    let bought = s.control.complete_session(&session, json!({})).await.unwrap();
    let intent = &bought["payment_intent"];
    let mut seen = 0;
    for (inquiry, verdict, opened, closed) in [
        (
            false,
            "won",
            &["charge.dispute.created", "charge.dispute.funds_withdrawn"][..],
            &["charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_reinstated"][..],
        ),
        (
            false,
            "lost",
            &["charge.dispute.created", "charge.dispute.funds_withdrawn"],
            &["charge.dispute.updated", "charge.dispute.closed"],
        ),
        (
            true,
            "warning_closed",
            &["charge.dispute.created"],
            &["charge.dispute.updated", "charge.dispute.closed"],
        ),
        (
            true,
            "prevented",
            &["charge.dispute.created"],
            &["charge.dispute.updated", "charge.dispute.closed"],
        ),
    ] {
        s.told(&mut seen).await;
        let dispute =
            s.control.dispute(json!({ "payment_intent": intent, "inquiry": inquiry })).await.unwrap();
        assert_eq!(s.told(&mut seen).await, opened);
        let found = s.one("/disputes", &json!(dispute)).await;
        assert_eq!(found["status"], if inquiry { "warning_needs_response" } else { "needs_response" });
        s.control.close_dispute(&dispute, verdict).await.unwrap();
        assert_eq!(s.told(&mut seen).await, closed);
        assert_eq!(s.one("/disputes", &json!(dispute)).await["status"], verdict);
    }
    assert_eq!(
        s.one("/charges", &s.one("/payment_intents", intent).await["latest_charge"]).await["disputed"],
        true
    );
}

#[tokio::test]
async fn an_invoice_that_is_not_paid_puts_its_subscription_behind() {
    let s = scene().await;
    let (customer, subscription) = s.quiet_subscription().await;
    s.control.set_payer(&customer, "declines").await.unwrap();
    let invoice = s.control.bill(&subscription).await.unwrap();
    let kinds: Vec<_> =
        s.control.events().await.unwrap().iter().map(|e| e["type"].as_str().unwrap().to_owned()).collect();
    assert!(
        kinds.contains(&"invoice.payment_failed".to_owned()) && kinds.contains(&"charge.failed".to_owned())
    );
    assert_eq!(kinds.last().unwrap(), "customer.subscription.updated");
    assert_eq!(s.one("/subscriptions", &json!(subscription)).await["status"], "past_due");
    let found = s.one("/invoices", &json!(invoice)).await;
    assert_eq!((&found["status"], &found["attempt_count"]), (&json!("open"), &json!(1)));
    s.control.step_invoice(&invoice, "pay").await.unwrap();
    assert_eq!(s.one("/subscriptions", &json!(subscription)).await["status"], "active");
    assert_eq!(s.one("/invoices", &json!(invoice)).await["attempt_count"], 2);
    assert!(s.control.step_invoice(&invoice, "void").await.is_err());
    let (_, open) = s.get(&format!("/invoices?subscription={subscription}&status=open")).await;
    assert_eq!(ids(&open), [""; 0]);
}
