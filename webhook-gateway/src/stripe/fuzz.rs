//! What strangers can send to the parsers. In: any bytes. Out: nothing, or a panic that names a broken promise. Plain functions,
//! for proptest and for any fuzzer.

use secrecy::SecretString;

use super::{event, signature};

/// A signature header, a line feed, a body: whatever it is, it is not signed by a secret that nobody knows.
pub fn signature_header(data: &[u8]) {
    let (header, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    let secrets = [SecretString::from("whsec_first"), SecretString::from("whsec_second")];
    let verified = signature::verify(body, Some(header), &secrets, 1_790_000_000);
    assert!(verified.is_err(), "a signature was accepted that nobody made");
}

/// A signed body: what is taken for an event can be stored.
pub fn event_body(data: &[u8]) {
    let first = event::translate(data);
    assert_eq!(first, event::translate(data), "the same bytes are the same event");
    if let Ok(event) = first {
        assert!((1..=255).contains(&event.event_type.len()));
        let stored = [Some(event.event_type), event.api_version, Some(event.id.to_string())];
        assert!(stored.iter().flatten().all(|text| !text.contains('\0')), "Postgres takes no NUL");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes, and things that look like what the parsers want.
    fn headers() -> impl Strategy<Value = Vec<u8>> {
        let near = "(t=[0-9]{0,14},?|v1=[0-9a-f]{0,66},?|v0=[0-9a-f]{64},?| |=|,){0,20}\n[{}a-z]{0,20}";
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

    #[test]
    fn depth_is_no_bomb() {
        for open in ["[", "{\"a\":", "{\"data\":{\"object\":["] {
            event_body(open.repeat(100_000).as_bytes());
        }
    }
}
