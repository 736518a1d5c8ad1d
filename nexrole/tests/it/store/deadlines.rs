//! What was given for a while ends once, whoever checks, and nothing else ends with it. On a real Postgres, with several processes.

use std::collections::BTreeSet;

use shared::{
    db::pg_roles::Login,
    store::access_given::{end_over, guilds_with_over},
};
use sqlx::AssertSqlSafe;

use super::{guild, in_guild, insert_guilds, text};
use crate::support::cluster::Database;

async fn give(database: &Database, rows: &str) {
    let insert = format!(
        "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence, valid_until,
                                     stripe_object) {rows}"
    );
    sqlx::query(AssertSqlSafe(insert)).execute(&database.pool).await.unwrap();
}

#[tokio::test]
async fn several_processes_end_each_source_once_with_its_entry_and_its_job() {
    let database = Database::create().await;
    insert_guilds(&database.pool, 3).await;
    give(
        &database,
        "SELECT 1 + n % 3, n, 7, CASE WHEN n % 2 = 0 THEN 'manual' ELSE 'import' END, NULL, 'x', 'live', 'x',
                now() - n * interval '1 s', NULL FROM generate_series(1, 600) n",
    )
    .await;
    let workers = (0..6).map(|_| {
        let bot = database.login(Login::Bot);
        tokio::spawn(async move {
            let mut ended = 0;
            loop {
                let over = guilds_with_over(&mut bot.across().await.unwrap(), 100).await.unwrap();
                if over.is_empty() {
                    return ended;
                }
                for guild in over {
                    let mut tenant = shared::db::tenant::begin(&bot, guild).await.unwrap();
                    ended += end_over(&mut tenant, 20).await.unwrap();
                    tenant.commit().await.unwrap();
                }
            }
        })
    });
    let mut ended = 0;
    for worker in workers.collect::<Vec<_>>() {
        ended += worker.await.unwrap();
    }
    assert_eq!(ended, 600);
    for (what, count) in [
        (
            "SELECT count(*)::text FROM access_sources WHERE state = 'ended' AND evidence = 'its time is over'",
            "600",
        ),
        ("SELECT count(*)::text FROM audit_log WHERE action = 'access.ended' AND actor = 'bot'", "600"),
        ("SELECT count(DISTINCT (guild_id, user_id, role_id))::text FROM audit_log", "600"),
        (
            "SELECT count(DISTINCT (guild_id, user_id, role_id))::text FROM role_jobs WHERE action = 'revoke'",
            "600",
        ),
        ("SELECT count(*)::text FROM role_jobs", "600"),
    ] {
        assert_eq!(text(&database.pool, what).await, count, "{what}");
    }
    database.remove().await;
}

/// Two sources of each kind for each of many members, ended or live, over or not, in every combination: those end that are over,
/// live and not bought, and a role is due exactly as long as another source gives it.
#[tokio::test]
async fn no_source_takes_what_another_gives() {
    let database = Database::create().await;
    super::connection(&database).await;
    let bot = database.login(Login::Bot);
    // 3 kinds × (no source, ended, live without an end, live and not over, live and over): 125 members.
    give(
        &database,
        "SELECT 1, 1 + a + 5 * b + 25 * c, 7, kind, CASE kind WHEN 'stripe' THEN 1 END, 'x', CASE has WHEN 1 THEN 'ended' ELSE 'live' END,
                'x', CASE has WHEN 3 THEN now() + interval '1 h' WHEN 2 THEN NULL ELSE now() - interval '1 s' END,
                CASE kind WHEN 'stripe' THEN 'subscription' END
           FROM generate_series(0, 4) a, generate_series(0, 4) b, generate_series(0, 4) c,
                LATERAL (VALUES ('stripe', a), ('manual', b), ('import', c)) AS source (kind, has)
          WHERE has > 0",
    )
    .await;
    let due = "SELECT coalesce(string_agg(DISTINCT user_id::text, ','), '') FROM access_sources WHERE state = 'live'";
    let ended = in_guild(&bot, 1, async |t| end_over(t, 1_000).await).await;
    assert_eq!(ended, 50, "of each of two kinds 25");
    let found: BTreeSet<u32> =
        text(&database.pool, due).await.split(',').map(|id| id.parse().unwrap()).collect();
    let expected: BTreeSet<u32> = (0..125)
        .filter(|n| {
            let (bought, given, taken_over) = (n % 5, n / 5 % 5, n / 25);
            bought >= 2 || [given, taken_over].iter().any(|has| (2..=3).contains(has))
        })
        .map(|n| n + 1)
        .collect();
    assert_eq!(found, expected);
    assert_eq!(in_guild(&bot, 1, async |t| end_over(t, 1_000).await).await, 0, "once");
    database.remove().await;
}

/// What is just being given longer is not ended by a check from before.
#[tokio::test]
async fn what_somebody_else_is_changing_is_left_to_them() {
    let database = Database::create().await;
    insert_guilds(&database.pool, 1).await;
    let bot = database.login(Login::Bot);
    give(
        &database,
        "SELECT 1, n, 7, 'manual', NULL, 'x', 'live', 'x', now() - interval '1 s', NULL FROM generate_series(1, 2) n",
    )
    .await;
    let mut extending = database.pool.begin().await.unwrap();
    let longer = "UPDATE access_sources SET valid_until = now() + interval '1 h' WHERE user_id = 1";
    sqlx::query(longer).execute(&mut *extending).await.unwrap();
    assert_eq!(in_guild(&bot, 1, async |t| end_over(t, 9).await).await, 1);
    extending.commit().await.unwrap();
    assert_eq!(in_guild(&bot, 1, async |t| end_over(t, 9).await).await, 0);
    assert_eq!(
        text(
            &database.pool,
            "SELECT string_agg(user_id || ' ' || state, ', ' ORDER BY user_id) FROM access_sources"
        )
        .await,
        "1 live, 2 ended"
    );
    database.remove().await;
}

/// A hundred thousand sources, most of them bought, some given for good or for longer, cost the search for a few nothing.
#[tokio::test]
async fn the_search_for_what_is_over_reads_that_and_no_table() {
    let database = Database::create().await;
    super::connection(&database).await;
    let bot = database.login(Login::Bot);
    give(
        &database,
        "SELECT 1, n, 7, kind, CASE kind WHEN 'stripe' THEN 1 END, 'x', 'live', 'x',
                CASE WHEN n <= 5 OR kind = 'stripe' THEN now() - interval '1 s' WHEN n % 20 > 0 THEN now() + interval '1 h' END,
                CASE kind WHEN 'stripe' THEN 'subscription' END
           FROM generate_series(1, 100000) n,
                LATERAL (SELECT CASE WHEN n <= 5 OR n % 2 = 0 THEN 'manual' ELSE 'stripe' END) AS of (kind)",
    )
    .await;
    sqlx::query("ANALYZE access_sources").execute(&database.pool).await.unwrap();
    let scans =
        "SELECT coalesce(sum(seq_scan), 0)::text FROM pg_stat_user_tables WHERE relname = 'access_sources'";
    // It has 45,000 entries. What is over is read again until it is swept out of the index.
    let by_index = "SELECT (idx_scan >= 3)::text || ' ' || idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'access_sources_over'";
    let before = text(&database.pool, scans).await;
    let mut across = bot.across().await.unwrap();
    assert_eq!(guilds_with_over(&mut across, 100).await.unwrap(), [guild(1)]);
    assert_eq!(in_guild(&bot, 1, async |t| end_over(t, 100).await).await, 5);
    // A session tells of its scans at the end of a transaction, at most once a second.
    while text(&database.pool, by_index).await.starts_with("false") {
        assert_eq!(in_guild(&bot, 1, async |t| end_over(t, 100).await).await, 0);
        assert!(guilds_with_over(&mut across, 100).await.unwrap().is_empty());
    }
    assert_eq!(text(&database.pool, scans).await, before, "no table was read");
    let read = text(&database.pool, by_index).await;
    let read: u64 = read.split_once(' ').unwrap().1.parse().unwrap();
    assert!(read < 20_000, "{read} entries were read");
    drop(across);
    database.remove().await;
}
