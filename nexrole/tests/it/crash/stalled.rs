//! Not dead, only asleep: a worker's session stands still until its lease has run out and others have done its work. When it
//! goes on, what it knows is old, and it must not write.

use nexrole::children::Service;
use sandbox::Fault;
use testkit::process::Stopped;

use super::{harness::Harness, hold::Hold, invariants, points::Payer};
use crate::support::world::World;

async fn jobs_of_lost_leases(world: &World) -> i64 {
    let query = "SELECT count(*) FROM role_jobs WHERE cause = 'a worker lost its lease'";
    sqlx::query_scalar(query).fetch_one(world.db()).await.expect("the query is good")
}

#[tokio::test]
async fn a_turn_that_stood_still_beyond_its_lease_writes_nothing() {
    let harness = Harness::start("stalled-turn").await;
    let (world, payer) = (&harness.world, Payer::new(&harness.world).await);
    let mut hold = Hold::nothing(&harness.url()).await;
    // The bot waits for Discord's answer while we get between it and its gate.
    let call =
        Fault::apply_then_hang().for_ms(1000).on("PUT", &format!("/members/{}/roles/", payer.member.user));
    world.discord.fault(call).await.expect("ordered");
    payer.pays(world).await;
    world.until("Discord acted", async || world.has(&payer.member, world.vip).await).await;
    hold.lock("SELECT FROM guild_gates FOR UPDATE").await;
    let asleep = Stopped::stop(hold.until_blocked("UPDATE guild_gates").await);
    hold.unlock().await;

    let history = async || world.role_history(&payer.member).await;
    world.until("another turn confirms the role", async || history().await == ["role.granted"]).await;
    world.stripe.cancel(&payer.subscription).await.expect("cancels");
    world.until("another turn takes it", async || history().await == ["role.granted", "role.revoked"]).await;
    world.settle().await;

    drop(asleep);
    hold.until_free("UPDATE guild_gates").await;
    world.settle().await;
    let doubled = invariants::doubled(world).await;
    assert!(doubled.is_empty(), "{doubled:#?}");
    world.until("the sleeper asks for another look", async || jobs_of_lost_leases(world).await == 1).await;
    world.settle().await;
    assert_eq!(history().await, ["role.granted", "role.revoked"]);
    assert!(!world.has(&payer.member, world.vip).await);
    hold.release().await;
    harness.end().await;
}

#[tokio::test]
async fn a_read_that_stood_still_beyond_its_lease_is_not_applied() {
    let harness = Harness::start("stalled-read").await;
    let (world, payer) = (&harness.world, Payer::new(&harness.world).await);
    let mut hold = Hold::nothing(&harness.url()).await;
    // Stripe's answer says "active", and is on its way for a second.
    let read = Fault::apply_then_hang().for_ms(1000).on("GET", &payer.subscription);
    world.stripe.fault(read).await.expect("ordered");
    payer.pays(world).await;
    let asked = async || {
        let requests = world.stripe.requests().await.expect("Stripe answers");
        requests.iter().any(|request| request.path.contains(&payer.subscription) && request.status.is_none())
    };
    world.until("the object is read", asked).await;
    // An event that came now would wait behind the sleeper, until Postgres has had both wait for too long.
    world.recorded().await;
    let row = format!("SELECT FROM stripe_sync WHERE object_id = '{}' FOR UPDATE", payer.subscription);
    hold.lock(&row).await;
    let asleep = Stopped::stop(hold.until_blocked("UPDATE stripe_sync").await);
    hold.unlock().await;

    // Before anybody has seen that it was active it is over.
    world.stripe.cancel(&payer.subscription).await.expect("cancels");
    world.heard().await;

    drop(asleep);
    hold.until_free("UPDATE stripe_sync").await;
    let said = "the lease ran out while reading";
    let log = harness.log(Service::Gateway);
    let heard = async || std::fs::read_to_string(log).expect("a log").contains(said);
    world.until("the sleeper knows that it is too late", heard).await;
    world.settle().await;
    assert!(world.role_history(&payer.member).await.is_empty() && !world.has(&payer.member, world.vip).await);
    hold.release().await;
    harness.end().await;
}
