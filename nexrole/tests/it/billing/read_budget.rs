//! The month's reads of Stripe's API: when they are spent, what nobody waits for stops, and who pays is read on.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use crate::support::world::World;

/// Pages of the list of all subscriptions that were asked for.
async fn pages(world: &World) -> usize {
    let requests = world.stripe.requests().await.unwrap();
    let is_page = |path: &str| path.starts_with("/v1/subscriptions?") && !path.contains("customer=");
    requests.iter().filter(|request| is_page(&request.path_and_query)).count()
}

/// Everything up, seen and read; then the gateway stops, so that what it counted is written.
async fn world_at_rest() -> World {
    let mut world = World::without_services().await;
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    world.until_every_mapped_role_is_seen().await;
    world.until_all_is_read().await;
    world.stop_gateway().await;
    world.stripe.clear_requests().await.unwrap();
    world
}

/// The gateway starts when so many reads were made this month that a list, which is due, is not read.
async fn start_without_a_list(world: &mut World, reads: i32) {
    world.reads_were_made(reads).await;
    world.lists_are_due().await;
    world.begin_gateway();
    let said = async || world.of_guild(&["failed", "list"]).await.unwrap();
    world
        .until("the list says why it waits", async || said().await.contains("that Stripe grants are spent"))
        .await;
}

#[tokio::test]
async fn a_list_waits_when_they_are_spent_until_the_month_is_over_and_who_pays_does_not() {
    let mut world = world_at_rest().await;
    start_without_a_list(&mut world, 10_000).await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    // Not all is settled: what is sold waits, too.
    world.until("she has VIP", async || world.has(&ana, world.vip).await).await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until("it is taken", async || !world.has(&ana, world.vip).await).await;
    assert_eq!(pages(&world).await, 0);
    let said = world.nexrole(&["connections"]).await.unwrap();
    assert!(said.contains("0 of 10,000 left"), "{said}");
    let doctor = &world.doctor().await["stripe.reads"];
    assert_eq!(doctor["state"], "warn", "{doctor}");

    world.stop_gateway().await;
    world.the_month_is_over().await;
    world.lists_are_due().await;
    world.start_gateway().await;
    world.until("the list is read", async || pages(&world).await > 0).await;
    assert_eq!(world.doctor().await["stripe.reads"]["state"], "ok");
    world.reads_are_due().await;
    world.finish().await;
}

#[tokio::test]
async fn each_payment_of_the_last_thirty_days_brings_five_hundred() {
    let mut world = world_at_rest().await;
    world.start_gateway().await;
    for _ in 0..21 {
        let customer = world.stripe.create_customer(None, &[]).await.unwrap();
        world.stripe.subscribe(&customer, &world.price).await.unwrap();
    }
    world.heard().await;
    world.until_all_is_read().await;
    world.stop_gateway().await;
    world.stripe.clear_requests().await.unwrap();
    start_without_a_list(&mut world, 10_500).await;
    assert_eq!(pages(&world).await, 0);
    world.stop_gateway().await;
    world.reads_were_made(10_400).await;
    world.lists_are_due().await;
    world.start_gateway().await;
    world.until("the list is read", async || pages(&world).await > 0).await;
    world.reads_are_due().await;
    world.finish().await;
}
