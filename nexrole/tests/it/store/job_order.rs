//! Whose turn it is: what one member asked for goes before what concerns many, and neither starves the other. In: queues of both
//! kinds. Out: who is taken, from which guild, and what the search costs.

use std::collections::BTreeSet;

use shared::{
    db::{pg_roles::Login, tenant},
    domain::job::JobOrigin::{self, Bulk, Command, Join, Purchase, Recheck, Sweep},
    ids::UserId,
    store::{
        guild_gates::{self, Scan},
        role_jobs,
    },
};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use uuid::Uuid;

use super::{LEASE, guild, in_guild, insert_guilds};
use crate::support::cluster::Database;

/// Jobs of members `from` to `to` of a guild, due before those that were made later.
async fn jobs(db: &PgPool, guild: i64, (from, to): (i64, i64), origin: JobOrigin, due: &str) {
    let insert = format!(
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause, due_at)
         SELECT $1, n, 7, 'grant', $4, 'test', clock_timestamp() + {due} FROM generate_series($2::bigint, $3) n"
    );
    let query = sqlx::query(AssertSqlSafe(insert)).bind(guild).bind(from).bind(to).bind(origin);
    query.execute(db).await.unwrap();
}

fn number(user: UserId) -> u64 {
    user.get()
}

#[tokio::test]
async fn what_a_member_asked_for_goes_before_a_bulk_and_the_bulk_goes_on() {
    let database = Database::create().await;
    insert_guilds(&database.pool, 1).await;
    let bot = database.login(Login::Bot);
    for (origin, first) in [(Bulk, 100), (Sweep, 200), (Recheck, 300)] {
        jobs(&database.pool, 1, (first, first + 49), origin, "interval '-1 h'").await;
    }
    for (origin, first) in [(Purchase, 1), (Join, 11), (Command, 21)] {
        jobs(&database.pool, 1, (first, first + 9), origin, "interval '0'").await;
    }
    let taken = async |start: f64| -> Vec<u64> {
        let work = in_guild(&bot, 1, async |t| role_jobs::due(t, 10, start).await).await;
        work.iter().map(|member| number(member.user)).collect()
    };
    assert_eq!(taken(0.5).await, [1, 2, 100, 3, 4, 5, 6, 101, 7, 8], "a fifth of the places");
    assert_eq!(taken(0.0).await[..2], [100, 1], "also where a turn ends after its first member");
    assert_eq!(taken(0.99).await[..5], [1, 2, 3, 4, 100]);
    sqlx::query("DELETE FROM role_jobs WHERE origin IN ('bulk', 'sweep', 'recheck')")
        .execute(&database.pool)
        .await
        .unwrap();
    assert_eq!(taken(0.0).await, (1..=10).collect::<Vec<_>>(), "no place is kept free");
    sqlx::query("DELETE FROM role_jobs").execute(&database.pool).await.unwrap();
    jobs(&database.pool, 1, (1, 20), Recheck, "interval '0'").await;
    assert_eq!(taken(0.99).await, (1..=10).collect::<Vec<_>>());
    database.remove().await;
}

/// However many guilds are swept.
#[tokio::test]
async fn a_guild_with_a_buyer_goes_before_those_with_a_bulk() {
    let database = Database::create().await;
    insert_guilds(&database.pool, 50).await;
    let bot = database.login(Login::Bot);
    for n in 1..=50 {
        jobs(&database.pool, n, (1, 3), Sweep, "interval '-1 h'").await;
    }
    jobs(&database.pool, 30, (9, 9), Purchase, "interval '0'").await;
    jobs(&database.pool, 40, (9, 9), Purchase, "interval '1 h'").await;
    let mut across = bot.across().await.unwrap();
    let mut lease = async |which, limit| {
        let scan = guild_gates::lease(&mut across, which, None, limit, Uuid::new_v4(), LEASE).await.unwrap();
        scan.leased.into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(
        lease(Scan::Urgent, 9).await,
        BTreeSet::from([guild(30)]),
        "the others have nothing urgent, or not yet"
    );
    assert_eq!(lease(Scan::All, 2).await, BTreeSet::from([guild(1), guild(2)]));
    drop(across);
    database.remove().await;
}

/// Whatever waits before it, a turn's search reads a few rows: also where the planner knows of no queue yet, as when a bulk came
/// at once.
#[tokio::test]
async fn the_search_for_a_turn_does_not_grow_with_the_queue() {
    let database = Database::create().await;
    insert_guilds(&database.pool, 3).await;
    sqlx::query("ANALYZE role_jobs").execute(&database.pool).await.unwrap();
    jobs(&database.pool, 1, (1, 20_000), Bulk, "interval '-1 h'").await;
    jobs(&database.pool, 1, (20_001, 40_000), Sweep, "interval '1 h'").await;
    jobs(&database.pool, 1, (40_001, 40_500), Purchase, "interval '-1 m'").await;
    jobs(&database.pool, 1, (40_501, 60_000), Purchase, "interval '1 h'").await;
    let bot = database.login(Login::Bot);
    for analyzed in [false, true] {
        if analyzed {
            sqlx::query("ANALYZE role_jobs").execute(&database.pool).await.unwrap();
        }
        let mut tenant = tenant::begin(&bot, guild(1)).await.unwrap();
        assert_eq!(role_jobs::due(&mut tenant, 10, 0.5).await.unwrap().len(), 10);
        let read = rows_read(tenant.unguarded()).await;
        assert!(read < 100, "{read} rows for a turn (analyzed: {analyzed})");
        drop(tenant);
        let mut across = bot.across().await.unwrap();
        for which in [Scan::Urgent, Scan::All] {
            sqlx::query("BEGIN").execute(across.unguarded()).await.unwrap();
            let scan = guild_gates::lease(&mut across, which, None, 1, Uuid::new_v4(), LEASE).await.unwrap();
            assert_eq!(scan.leased, [guild(1)]);
            let read = rows_read(across.unguarded()).await;
            assert!(read < 100, "{read} rows for a scan of {which:?} (analyzed: {analyzed})");
            sqlx::query("ROLLBACK").execute(across.unguarded()).await.unwrap();
        }
    }
    database.remove().await;
}

/// Of `role_jobs` and its indexes, in this transaction.
async fn rows_read(db: &mut PgConnection) -> i64 {
    let read = "SELECT sum(pg_stat_get_xact_tuples_returned(oid))::bigint
                  FROM (SELECT 'role_jobs'::regclass::oid AS oid
                        UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = 'role_jobs'::regclass) AS of";
    sqlx::query_scalar(read).fetch_one(db).await.unwrap()
}
