//! Stripe's webhook signature. In: the endpoint's secret, a time, the raw body. Out: the `Stripe-Signature` header.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Signs `t.body`. The key is the whole secret as text, `whsec_` included; it is not base64.
pub(crate) fn header(secret: &str, t: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of every length");
    mac.update(format!("{t}.").as_bytes());
    mac.update(body);
    format!("t={t},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::header;

    #[test]
    fn the_signature_is_what_the_official_libraries_compute() {
        assert_eq!(
            header("whsec_x", 1_700_000_000, br#"{"id":"evt_1","object":"event"}"#),
            "t=1700000000,v1=c9bcc97a8a4ff4bae104ef32dcacf8b24b4c3cf0512aef639b8502673db15436"
        );
    }
}
