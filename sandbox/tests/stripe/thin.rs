//! Thin events. In: a destination that wants them beside an endpoint that wants snapshots. Out: twins, told and delivered alike.

use sandbox::stripe::Mode;
use serde_json::{Value, json};

use crate::endpoints::signed_by;
use crate::scene::{Received, SECRET, Scene, scene};

const THIN: &str = "whsec_thin";
const DAY: i64 = 24 * 3600;

impl Scene {
    async fn thin_destination(&self, events: Value) -> String {
        let params = json!({
            "url": self.webhook_url, "secret": THIN, "enabled_events": events, "event_payload": "thin",
        });
        self.control.create_webhook_endpoint(params).await.unwrap().0
    }

    /// The next deliveries: what the destination got, and what the endpoint got.
    async fn twins(&mut self) -> (Received, Received) {
        let both = [self.received().await, self.received().await];
        let [one, other] = both;
        if signed_by(&one, THIN) { (one, other) } else { (other, one) }
    }
}

#[tokio::test]
async fn a_destination_is_told_names_and_the_endpoint_beside_it_objects() {
    let mut s = scene().await;
    let destination = s.thin_destination(json!(["v1.customer.created"])).await;
    let customer = s.control.create_customer(Some("ana@example.com"), &[]).await.unwrap();
    let (thin, snapshot) = s.twins().await;
    assert!(signed_by(&thin, THIN) && signed_by(&snapshot, SECRET));
    let (thin, snapshot) = (thin.json(), snapshot.json());
    let url = format!("/v1/customers/{customer}");
    assert_eq!(thin["related_object"], json!({ "id": customer, "type": "customer", "url": url }));
    assert_eq!(thin["snapshot_event"], snapshot["id"]);
    assert_ne!(thin["id"], snapshot["id"]);
    assert_eq!((&thin["object"], &thin["type"]), (&json!("v2.core.event"), &json!("v1.customer.created")));
    assert!(thin.get("data").is_none() && thin.get("api_version").is_none());
    let tried = s.control.deliveries().await.unwrap();
    let tried = tried.iter().find(|attempt| attempt.endpoint == destination).unwrap();
    assert_eq!((&json!(tried.event), tried.event_type.as_str()), (&thin["id"], "v1.customer.created"));
    // It is an event destination of the second API; and what it wants has names of its own.
    assert_eq!(s.get("/webhook_endpoints").await.1["data"], json!([]));
    for wrong in [json!({ "enabled_events": ["customer.created"] }), json!({ "api_version": "2020-08-27" })] {
        let mut params = json!({ "url": s.webhook_url, "event_payload": "thin" });
        params.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert!(s.control.create_webhook_endpoint(params).await.is_err());
    }
}

#[tokio::test]
async fn twins_are_held_released_and_repeated_like_any_event() {
    let mut s = scene().await;
    s.thin_destination(json!(["*"])).await;
    s.control.delivery(Mode::Hold).await.unwrap();
    s.control.create_customer(None, &[]).await.unwrap();
    assert!(s.inbox.try_recv().is_err());
    s.control.release(&[]).await.unwrap();
    let (thin, snapshot) = s.twins().await;
    let (thin, snapshot) = (thin.json()["id"].clone(), snapshot.json()["id"].clone());
    // By the twin's id only the destination is meant, by the event's id both.
    let copies = s.control.deliver(thin.as_str().unwrap(), 3, false).await.unwrap();
    assert_eq!(copies.len(), 3);
    for _ in 0..3 {
        assert_eq!(s.received().await.json()["id"], thin);
    }
    s.control.deliver(snapshot.as_str().unwrap(), 1, true).await.unwrap();
    let (again, _) = s.twins().await;
    assert_eq!(again.json()["id"], thin);
    // What the destination took says nothing about the event itself.
    assert_eq!(s.get("/events?delivery_success=true").await.1["data"][0]["id"], snapshot);
}

#[tokio::test]
async fn every_object_a_thin_event_names_can_be_read() {
    let s = scene().await;
    s.thin_destination(json!(["*"])).await;
    let mut s = s.populated().await;
    let mut named = 0;
    while let Ok(Some(received)) =
        tokio::time::timeout(std::time::Duration::from_secs(1), s.inbox.recv()).await
    {
        let event = received.json();
        if event["object"] != "v2.core.event" {
            continue;
        }
        let url = event["related_object"]["url"].as_str().unwrap();
        let (status, object) = s.get(url.strip_prefix("/v1").unwrap()).await;
        assert_eq!((status, &object["object"]), (200, &event["related_object"]["type"]), "{event:#}");
        named += 1;
    }
    assert!(named > 70, "only {named}");
}

#[tokio::test]
async fn an_invoice_to_come_is_told_without_an_object() {
    let mut s = scene().await;
    let settings = json!({ "upcoming_days": 7 });
    s.control.set_settings(settings).await.unwrap();
    let (customer, subscription) = s.quiet_subscription().await;
    s.thin_destination(json!(["v1.invoice.upcoming"])).await;
    s.control.move_clock(json!({ "advance_seconds": 26 * DAY, "stopped": true })).await.unwrap();
    let (thin, snapshot) = s.twins().await;
    assert_eq!(thin.json()["data"], json!({ "customer": customer, "subscription": subscription }));
    assert!(thin.json().get("related_object").is_none());
    let invoice = &snapshot.json()["data"]["object"];
    assert!(invoice.get("id").is_none());
    assert_eq!((&invoice["status"], &invoice["amount_due"]), (&json!("draft"), &json!(500)));
}
