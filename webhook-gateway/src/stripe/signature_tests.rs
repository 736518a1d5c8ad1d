//! The rows of the table of Stripe's own libraries' tests, with our answers.

use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_700_000_000;
const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;

fn mac(secret: &str, t: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(t.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

fn judge(header: &str, body: &[u8], secrets: &[&str]) -> Result<(), Rejection> {
    let secrets: Vec<SecretString> = secrets.iter().map(|&s| SecretString::from(s)).collect();
    verify(body, Some(header.as_bytes()), &secrets, NOW).map(|payload| assert_eq!(payload.bytes(), body))
}

fn check(header: &str, expected: Result<(), Rejection>) {
    assert_eq!(judge(header, BODY, &["whsec_x"]), expected, "{header}");
}

#[test]
fn the_known_answer_of_stripes_node_and_python_libraries() {
    let v1 = "c9bcc97a8a4ff4bae104ef32dcacf8b24b4c3cf0512aef639b8502673db15436";
    assert_eq!(mac("whsec_x", "1700000000", BODY), v1);
    check(&format!("t=1700000000,v1={v1}"), Ok(()));
}

#[test]
fn accepted_forms() {
    let good = mac("whsec_x", "1700000000", BODY);
    for header in [
        format!("t=1700000000,v1={good}"),
        format!("t=1700000000,v1={good},v0=garbage"),
        format!("v1={good},t=1700000000"),
        format!("t=1700000000,v2=tomorrow,v1={good}"),
        format!("t=1700000000,v1={good},v1=bad_signature"),
        format!("t=1700000000,v1=potato,v1={good}"),
        format!("t=1700000000,v1={},v1={good}", mac("whsec_old", "1700000000", BODY)),
        format!("t=1700000000, v1={good}"),
        format!("t=1700000000,v1={good},"),
        format!("t=1700000000,v1={good},foo"),
        format!("t=1700000000,v1={}", good.to_uppercase()),
    ] {
        check(&header, Ok(()));
    }
    // Leading zeros: the literal digits are signed.
    check(&format!("t=001700000000,v1={}", mac("whsec_x", "001700000000", BODY)), Ok(()));
    check(&format!("t=001700000000,v1={good}"), Err(Rejection::Mismatch));
}

#[test]
fn refused_forms() {
    let good = mac("whsec_x", "1700000000", BODY);
    let wrong = mac("whsec_y", "1700000000", BODY);
    for (header, why) in [
        (format!("t=1700000000,v1={wrong}"), Rejection::Mismatch),
        (format!("t=1700000000,v0={good}"), Rejection::Mismatch),
        (format!("t=1700000000,v1={}", &good[..62]), Rejection::Mismatch),
        (format!("t=1700000000,v1={good}="), Rejection::Mismatch),
        (format!("t=1700000000,v1={good}00"), Rejection::Mismatch),
        ("t=1700000000,v1=".into(), Rejection::Mismatch),
        ("t=1700000000".into(), Rejection::Mismatch),
        (String::new(), Rejection::Malformed),
        ("bad_header".into(), Rejection::Malformed),
        ("I am a very nice header, please accept me".into(), Rejection::Malformed),
        ("t=".into(), Rejection::Malformed),
        (format!("v1,t=1,v1={good}"), Rejection::Mismatch),
        (format!("v1={good}"), Rejection::Malformed),
        (format!("t=abc,v1={good}"), Rejection::Malformed),
        (format!("t=1700000000abc,v1={good}"), Rejection::Malformed),
        (format!("t=-1700000000,v1={good}"), Rejection::Malformed),
        (format!("t=+1700000000,v1={good}"), Rejection::Malformed),
        (format!("t=1700000000,t=1700000000,v1={good}"), Rejection::Malformed),
        (format!("t=1700000000,v1={good},{}", "x".repeat(MAX_HEADER)), Rejection::Malformed),
        (
            format!("t=1700000000,{}v1={good}", format!("v1={wrong},").repeat(MAX_SIGNATURES)),
            Rejection::Malformed,
        ),
    ] {
        check(&header, Err(why));
    }
    assert_eq!(verify(BODY, None, &["whsec_x".into()], NOW).unwrap_err(), Rejection::NoHeader);
}

#[test]
fn the_body_is_signed_byte_by_byte() {
    let header = format!("t=1700000000,v1={}", mac("whsec_x", "1700000000", BODY));
    for body in [
        &br#"{"id":"evt_2","object":"event"}"#[..],
        br#"{"id": "evt_1","object":"event"}"#,
        b"",
        &[BODY, b"\n"].concat(),
    ] {
        assert_eq!(judge(&header, body, &["whsec_x"]), Err(Rejection::Mismatch));
    }
    let utf8 = "{\"name\":\"größe ✓\"}".as_bytes();
    let odd = &[0xff, 0x00, 0xfe][..];
    for body in [utf8, odd, b""] {
        let header = format!("t=1700000000,v1={}", mac("whsec_x", "1700000000", body));
        assert_eq!(judge(&header, body, &["whsec_x"]), Ok(()));
    }
}

#[test]
fn either_secret_of_a_rotation_fits() {
    for secret in ["whsec_old", "whsec_new"] {
        let header = format!("t=1700000000,v1={}", mac(secret, "1700000000", BODY));
        assert_eq!(judge(&header, BODY, &["whsec_new", "whsec_old"]), Ok(()));
    }
    assert_eq!(
        judge(&format!("t=1700000000,v1={}", mac("whsec_x", "1700000000", BODY)), BODY, &[]),
        Err(Rejection::Mismatch)
    );
}

#[test]
fn five_minutes_both_ways() {
    for (age, expected) in [
        (0, Ok(())),
        (300, Ok(())),
        (301, Err(Rejection::TooOld)),
        (310, Err(Rejection::TooOld)),
        (-300, Ok(())),
        (-301, Err(Rejection::InFuture)),
        (-400, Err(Rejection::InFuture)),
        (-315_360_000, Err(Rejection::InFuture)),
        (NOW, Err(Rejection::TooOld)),
    ] {
        let t = (NOW - age).to_string();
        check(&format!("t={t},v1={}", mac("whsec_x", &t, BODY)), expected);
        // A wrong signature never tells how our clock stands.
        check(&format!("t={t},v1={}", mac("whsec_y", &t, BODY)), Err(Rejection::Mismatch));
    }
}

proptest! {
    #[test]
    fn any_header_is_judged_without_a_panic(header in proptest::collection::vec(any::<u8>(), 0..200), now in any::<i64>()) {
        prop_assert!(verify(BODY, Some(&header), &["whsec_x".into()], now).is_err());
    }

    #[test]
    fn any_changed_byte_is_refused(at in 0..BODY.len(), flip in 1_u8..) {
        let mut body = BODY.to_vec();
        body[at] ^= flip;
        let header = format!("t=1700000000,v1={}", mac("whsec_x", "1700000000", BODY));
        prop_assert_eq!(judge(&header, &body, &["whsec_x"]), Err(Rejection::Mismatch));
    }
}
