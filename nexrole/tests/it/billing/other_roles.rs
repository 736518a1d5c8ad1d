//! Roles beside the one that is paid for: while a payment is due, after the end, for newcomers, and for who has paid for long.

use serde_json::json;

use crate::support::world::{Member, World};

impl World {
    /// Maps the world's price to a role that is made for it, by this policy.
    async fn another_role(&self, name: &str, choices: &[&str]) -> u64 {
        let role = self.discord.create_role(self.guild, name).await.expect("Discord answers");
        let id = role.to_string();
        let add = ["map", "add", "--price", &self.price, "--role", &id];
        self.of_guild(&[&add[..], choices].concat()).await.expect("it is mapped");
        self.until_every_mapped_role_is_seen().await;
        role
    }

    /// `nexrole map policy` for the world's role.
    async fn set_policy_of_vip(&self, choice: &str) {
        let role = self.vip.to_string();
        let set = ["map", "policy", "--price", &self.price, "--role", &role, choice];
        self.of_guild(&set).await.expect("it is set");
    }

    async fn until_roles(&self, member: &Member, held: &[(u64, bool)]) {
        self.until(&format!("{} has {held:?}", member.user), async || {
            for &(role, expected) in held {
                if self.has(member, role).await != expected {
                    return false;
                }
            }
            true
        })
        .await;
        self.settle().await;
    }
}

#[tokio::test]
async fn whose_payment_fails_has_another_role_until_it_is_paid_and_a_third_one_after_the_end() {
    let world = World::start().await;
    let grace = world.another_role("Payment issue", &["only=grace"]).await;
    let alumni = world.another_role("Alumni", &["only=ended"]).await;
    world.set_policy_of_vip("past_due=remove").await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    let held = |vip, in_grace, after| [(world.vip, vip), (grace, in_grace), (alumni, after)];
    world.until_roles(&ana, &held(true, false, false)).await;
    world.stripe.set_subscription(&subscription, json!({ "status": "past_due" })).await.unwrap();
    world.until_roles(&ana, &held(false, true, false)).await;
    assert_eq!(world.days_left(&ana).await, [Some(14)], "the other role has an end, too");
    world.stripe.set_subscription(&subscription, json!({ "status": "active" })).await.unwrap();
    world.until_roles(&ana, &held(true, false, false)).await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_roles(&ana, &held(false, false, true)).await;
    // The time runs out as it does for the role itself.
    let ben = world.member().await;
    let his = world.subscribes(&ben).await;
    world.until_roles(&ben, &held(true, false, false)).await;
    world.stripe.set_subscription(&his, json!({ "status": "past_due" })).await.unwrap();
    world.until_roles(&ben, &held(false, true, false)).await;
    world.unpaid_for_days(15).await;
    world.until_roles(&ben, &held(false, false, false)).await;
    world.finish().await;
}

#[tokio::test]
async fn a_role_for_who_has_paid_for_half_a_year_comes_by_itself_also_to_who_paid_before_it_was_mapped() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let hers = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let long_ago = world.stripe.now().await.unwrap() - 200 * 24 * 3600;
    world.stripe.set_subscription(&hers, json!({ "start_date": long_ago })).await.unwrap();
    world.heard().await;
    let loyal = world.another_role("Half a year", &["paid_for=after_180d"]).await;
    world.until_roles(&ana, &[(world.vip, true), (loyal, true)]).await;
    let his = world.subscribes(&ben).await;
    world.until_roles(&ben, &[(world.vip, true), (loyal, false)]).await;
    // A day before, a day after: nothing happens at Stripe, and the role comes.
    let almost = world.stripe.now().await.unwrap() - 179 * 24 * 3600;
    world.stripe.set_subscription(&his, json!({ "start_date": almost })).await.unwrap();
    world.heard().await;
    assert!(!world.has(&ben, loyal).await);
    assert_eq!(world.reads_tomorrow().await, 1, "it is read again when the time has come");
    world.stripe.set_subscription(&his, json!({ "start_date": almost - 2 * 24 * 3600 })).await.unwrap();
    world.until_roles(&ben, &[(world.vip, true), (loyal, true)]).await;
    world.stripe.cancel(&his).await.unwrap();
    world.until_roles(&ben, &[(world.vip, false), (loyal, false)]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_welcome_is_for_the_first_days_after_the_first_payment_and_not_for_a_trial() {
    let world = World::start().await;
    let welcome = world.another_role("Welcome", &["paid_for=first_30d"]).await;
    let (ana, ben) = (world.member().await, world.member().await);
    let hers = world.subscribes(&ana).await;
    world.until_roles(&ana, &[(world.vip, true), (welcome, true)]).await;
    let (day, now) = (24 * 3600, world.stripe.now().await.unwrap());
    let trial = json!({ "customer": ben.customer, "prices": [world.price], "status": "trialing" });
    let his = world.stripe.subscribe_with(trial).await.unwrap();
    world.until_roles(&ben, &[(world.vip, true), (welcome, false)]).await;
    world
        .stripe
        .set_subscription(
            &his,
            json!({ "status": "active", "start_date": now - 7 * day, "trial_end": now - 60 }),
        )
        .await
        .unwrap();
    world.until_roles(&ben, &[(world.vip, true), (welcome, true)]).await;
    world.stripe.set_subscription(&hers, json!({ "start_date": now - 31 * day })).await.unwrap();
    world.until_roles(&ana, &[(world.vip, true), (welcome, false)]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_mapping_that_is_there_by_another_policy_is_not_changed_by_adding_it_again() {
    let world = World::start().await;
    let role = world.vip.to_string();
    let add = ["map", "add", "--price", &world.price, "--role", &role];
    assert!(world.of_guild(&add).await.unwrap().contains("It was mapped already."));
    let refused = world.of_guild(&[&add[..], &["only=grace"]].concat()).await.unwrap_err();
    assert!(refused.contains("`nexrole map policy` shows and changes them"), "{refused}");
    let refused = world.of_guild(&[&add[..], &["only=sometimes"]].concat()).await.unwrap_err();
    assert!(refused.contains("only=sometimes: there is no such rule"), "{refused}");
    assert_eq!(world.policies_set().await, 0);
    world.close().await;
}
