//! Time. In: a clock that is moved. Out: trials and periods that end, events that are forgotten, seconds that are shared.

use serde_json::{Value, json};

use crate::scene::{Scene, ids, scene};

const DAY: i64 = 24 * 3600;

impl Scene {
    async fn wait(&self, seconds: i64) {
        self.control.move_clock(json!({ "advance_seconds": seconds, "stopped": true })).await.unwrap();
    }

    async fn sub(&self, id: &str) -> Value {
        self.get(&format!("/subscriptions/{id}")).await.1
    }

    async fn kinds_after(&self, count: usize) -> Vec<String> {
        let events = self.control.events().await.unwrap();
        events[count..].iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    async fn count(&self) -> usize {
        self.control.events().await.unwrap().len()
    }
}

#[tokio::test]
async fn a_period_is_renewed_or_ends() {
    let s = scene().await;
    let (customer, renewed) = s.quiet_subscription().await;
    let price = s.sub(&renewed).await["items"]["data"][0]["price"]["id"].as_str().unwrap().to_owned();
    let ending = s.control.subscribe(&customer, &price).await.unwrap();
    s.control.set_subscription(&ending, json!({ "cancel_at_period_end": true })).await.unwrap();
    let before = s.sub(&renewed).await;
    assert_eq!(
        s.sub(&ending).await["cancel_at"],
        s.sub(&ending).await["items"]["data"][0]["current_period_end"]
    );
    let seen = s.count().await;
    s.wait(32 * DAY).await;
    let after = s.sub(&renewed).await;
    let item = |sub: &Value, field: &str| sub["items"]["data"][0][field].as_i64().unwrap();
    assert_eq!(item(&after, "current_period_start"), item(&before, "current_period_end"));
    assert!(item(&after, "current_period_end") - item(&before, "current_period_end") >= 28 * DAY);
    assert_eq!(after["status"], "active");
    assert_ne!(after["latest_invoice"], before["latest_invoice"]);
    let ended = s.sub(&ending).await;
    assert_eq!(
        (&ended["status"], ended["ended_at"].as_i64()),
        (&json!("canceled"), ended["cancel_at"].as_i64())
    );
    let kinds = s.kinds_after(seen).await;
    for expected in
        ["invoice.created", "invoice.paid", "customer.subscription.updated", "customer.subscription.deleted"]
    {
        assert_eq!(kinds.iter().filter(|kind| *kind == expected).count(), 1, "{expected} in {kinds:?}");
    }
    let paid =
        s.control.events().await.unwrap().into_iter().rfind(|event| event["type"] == "invoice.paid").unwrap();
    assert_eq!(paid["created"].as_i64(), Some(item(&before, "current_period_end")));
}

#[tokio::test]
async fn a_customer_who_does_not_pay_falls_behind_and_is_dunned() {
    for (dunning, last) in [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")] {
        let s = scene().await;
        s.control.set_settings(json!({ "dunning": dunning })).await.unwrap();
        let (customer, subscription) = s.quiet_subscription().await;
        s.control.set_payer(&customer, "declines").await.unwrap();
        s.wait(31 * DAY + 3600).await;
        assert_eq!(s.sub(&subscription).await["status"], "past_due");
        // Three more attempts, three days apart.
        s.wait(10 * DAY).await;
        let behind = s.sub(&subscription).await;
        assert_eq!(behind["status"], last, "{dunning}");
        let (_, invoice) = s.get(&format!("/invoices/{}", behind["latest_invoice"].as_str().unwrap())).await;
        assert_eq!((&invoice["attempt_count"], &invoice["next_payment_attempt"]), (&json!(4), &Value::Null));
    }
    let s = scene().await;
    let (customer, subscription) = s.quiet_subscription().await;
    s.control.set_payer(&customer, "declines").await.unwrap();
    s.wait(31 * DAY + 3600).await;
    s.control.set_payer(&customer, "pays").await.unwrap();
    s.wait(3 * DAY).await;
    assert_eq!(s.sub(&subscription).await["status"], "active");
}

#[tokio::test]
async fn a_trial_is_announced_and_ends_as_the_customer_pays() {
    for (payer, end_behavior, status, told) in [
        ("pays", "create_invoice", "active", "invoice.paid"),
        ("declines", "create_invoice", "past_due", "invoice.payment_failed"),
        ("no_method", "pause", "paused", "customer.subscription.paused"),
        ("no_method", "cancel", "canceled", "customer.subscription.deleted"),
    ] {
        let s = scene().await;
        let product = s.control.create_product("VIP").await.unwrap();
        let price = s.control.create_price(&product, 500).await.unwrap();
        let customer = s.control.create_customer(None, &[]).await.unwrap();
        s.control.set_payer(&customer, payer).await.unwrap();
        let params =
            json!({ "customer": customer, "prices": [price], "status": "trialing", "trial_period_days": 7 });
        let subscription = s.control.subscribe_with(params).await.unwrap();
        let settings = json!({ "end_behavior": { "missing_payment_method": end_behavior } });
        s.control
            .set_subscription(&subscription, json!({ "trial_settings": settings, "silent": true }))
            .await
            .unwrap();
        let seen = s.count().await;
        s.wait(5 * DAY).await;
        assert_eq!(s.kinds_after(seen).await, ["customer.subscription.trial_will_end"]);
        s.wait(3 * DAY).await;
        assert_eq!(s.sub(&subscription).await["status"], status, "{payer}");
        assert!(s.kinds_after(seen).await.iter().any(|kind| kind == told), "{payer}: {told}");
    }
}

#[tokio::test]
async fn what_nobody_finishes_expires() {
    let s = scene().await;
    let (customer, subscription) = s.quiet_subscription().await;
    let price = s.sub(&subscription).await["items"]["data"][0]["price"]["id"].clone();
    let params = json!({ "customer": customer, "prices": [price], "status": "incomplete" });
    let incomplete = s.control.subscribe_with(params).await.unwrap();
    let session = s.control.open_session(json!({ "prices": [price] })).await.unwrap();
    s.wait(DAY + 1).await;
    assert_eq!(s.sub(&incomplete).await["status"], "incomplete_expired");
    assert_eq!(s.get(&format!("/checkout/sessions/{session}")).await.1["status"], "expired");
    s.control
        .set_subscription(&subscription, json!({ "cancel_at": s.control.now().await.unwrap() + DAY }))
        .await
        .unwrap();
    s.wait(2 * DAY).await;
    assert_eq!(s.sub(&subscription).await["status"], "canceled");
}

#[tokio::test]
async fn events_are_shown_for_thirty_days() {
    let s = scene().await;
    s.control.create_customer(None, &[]).await.unwrap();
    let old = s.control.events().await.unwrap()[0]["id"].as_str().unwrap().to_owned();
    s.wait(30 * DAY - 10).await;
    assert_eq!(ids(&s.get("/events").await.1), [old.as_str()]);
    s.control.create_customer(None, &[]).await.unwrap();
    let young = s.control.events().await.unwrap()[1]["id"].as_str().unwrap().to_owned();
    assert_eq!(ids(&s.get(&format!("/events?ending_before={old}")).await.1), [young.as_str()]);
    s.wait(20).await;
    assert_eq!(ids(&s.get("/events").await.1), [young.as_str()]);
    assert_eq!(s.get(&format!("/events/{old}")).await.0, 404);
    let (status, body) = s.get(&format!("/events?ending_before={old}")).await;
    assert_eq!((status, &body["error"]["param"]), (404, &json!("ending_before")));
    s.control.set_settings(json!({ "lost_cursor_status": 400 })).await.unwrap();
    let (status, again) = s.get(&format!("/events?ending_before={old}")).await;
    assert_eq!((status, &again["error"]["message"]), (400, &body["error"]["message"]));
    let many = ["types[]=a"; 21].join("&");
    for refused in [&many, "type=a&types[]=b"] {
        assert_eq!(s.get(&format!("/events?{refused}")).await.0, 400, "{refused}");
    }
}

#[tokio::test]
async fn events_are_narrowed_by_type_time_and_delivery() {
    let s = scene().await;
    let (customer, subscription) = s.quiet_subscription().await;
    s.control.move_clock(json!({ "advance_seconds": 100, "stopped": true })).await.unwrap();
    s.control.delivery(sandbox::stripe::Mode::Hold).await.unwrap();
    s.control.cancel(&subscription).await.unwrap();
    let now = s.control.now().await.unwrap();
    let kinds = |page: Value| -> Vec<String> {
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    };
    for (query, expected) in [
        (
            "type=customer.subscription.*".to_owned(),
            vec!["customer.subscription.deleted", "customer.subscription.created"],
        ),
        (
            "types[]=price.created&types[]=product.created".to_owned(),
            vec!["price.created", "product.created"],
        ),
        (format!("created[gte]={now}"), vec!["customer.subscription.deleted"]),
        (format!("created[lt]={now}&type=customer.created"), vec!["customer.created"]),
        (format!("created={now}&type=customer.created"), vec![]),
        (
            "delivery_success=false&type=customer.subscription.*".to_owned(),
            vec!["customer.subscription.deleted", "customer.subscription.created"],
        ),
    ] {
        assert_eq!(kinds(s.get(&format!("/events?{query}")).await.1), expected, "{query}");
    }
    s.control.release(&[]).await.unwrap();
    assert_eq!(kinds(s.get("/events?delivery_success=true").await.1), ["customer.subscription.deleted"]);
    assert!(customer.starts_with("cus_"));
}

#[tokio::test]
async fn a_clock_that_stands_still_lets_many_events_share_a_second() {
    let s = scene().await;
    s.control.move_clock(json!({ "stopped": true })).await.unwrap();
    for _ in 0..8 {
        s.control.create_customer(None, &[]).await.unwrap();
    }
    let (_, page) = s.get("/events?limit=100").await;
    let seconds: std::collections::BTreeSet<_> =
        page["data"].as_array().unwrap().iter().map(|event| event["created"].as_i64()).collect();
    assert_eq!(seconds.len(), 1);
    s.control.set_settings(json!({ "ties_by_id": true })).await.unwrap();
    let (_, by_id) = s.get("/events?limit=100").await;
    let mut sorted = ids(&page);
    sorted.sort_unstable();
    sorted.reverse();
    assert_eq!(ids(&by_id), sorted);
    // Pages stay whole.
    let (_, rest) = s.get(&format!("/events?limit=100&starting_after={}", sorted[2])).await;
    assert_eq!(ids(&rest), sorted[3..]);
}
