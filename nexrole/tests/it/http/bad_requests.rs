//! What nobody should send, and what we answer. Every refusal loses nothing and writes nothing.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    signing::{event, sign},
    tenants::{SECOND_GUILD, TENANT_SECRET},
    world::{Read, SECRET, World},
};

/// Status, content type and body of an answer that must be a problem.
async fn problem(response: reqwest::Response) -> (StatusCode, Value) {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let status = response.status();
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["status"], status.as_u16());
    assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    (status, body)
}

#[tokio::test]
async fn every_bad_signature_gets_the_same_answer_and_writes_nothing() {
    let world = World::start().await;
    let before = world.events_and_reads().await;
    let body = event("evt_forged", "customer.subscription.created", &json!({ "id": "sub_1" }), false);
    let good = world.stripe.sign(&body).await.unwrap();
    let other = world.stripe.sign(b"{}").await.unwrap();
    let long = format!("{good},{}", "x".repeat(5000));
    let mut answers = Vec::new();
    for signature in
        [None, Some(""), Some("t=1,v1=0"), Some("nonsense"), Some(other.as_str()), Some(long.as_str())]
    {
        answers.push(problem(world.post(&body, signature).await).await);
    }
    // Two headers: which one would count is anybody's guess.
    let twice = world.http.post(format!("{}/webhooks/stripe", world.gateway_url)).body(body.clone());
    let twice =
        twice.header("Stripe-Signature", &good).header("Stripe-Signature", &good).send().await.unwrap();
    answers.push(problem(twice).await);
    // An endpoint that does not exist, of the right and of the wrong shape, with a signature that fits another.
    for endpoint in ["0123456789abcdef0123456789abcdef", "nonsense", "..%2F..%2Fhealthz", "%FF"] {
        let url = format!("{}/webhooks/stripe/{endpoint}", world.gateway_url);
        let answer =
            world.http.post(url).header("Stripe-Signature", &good).body(body.clone()).send().await.unwrap();
        answers.push(problem(answer).await);
    }
    assert_eq!(answers[0].0, StatusCode::BAD_REQUEST);
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    assert_eq!(world.events_and_reads().await, before);
    world.finish().await;
}

#[tokio::test]
async fn too_many_bad_signatures_are_429_and_signed_events_still_get_in() {
    let world = World::start().await;
    let mut last = None;
    for _ in 0..80 {
        let response = world.post(b"{}", Some("t=1,v1=0")).await;
        let retry_after = response.headers().get("retry-after").cloned();
        let (status, _) = problem(response).await;
        assert_eq!(retry_after.is_some(), status == StatusCode::TOO_MANY_REQUESTS);
        if let Some(wait) = retry_after {
            assert!(wait.to_str().unwrap().parse::<u64>().unwrap() >= 1);
        }
        last = Some(status);
    }
    assert_eq!(last, Some(StatusCode::TOO_MANY_REQUESTS));
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn signed_but_no_event_is_400_and_writes_nothing() {
    let world = World::start().await;
    let before = world.events_and_reads().await;
    for body in [
        &b""[..],
        b"not json",
        b"[]",
        b"{}",
        b"\xff\xfe",
        br#"{"id":"evt 1","type":"x"}"#,
        br#"{"id":"evt_\u0000","type":"x"}"#,
    ] {
        let (status, answer) = problem(world.post_signed(body).await).await;
        assert_eq!((status, &answer["title"]), (StatusCode::BAD_REQUEST, &json!("Not a Stripe event")));
    }
    assert_eq!(world.events_and_reads().await, before);
    world.finish().await;
}

#[tokio::test]
async fn a_mebibyte_is_accepted_and_one_byte_more_is_not() {
    let world = World::start().await;
    let padded = |size: usize| {
        let mut body = event("evt_large", "new.type", &json!({}), false);
        body.resize(size, b' ');
        body
    };
    assert_eq!(world.post_signed(&padded(1024 * 1024)).await.status(), StatusCode::OK);
    let body = padded(1024 * 1024 + 1);
    assert_eq!(problem(world.post_signed(&body).await).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    // Without a Content-Length.
    let chunked = reqwest::Body::wrap_stream(futures::stream::iter([Ok::<_, std::io::Error>(body)]));
    let answer =
        world.http.post(format!("{}/webhooks/stripe", world.gateway_url)).body(chunked).send().await.unwrap();
    assert_eq!(problem(answer).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    world.finish().await;
}

#[tokio::test]
async fn nul_bytes_and_lone_surrogates_in_names_lose_nothing() {
    let world = World::start().await;
    let ana = world.member().await;
    world
        .stripe
        .update_customer(&ana.customer, json!({ "name": "A\u{0}na", "description": "\u{0}" }))
        .await
        .unwrap();
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let body = format!(
        r#"{{"id":"evt_odd","type":"customer.subscription.updated","livemode":false,
            "data":{{"object":{{"name":"\ud800 \u0000","metadata":{{"x":"\udfff"}},"id":"{subscription}"}}}}}}"#
    );
    assert_eq!(world.post_signed(body.as_bytes()).await.status(), StatusCode::OK);
    world.settle().await;
    assert!(world.has(&ana, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn events_that_are_not_for_us_are_kept_and_not_acted_on() {
    let world = World::start().await;
    world.settle().await;
    let reads = world.stripe.requests().await.unwrap().len();
    let subscription = json!({ "id": "sub_live", "object": "subscription" });
    for (id, event_type, livemode) in [
        ("evt_live", "customer.subscription.created", true),
        ("evt_tomorrow", "invented.tomorrow", false),
        ("evt_unread", "coupon.updated", false),
    ] {
        let answer = world.post_signed(&event(id, event_type, &subscription, livemode)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer, json!({ "received": true, "duplicate": false }));
    }
    for id in ["evt_live", "evt_tomorrow", "evt_unread"] {
        let kept = world.event(id).await.unwrap();
        assert!(kept.state == "ignored" && kept.object_id.is_none(), "{kept:?}");
    }
    assert_eq!(world.reads_where(|read| read.object_id == "sub_live").await, 0);
    assert_eq!(world.stripe.requests().await.unwrap().len(), reads, "nothing was read for them");
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_without_items_gives_nothing_and_takes_nothing() {
    let world = World::start().await;
    let ana = world.member().await;
    let params = json!({ "customer": ana.customer, "prices": [], "items_empty": true });
    world.stripe.subscribe_with(params).await.unwrap();
    let known = async || world.subscriptions_where(|one| one.price_ids.is_empty()).await;
    world.until("it is known", async || known().await == 1).await;
    world.settle().await;
    assert!(world.all_jobs().await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn an_object_of_another_account_changes_nothing() {
    let world = World::start().await;
    let body = event(
        "evt_foreign",
        "customer.subscription.updated",
        &json!({ "id": "sub_of_somebody_else" }),
        false,
    );
    assert_eq!(world.post_signed(&body).await.status(), StatusCode::OK);
    let missing = |read: &Read| {
        let said = read.last_error.as_ref().is_some_and(|error| error.contains("no such object"));
        read.attempts == 1 && said && read.is_put_off_for(Duration::from_secs(50))
    };
    world.until("Stripe was asked", async || world.reads_where(missing).await == 1).await;
    // It may be the key that is wrong: the event stays open, and is asked for again for days.
    assert_eq!(world.unanswered_events().await, 1);
    world.missing_for_days().await;
    world.settle().await;
    assert_eq!(world.subscriptions().await, 0);
    assert_eq!(world.event("evt_foreign").await.unwrap().state, "processed");
    world.finish().await;
}

#[tokio::test]
async fn wrong_addresses_and_methods_are_problems_too() {
    let world = World::start().await;
    let at = |path: &str| format!("{}{path}", world.gateway_url);
    assert_eq!(
        problem(world.http.get(at("/webhooks/stripe")).send().await.unwrap()).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(
        problem(world.http.delete(at("/webhooks/stripe/x")).send().await.unwrap()).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(problem(world.http.get(at("/nowhere")).send().await.unwrap()).await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.http.get(at("/healthz")).send().await.unwrap().status(), StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn without_a_database_stripe_is_asked_to_come_back_and_nothing_is_lost() {
    let world = World::start().await;
    let ana = world.member().await;
    world.settle().await;
    // The database refuses us, as when it is full or in maintenance.
    world.database().set("default_transaction_read_only = on").await;
    world.database().hang_up().await;
    let subscription = world.subscribes(&ana).await;
    let body = event("evt_later", "customer.subscription.updated", &json!({ "id": subscription }), false);
    let response = world.post_signed(&body).await;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(problem(response).await.0, StatusCode::SERVICE_UNAVAILABLE);
    world.database().set("default_transaction_read_only = off").await;
    world.database().hang_up().await;
    // Stripe's retries bring it.
    world.until_vip(&ana).await;
    assert_eq!(world.post_signed(&body).await.status(), StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn each_tenant_has_its_own_address_and_secret() {
    let world = World::start().await;
    let endpoint = world.sealed_tenant(SECOND_GUILD).await;
    let post = async |body: &[u8], secret: &str| {
        let signature = sign(body, secret);
        let url = format!("{}/webhooks/stripe/{endpoint}", world.gateway_url);
        let request = world.http.post(url).header("Stripe-Signature", signature).body(body.to_vec());
        request.send().await.unwrap().status()
    };
    let body = event("evt_1", "new.type", &json!({}), false);
    assert_eq!(post(&body, SECRET).await, StatusCode::BAD_REQUEST, "another tenant's secret");
    assert_eq!(post(&body, TENANT_SECRET).await, StatusCode::OK);
    // The same event id of another tenant is another event: nobody can claim somebody else's in advance.
    assert_eq!(world.post_signed(&body).await.json::<Value>().await.unwrap()["duplicate"], false);
    assert_eq!(world.events_where(|event| event.event_id == "evt_1").await, 2);
    world.finish().await;
}
