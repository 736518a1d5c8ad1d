//! A mapping is removed: what it alone gave is taken back, and what becomes of whom is shown before.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use shared::domain::audit::AuditAction;

use crate::support::world::{Member, World};

impl World {
    async fn unmap(&self, price: &str, more: &[&str]) -> Result<String, String> {
        let role = self.vip.to_string();
        let remove = ["map", "remove", "--price", price, "--role", &role];
        self.of_guild(&[&remove[..], more].concat()).await
    }

    async fn enforce(&self, more: &[&str]) -> String {
        let role = self.vip.to_string();
        self.of_guild(&[&["map", "enforce", "--role", &role][..], more].concat()).await.unwrap()
    }

    async fn payer(&self) -> Member {
        let member = self.member().await;
        self.subscribes(&member).await;
        self.until_vip(&member).await;
        member
    }
}

#[tokio::test]
async fn what_a_removed_mapping_alone_gave_is_taken_and_what_another_gives_stays() {
    let world = World::start().await;
    let yearly = world.stripe.create_price(&world.product, 9_000).await.unwrap();
    world.map("price", &yearly, world.vip).await;
    let (ana, ben) = (world.payer().await, world.payer().await);
    world.stripe.subscribe(&ben.customer, &yearly).await.unwrap();
    world.heard().await;

    let refused = world.unmap(&world.price, &[]).await.unwrap_err();
    assert!(
        refused.contains("nothing was changed: there is no terminal") && refused.contains("--yes"),
        "{refused}"
    );
    assert_eq!((world.mappings().await, world.sources_live().await), (2, 3), "asking changes nothing");

    let said = world.unmap(&world.price, &["--yes"]).await.unwrap();
    let (lose, keep) = said.split_once("\n\nHave it from Nexrole, and keep it").unwrap();
    assert!(lose.ends_with(&format!("would lose it\n  member {}", ana.user)), "{said}");
    assert!(keep.contains(&format!("gives it, too\n  member {}\n", ben.user)), "{said}");
    assert!(said.contains("Removed. 1 member(s) lose role"), "{said}");
    world.until_no_vip(&ana).await;
    assert!(world.has(&ben, world.vip).await);
    assert_eq!(world.audit(AuditAction::MappingRemoved).await, 1);
    assert_eq!(world.audit(AuditAction::AccessEnded).await, 2);
    assert!(world.why(&ana).await.contains(&format!("price {} is not mapped to it any more", world.price)));
    let list = world.map_list().await;
    assert!(list.contains(&yearly) && !list.contains(&world.price), "{list}");
    let again = world.unmap(&world.price, &["--yes"]).await.unwrap_err();
    assert!(again.contains("does not give role"), "{again}");

    // Mapped again, it gives again.
    world.map("price", &world.price, world.vip).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

/// One subscription with two mapped items.
#[tokio::test]
async fn a_subscription_that_is_mapped_by_its_product_too_goes_on_giving() {
    let world = World::start().await;
    world.map("product", &world.product, world.vip).await;
    let ana = world.payer().await;
    let said = world.unmap(&world.price, &["--yes"]).await.unwrap();
    assert!(said.contains("would lose it\n  nobody") && said.contains("0 member(s) lose"), "{said}");
    world.settle().await;
    assert!(world.has(&ana, world.vip).await);
    assert_eq!(world.role_calls().await, ["PUT 204"]);
    world.finish().await;
}

#[tokio::test]
async fn nothing_is_taken_while_the_role_is_only_observed() {
    let world = World::start().await;
    let ana = world.payer().await;
    world.enforce(&["--observe"]).await;
    let said = world.unmap(&world.price, &["--yes"]).await.unwrap();
    assert!(said.contains("nothing is taken while it is") && said.contains("Removed. Role"), "{said}");
    world.settle().await;
    assert!(world.has(&ana, world.vip).await);
    assert!(world.enforce(&[]).await.contains("1 member(s)"));
    world.until_no_vip(&ana).await;
    world.finish().await;
}

/// Meanwhile somebody may have given it by hand.
#[tokio::test]
async fn a_role_that_is_mapped_again_is_checked_as_at_first_contact() {
    let world = World::start().await;
    assert!(world.unmap(&world.price, &["--yes"]).await.unwrap().contains("would lose it\n  nobody"));
    assert!(world.mapped_roles().await.is_empty());
    let veteran = world.member().await;
    world.discord.give_role(world.guild, veteran.user, world.vip).await.unwrap();
    world.map("price", &world.price, world.vip).await;
    world.until_every_mapped_role_is_seen().await;
    assert!(world.map_list().await.contains("only observed (1 had it before)"));
    world.finish().await;
}
