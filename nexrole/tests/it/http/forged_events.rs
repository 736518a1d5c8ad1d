//! Events that Stripe never sent, or sent to somebody else, or long ago. In: bodies and signatures. Out: refusals that write
//! nothing, or an event that changes nothing it should not.

use std::time::Duration;

use futures::StreamExt as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use shared::{db::pg_roles::Login, store::retention};
use testkit::event_kinds;

use crate::support::{
    scale::scaled,
    signing::{event, sign_at},
    tenants::{NewTenant, SECOND_GUILD, SealedTenant},
    world::{Event, Read, SECRET, World},
};

fn now() -> i64 {
    shared::clock::now().unix_timestamp()
}

/// A gateway that believes us where a request comes from: or budgets would answer for everybody.
async fn behind_a_proxy() -> World {
    let mut world = World::without_services().await;
    world.set("TRUSTED_PROXY_HOPS", "1");
    world
}

async fn send(world: &World, path: &str, from: u32, body: Vec<u8>, header: String) -> reqwest::Response {
    let [_, b, c, d] = from.to_be_bytes();
    let request = world.http.post(format!("{}{path}", world.gateway_url)).body(body);
    let request =
        request.header("x-forwarded-for", format!("10.{b}.{c}.{d}")).header("stripe-signature", header);
    request.send().await.expect("the gateway answers")
}

/// A right header and body, one step away from right.
fn nearly(random: &mut StdRng) -> (Vec<u8>, String) {
    let body = event("evt_forged", "customer.subscription.created", &json!({ "id": "sub_1" }), false);
    let t = now();
    let right = sign_at(&body, SECRET, t);
    let mac = right.rsplit('=').next().expect("a mac").to_owned();
    let at = random.random_range(0..64_usize);
    let flipped = |by: u8| -> String {
        let place = |(n, c): (usize, char)| match n == at {
            true => char::from_digit((c.to_digit(16).expect("hex") + u32::from(by)) % 16, 16).expect("hex"),
            false => c,
        };
        mac.chars().enumerate().map(place).collect()
    };
    let mut other = body.clone();
    match random.random_range(0..10) {
        0 => (body, format!("t={t},v1={}", flipped(random.random_range(1..16)))),
        1 => (body, format!("t={},v1={mac}", t + random.random_range(1..300))),
        2 => (body, format!("t={},v1={mac}", t - random.random_range(1..300))),
        3 => {
            let at = random.random_range(0..other.len());
            other[at] ^= 1 << random.random_range(0..8);
            (other, right)
        }
        4 => {
            other.push(b' ');
            (other, right)
        }
        5 => (body.clone(), sign_at(&body, &format!("{SECRET} "), t)),
        6 => (body.clone(), sign_at(&body, &SECRET[..SECRET.len() - 1], t)),
        7 => (body, format!("t={t},v1={}", &mac[..at])),
        8 => (body, format!("t={t},v0={mac},v1={}", hex::encode(random.random::<[u8; 32]>()))),
        _ => (body, format!("t={t},v1={}", hex::encode(random.random::<[u8; 32]>()))),
    }
}

/// 100,000 of them at full scale.
#[tokio::test]
async fn no_random_and_no_nearly_right_signature_gets_in() {
    let mut world = behind_a_proxy().await;
    world.start_gateway().await;
    let before = world.events_and_reads().await;
    let total = scaled(1_000, 100_000);
    let tries = futures::stream::iter(0..u32::try_from(total).expect("few")).map(async |n| {
        let (body, header) = nearly(&mut StdRng::seed_from_u64(n.into()));
        send(&world, "/webhooks/stripe", n, body, header).await.status().as_u16()
    });
    let statuses: Vec<u16> = tries.buffer_unordered(16).collect().await;
    let refused = statuses.iter().filter(|status| **status == 400).count();
    // Beyond 65,536 callers the rest share one budget.
    let limited = statuses.iter().filter(|status| **status == 429).count();
    println!("{total} forged signatures: {refused} refused, {limited} not even looked at");
    assert_eq!(refused + limited, total);
    assert!(refused >= total.min(60_000));
    assert_eq!(world.events_and_reads().await, before);
    let body = event("evt_true", "new.type", &json!({}), false);
    assert_eq!(world.post_signed(&body).await.status(), 200, "the same secret signs true events");
    world.close().await;
}

#[tokio::test]
async fn a_replay_is_late_or_a_duplicate_also_after_forty_days() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let body = event("evt_again", "customer.subscription.updated", &json!({ "id": subscription }), false);
    let post = async |age: i64| {
        let answer = world.post(&body, Some(&sign_at(&body, SECRET, now() - age))).await;
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap_or_default()["duplicate"].clone())
    };
    assert_eq!(post(0).await, (200, json!(false)));
    assert_eq!(post(0).await, (200, json!(true)));
    assert_eq!(post(295).await, (200, json!(true)), "inside the window, and remembered");
    for age in [301, 302, 3600, 40 * 86_400] {
        assert_eq!(post(age).await, (400, Value::Null), "{age} s old");
    }
    world.settle().await;
    let (jobs, calls) = (world.all_jobs().await.len(), world.role_calls().await);
    // Whoever has the secret, Stripe itself among them, can sign it anew.
    for (days, duplicate) in [(40, true), (49, true), (10, false)] {
        world.events_age(days).await;
        retention::sweep(&mut world.login(Login::Retention).across().await.unwrap(), 1000).await.unwrap();
        assert_eq!(post(0).await, (200, json!(duplicate)), "{days} days later");
        world.settle().await;
    }
    // After 99 days it was forgotten: what it says is read again from Stripe, and nothing is new.
    assert_eq!(world.all_jobs().await.len(), jobs);
    assert_eq!(world.role_calls().await, calls);
    world.finish().await;
}

/// Our clock and the signer's, up to ten minutes apart: the five minutes decide, and whoever is refused and signs again once
/// the clocks agree gets in.
#[tokio::test]
async fn clocks_may_be_five_minutes_apart_and_a_refused_event_gets_in_when_they_agree_again() {
    let mut world = World::without_services().await;
    world.start_gateway().await;
    for (n, apart) in [-600, -310, -290, 0, 290, 310, 600].into_iter().enumerate() {
        let body = event(&format!("evt_skew_{n}"), "new.type", &json!({}), false);
        let expected = if (-300..=300).contains(&apart) { 200 } else { 400 };
        let answer = world.post(&body, Some(&sign_at(&body, SECRET, now() + apart))).await;
        assert_eq!(answer.status(), expected, "{apart} s apart");
        let again = world.post(&body, Some(&sign_at(&body, SECRET, now()))).await;
        assert_eq!(again.status(), 200);
        let duplicate = again.json::<Value>().await.unwrap()["duplicate"].clone();
        assert_eq!(duplicate, expected == 200, "{apart} s apart");
    }
    assert_eq!(world.events_where(|event| event.event_id.starts_with("evt_skew")).await, 7);
    world.close().await;
}

/// Every kind of event, at the wrong address, with the wrong secret, and with another account's name in it.
#[tokio::test]
async fn no_kind_of_event_of_one_account_acts_in_another_tenants_server() {
    let mut world = behind_a_proxy().await;
    let second = NewTenant {
        api_key: Some("rk_test_of_another_account"),
        metadata_links: Some(true),
        ..NewTenant::new(SECOND_GUILD, "whsec_second")
    };
    let SealedTenant { endpoint, connection } = second.connect(&world.login(Login::Operator)).await;
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    // They happen at the first account; only we bring them, to where they do not belong.
    world.stripe.delivery(sandbox::stripe::Mode::Drop).await.unwrap();
    let ana = world.member().await;
    world.subscribes(&ana).await;
    let events = event_kinds::all(&world.stripe).await;
    let (first, second) = ("/webhooks/stripe".to_owned(), format!("/webhooks/stripe/{endpoint}"));
    let unknown = format!("/webhooks/stripe/{:032x}", 7);
    let mut from = 0;
    for event in events.values() {
        let mut swapped = event.clone();
        swapped["account"] = "acct_of_the_first".into();
        for body in [event, &swapped].map(|event| serde_json::to_vec(event).unwrap()) {
            for (path, secret) in
                [(&first, "whsec_second"), (&second, SECRET), (&unknown, SECRET), (&unknown, "whsec_second")]
            {
                from += 1;
                let header = sign_at(&body, secret, now());
                assert_eq!(send(&world, path, from, body.clone(), header).await.status(), 400, "{path}");
            }
            // The second tenant can sign whatever it likes for itself.
            let header = sign_at(&body, "whsec_second", now());
            assert_eq!(send(&world, &second, from, body, header).await.status(), 200);
        }
    }
    let theirs = |guild: i64| guild.to_string() == connection.guild.to_string();
    assert_eq!(world.events_where(|event| theirs(event.guild_id)).await, event_kinds::KINDS.len());
    let unread = |read: &Read| {
        theirs(read.guild_id) && read.is_dirty() && read.attempts == 0 && read.last_error.is_none()
    };
    let asked = "their objects were asked for with their key";
    world.until(asked, async || world.reads_where(unread).await == 0).await;
    assert_eq!(world.events_where(|event| !theirs(event.guild_id)).await, 0);
    assert_eq!((world.subscriptions().await, world.sources().await), (0, 0));
    assert!(world.all_jobs().await.is_empty());
    assert_eq!(world.role_calls().await, [""; 0]);
    world.close().await;
}

/// A thousand of them at full scale.
#[tokio::test]
async fn test_payments_on_a_live_connection_give_no_role() {
    let mut world = World::without_services().await;
    let key = world.stripe.create_key("rk_live", None).await.unwrap();
    world.set("STRIPE_SECRET_KEY", &key);
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    for n in 0..scaled(50, 1_000) {
        let kind = ["customer.subscription.created", "customer.subscription.updated", "invoice.paid"][n % 3];
        let object = json!({ "id": subscription, "object": "subscription", "subscription": subscription,
            "status": "active", "customer": ana.customer, "metadata": { "discord_user_id": ana.user.to_string() } });
        let body = event(&format!("evt_test_{n}"), kind, &object, false);
        assert_eq!(world.post_signed(&body).await.status(), 200);
    }
    let kept = |event: &Event| event.event_id.starts_with("evt_test_") && event.state == "ignored";
    assert_eq!(world.events_where(kept).await, scaled(50, 1_000));
    world.settle().await;
    assert!(world.all_jobs().await.is_empty());
    assert_eq!(world.role_calls().await, [""; 0]);
    world.close().await;
}

/// Who waits exactly as long as told is served: a thousand callers at full scale.
#[tokio::test]
async fn who_waits_as_long_as_retry_after_says_is_served() {
    let mut world = behind_a_proxy().await;
    world.start_gateway().await;
    let callers = u32::try_from(scaled(24, 1_000)).expect("few");
    let waits = futures::stream::iter(0..callers).map(async |caller| {
        let ask = async || send(&world, "/webhooks/stripe", caller, b"{}".to_vec(), "t=1,v1=0".into()).await;
        loop {
            let answer = ask().await;
            if answer.status() == 429 {
                let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                tokio::time::sleep(Duration::from_secs(wait)).await;
                assert_eq!(ask().await.status(), 400, "caller {caller} waited {wait} s and is let in");
                return wait;
            }
            assert_eq!(answer.status(), 400);
        }
    });
    let waits: Vec<u64> = waits.buffer_unordered(12).collect().await;
    println!(
        "{} callers waited {} to {} s",
        waits.len(),
        waits.iter().min().unwrap(),
        waits.iter().max().unwrap()
    );
    world.close().await;
}
