//! What webhooks did not bring: first contact, polling without a public address, outages longer than Stripe's patience.

use sandbox::stripe::{Fault, Mode};
use serde_json::json;

use crate::support::world::World;

/// A gateway that nobody's webhooks reach, polling all the time.
async fn key_only() -> World {
    let mut world = World::without_services().await;
    world.set("STRIPE_WEBHOOK_SECRET", "");
    world.set("EVENTS_POLL_SECONDS", "0.2");
    world.stripe.delivery(Mode::Drop).await.expect("Stripe answers");
    world.map("price", &world.price.clone(), world.vip).await;
    world
}

#[tokio::test]
async fn a_key_alone_is_enough() {
    let mut world = key_only().await;
    world.start_gateway().await;
    world.start_bot().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    let refused = world.post_signed(b"{}").await;
    assert_eq!(refused.status(), 400, "there is no secret that could fit");
    world.finish().await;
}

#[tokio::test]
async fn who_paid_before_we_came_gets_the_role() {
    let mut world = key_only().await;
    let (ana, ben) = (world.member().await, world.member().await);
    world.subscribes(&ana).await;
    let ended = world.subscribes(&ben).await;
    world.stripe.cancel(&ended).await.unwrap();
    world.start_gateway().await;
    world.start_bot().await;
    world.until_vip(&ana).await;
    assert!(!world.has(&ben, world.vip).await);
    assert_eq!(world.events().await, 0, "by the state, not by old events");
    world.finish().await;
}

#[tokio::test]
async fn what_happened_while_we_were_away_is_read_in_pages() {
    let mut world = key_only().await;
    world.start_gateway().await;
    world.start_bot().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    world.stop_gateway().await;
    world.the_cursor_follows().await;
    // More than a page of 100.
    for n in 0..120 {
        let change = json!({ "cancel_at_period_end": n % 2 == 0 });
        world.stripe.set_subscription(&subscription, change).await.unwrap();
    }
    world.stripe.cancel(&subscription).await.unwrap();
    let before = world.events().await;
    world.start_gateway().await;
    world.until_no_vip(&ana).await;
    // The state is known after the first page; the rest of the events follows.
    world.heard().await;
    let caught_up = world.events().await - before;
    assert_eq!(caught_up, 121);
    world.finish().await;
}

#[tokio::test]
async fn an_outage_longer_than_stripes_list_reads_the_whole_state() {
    let mut world = key_only().await;
    world.start_gateway().await;
    world.start_bot().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let ended = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stop_gateway().await;
    world.stripe.set_subscription(&ended, json!({ "status": "canceled", "silent": true })).await.unwrap();
    world.subscribes(&ben).await;
    // As after 30 days: Stripe does not know the event any more.
    world.lose_the_cursor().await;
    world.start_gateway().await;
    world.until_vip(&ben).await;
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_poll_that_fails_or_finds_nothing_revokes_nobody() {
    let mut world = key_only().await;
    world.start_gateway().await;
    world.start_bot().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    for body in [
        json!({ "data": [], "has_more": false }),
        json!({}),
        json!([]),
        json!({ "data": [{}], "has_more": true }),
    ] {
        world.stripe.clear_requests().await.unwrap();
        world
            .stripe
            .fault(Fault::status(200).on("GET", "/v1/events").times(1).body(body.clone()))
            .await
            .unwrap();
        let polled = async || {
            let requests = world.stripe.requests().await.unwrap();
            requests.iter().any(|request| request.path.contains("/v1/events"))
        };
        world.until_polled("the poll was answered so", polled).await;
        world.settle().await;
        assert!(world.has(&ana, world.vip).await, "{body}");
    }
    // An empty list of subscriptions is no evidence either: each of ours is read by itself.
    world
        .stripe
        .fault(
            Fault::status(200)
                .on("GET", "/v1/subscriptions?")
                .times(1)
                .body(json!({ "data": [], "has_more": false })),
        )
        .await
        .unwrap();
    world.list_again().await;
    let listed = async || world.cursors_where(|cursor| cursor.was_listed).await;
    world.until_polled("the list was read", async || listed().await == 1).await;
    world.settle().await;
    assert!(world.has(&ana, world.vip).await);
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

/// How many events of this type are recorded.
async fn recorded(world: &World, event_type: &str) -> usize {
    world.events_where(|event| event.kind == event_type).await
}

#[tokio::test]
async fn what_is_no_matter_of_access_is_polled_too_and_goes_on_where_it_was() {
    let mut world = key_only().await;
    world.start_gateway().await;
    world.start_bot().await;
    let begun = async || world.cursors_where(|cursor| cursor.other_event_id.is_some()).await;
    world.until("the second list is begun", async || begun().await == 1).await;
    world.stripe.update_product(&world.product, json!({ "name": "Gold" })).await.unwrap();
    world.until("the change is recorded", async || recorded(&world, "product.updated").await == 1).await;
    world.settle().await;
    world.stop_gateway().await;
    for name in ["Silver", "Bronze"] {
        world.stripe.update_product(&world.product, json!({ "name": name })).await.unwrap();
    }
    world.start_gateway().await;
    world.until("all of them are recorded", async || recorded(&world, "product.updated").await == 3).await;
    world.finish().await;
}

#[tokio::test]
async fn neither_list_of_events_waits_for_the_other() {
    let mut world = key_only().await;
    world.start_gateway().await;
    world.start_bot().await;
    let begun = async || world.cursors_where(|cursor| cursor.other_event_id.is_some()).await;
    world.until("the second list is begun", async || begun().await == 1).await;
    // As long as this one fails, the first is polled on.
    world.stripe.fault(Fault::status(500).on("GET", "price.updated").times(1000)).await.unwrap();
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    assert_eq!(world.cursors_where(|cursor| cursor.is_failing).await, 0);
    world.stripe.clear_faults().await.unwrap();
    // And the other way round.
    world.stripe.fault(Fault::status(500).on("GET", "invoice.paid").times(1000)).await.unwrap();
    world.stripe.update_product(&world.product, json!({ "name": "Gold" })).await.unwrap();
    let found = async || {
        world.polls_are_due().await;
        recorded(&world, "product.updated").await == 1
    };
    world.until("what the second list has is recorded", found).await;
    let failing = async || world.cursors_where(|cursor| cursor.is_failing).await;
    world.until_polled("the first list fails", async || failing().await == 1).await;
    world.stripe.clear_faults().await.unwrap();
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_polled("they have lost VIP", async || !world.has(&ana, world.vip).await).await;
    world.finish().await;
}

/// An endpoint that was deleted at Stripe: who runs the server hears of it before a buyer has waited ten minutes.
#[tokio::test]
async fn webhooks_that_stop_are_said_until_they_come_again() {
    const SILENT: &str = "that they did not bring";
    let world = World::start().await;
    let admin = world.discord.join(world.guild, "admin").await.unwrap();
    let status =
        async || world.discord.interact(world.guild, admin, "status").await.unwrap().text().to_owned();
    let (ana, ben, cleo) = (world.member().await, world.member().await, world.member().await);
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    world.polled_an_hour_ago().await;
    world.polls_are_due().await;
    let brought = async || world.cursors_where(|cursor| cursor.webhooks_came).await == 1;
    world.until("a poll finds what webhooks brought", brought).await;
    assert!(!status().await.contains(SILENT));

    world.stripe.delivery(Mode::Drop).await.unwrap();
    // No webhook can be on its way any more.
    world.stripe.move_clock(json!({ "advance_seconds": -600 })).await.unwrap();
    world.subscribes(&ben).await;
    world.polled_an_hour_ago().await;
    world.polls_are_due().await;
    world.until_vip(&ben).await;
    world.until("it is said", async || status().await.contains(SILENT)).await;

    world.stripe.delivery(Mode::Live).await.unwrap();
    // A little more: an event says its time in whole seconds, and is to be younger than the poll before.
    world.stripe.move_clock(json!({ "advance_seconds": 602 })).await.unwrap();
    world.subscribes(&cleo).await;
    world.until_vip(&cleo).await;
    world.heard().await;
    world.polls_are_due().await;
    world.until("it is said no more", async || !status().await.contains(SILENT)).await;
    world.finish().await;
}
