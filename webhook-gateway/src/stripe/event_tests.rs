//! Events as Stripe sends them, and as nobody should.

use super::*;
use crate::stripe::{event_types::EventList, signature::testing::unchecked};
use proptest::prelude::*;

fn read(body: &str) -> Result<StripeEvent, NotAnEvent> {
    parse(&unchecked(body.as_bytes()))
}

/// `kind:id` of the hint, or `-`.
fn check(event_type: &str, object: &str, expected: &str) {
    let body =
        format!(r#"{{"id":"evt_1","type":"{event_type}","livemode":false,"data":{{"object":{object}}}}}"#);
    let hint =
        read(&body).unwrap().object.map_or("-".to_owned(), |o| format!("{}:{}", o.kind.as_str(), o.id));
    assert_eq!(hint, expected, "{event_type} {object}");
}

#[test]
fn which_object_is_read_again() {
    let subscription = r#"{"id":"sub_1","object":"subscription","customer":"cus_1"}"#;
    for event_type in
        ["created", "updated", "deleted", "paused", "resumed", "trial_will_end", "invented_tomorrow"]
    {
        check(&format!("customer.subscription.{event_type}"), subscription, "subscription:sub_1");
    }
    check("customer.updated", r#"{"id":"cus_1"}"#, "customer:cus_1");
    check("customer.deleted", r#"{"id":"cus_1","deleted":true}"#, "customer:cus_1");
    check("customer.source.created", r#"{"id":"card_1"}"#, "-");
    // Before basil, since basil, expanded, and not for a subscription.
    check("invoice.paid", r#"{"id":"in_1","subscription":"sub_1"}"#, "subscription:sub_1");
    check(
        "invoice.payment_failed",
        r#"{"id":"in_1","subscription":null,"parent":{"subscription_details":{"subscription":"sub_1"}}}"#,
        "subscription:sub_1",
    );
    check("invoice.paid", r#"{"id":"in_1","subscription":{"id":"sub_1"}}"#, "subscription:sub_1");
    check("invoice.paid", r#"{"id":"in_1","subscription":null,"parent":null}"#, "-");
    check("checkout.session.completed", r#"{"id":"cs_1","subscription":"sub_1"}"#, "subscription:sub_1");
    // The session knows for whom it is, and is read once; of what comes after it, nothing is new.
    let personal = r#"{"id":"cs_1","subscription":"sub_1","client_reference_id":"nx_ref_a"}"#;
    check("checkout.session.completed", personal, "checkout_session:cs_1");
    check("checkout.session.async_payment_succeeded", personal, "subscription:sub_1");
    let own = r#"{"id":"cs_1","subscription":"sub_1","client_reference_id":"order-17"}"#;
    check("checkout.session.completed", own, "subscription:sub_1");
    check("price.updated", r#"{"id":"price_1"}"#, "catalogue:catalogue");
    for done in ["completed", "async_payment_succeeded", "async_payment_failed"] {
        let session = r#"{"id":"cs_1","mode":"payment","subscription":null,"payment_intent":"pi_1"}"#;
        check(&format!("checkout.session.{done}"), session, "checkout_session:cs_1");
    }
    check("checkout.session.expired", r#"{"id":"cs_1","subscription":null}"#, "-");
    // Whatever goes back of a payment leads to it; of old there were charges without.
    for (event_type, id) in [
        ("charge.refunded", "ch_1"),
        ("charge.dispute.closed", "dp_1"),
        ("refund.failed", "re_1"),
        ("charge.refund.updated", "re_1"),
    ] {
        for intent in [r#""pi_1""#, r#"{"id":"pi_1"}"#] {
            check(
                event_type,
                &format!(r#"{{"id":"{id}","payment_intent":{intent}}}"#),
                "payment_intent:pi_1",
            );
        }
    }
    check("charge.refunded", r#"{"id":"ch_1","payment_intent":null}"#, "charge:ch_1");
    check("charge.dispute.created", r#"{"id":"dp_1"}"#, "dispute:dp_1");
    check("refund.updated", r#"{"id":"re_1","payment_intent":7}"#, "refund:re_1");
    check("charge.succeeded", r#"{"id":"ch_1","payment_intent":"pi_1"}"#, "-");
    check("a.type.invented.tomorrow", r#"{"id":"new_1"}"#, "-");
}

/// A snapshot carries what it is about; a thin event names its object, which may have to be read to know that.
#[test]
fn every_type_that_we_ask_for_is_a_hint_as_a_snapshot_and_as_a_thin_event() {
    for &event_type in EventList::ALL.into_iter().flat_map(EventList::types) {
        let (object, snapshot, thin) = match event_type.split('.').next().unwrap() {
            "customer" if event_type.contains("subscription") => {
                (r#"{"id":"sub_1"}"#, "subscription:sub_1", "subscription:sub_1")
            }
            "customer" => (r#"{"id":"cus_1"}"#, "customer:cus_1", "customer:cus_1"),
            "invoice" => {
                let invoice = r#"{"id":"in_1","parent":{"subscription_details":{"subscription":"sub_1"}}}"#;
                (invoice, "subscription:sub_1", "invoice:in_1")
            }
            "checkout" => {
                (r#"{"id":"cs_1","subscription":"sub_1"}"#, "subscription:sub_1", "checkout_session:cs_1")
            }
            "charge" if event_type.contains("dispute") => {
                (r#"{"id":"dp_1","payment_intent":"pi_1"}"#, "payment_intent:pi_1", "dispute:dp_1")
            }
            "charge" => (r#"{"id":"ch_1","payment_intent":"pi_1"}"#, "payment_intent:pi_1", "charge:ch_1"),
            "refund" => (r#"{"id":"re_1","payment_intent":"pi_1"}"#, "payment_intent:pi_1", "refund:re_1"),
            _ => (r#"{"id":"x_1"}"#, "catalogue:catalogue", "catalogue:catalogue"),
        };
        check(event_type, object, snapshot);
        let named: serde_json::Value = serde_json::from_str(object).unwrap();
        let id = named["id"].as_str().unwrap();
        let body = format!(
            r#"{{"id":"evt_1","object":"v2.core.event","type":"v1.{event_type}","livemode":false,
                 "related_object":{{"id":"{id}","type":"x","url":"/v1/x/{id}"}},"snapshot_event":"evt_2"}}"#
        );
        let object = read(&body).unwrap().object.expect(event_type);
        assert_eq!(format!("{}:{}", object.kind.as_str(), object.id), thin, "{event_type}");
    }
    let upcoming =
        r#"{"id":"evt_1","type":"v1.invoice.upcoming","data":{"customer":"cus_1","subscription":"sub_1"}}"#;
    assert_eq!(read(upcoming).unwrap().object.unwrap().id, "sub_1");
    let odd = r#"{"id":"evt_1","type":"v1.invoice.paid","related_object":{"id":"in_1/../../customers"}}"#;
    assert_eq!(read(odd).unwrap().object, None);
}

#[test]
fn what_cannot_be_an_id_is_no_hint_and_old_ids_are() {
    check("customer.updated", r#"{"id":"lena/1 +$%2f"}"#, "customer:lena/1 +$%2f");
    check("customer.updated", r#"{"id":"cus_\u0000"}"#, "-");
    check("customer.updated", &format!(r#"{{"id":"{}"}}"#, "x".repeat(256)), "-");
    check("customer.subscription.updated", r#"{"id":"../customers/cus_1"}"#, "-");
    check("customer.subscription.updated", r#"{"id":"sub_1\u0000"}"#, "-");
    check("customer.subscription.updated", r#"{"id":""}"#, "-");
}

#[test]
fn missing_null_and_strange_fields_do_no_harm() {
    for body in [
        r#"{"id":"evt_1","type":"customer.subscription.updated"}"#,
        r#"{"id":"evt_1","type":"customer.subscription.updated","data":null,"created":null,"livemode":null,"api_version":null}"#,
        r#"{"id":"evt_1","type":"customer.subscription.updated","data":[],"created":"yesterday","livemode":"no","api_version":7}"#,
        r#"{"id":"evt_1","type":"customer.subscription.updated","data":{"object":{"id":7}},"created":1e400}"#,
        r#"{"id":"evt_1","type":"customer.subscription.updated","data":{"object":{"id":"\ud800"}},"created":-99999999999999}"#,
    ] {
        let event = read(body).unwrap();
        assert_eq!((event.object, event.created, event.livemode), (None, None, true), "{body}");
    }
}

#[test]
fn nul_and_lone_surrogates_in_names_do_no_harm() {
    let name = r#""name":"a\u0000b\ud800c","metadata":{"\udfff":"\ud83d"},"description":"\u0000""#;
    check("customer.subscription.updated", &format!(r#"{{{name},"id":"sub_1"}}"#), "subscription:sub_1");
    check("customer.updated", &format!(r#"{{"id":"cus_1",{name}}}"#), "customer:cus_1");
}

#[test]
fn thin_events_name_their_object() {
    let event = read(
        r#"{"id":"evt_test_1","object":"v2.core.event","type":"v1.customer.subscription.updated",
            "created":"2026-10-01T10:00:00.000Z","livemode":false,
            "related_object":{"id":"sub_1","type":"subscription","url":"/v1/subscriptions/sub_1"}}"#,
    )
    .unwrap();
    assert_eq!(event.object, Some(Object { kind: ObjectKind::Subscription, id: "sub_1".into() }));
    assert_eq!(event.created.unwrap().unix_timestamp(), 1_790_848_800);
}

#[test]
fn what_is_no_event() {
    for body in [
        "",
        "not json",
        "[]",
        "null",
        "{}",
        r#"{"id":"evt_1"}"#,
        r#"{"type":"x"}"#,
        r#"{"id":7,"type":"x"}"#,
        r#"{"id":"evt 1","type":"x"}"#,
        r#"{"id":"evt_\u0000","type":"x"}"#,
        r#"{"id":"evt_1","type":""}"#,
        r#"{"id":"evt_1","type":"x\u0000"}"#,
        r#"{"id":"evt_1","type":"x"} trailing"#,
        r#"{"id":"evt_1","id":"evt_2","type":"x"}"#,
        "\u{feff}{\"id\":\"evt_1\",\"type\":\"x\"}",
    ] {
        assert!(read(body).is_err(), "{body}");
    }
    let deep = format!(r#"{{"id":"evt_1","type":"x","data":{}"#, "[".repeat(100_000));
    assert!(read(&deep).is_err());
    assert!(parse(&unchecked(b"\xff\xfe{}")).is_err());
    assert!(parse(&unchecked(b"{\"id\":\"evt_1\",\"type\":\"x\",\"skipped\":\"\xff\"}")).is_err());
}

#[test]
fn an_error_never_quotes_the_payload() {
    let error = read(r#"{"id":"evt_1","type":{"email":"ana@example.com"}}"#).unwrap_err();
    assert!(!error.to_string().contains("ana"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _judged = parse(&unchecked(&body));
    }
}
