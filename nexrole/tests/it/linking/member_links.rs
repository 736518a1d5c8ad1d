//! Whose a purchase is: the customer's link, a subscription's own metadata, and what happens when the two, or Stripe's metadata of
//! today and of yesterday, disagree.

use serde_json::json;
use shared::domain::audit::{Actor, AuditAction};

use crate::support::world::{Audited, Member, World};

impl World {
    /// Somebody in the server, with this customer.
    async fn member_with(&self, customer: &str) -> Member {
        let user = self.discord.join(self.guild, "member").await.expect("it is answered");
        Member { user, customer: customer.to_owned() }
    }

    /// A subscription that says itself whom it is for.
    async fn subscribes_for(&self, member: &Member, price: &str) -> String {
        let metadata = json!({ "discord_user_id": member.user.to_string() });
        let params = json!({ "customer": member.customer, "prices": [price], "metadata": metadata });
        self.stripe.subscribe_with(params).await.expect("it is answered")
    }
}

#[tokio::test]
async fn two_subscriptions_of_one_customer_are_for_two_members_by_their_own_metadata() {
    let world = World::start().await;
    let customer = world.stripe.create_customer(None, &[]).await.unwrap();
    let (ana, ben) = (world.member_with(&customer).await, world.member_with(&customer).await);
    let anas = world.subscribes_for(&ana, &world.price).await;
    world.until_vip(&ana).await;
    let bens = world.subscribes_for(&ben, &world.price).await;
    world.until_vip(&ben).await;
    assert!(world.has(&ana, world.vip).await, "each by their own");
    let why = world.why(&ben).await;
    assert!(why.contains(&format!("{bens} of {customer}")) && !why.contains(&anas), "{why}");
    let status = world.status().await;
    assert!(!status.contains("not linked"), "{status}");
    // The end of one is the end of that one.
    world.stripe.cancel(&anas).await.unwrap();
    world.until_no_vip(&ana).await;
    assert!(world.has(&ben, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn a_subscriptions_own_metadata_is_nearer_than_its_customers_link() {
    let world = World::start().await;
    let payer = world.member().await;
    let theirs = world.subscribes(&payer).await;
    world.until_vip(&payer).await;
    let ben = world.member_with(&payer.customer).await;
    let present = world.subscribes_for(&ben, &world.price).await;
    world.until_vip(&ben).await;
    // What they pay for themselves stays theirs, and a present does not make them Ben.
    assert!(world.has(&payer, world.vip).await);
    let why = world.why(&payer).await;
    assert!(why.contains(&format!("Also: {present} is {}'s: its own metadata", ben.user)), "{why}");
    world.stripe.cancel(&theirs).await.unwrap();
    world.until_no_vip(&payer).await;
    // A present that is passed on, by whoever may write Stripe's metadata.
    let cy = world.member_with(&payer.customer).await;
    let change = json!({ "metadata": { "discord_user_id": cy.user.to_string() } });
    world.stripe.set_subscription(&present, change).await.unwrap();
    world.until_vip(&cy).await;
    world.until_no_vip(&ben).await;
    // Metadata that says nothing, or nonsense, ends nothing.
    for metadata in [json!({}), json!({ "discord_user_id": "@cy" }), json!(null)] {
        world.stripe.set_subscription(&present, json!({ "metadata": metadata })).await.unwrap();
        world.heard().await;
        assert!(world.has(&cy, world.vip).await && !world.has(&payer, world.vip).await, "{metadata}");
    }
    // The operator's hand does: then the customer's own metadata counts.
    let guild = world.guild.to_string();
    world.nexrole(&["link", "remove", "--guild", &guild, "--customer", &payer.customer]).await.unwrap();
    world.until_vip(&payer).await;
    world.until_no_vip(&cy).await;
    world.finish().await;
}

#[tokio::test]
async fn a_member_by_a_subscriptions_metadata_can_be_forgotten() {
    let world = World::start().await;
    let payer = world.member().await;
    world.subscribes(&payer).await;
    let ben = world.member_with(&payer.customer).await;
    let present = world.subscribes_for(&ben, &world.price).await;
    world.until_vip(&ben).await;
    world.until_vip(&payer).await;
    let (guild, member) = (world.guild.to_string(), ben.user.to_string());
    let erase = ["erase", "--guild", &guild, "--member", &member];
    let refused = world.nexrole(&erase).await.unwrap_err();
    assert!(refused.contains(&format!("says discord_user_id {member}. Remove that at Stripe")), "{refused}");
    let nobody = json!({ "metadata": {}, "status": "canceled" });
    world.stripe.set_subscription(&present, nobody).await.unwrap();
    world.until_no_vip(&ben).await;
    let said = world.nexrole(&erase).await.unwrap();
    assert!(said.contains("Forgotten."), "{said}");
    assert_eq!(world.subscriptions_where(|one| one.user_id.is_some()).await, 0);
    world.until_vip(&payer).await;
    world.close().await;
}

#[tokio::test]
async fn a_corrected_link_that_is_not_followed_is_named_everywhere_with_the_way_out() {
    let world = World::start().await;
    let (ana, other_member) = (world.member().await, world.member().await);
    world.subscribes(&other_member).await;
    world.until_vip(&other_member).await;
    let right = json!({ "metadata": { "discord_user_id": ana.user.to_string() } });
    world.stripe.update_customer(&other_member.customer, right).await.unwrap();
    world.heard().await;
    assert!(!world.has(&ana, world.vip).await && world.has(&other_member, world.vip).await);
    let way_out = format!("nexrole link remove --guild {} --customer {}", world.guild, other_member.customer);
    let linked = format!("is linked to {}, but its metadata at Stripe names {}", other_member.user, ana.user);
    for why in [world.why(&ana).await, world.why(&other_member).await] {
        assert!(why.contains(&linked) && why.contains(&way_out), "{why}");
    }
    let status = world.status().await;
    assert!(
        status
            .contains(&format!("Customer `{}` is linked to <@{}>", other_member.customer, other_member.user)),
        "{status}"
    );
    assert!(status.contains(&format!("names <@{}>", ana.user)) && status.contains("link remove"), "{status}");
    let doctor = world.doctor().await;
    let said = &doctor["stripe.links"];
    assert!(said["detail"].as_str().unwrap().contains(&linked) && said["state"] == "warn", "{said}");
    assert!(said["fix"].as_str().unwrap().contains(&way_out), "{said}");
    // The way out, and then nothing is said any more.
    let guild = world.guild.to_string();
    world
        .nexrole(&["link", "remove", "--guild", &guild, "--customer", &other_member.customer])
        .await
        .unwrap();
    world.until_vip(&ana).await;
    world.until_no_vip(&other_member).await;
    assert!(!world.status().await.contains("metadata"));
    assert!(!world.why(&other_member).await.contains("metadata at Stripe names"));
    assert_eq!(world.doctor().await["stripe.links"]["state"], "ok");
    world.finish().await;
}

#[tokio::test]
async fn a_link_whose_holder_was_never_in_the_server_follows_the_correction() {
    let world = World::start().await;
    // What a spreadsheet makes of the last digits.
    let rounded = |member: &Member| (member.user / 1000 * 1000 + 1).to_string();
    let other = json!({ "product": world.product, "unit_amount": 100, "type": "one_time" });
    let other = world.stripe.create_price_with(other).await.unwrap();
    // Who had bought nothing was never linked to the wrong member.
    for (before, moved_so_far) in [("subscribes", 1), ("buys something else", 2), ("buys nothing", 2)] {
        let pays_first = before == "subscribes";
        let ana = world.member().await;
        let wrong = world.stripe.create_customer(None, &[("discord_user_id", &rounded(&ana))]).await.unwrap();
        let ana = Member { customer: wrong, ..ana };
        if pays_first {
            world.subscribes(&ana).await;
            world.heard().await;
            world.subscribes(&ana).await;
        } else if before == "buys something else" {
            world.checks_out(&ana, &other, json!({})).await;
        }
        world.heard().await;
        let right = json!({ "metadata": { "discord_user_id": ana.user.to_string() } });
        world.stripe.update_customer(&ana.customer, right).await.unwrap();
        if !pays_first {
            world.heard().await;
            world.subscribes(&ana).await;
        }
        world.until_vip(&ana).await;
        let moved = |entry: &Audited| entry.is(AuditAction::MemberUnlinked) && entry.is_by(Actor::Stripe);
        assert_eq!(world.audit_where(moved).await, moved_so_far, "{before}");
        let stale = async || world.sources_of_unlinked_members().await;
        world.until("all that was paid for is theirs", async || stale().await == 0).await;
    }
    assert!(!world.status().await.contains("metadata"));
    world.finish().await;
}

#[tokio::test]
async fn a_link_by_the_owners_hand_does_not_follow_metadata() {
    let world = World::start().await;
    let ana = world.member().await;
    let customer = world.stripe.create_customer(None, &[]).await.unwrap();
    // Not in the server yet.
    let (guild, awaited) = (world.guild.to_string(), "81384788765712384");
    world
        .nexrole(&["link", "add", "--guild", &guild, "--customer", &customer, "--user", awaited])
        .await
        .unwrap();
    world.heard().await;
    let other = json!({ "metadata": { "discord_user_id": ana.user.to_string() } });
    world.stripe.update_customer(&customer, other).await.unwrap();
    world.stripe.subscribe(&customer, &world.price).await.unwrap();
    world.heard().await;
    assert!(!world.has(&ana, world.vip).await);
    assert!(world.why(&ana).await.contains(&format!("is linked to {awaited}, but its metadata")));
    world.finish().await;
}

/// What a subscription named itself is taken back by the same command, and that is said.
#[tokio::test]
async fn who_is_named_by_a_subscription_alone_is_told_to_lose_it() {
    let world = World::start().await;
    let customer = world.stripe.create_customer(None, &[]).await.unwrap();
    let ana = world.member_with(&customer).await;
    let present = world.subscribes_for(&ana, &world.price).await;
    world.until_vip(&ana).await;
    world.stripe.set_subscription(&present, json!({ "metadata": {} })).await.unwrap();
    let guild = world.guild.to_string();
    let remove = ["link", "remove", "--guild", &guild, "--customer", &customer];
    let said = world.nexrole(&remove).await.unwrap();
    assert!(
        said.contains(&format!("{present} is not {}'s any more", ana.user)) && !said.contains("nobody"),
        "{said}"
    );
    world.until_no_vip(&ana).await;
    let said = world.nexrole(&remove).await.unwrap();
    assert!(said.contains("was linked to nobody"), "{said}");
    world.finish().await;
}
