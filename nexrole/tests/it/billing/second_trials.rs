//! A member's second trial: it is said once, wherever it is looked for, and access does not depend on it.

use sandbox::stripe::Mode;
use serde_json::json;
use shared::domain::audit::{Actor, AuditAction};

use crate::support::world::{Member, World};

impl World {
    /// A free trial of 14 days, read, with the role. It begins an hour after whatever was before.
    async fn tries(&self, member: &Member) -> String {
        self.an_hour_passes().await;
        let new = json!({ "customer": member.customer, "prices": [self.price], "status": "trialing" });
        let subscription = self.stripe.subscribe_with(new).await.expect("a subscription");
        self.until_vip(member).await;
        self.heard().await;
        subscription
    }

    async fn an_hour_passes(&self) {
        self.stripe.move_clock(json!({ "advance_seconds": 3600 })).await.expect("the clock moves");
    }

    /// It is written after the read is: so often, and not more.
    async fn until_said_of(&self, member: &Member, times: usize) {
        self.until("it is said", async || self.said_of(member).await >= times).await;
        assert_eq!(self.said_of(member).await, times);
    }

    /// How often it was said of a member that a trial is not their first.
    async fn said_of(&self, member: &Member) -> usize {
        let user = i64::try_from(member.user).expect("a snowflake");
        self.audit_where(|entry| {
            entry.is(AuditAction::TrialRepeated) && entry.is_by(Actor::Stripe) && entry.user_id == Some(user)
        })
        .await
    }
}

#[tokio::test]
async fn a_second_trial_is_said_once_and_gives_what_the_first_one_gave() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let first = world.tries(&ana).await;
    world.tries(&ben).await;
    world.stripe.cancel(&first).await.unwrap();
    world.until_no_vip(&ana).await;
    assert_eq!(world.audit(AuditAction::TrialRepeated).await, 0, "the first of each");
    let second = world.tries(&ana).await;
    world.until_said_of(&ana, 1).await;
    let why = world.why(&ana).await;
    assert!(why.contains("is not their first"), "{why}");
    assert!(
        why.contains(&format!("{second} is in a trial; the first one of this member was of {first}")),
        "{why}"
    );
    assert!(!world.why(&ben).await.contains("is not their first"));
    // However often it is read.
    for plan in ["a", "b"] {
        world.stripe.set_subscription(&second, json!({ "metadata": { "plan": plan } })).await.unwrap();
        world.heard().await;
    }
    assert_eq!(world.audit(AuditAction::TrialRepeated).await, 1);
    assert!(world.has(&ana, world.vip).await);
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked", "role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn a_trial_by_another_customer_of_theirs_or_by_a_trial_offer_is_a_second_one_too() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    world.tries(&ana).await;
    let named = [("discord_user_id", &*ana.user.to_string())];
    let customer = world.stripe.create_customer(None, &named).await.unwrap();
    let again = Member { user: ana.user, customer };
    world.tries(&again).await;
    // Both run.
    world.until_said_of(&ana, 1).await;
    let cheap = world.stripe.create_price(&world.product, 100).await.unwrap();
    let offer = json!({ "price": cheap, "transition_price": world.price });
    let offer = world.stripe.create_trial_offer(offer).await.unwrap();
    world.an_hour_passes().await;
    for (member, times) in [(&ana, 2), (&ben, 0)] {
        let new = json!({ "customer": member.customer, "trial_offers": [offer] });
        world.stripe.subscribe_with(new).await.unwrap();
        world.until_vip(member).await;
        world.heard().await;
        world.until_said_of(member, times).await;
    }
    // Of an offer nothing is left at Stripe when it is over, and it was a trial.
    world.stripe.move_clock(json!({ "advance_seconds": 32 * 24 * 3600 })).await.unwrap();
    world.heard().await;
    world.tries(&ben).await;
    world.until_said_of(&ben, 1).await;
    world.finish().await;
}

#[tokio::test]
async fn which_trial_was_first_does_not_depend_on_which_was_read_first() {
    let world = World::start().await;
    let ana = world.member().await;
    // Nobody hears of the first one until the second is there.
    world.stripe.delivery(Mode::Hold).await.unwrap();
    let new = json!({ "customer": ana.customer, "prices": [world.price], "status": "trialing" });
    let first = world.stripe.subscribe_with(new.clone()).await.unwrap();
    world.stripe.move_clock(json!({ "advance_seconds": 3600 })).await.unwrap();
    world.stripe.delivery(Mode::Live).await.unwrap();
    let second = world.stripe.subscribe_with(new).await.unwrap();
    world.until_vip(&ana).await;
    assert_eq!(world.said_of(&ana).await, 0, "it is the only one that is known");
    world.stripe.release(&[]).await.unwrap();
    world.heard().await;
    world.until_said_of(&ana, 1).await;
    let why = world.why(&ana).await;
    let said = format!("{second} is in a trial; the first one of this member was of {first}");
    assert!(why.contains(&said), "{why}");
    world.finish().await;
}
