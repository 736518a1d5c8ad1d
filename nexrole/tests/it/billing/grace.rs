//! Payments that fail: how long a role waits for them, and what ends the wait.

use serde_json::{Value, json};

use crate::support::world::World;

fn paused(cause: &str) -> Value {
    json!({ "status": "paused", "status_details": { "paused": { "subscription": { "type": cause } } } })
}

#[tokio::test]
async fn a_card_that_fails_once_costs_no_role_also_where_the_account_pauses_at_it() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.set_subscription(&subscription, paused("first_payment_failure")).await.unwrap();
    world.until("the end of the grace is known", async || world.days_left(&ana).await == [Some(14)]).await;
    world.heard().await;
    assert!(world.has(&ana, world.vip).await);
    world
        .stripe
        .set_subscription(&subscription, json!({ "status": "active", "status_details": null }))
        .await
        .unwrap();
    world.until("it is paid", async || world.days_left(&ana).await == [None]).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn a_payment_that_never_comes_ends_access_after_two_weeks_and_not_before() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.set_subscription(&subscription, json!({ "status": "past_due" })).await.unwrap();
    world.until("the end of the grace is known", async || world.days_left(&ana).await == [Some(14)]).await;
    world.unpaid_for_days(13).await;
    // Stripe tries again, the account pauses it, somebody resumes it: none of it begins the two weeks anew.
    world.stripe.set_subscription(&subscription, paused("first_payment_failure")).await.unwrap();
    world.heard().await;
    world
        .stripe
        .set_subscription(&subscription, json!({ "status": "past_due", "status_details": null }))
        .await
        .unwrap();
    world.heard().await;
    assert_eq!(world.days_left(&ana).await, [Some(1)]);
    assert!(world.has(&ana, world.vip).await, "a day is left");
    // Nothing hints at it any more: the time alone has it read again.
    world.unpaid_for_days(1).await;
    world.until_no_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    // They pay after all.
    world.stripe.set_subscription(&subscription, json!({ "status": "active" })).await.unwrap();
    world.until_vip(&ana).await;
    assert_eq!(world.days_left(&ana).await, [None]);
    // The next failure has two weeks of its own.
    world.stripe.set_subscription(&subscription, json!({ "status": "past_due" })).await.unwrap();
    world.until("the grace is another", async || world.days_left(&ana).await == [Some(14)]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_trial_that_ends_in_a_failed_payment_has_a_day() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let told = world.stripe.events().await.unwrap();
    let created = told.iter().find(|event| event["type"] == "customer.subscription.created").unwrap();
    let began = &created["data"]["object"]["items"]["data"][0]["current_period_start"];
    world
        .stripe
        .set_subscription(&subscription, json!({ "status": "past_due", "trial_end": began }))
        .await
        .unwrap();
    world.until("the end of the grace is known", async || world.days_left(&ana).await == [Some(1)]).await;
    world.unpaid_for_days(1).await;
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_pause_ends_access_if_its_cause_does_and_an_unknown_cause_changes_nothing() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    for cause in ["invented_tomorrow", ""] {
        world.stripe.set_subscription(&subscription, paused(cause)).await.unwrap();
        world.heard().await;
        assert!(world.has(&ana, world.vip).await, "{cause:?}");
    }
    world.stripe.set_subscription(&subscription, json!({ "status_details": null })).await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await, "no cause is no evidence either");
    for cause in ["final_payment_failure", "trial_end_without_payment_method", "pause_requested", "system"] {
        world.stripe.set_subscription(&subscription, paused(cause)).await.unwrap();
        world.until_no_vip(&ana).await;
        let says = world.of_guild(&["why", "--member", &ana.user.to_string()]).await.unwrap();
        assert!(says.contains(&format!("is paused ({cause})")), "{says}");
        world
            .stripe
            .set_subscription(&subscription, json!({ "status": "active", "status_details": null }))
            .await
            .unwrap();
        world.until_vip(&ana).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn paused_collection_and_a_scheduled_end_cost_nothing_while_it_is_active() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    for behaviour in ["keep_as_draft", "mark_uncollectible", "void"] {
        let pause = json!({ "pause_collection": { "behavior": behaviour, "resumes_at": null } });
        world.stripe.set_subscription(&subscription, pause).await.unwrap();
        world.heard().await;
    }
    let ends =
        json!({ "pause_collection": null, "cancel_at": 4_102_444_800_i64, "cancel_at_period_end": false });
    world.stripe.set_subscription(&subscription, ends).await.unwrap();
    world.until("the end is known", async || world.scheduled_ends().await == 1).await;
    assert!(world.has(&ana, world.vip).await);
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}
