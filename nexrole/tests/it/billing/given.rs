//! Roles that an owner gives by hand: beside what is bought, for a reason, and perhaps for a while.

use serde_json::json;
use shared::domain::audit::{Actor, AuditAction};

use crate::support::world::{Member, World};

impl World {
    /// `nexrole grant` or `nexrole revoke` for a member and a role.
    async fn by_hand(
        &self,
        command: &str,
        member: &Member,
        role: u64,
        more: &[&str],
    ) -> Result<String, String> {
        let (member, role) = (member.user.to_string(), role.to_string());
        self.of_guild(&[&[command, "--member", &member, "--role", &role][..], more].concat()).await
    }

    async fn grant(&self, member: &Member, more: &[&str]) -> Result<String, String> {
        self.by_hand("grant", member, self.vip, &[&["--reason", "won the raffle"][..], more].concat()).await
    }

    async fn revoke(&self, member: &Member) -> Result<String, String> {
        self.by_hand("revoke", member, self.vip, &[]).await
    }
}

#[tokio::test]
async fn a_role_is_given_by_hand_extended_explained_and_taken_back() {
    let world = World::start().await;
    let ana = world.member().await;
    let said = world.grant(&ana, &["--for", "30d"]).await.unwrap();
    assert!(said.starts_with("Given until 20") && said.contains("The bot gives the role"), "{said}");
    world.until_vip(&ana).await;
    assert_eq!(world.days_left(&ana).await, [Some(30)]);
    let why = world.why(&ana).await;
    assert!(why.contains("a reason to have it: given by hand"), "{why}");
    assert!(why.contains("(the reason: won the raffle)  (ends by itself 20"), "{why}");
    assert!(why.contains("access.began") && why.contains("by operator: given by hand"), "{why}");

    let said = world.grant(&ana, &["--until", "2199-12-31"]).await.unwrap();
    assert!(said.starts_with("It was given already; now until 2200-01-01 00:00:00 UTC."), "{said}");
    assert_eq!(world.grant(&ana, &["--until", "2199-12-31"]).await.unwrap(), "It was given so already.\n");
    let said = world.grant(&ana, &[]).await.unwrap();
    assert!(said.starts_with("It was given already; now without an end."), "{said}");
    assert_eq!(world.days_left(&ana).await, [None]);
    let written = |action: AuditAction| {
        world.audit_where(move |entry| entry.is(action) && entry.is_by(Actor::Operator))
    };
    assert_eq!(written(AuditAction::AccessBegan).await, 1);
    assert_eq!(written(AuditAction::AccessChanged).await, 2);
    // A reason may say something about a person: of history it goes with them, of Discord's log it is no part.
    assert_eq!(world.audit_where(|entry| entry.cause.contains("raffle")).await, 0);
    let exported = world.of_guild(&["export"]).await.unwrap();
    assert!(exported.contains(r#""reason":[null,"won the raffle"]"#), "{exported}");

    let said = world.revoke(&ana).await.unwrap();
    assert!(said.contains("loses role"), "{said}");
    world.until_no_vip(&ana).await;
    assert!(world.why(&ana).await.contains("lacks it because taken back by hand"));
    assert_eq!(written(AuditAction::AccessEnded).await, 1);
    let again = world.revoke(&ana).await.unwrap_err();
    assert!(again.contains("was not given to member"), "{again}");
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    world.finish().await;
}

#[tokio::test]
async fn what_is_bought_and_what_is_given_end_each_alone() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let (hers, his) = (world.subscribes(&ana).await, world.subscribes(&ben).await);
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;
    world.grant(&ana, &[]).await.unwrap();
    world.grant(&ben, &[]).await.unwrap();
    // Hers is revoked first, his purchase ends first.
    let said = world.revoke(&ana).await.unwrap();
    assert!(said.contains(&format!("keeps role {}: {hers} is active.", world.vip)), "{said}");
    let again = world.revoke(&ana).await.unwrap_err();
    assert!(again.contains(&format!("they have it because {hers} is active")), "{again}");
    world.stripe.cancel(&his).await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await && world.has(&ben, world.vip).await);
    assert_eq!(world.sources_live().await, 2);
    // Now the other of each.
    world.stripe.cancel(&hers).await.unwrap();
    world.until_no_vip(&ana).await;
    assert!(world.has(&ben, world.vip).await);
    world.revoke(&ben).await.unwrap();
    world.until_no_vip(&ben).await;
    world.finish().await;
}

#[tokio::test]
async fn a_role_that_must_not_be_sold_is_not_given_either() {
    let world = World::start().await;
    let ana = world.member().await;
    let unmapped = world.discord.create_role(world.guild, "Other").await.unwrap();
    let reason = ["--reason", "x"];
    for (role, said) in [(world.guild, "@everyone"), (unmapped, "first map what it is sold by")] {
        let refused = world.by_hand("grant", &ana, role, &reason).await.unwrap_err();
        assert!(refused.contains(said), "{refused}");
    }
    for (more, said) in [
        (&["--until", "2020-01-01"][..], "that end has passed"),
        (&["--until", "soon"], "as in 2026-12-31"),
        (&["--for", "0d"], "as in 30d"),
        (&["--for", "1d", "--until", "2199-12-31"], "cannot be used with"),
        (&["--reason", "twice"], "cannot be used multiple times"),
    ] {
        let refused = world.grant(&ana, more).await.unwrap_err();
        assert!(refused.contains(said), "{refused}");
    }
    let refused = world.by_hand("grant", &ana, world.vip, &["--reason", "two\nlines"]).await.unwrap_err();
    assert!(refused.contains("a reason is one line"), "{refused}");
    world.becomes_dangerous(world.vip).await;
    let refused = world.grant(&ana, &[]).await.unwrap_err();
    assert!(refused.contains("must not be given: it gives Administrator. Take those"), "{refused}");
    assert_eq!((world.sources().await, world.pending().await), (0, 0), "nothing was written");
    world.finish().await;
}

#[tokio::test]
async fn an_observed_role_is_given_by_hand_once_it_is_turned_on_also_after_its_mapping_has_gone() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let role = world.vip.to_string();
    world.of_guild(&["map", "enforce", "--role", &role, "--observe"]).await.unwrap();
    for member in [&ana, &ben] {
        let said = world.grant(member, &[]).await.unwrap();
        assert!(said.contains("only observed") && said.contains("map enforce"), "{said}");
    }
    let remove = ["map", "remove", "--price", &world.price, "--role", &role, "--yes"];
    world.of_guild(&remove).await.unwrap();
    world.settle().await;
    assert_eq!(world.mapped_roles().await.len(), 1, "it is still observed, for those who were given it");
    assert!(world.role_calls().await.is_empty());
    let said = world.revoke(&ben).await.unwrap();
    assert!(said.contains("only observed: nobody loses it"), "{said}");
    world.of_guild(&["map", "enforce", "--role", &role]).await.unwrap();
    world.until_vip(&ana).await;
    world.revoke(&ana).await.unwrap();
    world.until_no_vip(&ana).await;
    assert!(!world.has(&ben, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn what_was_given_for_a_while_ends_by_itself_and_what_is_bought_stays() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let his = world.subscribes(&ben).await;
    world.until_vip(&ben).await;
    for member in [&ana, &ben] {
        world.grant(member, &["--for", "30d"]).await.unwrap();
        world.until_vip(member).await;
    }
    // His payment fails, too: that has a time of its own, at which it is read again.
    world.stripe.set_subscription(&his, json!({ "status": "past_due" })).await.unwrap();
    world.until("his grace is known", async || world.days_left(&ben).await == [Some(30), Some(14)]).await;
    world.given_for_days(29).await;
    world.settle().await;
    assert_eq!(world.days_left(&ana).await, [Some(1)]);
    world.given_for_days(1).await;
    world.until_no_vip(&ana).await;
    world.until("his ends, too", async || world.days_left(&ben).await == [Some(14)]).await;
    world.settle().await;
    assert!(world.has(&ben, world.vip).await, "he still has two weeks to pay");
    let why = world.why(&ana).await;
    assert!(why.contains("lacks it because its time is over"), "{why}");
    assert!(why.contains("by bot: manual: its time is over"), "{why}");
    assert_eq!(world.audit(AuditAction::AccessEnded).await, 2);
    // Given once more, it begins anew.
    world.grant(&ana, &["--for", "1d"]).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}
