//! Thin events. In: an event with its object. Out: the notification about it that names the object instead of carrying it.
//!
//! Every type of the first API has such a twin with an id of its own
//! (<https://docs.stripe.com/events/how-events-work#thin-events>).

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::stripe::kinds::Kind;

/// The only event about something that has no id, so that the twin says whose it is.
const UPCOMING: &str = "invoice.upcoming";

/// The thin twin of an event.
pub(crate) fn notification(event: &Value) -> Value {
    let object = &event["data"]["object"];
    let mut notification = json!({
        "id": id(event), "object": "v2.core.event", "type": type_of(event), "context": null,
        "created": iso(event["created"].as_i64().unwrap_or_default()), "livemode": event["livemode"],
        "snapshot_event": event["id"],
    });
    if event["type"] == UPCOMING {
        let subscription = &object["parent"]["subscription_details"]["subscription"];
        notification["data"] = json!({ "customer": object["customer"], "subscription": subscription });
    } else {
        notification["related_object"] = related(object);
    }
    notification
}

/// The twin's id: always the same for one event, and never that of the event.
pub(crate) fn id(event: &Value) -> String {
    let snapshot = event["id"].as_str().unwrap_or_default();
    format!("evt_65{}", &hex::encode(Sha256::digest(snapshot))[..22])
}

/// `v1.customer.subscription.updated` for `customer.subscription.updated`.
pub(crate) fn type_of(event: &Value) -> String {
    format!("v1.{}", event["type"].as_str().unwrap_or_default())
}

fn related(object: &Value) -> Value {
    let (id, kind) = (&object["id"], &object["object"]);
    let path = Kind::ALL.into_iter().find(|known| *kind == known.object()).map_or("", Kind::path);
    json!({ "id": id, "type": kind, "url": format!("/v1{path}/{}", id.as_str().unwrap_or_default()) })
}

/// RFC 3339 with milliseconds, as the second API writes times.
fn iso(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, (hour, minute, second)) = (time.date(), time.to_hms());
    format!(
        "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.000Z",
        date.year(),
        u8::from(date.month()),
        date.day()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, object: &Value) -> Value {
        json!({
            "id": "evt_1", "object": "event", "type": kind, "created": 1_793_188_800, "livemode": false,
            "data": { "object": object },
        })
    }

    #[test]
    fn a_notification_names_its_object_and_its_twin() {
        let session = json!({ "id": "cs_test_1", "object": "checkout.session", "customer": "cus_1" });
        let event = event("checkout.session.completed", &session);
        let expected = json!({
            "id": id(&event), "object": "v2.core.event", "type": "v1.checkout.session.completed",
            "created": "2026-10-28T12:00:00.000Z", "context": null, "livemode": false,
            "snapshot_event": "evt_1",
            "related_object": {
                "id": "cs_test_1", "type": "checkout.session", "url": "/v1/checkout/sessions/cs_test_1",
            },
        });
        assert_eq!(notification(&event), expected);
        assert_ne!(notification(&event)["id"], event["id"]);
    }

    #[test]
    fn an_invoice_to_come_has_no_id_and_says_whose_it_is() {
        let parent = json!({ "subscription_details": { "subscription": "sub_1" } });
        let invoice = json!({ "object": "invoice", "customer": "cus_1", "parent": parent });
        let thin = notification(&event("invoice.upcoming", &invoice));
        assert_eq!(thin["data"], json!({ "customer": "cus_1", "subscription": "sub_1" }));
        assert!(thin.get("related_object").is_none());
    }
}
