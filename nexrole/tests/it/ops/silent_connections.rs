//! Stories about connections to Postgres that die without a word: nothing closes them, and nothing comes over them.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    postgres_proxy::PostgresProxy,
    signing::{event, sign},
    tenants::{SECOND_GUILD, TENANT_SECRET},
    world::World,
};

/// Said by a connection that leases guilds, the first time.
const LEASING: &str = "WITH RECURSIVE ring";
/// Said by a connection that settles a turn.
const SETTLING: &str = "UPDATE role_jobs j SET state = x.state";

/// Said by a connection that looks up a webhook address, the first time.
const LOOK_UP: &str = "stripe_connections WHERE endpoint_id = ";
/// Said by a connection that fetches an API key, the first time.
const CREDENTIAL: &str = "SELECT api_key, label, livemode, metadata_links";

async fn behind_a_proxy() -> (World, PostgresProxy) {
    let mut world = World::without_services().await;
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    let proxy = PostgresProxy::to(world.database_url()).await;
    world.set("DATABASE_URL", &proxy.url);
    (world, proxy)
}

#[tokio::test]
async fn a_silent_connection_stops_the_worker_for_seconds_only() {
    let (mut world, proxy) = behind_a_proxy().await;
    proxy.silence(LEASING, 1);
    world.start_bot().await;
    world.until("a connection went silent", async || proxy.silenced() == 1).await;
    world.until("it was given up, and its place in the pool is free", async || proxy.given_up() == 1).await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    // Now in the middle of a turn: what its call did is not forgotten.
    proxy.silence(SETTLING, 1);
    let ben = world.member().await;
    world.subscribes(&ben).await;
    world.until("they have VIP", async || world.has(&ben, world.vip).await).await;
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_bot_stops_in_seconds_though_its_database_is_silent() {
    for deadly in [LEASING, SETTLING, "LISTEN"] {
        let (mut world, proxy) = behind_a_proxy().await;
        proxy.silence(deadly, usize::MAX);
        world.start_bot().await;
        let ana = world.member().await;
        world.subscribes(&ana).await;
        world.until("a connection went silent", async || proxy.silenced() > 0).await;
        let stopped = tokio::time::timeout(Duration::from_secs(15), world.stop_bot()).await;
        stopped.unwrap_or_else(|_| panic!("still there after {deadly:?}")).unwrap();
        world.close().await;
    }
}

#[tokio::test]
async fn look_ups_on_silent_connections_keep_a_tenants_events_out_for_seconds_only() {
    let mut world = World::without_services().await;
    let proxy = PostgresProxy::to(world.database_url()).await;
    world.set("DATABASE_URL", &proxy.url);
    world.start_gateway().await;
    let tenants = [world.sealed_tenant(SECOND_GUILD).await, world.sealed_tenant("333333333333333333").await];
    proxy.silence(LOOK_UP, 2);
    let body = event("evt_1", "new.type", &json!({}), false);
    let post = |endpoint: &str| {
        let url = format!("{}/{endpoint}", world.webhook());
        let signature = sign(&body, TENANT_SECRET);
        world.http.post(url).header("Stripe-Signature", signature).body(body.clone()).send()
    };
    // Both turns of the bucket.
    let (first, second) = (post(&tenants[0]), post(&tenants[1]));
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.unwrap().status().as_u16(), second.unwrap().status().as_u16()), (503, 503));
    assert_eq!(proxy.silenced(), 2);
    world.until("they were given up", async || proxy.given_up() == 2).await;
    for tenant in &tenants {
        assert_eq!(post(tenant).await.unwrap().status(), 200);
    }
    world.close().await;
}

#[tokio::test]
async fn a_key_fetched_on_a_silent_connection_stops_no_other_read() {
    let mut world = World::without_services().await;
    world.map("price", &world.price.clone(), world.vip).await;
    let proxy = PostgresProxy::to(world.database_url()).await;
    world.set("DATABASE_URL", &proxy.url);
    proxy.silence(CREDENTIAL, 1);
    world.begin_gateway();
    world.start_bot().await;
    world.until("the poll's connection went silent", async || proxy.silenced() == 1).await;
    world.until("it was given up", async || proxy.given_up() == 1).await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_gateway_stops_in_seconds_though_its_database_is_silent() {
    for deadly in [
        LOOK_UP,
        CREDENTIAL,
        "INSERT INTO guilds",
        "CROSS JOIN LATERAL",
        "INSERT INTO stripe_events",
        "UPDATE stripe_sync s SET lease_owner",
    ] {
        let mut world = World::without_services().await;
        let tenant = world.sealed_tenant(SECOND_GUILD).await;
        let proxy = PostgresProxy::to(world.database_url()).await;
        world.set("DATABASE_URL", &proxy.url);
        proxy.silence(deadly, usize::MAX);
        world.begin_gateway();
        let (http, url) = (world.http.clone(), format!("{}/{tenant}", world.webhook()));
        // It may get no answer.
        let asking = tokio::spawn(async move {
            loop {
                let body = event("evt_1", "new.type", &json!({}), false);
                let signature = sign(&body, TENANT_SECRET);
                drop(http.post(&url).header("Stripe-Signature", signature).body(body).send().await);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        world.until("a connection went silent", async || proxy.silenced() > 0).await;
        // Nine at the worst, and a machine that is busy.
        let stopped = tokio::time::timeout(Duration::from_secs(20), world.stop_gateway()).await;
        stopped.unwrap_or_else(|_| panic!("still there after {deadly:?}"));
        asking.abort();
        world.close().await;
    }
}
