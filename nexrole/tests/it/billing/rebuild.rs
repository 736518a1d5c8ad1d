//! Access, derived again from what was read from Stripe, after somebody deleted or changed what was derived. Nobody loses a role by rows
//! alone.

use serde_json::json;
use shared::domain::audit::AuditAction;

use crate::support::world::{Member, World};

impl World {
    async fn rebuild(&self, arguments: &[&str]) -> String {
        self.of_guild(&[&["rebuild"], arguments].concat()).await.expect("it is derived")
    }

    async fn until_rebuilt(&self) {
        let done = async || self.of_guild(&["backfill"]).await.is_ok_and(|said| said.contains("Done "));
        self.until("the rebuild has ended", done).await;
    }

    async fn paths_read(&self, part: &str) -> usize {
        let requests = self.stripe.requests().await.expect("Stripe answers");
        requests.iter().filter(|request| request.path_and_query.contains(part)).count()
    }

    async fn payer_with_vip(&self) -> (Member, String) {
        let member = self.member().await;
        let subscription = self.subscribes(&member).await;
        self.until_vip(&member).await;
        self.heard().await;
        (member, subscription)
    }
}

#[tokio::test]
async fn sources_that_somebody_deleted_are_derived_again_without_a_read() {
    let world = World::start().await;
    let (ana, _) = world.payer_with_vip().await;
    let (ben, cleo) = (world.member().await, world.member().await);
    let once = world.sells_once().await;
    world.buys(&ben, &once).await;
    world.heard().await;
    world.subscribes(&cleo).await;
    world.until_vip(&cleo).await;
    world.heard().await;
    let same = world.rebuild(&["--dry-run"]).await;
    assert!(same.contains("nothing would change"), "{same}");

    world.sources_are_deleted().await;
    world.stripe.clear_requests().await.unwrap();
    let said = world.rebuild(&["--dry-run"]).await;
    assert!(said.contains("paid for by 3 member(s), and not written down"), "{said}");
    for member in [&ana, &ben, &cleo] {
        assert!(said.contains(&format!("member {}", member.user)), "{said}");
    }
    assert_eq!(world.sources_live().await, 0, "a preview changes nothing");
    let asked = world.of_guild(&["rebuild"]).await.unwrap_err();
    assert!(asked.contains("nothing was changed"), "{asked}");

    let said = world.rebuild(&["--yes"]).await;
    assert!(said.contains("derived again"), "{said}");
    world.until_rebuilt().await;
    world.settle().await;
    assert_eq!(world.sources_live().await, 3);
    assert_eq!(world.paths_read("/v1/subscriptions/").await + world.paths_read("/v1/checkout").await, 0);
    for member in [&ana, &ben, &cleo] {
        assert_eq!(world.role_history(member).await, ["role.granted"]);
    }
    let why = world.why(&ana).await;
    assert!(why.contains("as last read"), "{why}");
    assert_eq!(world.audit(AuditAction::RebuildAsked).await, 1);
    world.finish().await;
}

#[tokio::test]
async fn sources_that_somebody_gave_to_others_end_only_by_what_stripe_says() {
    let world = World::start().await;
    let (ana, hers) = world.payer_with_vip().await;
    let (cleo, _) = world.payer_with_vip().await;
    let ben = world.member().await;
    world.sources_become(&hers, &ben).await;
    // What somebody made up: Stripe knows no such subscription.
    world.source_is_made_up(&cleo, "sub_made_up").await;
    world.stripe.clear_requests().await.unwrap();
    let said = world.rebuild(&["--yes"]).await;
    assert!(said.contains("for 1 member(s) for whom nothing that was read gives it"), "{said}");
    assert!(said.contains("2 of them are read from Stripe first"), "{said}");
    world.until_rebuilt().await;
    assert!(
        world.paths_read(&format!("/v1/subscriptions/{hers}")).await > 0,
        "it was read before anything ended"
    );
    assert!(
        world.has(&ana, world.vip).await
            && world.has(&cleo, world.vip).await
            && !world.has(&ben, world.vip).await
    );
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    assert_eq!(world.role_history(&cleo).await, ["role.granted"]);
    // It is no evidence that Stripe has none such: it stays, and is shown.
    let failed = world.of_guild(&["failed", "list"]).await.unwrap();
    assert!(failed.contains("sub_made_up"), "{failed}");
    world.close().await;
}

/// A grace is counted from a payment of which the rows do not keep all: Stripe is asked about that one alone.
#[tokio::test]
async fn what_the_rows_do_not_keep_whole_is_read_from_stripe() {
    let world = World::start().await;
    let (ana, hers) = world.payer_with_vip().await;
    let (ben, his) = world.payer_with_vip().await;
    world.stripe.set_subscription(&hers, json!({ "status": "past_due" })).await.unwrap();
    world.heard().await;
    world.sources_are_deleted().await;
    world.stripe.clear_requests().await.unwrap();
    let said = world.rebuild(&["--yes"]).await;
    assert!(said.contains("1 of them are read from Stripe first"), "{said}");
    world.until_rebuilt().await;
    world.until("both are there again", async || world.sources_live().await == 2).await;
    world.settle().await;
    assert!(world.paths_read(&format!("/v1/subscriptions/{hers}")).await > 0);
    assert_eq!(world.paths_read(&format!("/v1/subscriptions/{his}")).await, 0);
    for member in [&ana, &ben] {
        assert_eq!(world.role_history(member).await, ["role.granted"]);
    }
    world.finish().await;
}
