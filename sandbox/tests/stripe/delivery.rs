//! Webhooks. In: changes. Out: signed deliveries, again until they are accepted, in the order asked for.

use axum::http::StatusCode;
use sandbox::stripe::Mode;
use serde_json::json;

use crate::scene::{ids, scene};

#[tokio::test]
async fn a_payment_is_delivered_signed() {
    let mut s = scene().await;
    let customer = s.control.create_customer(None, &[]).await.unwrap();
    let received = s.received().await;
    let event = received.json();
    assert_eq!(
        (&event["type"], &event["data"]["object"]["id"]),
        (&json!("customer.created"), &json!(customer))
    );
    // Signing is deterministic for a given second, so the sandbox can vouch for its own header.
    let t: i64 = received.signature["t=".len()..].split(',').next().unwrap().parse().unwrap();
    let again = s.control.sign(&received.body).await.unwrap();
    let again_t: i64 = again["t=".len()..].split(',').next().unwrap().parse().unwrap();
    assert!(again_t >= t);
    if again_t == t {
        assert_eq!(again, received.signature);
    }
    let delivery = s.control.post_event(json!({ "id": "evt_own", "object": "event" })).await.unwrap();
    assert_eq!(delivery.status, 200);
    assert_eq!(s.received().await.json()["id"], "evt_own");
}

#[tokio::test]
async fn a_delivery_is_retried_until_it_is_accepted() {
    let mut s = scene().await;
    s.failures.lock().unwrap().extend([StatusCode::SERVICE_UNAVAILABLE, StatusCode::FOUND]);
    s.control.create_customer(None, &[]).await.unwrap();
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(s.received().await.body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let attempts = loop {
        let attempts = s.control.deliveries().await.unwrap();
        if attempts.len() == 3 {
            break attempts;
        }
        tokio::task::yield_now().await;
    };
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(503), Some(302), Some(200)]);
}

#[tokio::test]
async fn held_events_are_released_in_the_order_asked_for() {
    let mut s = scene().await;
    let (customer, subscription) = s.quiet_subscription().await;
    s.control.delivery(Mode::Hold).await.unwrap();
    s.control.set_subscription(&subscription, json!({ "status": "past_due" })).await.unwrap();
    s.control.set_subscription(&subscription, json!({ "status": "active", "silent": true })).await.unwrap();
    s.control.delete_customer(&customer).await.unwrap();
    let events = s.control.events().await.unwrap();
    let held = &events[events.len() - 3..];
    let kinds: Vec<_> = held.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["customer.subscription.updated", "customer.subscription.deleted", "customer.deleted"]);
    assert_eq!(held[0]["data"]["previous_attributes"], json!({ "status": "active" }));

    let mut order: Vec<String> = held.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    order.reverse();
    let released = s.control.release(&order[..2]).await.unwrap();
    assert!(released.iter().all(|released| released.status == Some(200)));
    s.control.release(&[]).await.unwrap();
    for expected in &order {
        assert_eq!(s.received().await.json()["id"], **expected);
    }

    let (_, gone) = s.get(&format!("/customers/{customer}")).await;
    assert_eq!(gone, json!({ "id": customer, "object": "customer", "deleted": true }));
    let copies = s.control.deliver(&order[0], 3, true).await.unwrap();
    assert_eq!(copies.iter().map(|copy| copy.status).collect::<Vec<_>>(), [200; 3]);
    let (_, page) = s.get("/events?types[]=customer.deleted&types[]=invoice.paid&limit=1").await;
    assert_eq!((ids(&page), &page["has_more"]), (vec![order[0].as_str()], &json!(true)));
}
