//! What is sold once beside a subscription, in the checkout session that begins it: it gives its role as any one-time purchase does, and a
//! sign-up without such a thing costs no read more.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use sandbox::stripe::Mode;
use serde_json::{Value, json};

use super::purchases::Bought;
use crate::support::world::{Member, Read, SECRET, World};

/// A plan that gives no role.
async fn plan(world: &World) -> String {
    let product = world.stripe.create_product("Plan").await.unwrap();
    world.stripe.create_price(&product, 500).await.unwrap()
}

/// A price that is paid once, mapped to nothing.
async fn once(world: &World) -> String {
    let product = world.stripe.create_product("Set-up").await.unwrap();
    let price = json!({ "product": product, "unit_amount": 1900, "type": "one_time" });
    world.stripe.create_price_with(price).await.unwrap()
}

/// A sign-up to a plan, with something beside it; and that subscription.
async fn signs_up(world: &World, customer: &str, prices: &[&String], purchase: Value) -> (Bought, String) {
    let params = json!({ "prices": prices, "customer": customer });
    let session = world.stripe.open_session(params).await.unwrap();
    let done = world.stripe.complete_session(&session, purchase).await.unwrap();
    let subscription = done["subscription"].as_str().unwrap().to_owned();
    let events = world.stripe.events().await.unwrap();
    let theirs = |event: &&Value| {
        event["type"] == "payment_intent.created" && event["data"]["object"]["customer"] == *customer
    };
    let intent = events.iter().find(theirs).unwrap()["data"]["object"]["id"].as_str().unwrap();
    (Bought { session, payment: intent.to_owned() }, subscription)
}

/// Whether the role came, by a purchase that is paid.
async fn has_bought(world: &World, member: &Member, bought: &Bought) {
    world.until_vip(member).await;
    let why = world.why(member).await;
    assert!(why.contains(&format!("{} is paid", bought.session)), "{why}");
}

/// Reads of Stripe that it took, without their queries.
async fn reads(world: &World) -> Vec<String> {
    let requests = world.stripe.requests().await.unwrap();
    let reads = requests.iter().filter(|request| request.method == "GET" && request.status == Some(200));
    let mut reads: Vec<String> =
        reads.map(|request| request.path.split('?').next().unwrap_or_default().to_owned()).collect();
    reads.sort();
    reads
}

#[tokio::test]
async fn what_is_sold_once_beside_a_plan_gives_its_role_for_ever() {
    let world = World::start().await;
    let ana = world.member().await;
    let (plan, price) = (plan(&world).await, world.sells_once().await);
    let (bought, subscription) = signs_up(&world, &ana.customer, &[&plan, &price], json!({})).await;
    has_bought(&world, &ana, &bought).await;
    assert_eq!(world.days_left(&ana).await, [None]);
    world.stripe.cancel(&subscription).await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await, "the plan ends, and not what was bought for good");
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn it_costs_reads_only_where_it_is_mapped() {
    let world = World::start().await;
    let (plan, price, fee) = (plan(&world).await, world.sells_once().await, once(&world).await);
    world.settle().await;
    for (sold, mapped) in [(vec![&plan], false), (vec![&plan, &fee], false), (vec![&plan, &price], true)] {
        let ana = world.member().await;
        world.heard().await;
        world.stripe.clear_requests().await.unwrap();
        let (bought, _) = signs_up(&world, &ana.customer, &sold, json!({})).await;
        if mapped {
            has_bought(&world, &ana, &bought).await;
        }
        world.heard().await;
        let reads = reads(&world).await;
        println!("{} lines, mapped: {mapped}: {} reads: {reads:?}", sold.len(), reads.len());
        let of_subscription = |read: &&String| read.starts_with("/v1/subscriptions/");
        let own = reads.iter().filter(of_subscription).count();
        assert_eq!(reads.len() > own, mapped, "{reads:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_refund_and_a_dispute_of_the_first_invoice_take_it() {
    let world = World::start().await;
    let ana = world.member().await;
    let (plan, price) = (plan(&world).await, world.sells_once().await);
    let (bought, _) = signs_up(&world, &ana.customer, &[&plan, &price], json!({})).await;
    has_bought(&world, &ana, &bought).await;
    let dispute = world.stripe.dispute(json!({ "payment_intent": bought.payment })).await.unwrap();
    world.until_no_vip(&ana).await;
    world.stripe.close_dispute(&dispute, "won").await.unwrap();
    world.until_vip(&ana).await;
    world.stripe.refund(json!({ "payment_intent": bought.payment, "amount": 100 })).await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await, "a part of it");
    world.stripe.refund(json!({ "payment_intent": bought.payment })).await.unwrap();
    world.until_no_vip(&ana).await;
    let why = world.why(&ana).await;
    assert!(why.contains(&format!("{} is paid, was refunded", bought.session)), "{why}");
    world.finish().await;
}

#[tokio::test]
async fn a_bank_that_answers_late_gives_it_when_it_says_yes() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let (plan, price) = (plan(&world).await, world.sells_once().await);
    let pending = json!({ "payment": "pending" });
    let (hers, _) = signs_up(&world, &ana.customer, &[&plan, &price], pending.clone()).await;
    let (his, _) = signs_up(&world, &ben.customer, &[&plan, &price], pending).await;
    world.heard().await;
    assert!(!world.has(&ana, world.vip).await, "the money is not there");
    world.stripe.settle_session(&his.session, false).await.unwrap();
    world.stripe.settle_session(&hers.session, true).await.unwrap();
    has_bought(&world, &ana, &hers).await;
    world.heard().await;
    assert!(!world.has(&ben, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn it_is_for_whom_the_subscription_beside_it_names() {
    let world = World::start().await;
    let ana = world.member().await;
    let (plan, price) = (plan(&world).await, world.sells_once().await);
    let nobodys = world.stripe.create_customer(None, &[]).await.unwrap();
    let named = json!({ "subscription_metadata": { "discord_user_id": ana.user.to_string() } });
    let (bought, _) = signs_up(&world, &nobodys, &[&plan, &price], named).await;
    has_bought(&world, &ana, &bought).await;
    world.finish().await;
}

#[tokio::test]
async fn a_trial_beside_it_changes_nothing() {
    let world = World::start().await;
    let ana = world.member().await;
    let (plan, price) = (plan(&world).await, world.sells_once().await);
    let link = json!({ "prices": [plan, price], "trial_period_days": 7 });
    let link = world.stripe.create_payment_link(link).await.unwrap();
    let session = json!({ "payment_link": link, "customer": ana.customer });
    let session = world.stripe.open_session(session).await.unwrap();
    world.stripe.complete_session(&session, json!({})).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn thin_events_tell_of_it_too() {
    let world = World::start().await;
    world.stripe.set_webhook("http://127.0.0.1:9/nobody", SECRET).await.unwrap();
    let params = json!({
        "url": world.webhook(), "secret": SECRET, "enabled_events": ["v1.checkout.session.completed"],
        "event_payload": "thin",
    });
    world.stripe.create_webhook_endpoint(params).await.unwrap();
    let ana = world.member().await;
    let (plan, price) = (plan(&world).await, world.sells_once().await);
    let (bought, subscription) = signs_up(&world, &ana.customer, &[&plan, &price], json!({})).await;
    has_bought(&world, &ana, &bought).await;
    let is_its = |read: &Read| read.object_id == subscription;
    world.until("the subscription is read, too", async || world.reads_where(is_its).await == 1).await;
    world.close().await;
}

#[tokio::test]
async fn a_sign_up_before_we_came_is_found_at_first_contact_also_if_it_is_mapped_later() {
    let mut world = World::without_services().await;
    world.stripe.delivery(Mode::Drop).await.unwrap();
    let (ana, ben) = (world.member().await, world.member().await);
    let (plan, price, later) = (plan(&world).await, world.sells_once().await, once(&world).await);
    let (hers, _) = signs_up(&world, &ana.customer, &[&plan, &price], json!({})).await;
    let (his, _) = signs_up(&world, &ben.customer, &[&plan, &later], json!({})).await;
    let refunded = world.member().await;
    let (gone, _) = signs_up(&world, &refunded.customer, &[&plan, &price], json!({})).await;
    world.stripe.refund(json!({ "payment_intent": gone.payment })).await.unwrap();
    world.start_gateway().await;
    world.start_bot().await;
    has_bought(&world, &ana, &hers).await;
    world.until_all_is_read().await;
    world.settle().await;
    assert!(!world.has(&refunded, world.vip).await);
    let requests = world.stripe.requests().await.unwrap();
    let is_his = |read: &sandbox::Request| read.path.contains(&his.session);
    assert!(!requests.iter().any(is_his), "what gives no role is not read by itself");
    world.map("price", &later, world.vip).await;
    has_bought(&world, &ben, &his).await;
    world.finish().await;
}

#[tokio::test]
async fn after_an_outage_it_is_found_though_a_later_invoice_is_the_latest() {
    let mut world = World::without_services().await;
    world.set("STRIPE_WEBHOOK_SECRET", "");
    world.set("EVENTS_POLL_SECONDS", "0.2");
    world.stripe.delivery(Mode::Drop).await.unwrap();
    let (ana, ben) = (world.member().await, world.member().await);
    let (plan, price) = (plan(&world).await, world.sells_once().await);
    world.start_gateway().await;
    world.start_bot().await;
    world.until_every_mapped_role_is_seen().await;
    world.until_all_is_read().await;
    // Something is heard of, so that there is where to go on from.
    world.subscribes(&ben).await;
    world.until("it is recorded", async || world.events().await > 0).await;
    world.stop_gateway().await;
    world.the_cursor_follows().await;
    let (bought, subscription) = signs_up(&world, &ana.customer, &[&plan, &price], json!({})).await;
    world.stripe.bill(&subscription).await.unwrap();
    world.start_gateway().await;
    has_bought(&world, &ana, &bought).await;
    world.finish().await;
}
