//! Many subscriptions by few reads: first contact, the daily check, what an outage hid. A list shows what it shows, and ends nothing by
//! what it lacks.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::time::{Duration, Instant};

use sandbox::stripe::{Fault, Mode};
use serde_json::{Value, json};

use crate::support::world::{Member, World};

const LIST: &str = "/v1/subscriptions?";

/// What Stripe is asked, oldest first.
async fn reads(world: &World) -> Vec<String> {
    let requests = world.stripe.requests().await.unwrap();
    requests
        .into_iter()
        .filter(|request| request.method == "GET")
        .map(|request| request.path_and_query)
        .collect()
}

async fn pages(world: &World) -> usize {
    let is_page = |read: &&String| read.starts_with(LIST) && !read.contains("customer=");
    reads(world).await.iter().filter(is_page).count()
}

/// Whose webhooks do not come, with a mapping, and with subscriptions of people who are in no server. Their ids count from 1,000.
async fn with_subscriptions(number: u64) -> (World, Vec<String>) {
    let world = World::without_services().await;
    world.stripe.delivery(Mode::Drop).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    let mut subscriptions = Vec::new();
    for user in 1_000..1_000 + number {
        let customer =
            world.stripe.create_customer(None, &[("discord_user_id", &user.to_string())]).await.unwrap();
        subscriptions.push(world.stripe.subscribe(&customer, &world.price).await.unwrap());
    }
    world.stripe.clear_requests().await.unwrap();
    (world, subscriptions)
}

/// A member who has the role, and their subscription.
async fn payer(world: &World) -> (Member, String) {
    let member = world.member().await;
    let subscription = world.subscribes(&member).await;
    world.until_vip(&member).await;
    world.heard().await;
    (member, subscription)
}

/// The subscription as a page has it.
async fn listed(world: &World, subscription: &str) -> Value {
    let expand = "expand[]=customer&expand[]=latest_invoice";
    let url = format!("{}/v1/subscriptions/{subscription}?{expand}", world.gateway_config().stripe_api_url);
    let answer = world.http.get(url).bearer_auth(sandbox::stripe::KEY).send().await.unwrap();
    answer.json().await.unwrap()
}

#[tokio::test]
async fn who_paid_before_we_came_costs_a_read_for_a_hundred_and_a_day_without_changes_writes_nothing() {
    let (mut world, subscriptions) = with_subscriptions(250).await;
    let began = Instant::now();
    world.start_gateway().await;
    world.until("all of them are to get their role", async || world.pending().await == 250).await;
    let took = began.elapsed();
    let first = reads(&world).await;
    println!("first contact: {} reads, {} ms: {first:?}", first.len(), took.as_millis());
    assert_eq!(first.iter().filter(|read| read.starts_with("/v1/subscriptions")).count(), 3, "{first:?}");
    assert!(
        first.len() <= 3 + 5,
        "the newest event; prices and links that are sold, what was bought once, and the portal: {first:?}"
    );
    world.until_all_is_read().await;

    let before = world.row_versions().await;
    world.stripe.clear_requests().await.unwrap();
    world.lists_are_due().await;
    let over = async || world.cursors_where(|cursor| cursor.is_list_over && cursor.list_seen == 250).await;
    world.until("the list is read once more", async || pages(&world).await == 3 && over().await == 1).await;
    assert_eq!(world.row_versions().await, before, "nothing is changed, and nothing is locked");
    assert_eq!(reads(&world).await.len(), 3);

    // Nobody tells of these.
    for subscription in &subscriptions[100..105] {
        let change = json!({ "status": "unpaid", "silent": true });
        world.stripe.set_subscription(subscription, change).await.unwrap();
    }
    let ended = json!({ "status": "canceled", "silent": true });
    world.stripe.set_subscription(&subscriptions[7], ended).await.unwrap();
    world.stripe.clear_requests().await.unwrap();
    world.lists_are_due().await;
    world.until("what they gave has ended", async || world.sources_ended().await == 6).await;
    let daily = reads(&world).await;
    // One is not listed any more; of the others it is asked what else their customers pay for, before the last reason for a role ends.
    let singly = subscriptions[100..105].iter().chain([&subscriptions[7]]);
    for path in singly.map(|id| format!("/v1/subscriptions/{id}")) {
        assert_eq!(daily.iter().filter(|read| read.starts_with(&path)).count(), 1, "{path}: {daily:?}");
    }
    assert_eq!(daily.len(), 3 + 6, "{daily:?}");
    world.close().await;
}

/// Nobody tells of a fee that a platform begins to take, nor of metadata.
#[tokio::test]
async fn a_fee_and_keys_that_only_a_list_shows_are_kept_and_written_once() {
    let (mut world, subscriptions) = with_subscriptions(3).await;
    world.start_gateway().await;
    world.until_all_is_read().await;
    let list = async || {
        world.stripe.clear_requests().await.unwrap();
        world.lists_are_due().await;
        let over = async || world.cursors_where(|cursor| cursor.is_list_over).await;
        world.until("the list is read", async || pages(&world).await == 1 && over().await == 1).await;
        world.until_all_is_read().await;
    };
    let said = async |name: &str| world.of_guild(&["members", name]).await.unwrap();
    let becomes =
        async |change: Value| world.stripe.set_subscription(&subscriptions[0], change).await.unwrap();
    assert!(said("fees").await.ends_with("nobody\n"));
    assert!(said("metadata").await.ends_with("none\n"), "their ids are short");

    becomes(json!({ "application_fee_percent": 2.75, "silent": true })).await;
    list().await;
    let fee = format!("2.75 %  {}  customer cus_", subscriptions[0]);
    assert!(said("fees").await.contains(&fee));
    becomes(json!({ "application_fee_percent": 3, "silent": true })).await;
    list().await;
    assert!(said("fees").await.contains(&fee.replace("2.75", "3")));

    becomes(json!({ "metadata": { "discord_id": "81384788765712384" }, "silent": true })).await;
    let customer = listed(&world, &subscriptions[1]).await["customer"]["id"].clone();
    let more = json!({ "metadata": { "discord_user_id": "1001", "buyer": "81384788765712384" } });
    world.stripe.update_customer(customer.as_str().unwrap(), more).await.unwrap();
    list().await;
    let keys = said("metadata").await;
    assert!(keys.contains("1 of 3 subscriptions carry discord_id"), "{keys}");
    assert!(keys.contains("1 of 3 customers carry buyer"), "{keys}");

    let before = world.row_versions().await;
    list().await;
    assert_eq!(world.row_versions().await, before, "nothing has changed");

    becomes(json!({ "application_fee_percent": null, "silent": true })).await;
    list().await;
    assert!(said("fees").await.ends_with("nobody\n"));
    world.close().await;
}

#[tokio::test]
async fn a_list_goes_on_where_it_was_after_a_crash() {
    let (mut world, _) = with_subscriptions(250).await;
    let second = Fault::hang().on("GET", "starting_after").times(1);
    world.stripe.fault(second).await.unwrap();
    world.begin_gateway();
    let hangs = async || world.stripe.requests().await.unwrap().iter().any(|request| request.fault.is_some());
    world.until("the second page is asked for", hangs).await;
    assert_eq!(world.cursors_where(|cursor| cursor.list_seen == 100 && !cursor.was_listed).await, 1);
    let said = world.nexrole(&["connections"]).await.unwrap();
    assert!(said.contains("subscriptions: 100 read so far"), "{said}");
    world.kill_gateway().await;
    world.stripe.clear_faults().await.unwrap();
    world.stripe.clear_requests().await.unwrap();
    world.start_gateway().await;
    world.until("all of them are to get their role", async || world.pending().await == 250).await;
    assert_eq!(pages(&world).await, 2, "the first page is not read again");
    world.close().await;
}

/// The page was made before she cancelled, and comes after that was read.
#[tokio::test]
async fn a_page_that_comes_late_does_not_undo_what_was_read_meanwhile() {
    let world = World::start().await;
    let (ana, hers) = payer(&world).await;
    let (ben, his) = payer(&world).await;
    world.stripe.set_subscription(&his, json!({ "status": "unpaid" })).await.unwrap();
    world.until_no_vip(&ben).await;
    world.heard().await;
    world.stripe.clear_requests().await.unwrap();
    let slow = Fault::apply_then_hang().for_ms(2_000).on("GET", LIST).times(1);
    world.stripe.fault(slow).await.unwrap();
    world.lists_are_due().await;
    world.until("the page is made", async || pages(&world).await == 1).await;
    world.stripe.cancel(&hers).await.unwrap();
    world.stripe.set_subscription(&his, json!({ "status": "active" })).await.unwrap();
    world.until_no_vip(&ana).await;
    world.until_vip(&ben).await;
    let over = async || world.cursors_where(|cursor| cursor.is_list_over).await;
    world.until("the page came", async || over().await == 1).await;
    world.settle().await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    assert_eq!(world.role_history(&ben).await, ["role.granted", "role.revoked", "role.granted"]);
    world.finish().await;
}

/// An empty list; a list of another account, which has none of ours; pages that break off; and a list that turns in a circle.
#[tokio::test]
async fn a_list_that_is_wrong_takes_no_role() {
    let world = World::start().await;
    let (ana, hers) = payer(&world).await;
    let (_, his) = payer(&world).await;
    let (hers, his) = (listed(&world, &hers).await, listed(&world, &his).await);
    let mut other = hers.clone();
    other["id"] = json!("sub_of_another_account");
    other["customer"] = json!({ "id": "cus_of_another_account", "object": "customer" });
    let mut odd = hers.clone();
    odd["status"] = json!("invented");
    let mut bare = hers.clone();
    (bare["customer"], bare["items"]) = (json!(null), json!(null));
    let page =
        |data: &[&Value], has_more: bool| json!({ "object": "list", "data": data, "has_more": has_more });
    for good in [
        page(&[], false),
        page(&[&other], false),
        page(&[&odd], false),
        page(&[&bare, &his], false),
        page(&[&hers, &hers, &his], false),
    ] {
        world.stripe.fault(Fault::status(200).on("GET", LIST).body(good.clone()).times(1)).await.unwrap();
        world.until_listed_once_more().await;
        assert!(world.has(&ana, world.vip).await, "{good}");
    }
    for bad in [
        vec![page(&[], true)],
        vec![page(&[&json!({})], false)],
        vec![page(&[&json!({ "id": "cus_1", "object": "customer" })], false)],
        vec![page(&[&hers], true), page(&[], true)],
        vec![page(&[&hers], true), page(&[&hers], true)],
        // A circle.
        vec![page(&[&hers], true), page(&[&his], true), page(&[&hers], true)],
    ] {
        for page in &bad {
            world.stripe.fault(Fault::status(200).on("GET", LIST).body(page.clone()).times(1)).await.unwrap();
        }
        world.lists_are_due().await;
        let failing = async || world.cursors_where(|cursor| cursor.is_failing).await;
        world.until("it is given up for now", async || failing().await == 1).await;
        world.until_listed_once_more().await;
        assert!(world.has(&ana, world.vip).await, "{bad:?}");
    }
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

/// Nothing of ours is in the account whose key we have by mistake.
#[tokio::test]
async fn a_key_of_another_account_takes_no_role() {
    let world = World::start().await;
    let (ana, _) = payer(&world).await;
    let empty = json!({ "object": "list", "data": [], "has_more": false });
    let missing = json!({ "error": { "code": "resource_missing", "type": "invalid_request_error" } });
    world.stripe.fault(Fault::status(200).on("GET", LIST).body(empty).times(1_000)).await.unwrap();
    let nothing = Fault::status(404).on("GET", "/v1/subscriptions/").body(missing);
    world.stripe.fault(nothing.times(1_000)).await.unwrap();
    for _ in 0..3 {
        world.lists_are_due().await;
        let over = async || world.cursors_where(|cursor| cursor.is_list_over).await;
        world.until("the list is read to its end", async || over().await == 1).await;
        let missed = async || world.reads_where(|read| read.missing > 0 && !read.is_leased).await;
        world.until("hers is asked for", async || missed().await == 1).await;
    }
    assert!(world.has(&ana, world.vip).await);
    world.stripe.clear_faults().await.unwrap();
    world.until_settled_at_once().await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

/// Stripe embeds not all of many items, and more are a list of their own.
#[tokio::test]
async fn what_a_page_shows_in_part_is_read_by_itself() {
    let world = World::start().await;
    let (ana, hers) = payer(&world).await;
    let mut cut = listed(&world, &hers).await;
    cut["items"]["has_more"] = json!(true);
    cut["items"]["data"] = json!([]);
    let page = json!({ "object": "list", "data": [cut], "has_more": false });
    world.stripe.fault(Fault::status(200).on("GET", LIST).body(page).times(1)).await.unwrap();
    world.stripe.clear_requests().await.unwrap();
    world.until_listed_once_more().await;
    let read = reads(&world).await;
    assert!(read.iter().any(|path| path.starts_with(&format!("/v1/subscriptions/{hers}"))), "{read:?}");
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

/// What failed four times is tried again after five minutes: not when Stripe is back before.
#[tokio::test]
async fn when_stripe_answers_again_who_paid_meanwhile_waits_no_longer() {
    let world = World::start().await;
    let down = Fault::status(500).on("GET", "/v1/subscriptions/").times(1_000);
    world.stripe.fault(down).await.unwrap();
    let ana = world.member().await;
    world.subscribes(&ana).await;
    let waits = async || {
        world.reads_where(|read| read.attempts >= 3 && read.is_put_off_for(Duration::from_secs(8))).await
    };
    world.until("it failed several times", async || waits().await >= 1).await;
    world.stripe.clear_faults().await.unwrap();
    let began = Instant::now();
    // The first good answer is to somebody else's question.
    world.polls_are_due().await;
    world.until_vip(&ana).await;
    assert!(began.elapsed() < Duration::from_secs(8), "they waited {:?}", began.elapsed());
    world.finish().await;
}

#[tokio::test]
async fn reads_are_counted_by_the_month_and_shown() {
    let (mut world, _) = with_subscriptions(3).await;
    world.start_gateway().await;
    world.until("all of them are to get their role", async || world.pending().await == 3).await;
    world.until_all_is_read().await;
    // What is not written yet is written at the end.
    world.stop_gateway().await;
    let made = i32::try_from(reads(&world).await.len()).unwrap();
    assert_eq!(world.cursors().await[0].reads, made);
    let said = world.nexrole(&["connections"]).await.unwrap();
    let left = format!("({made} reads this month, 9,{} of 10,000 left", 1_000 - made);
    assert!(said.contains(&left), "{said}");
    world.close().await;
}
