//! What members are told of a payment that fails: when, how often, and when not.

use sandbox::Fault;
use serde_json::{Value, json};

use crate::support::world::{Member, World};

const BEGAN: &str = "A payment of yours failed";
const HALFWAY: &str = "A payment of yours is still due";
const LAST_DAY: &str = "The last day for a payment of yours";
const ENDED: &str = "A role of yours has ended";
const RESTORED: &str = "Your payment has arrived";

fn status(status: &str) -> Value {
    json!({ "status": status, "status_details": null })
}

fn paused() -> Value {
    let cause = "first_payment_failure";
    json!({ "status": "paused", "status_details": { "paused": { "subscription": { "type": cause } } } })
}

/// A member who pays, and has the role.
async fn subscriber(world: &World) -> (Member, String) {
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    (ana, subscription)
}

/// Waits until a member has read these, and no others; and until the bot knows so.
async fn until_told(world: &World, member: &Member, titles: &[&str]) {
    until_read(world, member, titles).await;
    world.until("the bot knows what was sent", async || world.notices_are_settled().await).await;
}

async fn until_read(world: &World, member: &Member, titles: &[&str]) {
    world.until(&format!("they have read {titles:?}"), async || world.told(member).await == titles).await;
}

async fn until_noted(world: &World, member: &Member, notices: &[&str]) {
    world.until(&format!("it is noted: {notices:?}"), async || world.notices(member).await == notices).await;
}

/// Messages that Discord was asked to take.
async fn messages_sent(world: &World) -> usize {
    world.discord_calls("POST", "/messages").await
}

#[tokio::test]
async fn a_failed_card_is_told_at_once_in_the_middle_on_the_last_day_and_when_it_has_cost_the_role() {
    let world = World::start().await;
    let (ana, subscription) = subscriber(&world).await;
    world.stripe.set_subscription(&subscription, status("past_due")).await.unwrap();
    until_told(&world, &ana, &[BEGAN]).await;
    let message = world.discord.direct_messages(ana.user).await.unwrap().remove(0);
    let text = message.embeds[0]["description"].as_str().unwrap();
    assert!(text.contains("`VIP`") && text.contains("`Ana's studio`"), "{text}");
    assert!(text.contains(":F>") && text.contains(":R>") && text.contains("update your card"), "{text}");
    world.unpaid_for_days(7).await;
    until_told(&world, &ana, &[BEGAN, HALFWAY]).await;
    world.unpaid_for_days(6).await;
    until_told(&world, &ana, &[BEGAN, HALFWAY, LAST_DAY]).await;
    assert!(world.has(&ana, world.vip).await, "a day is left");
    world.unpaid_for_days(1).await;
    world.until_no_vip(&ana).await;
    until_told(&world, &ana, &[BEGAN, HALFWAY, LAST_DAY, ENDED]).await;
    // The payment comes after all.
    world.stripe.set_subscription(&subscription, status("active")).await.unwrap();
    until_told(&world, &ana, &[BEGAN, HALFWAY, LAST_DAY, ENDED, RESTORED]).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn retries_pauses_and_replays_of_one_failure_tell_nothing_twice() {
    let world = World::start().await;
    let (ana, subscription) = subscriber(&world).await;
    world.stripe.set_subscription(&subscription, status("past_due")).await.unwrap();
    until_told(&world, &ana, &[BEGAN]).await;
    world.unpaid_for_days(3).await;
    for change in [status("past_due"), paused(), status("past_due"), paused()] {
        world.stripe.set_subscription(&subscription, change).await.unwrap();
        world.heard().await;
    }
    world.reads_are_due().await;
    world.settle().await;
    let planned = ["began sent", "halfway pending", "last_day pending"];
    assert_eq!(world.notices(&ana).await, planned);
    world.unpaid_for_days(4).await;
    until_told(&world, &ana, &[BEGAN, HALFWAY]).await;
    world.finish().await;
}

#[tokio::test]
async fn who_pays_is_told_so_reminded_no_more_and_told_anew_of_the_next_failure() {
    let world = World::start().await;
    let (ana, subscription) = subscriber(&world).await;
    world.stripe.set_subscription(&subscription, status("past_due")).await.unwrap();
    until_told(&world, &ana, &[BEGAN]).await;
    world.unpaid_for_days(2).await;
    world.stripe.set_subscription(&subscription, status("active")).await.unwrap();
    until_told(&world, &ana, &[BEGAN, RESTORED]).await;
    until_noted(&world, &ana, &["began sent", "restored sent", "halfway cancelled", "last_day cancelled"])
        .await;
    world.unpaid_for_days(30).await;
    world.stripe.set_subscription(&subscription, status("past_due")).await.unwrap();
    until_told(&world, &ana, &[BEGAN, RESTORED, BEGAN]).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn a_short_time_has_one_notice_before_its_end() {
    let world = World::start().await;
    let role = world.vip.to_string();
    let policy = ["map", "policy", "--price", &world.price, "--role", &role, "past_due=1d"];
    world.of_guild(&policy).await.unwrap();
    let (ana, subscription) = subscriber(&world).await;
    world.stripe.set_subscription(&subscription, status("past_due")).await.unwrap();
    until_told(&world, &ana, &[BEGAN]).await;
    world.unpaid_for_days(1).await;
    until_told(&world, &ana, &[BEGAN, ENDED]).await;
    assert_eq!(world.notices(&ana).await, ["began sent", "ended sent"]);
    world.finish().await;
}

/// Each refusal counts towards Discord's ban of our address.
#[tokio::test]
async fn a_member_who_takes_no_messages_is_not_asked_again() {
    let world = World::start().await;
    let (ana, subscription) = subscriber(&world).await;
    world.discord.set_direct(ana.user, false).await.unwrap();
    world.stripe.set_subscription(&subscription, status("past_due")).await.unwrap();
    until_noted(&world, &ana, &["began undeliverable", "halfway pending", "last_day pending"]).await;
    world.unpaid_for_days(7).await;
    until_noted(&world, &ana, &["began undeliverable", "halfway undeliverable", "last_day pending"]).await;
    world.unpaid_for_days(7).await;
    world.until_no_vip(&ana).await;
    world
        .until("the end is noted", async || {
            world.notices(&ana).await.iter().any(|it| it == "ended undeliverable")
        })
        .await;
    assert_eq!(messages_sent(&world).await, 1);
    let why = world.of_guild(&["why", "--member", &ana.user.to_string()]).await.unwrap();
    assert!(why.contains("not told: the member takes no messages from the bot (code 50007)"), "{why}");
    world.finish().await;
}

#[tokio::test]
async fn a_crash_after_sending_sends_nothing_twice() {
    let mut world = World::start().await;
    let (ana, subscription) = subscriber(&world).await;
    // Discord takes it, and the bot dies before it hears so.
    world.discord.fault(Fault::apply_then_hang().on("POST", "/messages")).await.unwrap();
    world.stripe.set_subscription(&subscription, status("past_due")).await.unwrap();
    until_read(&world, &ana, &[BEGAN]).await;
    world.stop_bot().await.unwrap();
    assert_eq!(world.notices(&ana).await[0], "began pending");
    world.start_bot().await;
    world.until("it is known that it was sent", async || world.notices(&ana).await[0] == "began sent").await;
    assert_eq!((world.told(&ana).await, messages_sent(&world).await), (vec![BEGAN.to_owned()], 2));
    // Again; and this time the bot comes back when Discord may not know the message any more.
    world.discord.fault(Fault::apply_then_hang().on("POST", "/messages")).await.unwrap();
    world.unpaid_for_days(7).await;
    until_read(&world, &ana, &[BEGAN, HALFWAY]).await;
    world.stop_bot().await.unwrap();
    world.notices_were_tried_long_ago().await;
    world.start_bot().await;
    world.until("the doubt is noted", async || world.notices(&ana).await[1] == "halfway unsure").await;
    assert_eq!((world.told(&ana).await.len(), messages_sent(&world).await), (2, 3));
    world.finish().await;
}

#[tokio::test]
async fn an_outage_and_a_limit_of_discords_put_a_notice_off_and_lose_none() {
    let world = World::start().await;
    let (ana, subscription) = subscriber(&world).await;
    world.discord.fault(Fault::status(503).on("POST", "/users/@me/channels")).await.unwrap();
    world.discord.fault(Fault::shared_limit(0.2).on("POST", "/messages")).await.unwrap();
    world.stripe.set_subscription(&subscription, status("past_due")).await.unwrap();
    world
        .until("it is sent", async || world.notices(&ana).await.first().is_some_and(|it| it == "began sent"))
        .await;
    assert_eq!(world.told(&ana).await, [BEGAN]);
    world.finish().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_makes_no_second_message() {
    let world = World::start().await;
    let (ana, subscription) = subscriber(&world).await;
    world.discord.fault(Fault::truncate().on("POST", "/messages")).await.unwrap();
    world.stripe.set_subscription(&subscription, status("past_due")).await.unwrap();
    world
        .until("it is sent", async || world.notices(&ana).await.first().is_some_and(|it| it == "began sent"))
        .await;
    assert_eq!((world.told(&ana).await, messages_sent(&world).await), (vec![BEGAN.to_owned()], 2));
    world.finish().await;
}

#[tokio::test]
async fn a_server_that_tells_nobody_tells_nobody_until_it_does() {
    let world = World::start().await;
    let (ana, subscription) = subscriber(&world).await;
    let said = world.of_guild(&["notices", "off"]).await.unwrap();
    assert!(said.contains("Members are told nothing"), "{said}");
    let said = world.of_guild(&["notices", "off"]).await.unwrap();
    assert!(said.contains("It was so already"), "{said}");
    world.stripe.set_subscription(&subscription, status("past_due")).await.unwrap();
    until_noted(&world, &ana, &["began skipped", "halfway pending", "last_day pending"]).await;
    assert_eq!(world.discord_calls("POST", "/users/@me/channels").await, 0);
    world.of_guild(&["notices", "on"]).await.unwrap();
    world.unpaid_for_days(7).await;
    until_told(&world, &ana, &[HALFWAY]).await;
    let exported = world.of_guild(&["export"]).await.unwrap();
    for action in ["notices.turned_off", "notices.turned_on", "member.notified"] {
        assert!(exported.contains(action), "{action}: {exported}");
    }
    world.finish().await;
}

#[tokio::test]
async fn who_would_lose_nothing_is_told_nothing() {
    let world = World::start().await;
    // It is given by hand, too.
    let (ana, hers) = subscriber(&world).await;
    let (member, role) = (ana.user.to_string(), world.vip.to_string());
    world.of_guild(&["grant", "--member", &member, "--role", &role, "--reason", "a friend"]).await.unwrap();
    world.stripe.set_subscription(&hers, status("past_due")).await.unwrap();
    until_noted(&world, &ana, &["began skipped", "halfway pending", "last_day pending"]).await;
    // The member has left.
    let (ben, his) = subscriber(&world).await;
    world.discord.leave(world.guild, ben.user).await.unwrap();
    world
        .until("it is seen that he has left", async || {
            world.grants_where(|grant| grant.is_shown_absent).await == 1
        })
        .await;
    world.stripe.set_subscription(&his, status("past_due")).await.unwrap();
    let waits = "the member has left, or does not have the role because of us";
    world
        .until("his notice waits", async || {
            world.of_guild(&["why", "--member", &ben.user.to_string()]).await.unwrap().contains(waits)
        })
        .await;
    // The role is only observed.
    let (cleo, hers) = subscriber(&world).await;
    world.of_guild(&["map", "enforce", "--role", &role, "--observe"]).await.unwrap();
    world.stripe.set_subscription(&hers, status("past_due")).await.unwrap();
    until_noted(&world, &cleo, &["began skipped", "halfway pending", "last_day pending"]).await;
    assert_eq!(world.discord_calls("POST", "/users/@me/channels").await, 0);
    world.close().await;
}
