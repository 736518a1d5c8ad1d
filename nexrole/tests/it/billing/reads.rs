//! What events cost: reads of Stripe's API, of which an account has 10,000 a month for sure.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::time::{Duration, Instant};

use sandbox::stripe::{Fault, Mode};
use serde_json::json;

use crate::support::world::{Member, Read, SECRET, World};

/// As the gateway has it.
const SPACING: Duration = Duration::from_secs(2);
/// Long enough for a sign-up to fit in it on a machine that is busy with something else too.
const UNHURRIED: Duration = Duration::from_secs(8);
/// In seconds: the events of a sign-up, on such a machine.
const ALL_COME_WITHIN: &str = "5";

/// What Stripe is asked and does not put off, oldest first; those that still wait for their answer too.
async fn reads(world: &World) -> Vec<String> {
    let requests = world.stripe.requests().await.unwrap();
    let path = |path: &str| path.split('?').next().unwrap_or_default().to_owned();
    let reads = requests.iter().filter(|request| request.method == "GET" && request.status != Some(429));
    reads.map(|request| path(&request.path)).collect()
}

/// Everything up, with this time between reads.
async fn started(spacing: Duration) -> World {
    let mut world = World::without_services().await;
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway_with(|config| config.read_spacing = spacing).await;
    world.start_bot().await;
    world.until_every_mapped_role_is_seen().await;
    world.settle().await;
    world
}

/// Somebody who was no customer before buys at Checkout; all events of that come while the second read is waited for.
async fn signs_up(world: &World) -> Member {
    let user = world.discord.join(world.guild, "member").await.unwrap();
    let customer =
        world.stripe.create_customer(None, &[("discord_user_id", &user.to_string())]).await.unwrap();
    let params = json!({ "prices": [world.price], "customer": customer });
    let session = world.stripe.open_session(params).await.unwrap();
    let bought = world.stripe.complete_session(&session, json!({})).await.unwrap();
    world.stripe.update_customer(&customer, json!({ "name": "Ana" })).await.unwrap();
    let subscription = bought["subscription"].as_str().unwrap();
    world.stripe.set_subscription(subscription, json!({ "metadata": { "plan": "yearly" } })).await.unwrap();
    Member { user, customer }
}

#[tokio::test]
async fn a_sign_up_costs_two_reads_and_the_role_waits_for_the_first() {
    let world = started(UNHURRIED).await;
    world.stripe.clear_requests().await.unwrap();
    let began = Instant::now();
    let ana = signs_up(&world).await;
    world.until("they have VIP", async || world.has(&ana, world.vip).await).await;
    let took = began.elapsed();
    world.heard().await;
    let read = reads(&world).await;
    println!("snapshot events: {} reads, the role after {} ms: {read:?}", read.len(), took.as_millis());
    assert!(read.len() <= 2, "{read:?}");
    assert!(took < UNHURRIED, "the role came after {took:?}");
    world.finish().await;
}

/// A session and an invoice are read to know what they are about.
#[tokio::test]
async fn a_sign_up_by_thin_events_costs_three_reads_more_at_most() {
    let world = started(UNHURRIED).await;
    world.stripe.set_webhook("http://127.0.0.1:9/nobody", SECRET).await.unwrap();
    let params = json!({
        "url": world.webhook(), "secret": SECRET, "enabled_events": ["*"], "event_payload": "thin",
    });
    world.stripe.create_webhook_endpoint(params).await.unwrap();
    world.stripe.clear_requests().await.unwrap();
    // So that all events have come before the first read: what an event tells of an object that was read already costs one more.
    let limited = Fault::status(429).header("retry-after", ALL_COME_WITHIN);
    world.stripe.fault(limited).await.unwrap();
    let ana = signs_up(&world).await;
    world.until_vip(&ana).await;
    tokio::time::sleep(UNHURRIED).await;
    world.settle().await;
    let read = reads(&world).await;
    println!("thin events: {} reads: {read:?}", read.len());
    assert!(read.len() <= 5, "{read:?}");
    world.close().await;
}

/// The invoice takes long to be read, and what it leads to was read meanwhile, after both events had come.
#[tokio::test]
async fn an_invoice_whose_subscription_was_read_since_its_event_came_costs_no_further_read() {
    let world = started(Duration::ZERO).await;
    world.stripe.set_webhook("http://127.0.0.1:9/nobody", SECRET).await.unwrap();
    let params = json!({
        "url": world.webhook(), "secret": SECRET, "event_payload": "thin",
        "enabled_events": ["v1.customer.subscription.created", "v1.invoice.paid"],
    });
    world.stripe.create_webhook_endpoint(params).await.unwrap();
    let ana = world.member().await;
    // The subscription's first try is put off until both events have come, and the invoice's answer until the second was made.
    let put_off = Fault::status(429)
        .header("retry-after", "1")
        .header("stripe-rate-limited-reason", "resource-specific");
    world.stripe.fault(put_off.on("GET", "/v1/subscriptions/").times(1)).await.unwrap();
    world.stripe.fault(Fault::hang().for_ms(2500).on("GET", "/v1/invoices/").times(1)).await.unwrap();
    world.stripe.clear_requests().await.unwrap();
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let is_invoice = |read: &Read| read.object_id.starts_with("in_") && read.was_read && !read.is_dirty();
    world.until("the invoice is read", async || world.reads_where(is_invoice).await == 1).await;
    world.until_all_is_read().await;
    let read = reads(&world).await;
    assert_eq!(read.iter().filter(|path| path.ends_with(&subscription)).count(), 1, "{read:?}");
    // What comes after it was read is read, also by an invoice.
    world.stripe.set_subscription(&subscription, json!({ "status": "canceled" })).await.unwrap();
    world.stripe.bill(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    world.close().await;
}

#[tokio::test]
async fn a_burst_of_changes_costs_few_reads_and_ends_as_it_is_at_stripe() {
    let world = started(SPACING).await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    tokio::time::sleep(SPACING).await;
    world.stripe.clear_requests().await.unwrap();
    for n in 0..19 {
        let change = json!({ "cancel_at_period_end": n % 2 == 0 });
        world.stripe.set_subscription(&subscription, change).await.unwrap();
    }
    world.stripe.cancel(&subscription).await.unwrap();
    world.heard().await;
    let read = reads(&world).await;
    println!("20 changes: {} reads", read.len());
    // What else she pays for, which counts before her last reason for the role ends, came with the read.
    let lists = read.iter().filter(|path| *path == "/v1/subscriptions").count();
    assert!(lists == 0 && read.len() <= 3, "{read:?}");
    world.until_no_vip(&ana).await;
    world.finish().await;
}

/// Hints that come all the time do not put the next read off.
#[tokio::test]
async fn a_stream_of_changes_does_not_keep_an_end_from_being_read() {
    let world = started(SPACING).await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.cancel(&subscription).await.unwrap();
    let began = Instant::now();
    while world.has(&ana, world.vip).await {
        assert!(began.elapsed() < SPACING * 4, "they keep the role though the end is hinted at all the time");
        let change = json!({ "metadata": { "at": began.elapsed().as_millis().to_string() } });
        world.stripe.set_subscription(&subscription, change).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn what_changes_during_a_read_is_read_afterwards() {
    let world = started(SPACING).await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    tokio::time::sleep(SPACING).await;
    let path = format!("/v1/subscriptions/{subscription}");
    world.stripe.fault(Fault::hang().for_ms(500).on("GET", &path).times(1)).await.unwrap();
    world.stripe.clear_requests().await.unwrap();
    world.stripe.set_subscription(&subscription, json!({ "cancel_at_period_end": true })).await.unwrap();
    world.until("the read has begun", async || reads(&world).await.len() == 1).await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    assert_eq!(reads(&world).await, [path.clone(), path]);
    world.finish().await;
}

/// The first read has the customer as it was before it was said whom it is for, and ends after the event of that was answered.
#[tokio::test]
async fn whom_a_customer_is_for_is_not_lost_between_its_event_and_its_first_subscription() {
    let world = started(SPACING).await;
    let user = world.discord.join(world.guild, "member").await.unwrap();
    let customer = world.stripe.create_customer(None, &[]).await.unwrap();
    world.until("it is heard of", async || world.events().await == 1).await;
    world.settle().await;
    world.stripe.delivery(Mode::Hold).await.unwrap();
    let deliver = async |event_type: &str| {
        let events = world.stripe.events().await.unwrap();
        let event = events.iter().find(|event| event["type"] == event_type).unwrap();
        world.stripe.deliver(event["id"].as_str().unwrap(), 1, true).await.unwrap();
    };
    world.stripe.clear_requests().await.unwrap();
    world.stripe.subscribe(&customer, &world.price).await.unwrap();
    let slow = Fault::apply_then_hang().for_ms(1500).on("GET", "/v1/subscriptions/");
    world.stripe.fault(slow.times(1)).await.unwrap();
    deliver("customer.subscription.created").await;
    world.until("the read has begun", async || reads(&world).await.len() == 1).await;
    let named = json!({ "metadata": { "discord_user_id": user.to_string() } });
    world.stripe.update_customer(&customer, named).await.unwrap();
    deliver("customer.updated").await;
    let ana = Member { user, customer };
    world.until_vip(&ana).await;
    assert_eq!(reads(&world).await.len(), 2, "the subscription, twice");
    world.close().await;
}

/// Their customer had no subscription when the owner said that it is somebody else's.
#[tokio::test]
async fn a_customer_that_is_given_to_somebody_else_between_two_subscriptions_pays_for_them() {
    let world = started(SPACING).await;
    let (ana, ben) = (world.member().await, world.member().await);
    // Ana is not there yet when it is corrected: nobody loses anything.
    world
        .stripe
        .update_customer(&ana.customer, json!({ "metadata": { "discord_user_id": ben.user.to_string() } }))
        .await
        .unwrap();
    world.heard().await;
    assert_eq!(reads(&world).await.iter().filter(|path| path.contains("/customers/")).count(), 0);
    world.stripe.subscribe(&ana.customer, &world.price).await.unwrap();
    world.until_vip(&ben).await;
    assert!(!world.has(&ana, world.vip).await);
    world.finish().await;
}

/// What was bought once is read with its customer too, and a subscription's read tells nothing of it.
#[tokio::test]
async fn what_was_bought_once_follows_whom_its_customer_is_said_to_be_for() {
    let world = World::start().await;
    let once = world.sells_once().await;
    let unmapped = world.stripe.create_price(&world.product, 300).await.unwrap();
    for subscribes_too in [false, true] {
        let user = world.discord.join(world.guild, "member").await.unwrap();
        let customer = world.stripe.create_customer(None, &[]).await.unwrap();
        if subscribes_too {
            world.stripe.subscribe(&customer, &unmapped).await.unwrap();
        }
        let ana = Member { user, customer };
        world.checks_out(&ana, &once, json!({})).await;
        world.heard().await;
        assert!(!world.has(&ana, world.vip).await, "nobody knows whose it is");
        let named = json!({ "metadata": { "discord_user_id": user.to_string() } });
        world.stripe.update_customer(&ana.customer, named).await.unwrap();
        world.until_vip(&ana).await;
    }
    world.finish().await;
}
