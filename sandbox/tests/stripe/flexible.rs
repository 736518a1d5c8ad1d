//! Flexible billing. In: subscriptions of both modes that are cancelled in the portal. Out: how each says that it ends.

use serde_json::{Value, json};

use crate::scene::{Scene, scene};

const DAY: i64 = 24 * 3600;

impl Scene {
    async fn subscription(&self, id: &str) -> Value {
        self.get(&format!("/subscriptions/{id}")).await.1
    }
}

#[tokio::test]
async fn subscriptions_are_flexible_unless_somebody_says_classic() {
    let s = scene().await;
    let (customer, flexible) = s.quiet_subscription().await;
    let flexible = s.subscription(&flexible).await;
    assert_eq!(flexible["billing_mode"]["type"], "flexible");
    let price = &flexible["items"]["data"][0]["price"]["id"];
    let params = json!({ "customer": customer, "prices": [price], "billing_mode": "classic" });
    let classic = s.control.subscribe_with(params).await.unwrap();
    assert_eq!(s.subscription(&classic).await["billing_mode"]["type"], "classic");
    // Payment links follow the account.
    s.control.set_settings(json!({ "billing_mode": "classic" })).await.unwrap();
    let link = s.control.create_payment_link(json!({ "price": price })).await.unwrap();
    let bought = s.control.buy(&link, json!({ "email": "ana@example.com" })).await.unwrap();
    let bought = s.subscription(bought["subscription"].as_str().unwrap()).await;
    assert_eq!(bought["billing_mode"], json!({ "type": "classic", "flexible": null }));
}

#[tokio::test]
async fn a_portal_cancellation_is_a_time_and_only_in_classic_mode_a_flag() {
    let s = scene().await;
    for (mode, flag) in [("flexible", false), ("classic", true)] {
        s.control.set_settings(json!({ "billing_mode": mode })).await.unwrap();
        let (_, subscription) = s.quiet_subscription().await;
        s.control.portal_cancel(&subscription).await.unwrap();
        let told = s.control.events().await.unwrap().pop().unwrap();
        assert_eq!(told["type"], "customer.subscription.updated");
        assert_eq!(told["data"]["previous_attributes"]["cancel_at"], Value::Null);
        let cancelled = s.subscription(&subscription).await;
        assert_eq!(cancelled["cancel_at_period_end"], flag, "{mode}");
        assert_eq!(cancelled["cancel_at"], cancelled["items"]["data"][0]["current_period_end"], "{mode}");
        assert_eq!(cancelled["status"], "active");
        assert_eq!(cancelled["cancellation_details"]["reason"], "cancellation_requested");
        s.control.move_clock(json!({ "advance_seconds": 32 * DAY, "stopped": true })).await.unwrap();
        assert_eq!(s.subscription(&subscription).await["status"], "canceled", "{mode}");
    }
}

#[tokio::test]
async fn older_versions_do_not_know_pages_and_trials_by_their_new_names() {
    let s = scene().await;
    let (_, subscription) = s.quiet_subscription().await;
    let item = &s.subscription(&subscription).await["items"]["data"][0];
    assert_eq!(item["current_trial"], Value::Null);
    let session = json!({ "prices": [item["price"]["id"]] });
    let session = s.control.open_session(session).await.unwrap();
    for (version, ui_mode, trial) in [
        ("2026-10-28.endive", "hosted_page", true),
        ("2026-08-26.dahlia", "hosted_page", false),
        ("2026-02-25.clover", "hosted", false),
    ] {
        s.control.set_settings(json!({ "api_version": version })).await.unwrap();
        let found = s.get(&format!("/checkout/sessions/{session}")).await.1;
        assert_eq!(found["ui_mode"], ui_mode, "{version}");
        let found = s.subscription(&subscription).await;
        let has_trial = found["items"]["data"][0].get("current_trial").is_some();
        assert_eq!(has_trial, trial, "{version}");
    }
}
