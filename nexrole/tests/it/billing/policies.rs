//! What the states of a subscription are worth is the owner's choice, and applies to who has bought before, too.

use serde_json::json;
use shared::domain::audit::{Actor, AuditAction};

use crate::support::world::World;

impl World {
    /// `nexrole map policy` for the mapping of the world.
    async fn policy(&self, choices: &[&str]) -> Result<String, String> {
        let role = self.vip.to_string();
        let mapping = ["map", "policy", "--price", &self.price, "--role", &role];
        self.of_guild(&[&mapping[..], choices].concat()).await
    }
}

fn past_due() -> serde_json::Value {
    json!({ "status": "past_due" })
}

#[tokio::test]
async fn where_a_failed_payment_is_worth_nothing_it_takes_the_role_at_once() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let (hers, his) = (world.subscribes(&ana).await, world.subscribes(&ben).await);
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;
    world.stripe.set_subscription(&hers, past_due()).await.unwrap();
    world.until("her grace is known", async || world.days_left(&ana).await == [Some(14)]).await;
    assert!(world.has(&ana, world.vip).await);
    // Hers has failed before: it applies to her, too.
    let said = world.policy(&["past_due=remove"]).await.unwrap();
    assert!(said.contains("remove  (the default is 14d)"), "{said}");
    assert!(said.contains("Set. 2 known subscription(s) or purchase(s) are being read again."), "{said}");
    world.until_no_vip(&ana).await;
    assert!(world.has(&ben, world.vip).await, "his is paid");
    world.stripe.set_subscription(&his, past_due()).await.unwrap();
    world.until_no_vip(&ben).await;
    // Both have it again for the time that is left.
    world.policy(&["past_due=default"]).await.unwrap();
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;
    assert_eq!(world.days_left(&ana).await, [Some(14)]);
    assert_eq!(
        world.audit_where(|entry| entry.is(AuditAction::PolicySet) && entry.is_by(Actor::Operator)).await,
        2
    );
    let exported = world.of_guild(&["export"]).await.unwrap();
    assert!(exported.contains(r#""change":{"past_due":["14d","remove"]}"#), "{exported}");
    world.finish().await;
}

#[tokio::test]
async fn a_longer_grace_is_counted_from_the_same_failure() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.policy(&["past_due=30d"]).await.unwrap();
    world.settle().await;
    world.stripe.set_subscription(&subscription, past_due()).await.unwrap();
    world.until("the grace is known", async || world.days_left(&ana).await == [Some(30)]).await;
    world.unpaid_for_days(20).await;
    assert_eq!(world.days_left(&ana).await, [Some(10)]);
    world.policy(&["past_due=25d"]).await.unwrap();
    world.until("it is shorter", async || world.days_left(&ana).await == [Some(5)]).await;
    assert!(world.has(&ana, world.vip).await);
    // It has been over since.
    world.policy(&["past_due=7d"]).await.unwrap();
    world.until_no_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    world.finish().await;
}

#[tokio::test]
async fn a_policy_is_shown_and_a_choice_that_is_none_changes_nothing() {
    let world = World::start().await;
    let shown = world.policy(&[]).await.unwrap();
    assert!(shown.contains("while what was bought is\n  trialing"), "{shown}");
    assert_eq!((shown.lines().count(), shown.matches("(default)").count()), (26, 25), "{shown}");
    let refused = world.policy(&["past_due=7d", "late=keep", "canceled=30d"]).await.unwrap_err();
    for said in [
        "late=keep: there is no such state",
        "canceled=30d: days are counted",
        "States: trialing, ",
        "Rules: keep, ",
    ] {
        assert!(refused.contains(said), "{refused}");
    }
    assert!(refused.ends_with("Nothing was changed.\n"), "{refused}");
    assert_eq!(world.policy(&[]).await.unwrap(), shown);
    assert!(world.policy(&["trialing=keep"]).await.unwrap().contains("It was so already."));
    let said = world.policy(&["trialing=remove", "pause_requested=period_end"]).await.unwrap();
    assert!(said.contains("period_end  (the default is remove)") && said.contains("Set. 0 known"), "{said}");
    assert_eq!(world.policies_set().await, 1);
    world.policy(&["trialing=default", "pause_requested=remove"]).await.unwrap();
    assert_eq!(world.policies_set().await, 0, "nothing differs: nothing is kept");
    let role = world.vip.to_string();
    let other = ["map", "policy", "--product", &world.product, "--role", &role];
    for choices in [&[][..], &["past_due=7d"]] {
        let refused = world.of_guild(&[&other[..], choices].concat()).await.unwrap_err();
        assert!(refused.contains("does not give role"), "{refused}");
    }
    world.finish().await;
}
