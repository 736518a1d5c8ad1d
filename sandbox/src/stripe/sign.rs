//! Stripe's webhook signature. In: an endpoint's secrets, a time, the raw body. Out: the `Stripe-Signature` header.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Signs `t.body` once per secret. A key is the whole secret as text, `whsec_` included; it is not base64. The `v0` at
/// the end is the decoy that Stripe sends in test mode: right for nobody's secret.
pub(crate) fn header(secrets: &[String], t: i64, body: &[u8]) -> String {
    let valid: String = secrets.iter().map(|secret| format!(",v1={}", mac(secret, t, body))).collect();
    format!("t={t}{valid},v0={}", mac("decoy", t, body))
}

fn mac(secret: &str, t: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of every length");
    mac.update(format!("{t}.").as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_the_official_libraries_compute() {
        let secrets = ["whsec_x".to_owned(), "whsec_y".to_owned()];
        let body = br#"{"id":"evt_1","object":"event"}"#;
        let header = header(&secrets, 1_700_000_000, body);
        let known = "t=1700000000,v1=c9bcc97a8a4ff4bae104ef32dcacf8b24b4c3cf0512aef639b8502673db15436,v1=";
        assert!(header.starts_with(known), "{header}");
        assert_eq!(header.matches(",v0=").count(), 1);
    }
}
