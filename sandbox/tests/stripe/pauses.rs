//! Pauses. In: failed renewals, and pauses that somebody asks for. Out: paused subscriptions that say why, and how they go on.

use serde_json::{Value, json};

use crate::scene::{Scene, scene};

const DAY: i64 = 24 * 3600;

impl Scene {
    async fn lets_pass(&self, seconds: i64) {
        self.control.move_clock(json!({ "advance_seconds": seconds, "stopped": true })).await.unwrap();
    }

    /// What the API shows of a subscription: itself, its status, and why it is paused.
    async fn state(&self, id: &str) -> (Value, String, Value) {
        let found = self.get(&format!("/subscriptions/{id}")).await.1;
        let cause = found["status_details"]["paused"]["subscription"]["type"].clone();
        (found.clone(), found["status"].as_str().unwrap().to_owned(), cause)
    }

    async fn last_kinds(&self, count: usize) -> Vec<String> {
        let events = self.control.events().await.unwrap();
        let last = &events[events.len() - count..];
        last.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// A subscription whose first renewal fails, under these settings.
    async fn unpaid_renewal(&self, settings: Value) -> (String, String) {
        self.control.set_settings(settings).await.unwrap();
        let (customer, subscription) = self.quiet_subscription().await;
        self.control.set_payer(&customer, "declines").await.unwrap();
        self.lets_pass(31 * DAY + 3600).await;
        (customer, subscription)
    }
}

const PAUSED: [&str; 2] = ["customer.subscription.updated", "customer.subscription.paused"];
const RESUMED: [&str; 2] = ["customer.subscription.updated", "customer.subscription.resumed"];

#[tokio::test]
async fn a_first_failed_renewal_pauses_where_the_owner_wants_it() {
    let s = scene().await;
    let (_, subscription) = s.unpaid_renewal(json!({ "pause_on_failure": "first" })).await;
    let (paused, status, cause) = s.state(&subscription).await;
    assert_eq!((status.as_str(), &cause), ("paused", &json!("first_payment_failure")));
    let details = &paused["status_details"]["paused"];
    assert!(details["transitioned_at"].is_i64() && details["type"] == "subscription");
    assert_eq!(s.last_kinds(2).await, PAUSED);
    let updated = &s.control.events().await.unwrap().into_iter().rev().nth(1).unwrap();
    assert_eq!(updated["data"]["previous_attributes"]["status"], "active");
    // The invoice can still be paid, and then the subscription goes on in the period it is in.
    let invoice = paused["latest_invoice"].as_str().unwrap();
    assert_eq!(s.get(&format!("/invoices/{invoice}")).await.1["status"], "open");
    s.control.step_invoice(invoice, "pay").await.unwrap();
    let (resumed, status, cause) = s.state(&subscription).await;
    assert_eq!((status.as_str(), &cause), ("active", &Value::Null));
    assert!(resumed.get("status_details").is_none());
    assert_eq!(resumed["items"], paused["items"]);
    assert_eq!(s.last_kinds(2).await, RESUMED);
}

#[tokio::test]
async fn a_retry_resumes_and_the_last_one_leaves_it_paused() {
    for (payer, expected) in [("pays", "active"), ("declines", "paused")] {
        let s = scene().await;
        let (customer, subscription) = s.unpaid_renewal(json!({ "pause_on_failure": "first" })).await;
        s.control.set_payer(&customer, payer).await.unwrap();
        s.lets_pass(10 * DAY).await;
        assert_eq!(s.state(&subscription).await.1, expected, "{payer}");
    }
    let s = scene().await;
    let settings = json!({ "pause_on_failure": "first", "resume_when_paid": false });
    let (customer, subscription) = s.unpaid_renewal(settings).await;
    s.control.set_payer(&customer, "pays").await.unwrap();
    s.lets_pass(60 * DAY).await;
    // Paid, and nobody resumed it: no period passes either.
    let (paused, status, _) = s.state(&subscription).await;
    assert_eq!(status, "paused");
    let invoice = paused["latest_invoice"].as_str().unwrap();
    assert_eq!(s.get(&format!("/invoices/{invoice}")).await.1["status"], "paid");
}

#[tokio::test]
async fn the_last_failure_pauses_instead_of_what_dunning_ends_in() {
    let s = scene().await;
    let settings = json!({ "pause_on_failure": "final", "dunning": "unpaid" });
    let (_, subscription) = s.unpaid_renewal(settings).await;
    assert_eq!(s.state(&subscription).await.1, "past_due");
    s.lets_pass(10 * DAY).await;
    let (_, status, cause) = s.state(&subscription).await;
    assert_eq!((status.as_str(), &cause), ("paused", &json!("final_payment_failure")));
    assert_eq!(s.last_kinds(2).await, PAUSED);
}

#[tokio::test]
async fn a_classic_subscription_cannot_pause() {
    for (setting, first, last) in [("first", "past_due", "past_due"), ("final", "past_due", "canceled")] {
        let s = scene().await;
        let settings =
            json!({ "pause_on_failure": setting, "billing_mode": "classic", "dunning": "past_due" });
        let (_, subscription) = s.unpaid_renewal(settings).await;
        assert_eq!(s.state(&subscription).await.1, first, "{setting}");
        s.lets_pass(10 * DAY).await;
        assert_eq!(s.state(&subscription).await.1, last, "{setting}");
        assert!(s.control.pause(&subscription, "pause_requested").await.is_err());
    }
}

#[tokio::test]
async fn a_first_invoice_that_fails_does_not_pause() {
    let s = scene().await;
    s.control.set_settings(json!({ "pause_on_failure": "first" })).await.unwrap();
    let (customer, subscription) = s.quiet_subscription().await;
    s.control.set_payer(&customer, "declines").await.unwrap();
    s.control.bill(&subscription).await.unwrap();
    assert_eq!(s.state(&subscription).await.1, "past_due");
}

#[tokio::test]
async fn a_pause_that_was_asked_for_ends_as_its_resumption_says() {
    let attempt = "resume_on_payment_attempt";
    for (behaviour, payer, step, status, told) in [
        (attempt, "pays", Some("pay"), "active", &RESUMED[..]),
        (attempt, "pays", Some("mark_uncollectible"), "active", &RESUMED),
        (attempt, "pays", Some("fail"), "past_due", &RESUMED),
        (attempt, "pays", Some("void"), "paused", &["invoice.voided"]),
        (attempt, "pays", None, "paused", &["invoice.voided"]),
        ("resume_on_payment_success", "pays", None, "active", &RESUMED),
        ("resume_on_payment_success", "declines", None, "paused", &["invoice.payment_failed"]),
    ] {
        let s = scene().await;
        let (customer, subscription) = s.quiet_subscription().await;
        s.control.pause(&subscription, "pause_requested").await.unwrap();
        assert_eq!(s.last_kinds(2).await, PAUSED);
        assert_eq!(s.state(&subscription).await.2, "pause_requested");
        s.lets_pass(90 * DAY).await;
        assert_eq!(s.last_kinds(2).await, PAUSED, "nothing is billed during a pause");
        s.control.set_payer(&customer, payer).await.unwrap();
        s.control.resume(&subscription, behaviour).await.unwrap();
        let invoice = s.state(&subscription).await.0["latest_invoice"].as_str().unwrap().to_owned();
        match step {
            Some(step) => s.control.step_invoice(&invoice, step).await.unwrap(),
            None => s.lets_pass(DAY).await,
        }
        let (found, now, cause) = s.state(&subscription).await;
        assert_eq!(now, status, "{behaviour} {step:?}");
        assert_eq!(cause == "pause_requested", status == "paused", "{behaviour} {step:?}");
        assert_eq!(s.last_kinds(told.len()).await, told, "{behaviour} {step:?}");
        let begins = found["items"]["data"][0]["current_period_start"].as_i64().unwrap();
        let recent = begins > s.control.now().await.unwrap() - 2 * DAY;
        assert_eq!(recent, status != "paused", "{behaviour} {step:?}");
        if status == "past_due" {
            s.lets_pass(20 * DAY).await;
            assert_eq!(s.state(&subscription).await.1, "past_due", "nobody tries again");
        }
    }
}

#[tokio::test]
async fn a_trial_without_a_card_pauses_and_says_so_but_not_to_older_versions() {
    let s = scene().await;
    let (_, subscription) = s.quiet_subscription().await;
    s.control.pause(&subscription, "trial_end_without_payment_method").await.unwrap();
    assert_eq!(s.state(&subscription).await.2, "trial_end_without_payment_method");
    assert!(s.control.pause(&subscription, "system").await.is_err());
    s.control.set_settings(json!({ "api_version": "2026-08-26.dahlia" })).await.unwrap();
    assert!(s.state(&subscription).await.0.get("status_details").is_none());
}
