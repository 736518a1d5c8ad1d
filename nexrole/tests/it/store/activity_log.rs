//! The activity log: who may write and read it, and that it goes day by day.

use serde_json::json;
use shared::{
    db::{pg_roles::Login, tenant},
    domain::activity::Activity,
    store::activity_log,
};
use sqlx::AssertSqlSafe;

use crate::support::{cluster::Database, world::World};

const LEFT: &str = "SELECT coalesce(string_agg(DISTINCT detail, ' ' ORDER BY detail), '') FROM activity_log";

#[tokio::test]
async fn days_go_after_ninety_of_them_and_the_next_ones_are_made() {
    let database = Database::create().await;
    // As if it had run all the time: a table for each day but two, whose rows are in the default one.
    for age in (0..=120).filter(|age| ![3, 95].contains(age)) {
        let make = format!(
            "DO $$ DECLARE day DATE := (now() AT TIME ZONE 'UTC')::date - {age}; BEGIN
                 EXECUTE format('CREATE TABLE IF NOT EXISTS activity_log_%s PARTITION OF activity_log FOR VALUES FROM (%L) TO (%L)',
                                to_char(day, 'YYYYMMDD'), day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
             END $$"
        );
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&database.pool).await.unwrap();
    }
    let fill = "INSERT INTO activity_log (guild_id, at, actor, action, detail)
                SELECT 1, now() - interval '1 day' * age + shift, 'bot', 'role.refused',
                       CASE WHEN interval '1 day' * age - shift > interval '90 days' THEN 'old' ELSE 'young' END
                  FROM generate_series(0, 120) AS age, unnest(ARRAY['0 s', '-1 min', '1 min']::interval[]) AS shift";
    sqlx::query(fill).execute(&database.pool).await.unwrap();
    let young = "SELECT count(*) FROM activity_log WHERE at >= now() - interval '90 days'";
    let before: i64 = sqlx::query_scalar(young).fetch_one(&database.pool).await.unwrap();
    let retention = database.login(Login::Retention);
    // Killed before its end: all of it or nothing.
    let mut half = retention.across_impatiently(std::time::Duration::from_secs(1)).await.unwrap();
    assert!(activity_log::turn_days(&mut half).await.unwrap() > 25);
    drop(half);
    let left: String = sqlx::query_scalar(LEFT).fetch_one(&database.pool).await.unwrap();
    assert_eq!(left, "old young");
    let mut across = retention.across().await.unwrap();
    assert!(activity_log::turn_days(&mut across).await.unwrap() > 25, "whole days are dropped");
    let (left, after): (String, i64) = (
        sqlx::query_scalar(LEFT).fetch_one(&database.pool).await.unwrap(),
        sqlx::query_scalar(young).fetch_one(&database.pool).await.unwrap(),
    );
    // Some of the young have become old since the count: no more than the three of that minute.
    assert_eq!(left, "young");
    assert!((before - 3..=before).contains(&after), "{before} before, {after} after");
    assert_eq!(
        activity_log::turn_days(&mut across).await.unwrap(),
        0,
        "a second time there is nothing to do"
    );
    let ahead = "SELECT count(*) FROM pg_class WHERE relispartition AND relname IN (
                     SELECT 'activity_log_' || to_char((now() AT TIME ZONE 'UTC')::date + n, 'YYYYMMDD')
                       FROM generate_series(1, 3) AS n)";
    let ahead: i64 = sqlx::query_scalar(ahead).fetch_one(&database.pool).await.unwrap();
    assert_eq!(ahead, 3, "the next three days have their tables");
    // Nothing but that, not even a check.
    for forbidden in ["SELECT count(*) FROM activity_log", "DELETE FROM activity_log"] {
        let refused = sqlx::query(forbidden).execute(across.unguarded()).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{forbidden}: {refused}");
    }
    drop(across);
    retention.close().await;
    database.remove().await;
}

#[tokio::test]
async fn nobody_else_turns_days_or_reaches_a_day_past_its_tenant() {
    let database = Database::create().await;
    for login in [Login::Gateway, Login::Bot, Login::Operator] {
        let pool = database.login(login);
        let mut across = pool.across().await.unwrap();
        let refused = activity_log::turn_days(&mut across).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied for function"), "{login:?}: {refused}");
        drop(across);
        let mut tenant = tenant::begin(&pool, shared::ids::GuildId::from_u64(1).unwrap()).await.unwrap();
        let day = "SELECT count(*) FROM activity_log_default";
        let refused = sqlx::query(day).execute(tenant.unguarded()).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied for table"), "{login:?}: {refused}");
        drop(tenant);
        pool.close().await;
    }
    database.remove().await;
}

/// Checking is written down too, and shown.
#[tokio::test]
async fn what_an_operator_read_and_what_discord_refused_is_shown() {
    let world = World::start().await;
    let (guild, ana) = (world.guild.to_string(), world.member().await);
    world.discord.set_role(world.guild, world.vip, json!({ "position": 90 })).await.unwrap();
    world.subscribes(&ana).await;
    let refused = async || world.activity(Activity::RoleRefused).await;
    world.until("Discord has refused", async || refused().await == 1).await;
    let member = ana.user.to_string();
    for read in [
        &["why", "--guild", &guild, "--member", &member][..],
        &["catalogue", "--guild", &guild],
        &["export", "--guild", &guild],
    ] {
        world.nexrole(read).await.unwrap();
    }
    let shown = world.nexrole(&["activity", "--guild", &guild]).await.unwrap();
    for line in [
        &format!("member.read     by operator  member {member}"),
        "catalogue.read",
        "audit.exported",
        "Discord answers 403 with code 50013",
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    assert!(!shown.contains("activity.read"));
    let shown = world.nexrole(&["activity", "--guild", &guild, "--lines", "1"]).await.unwrap();
    assert!(shown.contains("activity.read") && !shown.contains("member.read"), "{shown}");
    world.close().await;
}
