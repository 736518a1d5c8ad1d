//! What each state of a subscription is worth by default, as a story of its own where no other file has one.

use sandbox::stripe::{Fault, Mode};
use serde_json::json;

use crate::support::world::{Member, Read, World};

const DAY: i64 = 24 * 3600;

impl World {
    async fn subscribes_with(&self, member: &Member, more: serde_json::Value) -> String {
        let mut params = json!({ "customer": member.customer, "prices": [self.price] });
        for (field, value) in more.as_object().expect("fields") {
            params[field] = value.clone();
        }
        self.stripe.subscribe_with(params).await.expect("subscribes")
    }

    /// `nexrole map policy` for the mapping of the world.
    async fn chooses(&self, choice: &str) {
        let role = self.vip.to_string();
        self.of_guild(&["map", "policy", "--price", &self.price, "--role", &role, choice])
            .await
            .expect("set");
    }

    async fn time_passes(&self, days: i64) {
        self.stripe.move_clock(json!({ "advance_seconds": days * DAY })).await.expect("the clock moves");
        self.heard().await;
    }
}

#[tokio::test]
async fn a_trial_gives_the_role_unless_the_owner_says_that_it_does_not() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    world.subscribes_with(&ana, json!({ "status": "trialing" })).await;
    world.until_vip(&ana).await;
    // It becomes a paid period without a gap.
    world.time_passes(15).await;
    world.chooses("trialing=remove").await;
    world.subscribes_with(&ben, json!({ "status": "trialing" })).await;
    world.heard().await;
    assert!(!world.has(&ben, world.vip).await);
    world.time_passes(15).await;
    world.until_vip(&ben).await;
    for member in [&ana, &ben] {
        assert_eq!(world.role_history(member).await, ["role.granted"]);
    }
    world.finish().await;
}

#[tokio::test]
async fn unpaid_incomplete_and_expired_subscriptions_give_no_role() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes_with(&ana, json!({ "status": "incomplete" })).await;
    world.heard().await;
    assert!(!world.has(&ana, world.vip).await, "nothing is paid yet");
    // A bank takes its time.
    world.stripe.set_subscription(&subscription, json!({ "status": "active" })).await.unwrap();
    world.until_vip(&ana).await;
    world.stripe.set_subscription(&subscription, json!({ "status": "unpaid" })).await.unwrap();
    world.until_no_vip(&ana).await;
    world.stripe.set_subscription(&subscription, json!({ "status": "active" })).await.unwrap();
    world.until_vip(&ana).await;
    let ben = world.member().await;
    world.subscribes_with(&ben, json!({ "status": "incomplete" })).await;
    world.time_passes(1).await;
    assert_eq!(world.role_history(&ben).await, [""; 0], "it expired without a payment");
    world.finish().await;
}

#[tokio::test]
async fn a_requested_pause_keeps_the_role_to_the_end_of_the_period_where_the_owner_says_so() {
    let world = World::start().await;
    world.chooses("pause_requested=period_end").await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.pause(&subscription, "pause_requested").await.unwrap();
    let left = async || world.days_left(&ana).await;
    world.until("the end is known", async || matches!(left().await[..], [Some(27..=31)])).await;
    world.heard().await;
    assert!(world.has(&ana, world.vip).await);
    // What was paid for is over.
    let over = json!({ "current_period_end": shared::clock::now().unix_timestamp() - 1 });
    world.stripe.set_subscription(&subscription, over).await.unwrap();
    world.until_no_vip(&ana).await;
    world.stripe.resume(&subscription, "resume_on_payment_success").await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_cancelled_subscription_gives_the_role_until_its_end_has_come() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let (hers, his) = (world.subscribes(&ana).await, world.subscribes(&ben).await);
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;
    // In the portal, and by the owner.
    world.stripe.portal_cancel(&hers).await.unwrap();
    world.stripe.set_subscription(&his, json!({ "cancel_at_period_end": true })).await.unwrap();
    world.until("both ends are known", async || world.scheduled_ends().await == 2).await;
    world.time_passes(26).await;
    for member in [&ana, &ben] {
        assert_eq!(world.role_history(member).await, ["role.granted"]);
    }
    world.time_passes(6).await;
    world.until_no_vip(&ana).await;
    world.until_no_vip(&ben).await;
    world.finish().await;
}

/// Stripe's own retries, one after the other.
#[tokio::test]
async fn a_failed_renewal_takes_the_role_only_when_stripe_gives_up() {
    for dunning in ["cancel", "unpaid"] {
        let world = World::start().await;
        world.stripe.set_settings(json!({ "dunning": dunning })).await.unwrap();
        let (ana, ben) = (world.member().await, world.member().await);
        for member in [&ana, &ben] {
            world.subscribes(member).await;
            world.until_vip(member).await;
            world.stripe.set_payer(&member.customer, "declines").await.unwrap();
        }
        world.time_passes(32).await;
        for _ in 0..2 {
            world.time_passes(3).await;
        }
        // Ben has another card before the last try.
        world.stripe.set_payer(&ben.customer, "pays").await.unwrap();
        for member in [&ana, &ben] {
            assert_eq!(world.role_history(member).await, ["role.granted"], "{dunning}: retries run");
        }
        world.time_passes(3).await;
        world.until_no_vip(&ana).await;
        assert_eq!(world.role_history(&ben).await, ["role.granted"], "{dunning}: he pays");
        world.finish().await;
    }
}

#[tokio::test]
async fn who_ends_one_of_two_subscriptions_to_a_role_keeps_it() {
    let world = World::start().await;
    let yearly = world.stripe.create_price(&world.product, 9_000).await.unwrap();
    world.map("price", &yearly, world.vip).await;
    let ana = world.member().await;
    let first = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let second = world.stripe.subscribe(&ana.customer, &yearly).await.unwrap();
    let same = world.subscribes(&ana).await;
    world.until("there are three reasons", async || world.sources_live().await == 3).await;
    for subscription in [&first, &same] {
        world.stripe.cancel(subscription).await.unwrap();
        world.heard().await;
        assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    }
    world.stripe.cancel(&second).await.unwrap();
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_member_with_two_customers_has_what_either_of_them_pays_for() {
    let world = World::start().await;
    let ana = world.member().await;
    let id = ana.user.to_string();
    let other = world.stripe.create_customer(None, &[("discord_user_id", &id)]).await.unwrap();
    let first = world.subscribes(&ana).await;
    let second = world.stripe.subscribe(&other, &world.price).await.unwrap();
    world.until("there are two reasons", async || world.sources_live().await == 2).await;
    world.until_vip(&ana).await;
    world.stripe.delete_customer(&ana.customer).await.unwrap();
    world.until("one has ended", async || world.sources_ended().await == 1).await;
    world.heard().await;
    assert!(world.has(&ana, world.vip).await, "{first} has ended, {second} goes on");
    world.stripe.cancel(&second).await.unwrap();
    world.until_no_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    world.finish().await;
}

#[tokio::test]
async fn a_status_that_nobody_knows_keeps_what_was_and_gives_nothing_new() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let hers = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.set_subscription(&hers, json!({ "status": "hibernating" })).await.unwrap();
    let his = world.subscribes_with(&ben, json!({ "status": "hibernating" })).await;
    world.heard().await;
    assert!(world.has(&ana, world.vip).await && !world.has(&ben, world.vip).await);
    let why = world.why(&ana).await;
    assert!(why.contains("hibernating") || why.contains(&hers), "{why}");
    // What it becomes is known again.
    world.stripe.cancel(&hers).await.unwrap();
    world.stripe.set_subscription(&his, json!({ "status": "active" })).await.unwrap();
    world.until_no_vip(&ana).await;
    world.until_vip(&ben).await;
    world.finish().await;
}

/// Who comes to a cheaper plan that gives nothing, when the paid period ends.
#[tokio::test]
async fn a_downgrade_at_the_end_of_the_period_takes_the_role_then() {
    let world = World::start().await;
    let plain = world.stripe.create_price(&world.product, 100).await.unwrap();
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    // What tells of the renewal is all that tells of the other price.
    let change = json!({ "prices": [plain], "silent": true });
    world.stripe.set_subscription(&subscription, change).await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await, "nobody has told us");
    world.time_passes(32).await;
    world.until_no_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    world.finish().await;
}

/// Nothing says that the second has begun, but Stripe's list of the customer's subscriptions.
#[tokio::test]
async fn a_change_to_another_subscription_makes_no_gap_though_the_event_of_the_new_one_is_lost() {
    let world = World::start().await;
    let ana = world.member().await;
    let first = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    world.stripe.delivery(Mode::Drop).await.unwrap();
    let second = world.subscribes(&ana).await;
    world.stripe.delivery(Mode::Live).await.unwrap();
    world.stripe.cancel(&first).await.unwrap();
    world.until("the first has ended", async || world.sources_ended().await == 1).await;
    world.settle().await;
    assert_eq!(world.sources_live().await, 1, "the second gives the role");
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    assert_eq!(world.role_calls().await, ["PUT 204"]);
    world.stripe.cancel(&second).await.unwrap();
    world.until_no_vip(&ana).await;
    world.close().await;
}

/// Ten at most come with a read; what Stripe does not list in time beyond that takes nothing.
#[tokio::test]
async fn the_last_reason_for_a_role_ends_only_when_the_customers_other_subscriptions_could_be_listed() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    let other = world.stripe.create_price(&world.product, 100).await.unwrap();
    for _ in 0..10 {
        world.stripe.subscribe(&ana.customer, &other).await.unwrap();
    }
    world.until_vip(&ana).await;
    world.heard().await;
    world.stripe.fault(Fault::status(500).on("GET", "/v1/subscriptions?").times(100)).await.unwrap();
    world.stripe.set_subscription(&subscription, json!({ "status": "unpaid" })).await.unwrap();
    let refused = |read: &Read| read.last_error.as_ref().is_some_and(|error| error.contains("500"));
    world.until("the refusal is noted", async || world.reads_where(refused).await >= 1).await;
    assert!(world.has(&ana, world.vip).await);
    world.stripe.clear_faults().await.unwrap();
    world.reads_are_due().await;
    world.until_no_vip(&ana).await;
    world.finish().await;
}
