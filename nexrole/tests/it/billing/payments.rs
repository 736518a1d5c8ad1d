//! Stories about paying members, one per promise. Each goes through signed HTTP, Postgres and the sandboxes.

use sandbox::stripe;
use serde_json::json;
use shared::domain::job::JobState;

use crate::support::world::{Job, World};

#[tokio::test]
async fn who_pays_gets_the_role_and_who_cancels_loses_it() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    assert_eq!(world.role_calls().await, ["PUT 204", "DELETE 204"]);
    world.finish().await;
}

#[tokio::test]
async fn a_late_failure_after_payment_does_not_revoke() {
    let world = World::start().await;
    let ana = world.member().await;
    world.settle().await;
    world.stripe.delivery(stripe::Mode::Hold).await.unwrap();
    let subscription = world.subscribes(&ana).await;
    for status in ["past_due", "unpaid", "active"] {
        world.stripe.set_subscription(&subscription, json!({ "status": status })).await.unwrap();
    }
    // In every order in which they could come, as far as a dozen rotations tell.
    let held: Vec<String> = world
        .stripe
        .events()
        .await
        .unwrap()
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect();
    world.stripe.delivery(stripe::Mode::Live).await.unwrap();
    for turn in 0..held.len() {
        let mut order = held.clone();
        order.rotate_left(turn);
        order.reverse();
        for event in &order {
            world.stripe.deliver(event, 2, true).await.unwrap();
        }
        world.until_vip(&ana).await;
    }
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn the_same_event_many_times_at_once_is_one_job() {
    let world = World::start().await;
    let ana = world.member().await;
    world.settle().await;
    world.stripe.delivery(stripe::Mode::Hold).await.unwrap();
    world.subscribes(&ana).await;
    let events = world.stripe.events().await.unwrap();
    let created = events.iter().find(|event| event["type"] == "customer.subscription.created").unwrap();
    let answers = world.stripe.deliver(created["id"].as_str().unwrap(), 100, true).await.unwrap();
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(answers.iter().filter(|answer| answer.body["duplicate"] == false).count(), 1);
    world.until_vip(&ana).await;
    assert_eq!(world.all_jobs().await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_human_role_stays_a_humans() {
    let world = World::start().await;
    let ana = world.member().await;
    world.discord.give_role(world.guild, ana.user, world.vip).await.unwrap();
    let subscription = world.subscribes(&ana).await;
    let quiet = async || world.jobs(JobState::Noop).await;
    world.until("the payment was checked", async || quiet().await == 1).await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until("the end was checked", async || quiet().await == 2).await;
    assert!(world.has(&ana, world.vip).await);
    assert!(world.role_calls().await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn other_roles_of_a_member_are_never_touched() {
    let world = World::start().await;
    let ana = world.member().await;
    let other = world.discord.create_role(world.guild, "Moderator").await.unwrap();
    world.discord.give_role(world.guild, ana.user, other).await.unwrap();
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    assert!(world.has(&ana, other).await);
    world.finish().await;
}

#[tokio::test]
async fn a_role_comes_back_with_the_member() {
    let world = World::start().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.discord.leave(world.guild, ana.user).await.unwrap();
    world.until_parked(1, "the leaving was noticed").await;
    // Not believed at once; that they have joined anew tells enough.
    assert_eq!(world.grants_where(|grant| grant.is_shown_absent).await, 1);
    world.discord.rejoin(world.guild, ana.user).await.unwrap();
    world.until_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.lost", "role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn who_left_and_came_back_unheard_is_found() {
    let mut world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    for member in [&ana, &ben] {
        world.subscribes(member).await;
        world.until_vip(member).await;
    }
    // A role that no check has shown yet would be given once more: Discord may have said done, and done nothing.
    world.discord.invalidate_gateway(false).await.unwrap();
    let unseen = async || world.grants_where(|grant| grant.unseen).await;
    world.until("a check has shown both", async || unseen().await == 0).await;
    world.settle().await;
    world.stop_bot().await.unwrap();
    world.discord.leave(world.guild, ana.user).await.unwrap();
    world.discord.rejoin(world.guild, ana.user).await.unwrap();
    // Ben has been here for long, and a moderator takes his role: that is theirs to do.
    world.discord.take_role(world.guild, ben.user, world.vip).await.unwrap();
    world.joined_long_before(&ben).await;
    world.start_bot().await;
    world.until_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.lost", "role.granted"]);
    let left_alone =
        |job: &Job| job.is(JobState::Noop) && job.outcome.ends_with("a person may have taken it");
    world.until("Ben was checked", async || world.jobs_where(left_alone).await == 1).await;
    assert!(!world.has(&ben, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn who_cancels_while_away_gets_nothing_on_return() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.discord.leave(world.guild, ana.user).await.unwrap();
    world.until_parked(1, "the leaving was noticed").await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until("the end was read", async || world.sources_ended().await == 1).await;
    world.discord.rejoin(world.guild, ana.user).await.unwrap();
    // Somebody else's payment shows that it was heard.
    let ben = world.member().await;
    world.subscribes(&ben).await;
    world.until_vip(&ben).await;
    assert!(!world.has(&ana, world.vip).await);
    // That she had left was not believed yet, and is not said: she was seen without the role, which had to go. Nobody called for that.
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    assert_eq!(world.role_calls().await, ["PUT 204", "PUT 204"]);
    world.close().await;
}

#[tokio::test]
async fn errors_of_stripe_revoke_nobody() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    // A 404, an empty object, half a JSON, a page of something else: none is evidence.
    let path = format!("/v1/subscriptions/{subscription}");
    for fault in [
        stripe::Fault::status(404).body(json!({ "error": { "code": "resource_missing" } })),
        stripe::Fault::status(200).body(json!({})),
        stripe::Fault::status(200).body(json!([])),
        stripe::Fault::status(200).body(json!({ "id": subscription, "customer": ana.customer })),
        stripe::Fault::status(200).body(json!({ "id": subscription, "customer": ana.customer, "status": "melted" })),
        stripe::Fault::status(200).body(json!({ "id": subscription, "customer": ana.customer, "status": "active", "items": { "data": [] } })),
        stripe::Fault::reset(),
    ] {
        world.stripe.clear_requests().await.unwrap();
        world.stripe.fault(fault.clone().on("GET", &path).times(1)).await.unwrap();
        world.stripe.set_subscription(&subscription, json!({ "cancel_at_period_end": true })).await.unwrap();
        let reads = async || {
            let requests = world.stripe.requests().await.unwrap();
            requests.iter().filter(|request| request.path.contains(&path)).count()
        };
        world.until("the fault was read", async || reads().await >= 1).await;
        assert!(world.has(&ana, world.vip).await, "{fault:?}");
        // What failed is tried again; the missing one in a minute, unless a new event comes.
        world.stripe.set_subscription(&subscription, json!({ "cancel_at_period_end": false })).await.unwrap();
        world.heard().await;
        assert!(reads().await >= 2, "{fault:?}");
        assert!(world.has(&ana, world.vip).await, "{fault:?}");
    }
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn events_that_came_while_we_were_down_are_caught_up() {
    let mut world = World::start().await;
    let ana = world.member().await;
    world.settle().await;
    world.stop_bot().await.unwrap();
    world.stop_gateway().await;
    // Stripe retries what nobody answered.
    world.subscribes(&ana).await;
    world.start_gateway().await;
    world.until("the job waits for the bot", async || world.pending().await == 1).await;
    world.start_bot().await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_mapping_added_later_reaches_those_who_already_pay() {
    let mut world = World::without_services().await;
    world.start_gateway().await;
    world.start_bot().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until("the subscription is known", async || world.subscriptions().await == 1).await;
    world.settle().await;
    assert!(world.all_jobs().await.is_empty(), "a price nobody mapped gives nothing");
    world.map("product", &world.product.clone(), world.vip).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn an_operator_links_a_payer_and_can_ask_why() {
    let world = World::start().await;
    let user = world.discord.join(world.guild, "bo").await.unwrap();
    let customer = world.stripe.create_customer(None, &[]).await.unwrap();
    world.stripe.subscribe(&customer, &world.price).await.unwrap();
    world.until("the subscription is known", async || world.subscriptions().await == 1).await;
    world.settle().await;
    assert_eq!(world.sources().await, 0, "a customer nobody linked gives nothing");
    let (guild, member) = (world.guild.to_string(), user.to_string());
    let link = ["link", "add", "--guild", &guild, "--customer", &customer, "--user", &member];
    assert!(world.nexrole(&link).await.unwrap().starts_with("Linked."));
    let bo = crate::support::world::Member { user, customer: customer.clone() };
    world.until_vip(&bo).await;
    let why = world.nexrole(&["why", "--guild", &guild, "--member", &member]).await.unwrap();
    for part in [
        customer.as_str(),
        "has it because",
        "is active",
        "Discord confirmed",
        "role.granted",
        "member.linked",
    ] {
        assert!(why.contains(part), "{part} is missing in\n{why}");
    }
    assert!(world.nexrole(&link).await.unwrap().contains("already"));
    let to_unknown_member =
        ["link", "add", "--guild", &guild, "--customer", &customer, "--user", "99999999999999999"];
    assert!(world.nexrole(&to_unknown_member).await.unwrap_err().contains("does not move by itself"));
    world.finish().await;
}

#[tokio::test]
async fn metadata_cannot_move_a_customer_to_another_user() {
    let world = World::start().await;
    let (ana, eve) = (world.member().await, world.member().await);
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let change = json!({ "metadata": { "discord_user_id": eve.user.to_string() } });
    world.stripe.update_customer(&ana.customer, change).await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await && !world.has(&eve, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn a_plan_change_moves_the_role() {
    let world = World::start().await;
    let gold = world.discord.create_role(world.guild, "Gold").await.unwrap();
    let dearer = world.stripe.create_price(&world.product, 2900).await.unwrap();
    world.map("price", &dearer, gold).await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.set_subscription(&subscription, json!({ "prices": [dearer] })).await.unwrap();
    world.until("they have Gold", async || world.has(&ana, gold).await).await;
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_deleted_customer_ends_access() {
    let world = World::start().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.delete_customer(&ana.customer).await.unwrap();
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn an_event_that_comes_during_a_read_is_answered_by_the_next() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    let path = format!("/v1/subscriptions/{subscription}");
    // Two slow reads, one after the other.
    world.stripe.fault(stripe::Fault::hang().for_ms(500).on("GET", &path).times(2)).await.unwrap();
    world.stripe.clear_requests().await.unwrap();
    let reads = async || {
        let requests = world.stripe.requests().await.unwrap();
        requests.iter().filter(|request| request.path.contains(&path)).count()
    };
    world.stripe.set_subscription(&subscription, json!({ "cancel_at_period_end": true })).await.unwrap();
    world.until("the first read has begun", async || reads().await == 1).await;
    world.stripe.set_subscription(&subscription, json!({ "cancel_at_period_end": false })).await.unwrap();
    world.until("the second event is recorded", async || world.unanswered_events().await == 2).await;
    world.until("the second read has begun", async || reads().await == 2).await;
    assert_eq!(
        world.unanswered_events().await,
        2,
        "the first read may have seen the second event's change, or not"
    );
    world.heard().await;
    world.finish().await;
}
