//! Webhook endpoints. In: several, with secrets that roll and versions of their own. Out: who gets what, signed how.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::scene::{Received, SECRET, Scene, scene};

fn signatures(header: &str) -> Vec<&str> {
    header.split(',').filter_map(|pair| pair.strip_prefix("v1=")).collect()
}

/// Stripe's rule, written down a second time: HMAC-SHA256 of `t.body` with the secret as text.
pub(crate) fn signed_by(received: &Received, secret: &str) -> bool {
    let t = received.signature.split(',').find_map(|pair| pair.strip_prefix("t=")).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&[t.as_bytes(), b".", &received.body].concat());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    signatures(&received.signature).contains(&expected.as_str())
}

impl Scene {
    async fn next(&mut self) -> Received {
        self.control.create_customer(None, &[]).await.unwrap();
        self.received().await
    }
}

#[tokio::test]
async fn while_a_secret_rolls_both_sign() {
    let mut s = scene().await;
    let received = s.next().await;
    assert!(signed_by(&received, SECRET) && received.signature.contains(",v0="));
    assert_eq!(signatures(&received.signature).len(), 1);
    let new = s.control.roll_secret("we_main", json!({ "keep_old": true })).await.unwrap();
    let received = s.next().await;
    assert!(signed_by(&received, SECRET) && signed_by(&received, &new));
    assert_eq!(signatures(&received.signature).len(), 2);
    s.control.roll_secret("we_main", json!({ "secret": "whsec_last" })).await.unwrap();
    let received = s.next().await;
    assert!(signed_by(&received, "whsec_last") && !signed_by(&received, &new));
}

#[tokio::test]
async fn signatures_carry_the_real_time_unless_asked_otherwise() {
    let mut s = scene().await;
    let t = |received: &Received| -> i64 {
        received.signature.split(',').find_map(|pair| pair.strip_prefix("t=")).unwrap().parse().unwrap()
    };
    let real = t(&s.next().await);
    s.control.move_clock(json!({ "now": 1_000_000_000 })).await.unwrap();
    let received = s.next().await;
    assert!(t(&received) >= real && received.json()["created"].as_i64().unwrap() - 1_000_000_000 < 60);
    s.control.set_signing(json!({ "follow_clock": true, "skew_seconds": -600 })).await.unwrap();
    let received = s.next().await;
    assert!((999_999_400..999_999_460).contains(&t(&received)), "{}", received.signature);
    assert!(signed_by(&received, SECRET));
}

#[tokio::test]
async fn endpoints_get_what_they_want_in_their_own_version() {
    let mut s = scene().await;
    let url = s.webhook_url.clone();
    let params = json!({
        "url": url, "secret": "whsec_old", "enabled_events": ["customer.subscription.created"],
        "api_version": "2020-08-27",
    });
    let (old, _) = s.control.create_webhook_endpoint(params).await.unwrap();
    let params = json!({ "url": url, "livemode": true });
    let (live, secret) = s.control.create_webhook_endpoint(params).await.unwrap();
    assert!(secret.starts_with("whsec_"));
    let (_, subscription) = {
        let product = s.control.create_product("VIP").await.unwrap();
        let price = s.control.create_price(&product, 500).await.unwrap();
        let customer = s.control.create_customer(None, &[]).await.unwrap();
        (customer.clone(), s.control.subscribe(&customer, &price).await.unwrap())
    };
    let mut seen = Vec::new();
    // Product, price, customer, subscription, invoice; the subscription twice.
    for _ in 0..6 {
        seen.push(s.received().await);
    }
    let old_ones: Vec<_> = seen.iter().filter(|received| signed_by(received, "whsec_old")).collect();
    assert_eq!(old_ones.len(), 1);
    let event = old_ones[0].json();
    let object = &event["data"]["object"];
    assert_eq!((&event["api_version"], &object["id"]), (&json!("2020-08-27"), &json!(subscription)));
    assert!(
        object["current_period_end"].is_i64()
            && object["items"]["data"][0].get("current_period_end").is_none()
    );
    assert!(object.get("billing_mode").is_none() && object.get("billing_schedules").is_none());
    let same = seen
        .iter()
        .find(|received| received.json()["id"] == event["id"] && !signed_by(received, "whsec_old"))
        .unwrap();
    assert!(same.json()["data"]["object"].get("current_period_end").is_none());

    s.control.update_webhook_endpoint(&old, json!({ "enabled": false })).await.unwrap();
    assert_eq!(s.get(&format!("/webhook_endpoints/{old}")).await.1["status"], "disabled");
    s.control.cancel(&subscription).await.unwrap();
    let attempts = |attempts: Vec<sandbox::stripe::Attempt>, to: &str| {
        attempts.iter().filter(|attempt| attempt.endpoint == to).count()
    };
    s.received().await;
    let made = s.control.deliveries().await.unwrap();
    assert_eq!((attempts(made.clone(), &old), attempts(made, &live)), (1, 0));
    s.control.create_live_customer("ana@example.com").await.unwrap();
    let both = [s.received().await, s.received().await];
    assert!(both.iter().any(|received| signed_by(received, &secret)));
    s.control.delete_webhook_endpoint(&live).await.unwrap();
    assert!(s.control.roll_secret(&live, json!({})).await.is_err());
}

#[tokio::test]
async fn an_old_account_shows_old_shapes() {
    let s = scene().await;
    s.control.set_settings(json!({ "api_version": "2022-08-01" })).await.unwrap();
    let (_, subscription) = s.quiet_subscription().await;
    let read = async |version: Option<&str>, path: String| -> (u16, Value) {
        let mut call = s.client.get(format!("{}/v1{path}", s.running.url)).bearer_auth(sandbox::stripe::KEY);
        if let Some(version) = version {
            call = call.header("stripe-version", version);
        }
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    };
    let (_, old) = read(None, format!("/subscriptions/{subscription}")).await;
    assert!(old["current_period_end"].is_i64());
    let (_, new) = read(Some("2026-09-30.endive"), format!("/subscriptions/{subscription}")).await;
    assert!(new.get("current_period_end").is_none());
    let (_, invoice) = read(None, format!("/invoices/{}", new["latest_invoice"].as_str().unwrap())).await;
    assert_eq!((&invoice["subscription"], &invoice["paid"]), (&json!(subscription), &json!(true)));
    assert_eq!(invoice["lines"]["data"][0]["price"]["unit_amount"], 500);
    let (_, charge) = read(None, format!("/charges/{}", invoice["charge"].as_str().unwrap())).await;
    assert_eq!((&charge["invoice"], &charge["refunds"]["object"]), (&invoice["id"], &json!("list")));
    // Events stay as they were when they arose, whatever version asks.
    let (_, events) = read(Some("2026-09-30.endive"), "/events?type=invoice.paid".to_owned()).await;
    let event = &events["data"][0];
    assert_eq!(
        (&event["api_version"], &event["data"]["object"]["subscription"]),
        (&json!("2022-08-01"), &json!(subscription))
    );
    let (status, body) = read(Some("tomorrow"), "/events".to_owned()).await;
    assert_eq!((status, &body["error"]["message"]), (400, &json!("Invalid Stripe API version: tomorrow")));
}
