//! A database that may forget: what the services say to it. In: settings of the server. Out: ready or not, and why.

use shared::{
    db::{
        pg_roles::Login,
        pool::{self, Pool},
        readiness,
        readiness::Readiness,
        tenant,
    },
    ids::GuildId,
};
use sqlx::PgExecutor;

use crate::support::{cluster::Database, world::World};

/// The tests' own server keeps nothing safe, and says so. From here on this database of it does not say so any more.
async fn pretend_to_matter(database: &Database) -> Pool {
    database.set("nexrole.may_lose_data = off").await;
    pool::pool(&database.url, 2, Login::Gateway).expect("the address is good")
}

async fn setting(db: impl PgExecutor<'_>, name: &str) -> String {
    sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(db).await.expect("it is known")
}

#[tokio::test]
async fn a_commit_is_durable_even_where_the_servers_default_is_not() {
    let database = Database::create().await;
    if setting(&database.pool, "fsync").await == "on" {
        return println!("SKIPPED: the tests run on somebody else's Postgres, which is durable");
    }
    assert_eq!(setting(&database.pool, "synchronous_commit").await, "off", "as the tests want it");
    let pool = pretend_to_matter(&database).await;
    assert_eq!(setting(pool.across().await.unwrap().unguarded(), "synchronous_commit").await, "on");
    let guild: GuildId = "222222222222222222".parse().unwrap();
    let mut tenant = tenant::begin(&pool, guild).await.unwrap();
    assert_eq!(setting(tenant.unguarded(), "synchronous_commit").await, "on");
    drop(tenant);
    pool.close().await;
    database.remove().await;
}

#[tokio::test]
async fn a_server_that_may_lose_data_is_not_ready_unless_it_says_that_it_is_meant_to() {
    let mut world = World::without_services().await;
    if setting(world.db(), "fsync").await == "on" {
        return println!("SKIPPED: the tests run on somebody else's Postgres, which is durable");
    }
    assert_eq!(readiness::readiness(&world.login(Login::Gateway)).await, Readiness::Ready);
    world.start_gateway().await;
    let pool = pretend_to_matter(world.database()).await;
    assert_eq!(readiness::readiness(&pool).await, Readiness::MayLoseData);
    pool.close().await;
    world.stop_gateway().await;
    let url = format!("{}/readyz", world.gateway_url);
    let config = world.gateway_config();
    let stop = tokio_util::sync::CancellationToken::new();
    let gateway = tokio::spawn(webhook_gateway::run(config, stop.clone()));
    let refused = async || match world.http.get(&url).send().await {
        Ok(answer) => {
            answer.status() == 503 && answer.text().await.is_ok_and(|text| text.contains("may lose data"))
        }
        Err(_) => false,
    };
    world.until("the gateway says what is wrong", refused).await;
    stop.cancel();
    gateway.await.expect("no panic").expect("it ends well");
    world.close().await;
}
