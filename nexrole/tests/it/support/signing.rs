//! Events as Stripe sends them. In: what happened, a secret, a time. Out: a body, and the header that says it is Stripe's.

use serde_json::{Value, json};

pub(crate) fn event(id: &str, event_type: &str, object: &Value, livemode: bool) -> Vec<u8> {
    let event = json!({ "id": id, "object": "event", "type": event_type, "livemode": livemode,
                        "created": 1_790_000_000, "data": { "object": object } });
    event.to_string().into_bytes()
}

/// Stripe's scheme, written a second time, so that the gateway's is not checked against itself.
pub(crate) fn sign(body: &[u8], secret: &str) -> String {
    sign_at(body, secret, shared::clock::now().unix_timestamp())
}

pub(crate) fn sign_at(body: &[u8], secret: &str, t: i64) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(format!("{t}.").as_bytes());
    mac.update(body);
    format!("t={t},v1={}", hex::encode(mac.finalize().into_bytes()))
}
