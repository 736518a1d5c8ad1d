//! What unknown callers can send to the parsers. In: any bytes. Out: nothing, or a panic that names a broken promise. Plain functions,
//! for proptest, for the seeds and for libFuzzer (docs/fuzzing.md).

use secrecy::SecretString;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{event, signature};
use shared::domain::stripe_object::ObjectKind;

const SECRETS: [&str; 2] = ["whsec_first", "whsec_second"];
const NOW: i64 = 1_790_000_000;

/// A signature header, a line feed, a body. `{1}` and `{2}` in the header stand for what either secret signs for the header's
/// `t`, so that acceptance can be reached. What is accepted was signed; what was signed as Stripe does it is accepted.
pub fn signature_header(data: &[u8]) {
    let (header, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    let header = std::str::from_utf8(header).map_or_else(|_| header.to_vec(), |text| filled(text, body));
    if accepts(&header, body) {
        assert!(was_signed(&header, body), "a signature was accepted that nobody made");
    }
    let right = hex::encode(mac(SECRETS[0], &NOW.to_string(), body));
    assert!(accepts(format!("t={NOW},v1={right}").as_bytes(), body), "a right signature was refused");
    let old = NOW - 301;
    let late = hex::encode(mac(SECRETS[1], &old.to_string(), body));
    assert!(!accepts(format!("t={old},v1={late}").as_bytes(), body), "an old signature was accepted");
}

fn accepts(header: &[u8], body: &[u8]) -> bool {
    signature::verify(body, Some(header), &SECRETS.map(SecretString::from), NOW).is_ok()
}

fn filled(header: &str, body: &[u8]) -> Vec<u8> {
    let t = header.split(',').find_map(|pair| pair.trim().strip_prefix("t=")).unwrap_or_default();
    let signed = |secret| hex::encode(mac(secret, t, body));
    let mut filled = header.to_owned();
    for (place, secret) in ["{1}", "{2}"].iter().zip(SECRETS) {
        if filled.contains(place) {
            filled = filled.replace(place, &signed(secret));
        }
    }
    filled.into_bytes()
}

/// Whether the header holds some `t` within five minutes, and what one of the secrets signs for it: found without parsing.
fn was_signed(header: &[u8], body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(header).to_lowercase();
    text.split("t=").skip(1).any(|rest| {
        let t = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
        t.parse::<i64>().is_ok_and(|t| (t - NOW).abs() <= 300)
            && SECRETS.iter().any(|secret| text.contains(&hex::encode(mac(secret, t, body))))
    })
}

/// RFC 2104 by the letter: the oracle shares no more with the verifier than SHA-256.
fn mac(secret: &str, t: &str, body: &[u8]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(secret.bytes()).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(t).chain_update(".").chain_update(body);
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner.finalize()).finalize().into()
}

/// A signed body: what is taken for an event can be stored, and another reader of JSON reads the same in it.
pub fn event_body(data: &[u8]) {
    let first = event::translate(data);
    assert_eq!(first, event::translate(data), "the same bytes are the same event");
    let Ok(event) = first else { return };
    assert!(std::str::from_utf8(data).is_ok(), "JSON is UTF-8, to its last field");
    assert!((1..=255).contains(&event.event_type.len()));
    let stored = [Some(event.event_type.as_str()), event.api_version.as_deref(), Some(event.id.as_str())];
    assert!(stored.iter().flatten().all(|text| !text.contains('\0')), "Postgres takes no NUL");
    // Numbers out of range and lone surrogates in fields that we skip are more than this reader takes.
    let Ok(other) = serde_json::from_slice::<Value>(data) else { return };
    assert_eq!(other["id"], event.id.as_str());
    assert_eq!(other["type"], event.event_type);
    assert_eq!(other["livemode"].as_bool().unwrap_or(true), event.livemode);
    if let Some(version) = event.api_version {
        assert_eq!(other["api_version"], version);
    }
    if let Some(at) = event.created.filter(|_| other["created"].is_number()) {
        assert_eq!(other["created"].as_i64(), Some(at.unix_timestamp()));
    }
    let places = [
        "/related_object/id",
        "/data/subscription",
        "/data/subscription/id",
        "/data/object/id",
        "/data/object/subscription",
        "/data/object/subscription/id",
        "/data/object/payment_intent",
        "/data/object/payment_intent/id",
        "/data/object/parent/subscription_details/subscription",
        "/data/object/parent/subscription_details/subscription/id",
    ];
    if let Some(object) = event.object.filter(|object| object.kind != ObjectKind::Catalogue) {
        let named = places.iter().any(|place| other.pointer(place).is_some_and(|id| *id == object.id));
        assert!(named, "the object is none that the event names");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes, and things that look like what the parsers want.
    fn headers() -> impl Strategy<Value = Vec<u8>> {
        let near = "(t=[0-9]{0,14},?|v1=\\{[12]\\},?|t=1790000[0-9]{3},?|v1=[0-9a-f]{0,66},?|v0=[0-9a-f]{64},?| |=|,){0,20}\n[{}a-z]{0,20}";
        prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), near.prop_map(String::into_bytes)]
    }

    fn events() -> impl Strategy<Value = Vec<u8>> {
        let value = r#"("[a-z_.0-9]{0,12}"|null|-?[0-9]{1,25}(e[0-9]{1,3})?|true|\[\]|\{"id":"sub_1"\}|"\\u0000\\ud800")"#;
        let near = format!(
            r#"\{{("(id|type|created|livemode|api_version|data|object)":{value},){{0,6}}"type":"customer.subscription.updated","id":{value},"data":\{{"object":{value}\}}\}}"#
        );
        let near = proptest::string::string_regex(&near).expect("a pattern");
        prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), near.prop_map(String::into_bytes)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_header_is_a_signature_that_nobody_made(data in headers()) {
            signature_header(&data);
        }

        #[test]
        fn no_body_breaks_the_reading_of_events(data in events()) {
            event_body(&data);
        }
    }

    /// Stripe sends objects. A list of the right values in the right order is no event to anybody else.
    #[test]
    fn a_list_is_no_event_and_no_object() {
        let list = br#"["evt_1","customer.subscription.updated",null,false,null,null,null]"#;
        event_body(list);
        assert!(event::translate(list).is_err());
        for data in [r#"[{"id":"sub_1"}]"#, r#"{"object":["sub_1",null,null]}"#] {
            let body = format!(r#"{{"id":"evt_1","type":"customer.subscription.updated","data":{data}}}"#);
            event_body(body.as_bytes());
            assert_eq!(event::translate(body.as_bytes()).unwrap().object, None, "{data}");
        }
    }

    #[test]
    fn the_oracle_signs_what_stripe_signs() {
        let known = "c9bcc97a8a4ff4bae104ef32dcacf8b24b4c3cf0512aef639b8502673db15436";
        let body = br#"{"id":"evt_1","object":"event"}"#;
        assert_eq!(hex::encode(mac("whsec_x", "1700000000", body)), known);
        let right = filled("t=1790000000,v1={2}", body);
        assert!(accepts(&right, body) && was_signed(&right, body) && !was_signed(&right, b"{}"));
    }

    #[test]
    fn depth_is_no_bomb() {
        for open in ["[", "{\"a\":", "{\"data\":{\"object\":["] {
            event_body(open.repeat(100_000).as_bytes());
        }
    }
}
