//! Transactions that nobody ends. In: a `begin` that is dropped half way. Out: a pool whose connections are in no transaction.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use shared::{
    db::{pg_roles::Login, pool, tenant},
    ids::GuildId,
};

use crate::support::{cluster::Database, scale::scaled, tenants::SECOND_GUILD};

/// sqlx 0.9.0 can put a connection back inside a transaction. Here the pool has one, so that everybody would meet it.
#[tokio::test]
async fn a_begin_that_is_dropped_half_way_costs_no_later_write() {
    let database = Database::create().await;
    let pool = pool::pool(&database.url, 1, Login::Gateway).unwrap();
    let guild: GuildId = SECOND_GUILD.parse().unwrap();
    let table = "CREATE TABLE kept (n bigint); GRANT INSERT ON kept TO nexrole_ingest";
    sqlx::raw_sql(table).execute(&database.pool).await.unwrap();
    let mut random = StdRng::seed_from_u64(7);
    let rounds = scaled(300, 10_000);
    for n in 0..rounds {
        let micros = random.random_range(0..800);
        let begin = async {
            let tenant = tenant::begin(&pool, guild).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(tenant);
        };
        drop(tokio::time::timeout(Duration::from_micros(micros), begin).await);
        let insert = sqlx::query("INSERT INTO kept VALUES ($1)").bind(i64::try_from(n).unwrap());
        // As the role across tenants, and with no tenant: the other may not insert here.
        insert.execute(pool.across().await.unwrap().unguarded()).await.unwrap();
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&database.pool).await.unwrap();
    assert_eq!(kept, i64::try_from(rounds).unwrap(), "seen by another connection");
    assert_eq!(database.idle_transactions().await, 0);
    pool.close().await;
    database.remove().await;
}
