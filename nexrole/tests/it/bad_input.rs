//! What nobody should send, and what we answer. Every refusal loses nothing and writes nothing.

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{
    crypto::Keyring,
    db::{pg_roles::Login, tenant},
    domain::audit::Actor,
    ids::GuildId,
    store::stripe_connections::{self, Connection},
};

use sqlx::{Connection as _, PgConnection};

use crate::world::World;

pub(crate) const ENCRYPTION_KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Status, content type and body of an answer that must be a problem.
async fn problem(response: reqwest::Response) -> (StatusCode, Value) {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let status = response.status();
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["status"], status.as_u16());
    assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    (status, body)
}

async fn rows(world: &World) -> i64 {
    world.number("SELECT (SELECT count(*) FROM stripe_events) + (SELECT count(*) FROM stripe_sync)").await
}

pub(crate) fn event(id: &str, event_type: &str, object: &Value, livemode: bool) -> Vec<u8> {
    let event = json!({ "id": id, "object": "event", "type": event_type, "livemode": livemode,
                        "created": 1_790_000_000, "data": { "object": object } });
    event.to_string().into_bytes()
}

#[tokio::test]
async fn every_bad_signature_gets_the_same_answer_and_writes_nothing() {
    let world = World::start().await;
    let before = rows(&world).await;
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
    assert_eq!(rows(&world).await, before);
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
    let ana = world.fan().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn signed_but_no_event_is_400_and_writes_nothing() {
    let world = World::start().await;
    let before = rows(&world).await;
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
    assert_eq!(rows(&world).await, before);
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
    let ana = world.fan().await;
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
    let kept = "SELECT count(*) FROM stripe_events WHERE state = 'ignored' AND object_id IS NULL
                   AND event_id IN ('evt_live', 'evt_tomorrow', 'evt_unread')";
    assert_eq!(world.number(kept).await, 3);
    assert_eq!(world.number("SELECT count(*) FROM stripe_sync WHERE object_id = 'sub_live'").await, 0);
    assert_eq!(world.stripe.requests().await.unwrap().len(), reads, "nothing was read for them");
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_without_items_gives_nothing_and_takes_nothing() {
    let world = World::start().await;
    let ana = world.fan().await;
    let wish = json!({ "customer": ana.customer, "prices": [], "items_empty": true });
    world.stripe.subscribe_with(wish).await.unwrap();
    let mirrored = "SELECT count(*) FROM subscriptions WHERE price_ids = '{}'";
    world.until("it is known", async || world.number(mirrored).await == 1).await;
    world.settle().await;
    assert_eq!(world.number("SELECT count(*) FROM role_jobs").await, 0);
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
    let missing = "SELECT count(*) FROM stripe_sync WHERE attempts = 1 AND last_error LIKE '%no such object%'
                      AND next_at > now() + interval '50 s'";
    world.until("Stripe was asked", async || world.number(missing).await == 1).await;
    // It may be the key that is wrong: the event stays open, and is asked for again for days.
    assert_eq!(world.number("SELECT count(*) FROM stripe_events WHERE state = 'recorded'").await, 1);
    sqlx::query("UPDATE stripe_sync SET missing = 6, next_at = now() WHERE next_at IS NOT NULL")
        .execute(world.db())
        .await
        .unwrap();
    world.settle().await;
    assert_eq!(world.number("SELECT count(*) FROM subscriptions").await, 0);
    assert_eq!(
        world
            .number(
                "SELECT count(*) FROM stripe_events WHERE state = 'processed' AND event_id = 'evt_foreign'"
            )
            .await,
        1
    );
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
    let ana = world.fan().await;
    world.settle().await;
    // The database refuses us, as when it is full or in maintenance.
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(world.db()).await.unwrap();
    let statement = |rule: &str| {
        sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} SET default_transaction_read_only = {rule}"))
    };
    sqlx::query(statement("on")).execute(world.db()).await.unwrap();
    let hang_up = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
    world.number(hang_up).await;
    let subscription = world.subscribes(&ana).await;
    let body = event("evt_later", "customer.subscription.updated", &json!({ "id": subscription }), false);
    let response = world.post_signed(&body).await;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(problem(response).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let mut healer = PgConnection::connect_with(&world.db().connect_options()).await.unwrap();
    sqlx::query("SET default_transaction_read_only = off").execute(&mut healer).await.unwrap();
    sqlx::query(statement("off")).execute(&mut healer).await.unwrap();
    sqlx::query(hang_up).execute(&mut healer).await.unwrap();
    drop(healer);
    // Stripe's retries bring it.
    world.until_vip(&ana).await;
    assert_eq!(world.post_signed(&body).await.status(), StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn each_tenant_has_its_own_address_and_secret() {
    let world = World::start().await;
    // A second server, its secrets sealed in the database.
    let guild: GuildId = "222222222222222222".parse().unwrap();
    let keyring = Keyring::parse(ENCRYPTION_KEYS).unwrap();
    let mut tenant = tenant::begin(&world.login(Login::Operator), guild).await.unwrap();
    stripe_connections::ensure_guild(&mut tenant).await.unwrap();
    let id = stripe_connections::ensure(&mut tenant, Actor::Operator, "second", false, None).await.unwrap();
    let connection = Connection { guild, id };
    let sealed = keyring.seal(&connection.place("webhook_secrets"), b"whsec_second").unwrap();
    stripe_connections::seal(&mut tenant, id, None, Some(&sealed)).await.unwrap();
    let endpoint = stripe_connections::endpoint_id(&mut tenant, id).await.unwrap();
    tenant.commit().await.unwrap();
    let post = async |body: &[u8], secret: &str| {
        let signature = sign(body, secret);
        let url = format!("{}/webhooks/stripe/{endpoint}", world.gateway_url);
        let request = world.http.post(url).header("Stripe-Signature", signature).body(body.to_vec());
        request.send().await.unwrap().status()
    };
    let body = event("evt_1", "new.type", &json!({}), false);
    assert_eq!(post(&body, crate::world::SECRET).await, StatusCode::BAD_REQUEST, "another tenant's secret");
    assert_eq!(post(&body, "whsec_second").await, StatusCode::OK);
    // The same event id of another tenant is another event: nobody can claim somebody else's in advance.
    assert_eq!(world.post_signed(&body).await.json::<Value>().await.unwrap()["duplicate"], false);
    assert_eq!(world.number("SELECT count(*) FROM stripe_events WHERE event_id = 'evt_1'").await, 2);
    world.finish().await;
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
