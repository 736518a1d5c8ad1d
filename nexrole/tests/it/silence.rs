//! Stories about connections to Postgres that die without a word: nothing closes them, and nothing comes over them.

use std::time::Duration;

use crate::world::{World, wire::Wire};

/// Said by a connection that leases guilds, the first time.
const LEASING: &str = "WITH RECURSIVE ring";
/// Said by a connection that settles a turn.
const SETTLING: &str = "UPDATE role_jobs j SET state = x.state";

async fn behind_a_wire() -> (World, Wire) {
    let mut world = World::without_services().await;
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    let wire = Wire::to(world.database_url()).await;
    world.set("DATABASE_URL", &wire.url);
    (world, wire)
}

#[tokio::test]
async fn a_silent_connection_stops_the_worker_for_seconds_only() {
    let (mut world, wire) = behind_a_wire().await;
    wire.silence(LEASING, 1);
    world.start_bot().await;
    world.until("a connection went silent", async || wire.silenced() == 1).await;
    world.until("it was given up, and its place in the pool is free", async || wire.given_up() == 1).await;
    let ana = world.fan().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    // Now in the middle of a turn: what its call did is not forgotten.
    wire.silence(SETTLING, 1);
    let ben = world.fan().await;
    world.subscribes(&ben).await;
    world.until("they have VIP", async || world.has(&ben, world.vip).await).await;
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_bot_stops_in_seconds_though_its_database_is_silent() {
    for deadly in [LEASING, SETTLING, "LISTEN"] {
        let (mut world, wire) = behind_a_wire().await;
        wire.silence(deadly, usize::MAX);
        world.start_bot().await;
        let ana = world.fan().await;
        world.subscribes(&ana).await;
        world.until("a connection went silent", async || wire.silenced() > 0).await;
        let stopped = tokio::time::timeout(Duration::from_secs(15), world.stop_bot()).await;
        stopped.unwrap_or_else(|_| panic!("still there after {deadly:?}")).unwrap();
        world.close().await;
    }
}
